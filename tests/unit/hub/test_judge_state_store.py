"""The judge's memories in the hub: kept as bytes, given as values."""

from engine.hub.judge_state_store import JudgeStateStore
from engine.judge.state import HIDDEN_BYTES, JudgeState, Outcome, pack_outcomes
from engine.model.verdict import FaultKind, State

SEEN = JudgeState(
    State.FAULT,
    (FaultKind.BLURRED,),
    since_wall_ns=7,
    packed_outcomes=pack_outcomes([Outcome(State.FAULT)]),
    hidden=b"\1" * HIDDEN_BYTES,
)


def test_what_was_stored_is_remembered_and_a_camera_never_seen_has_no_memory() -> None:
    memories = JudgeStateStore([("a", JudgeState(State.OK).to_bytes()), ("cut", b"\2\3")])
    assert memories.of("a") == JudgeState(State.OK)
    assert memories.of("b") == memories.of("cut") == JudgeState()


def test_a_new_memory_replaces_the_old_one_and_is_told_as_it_is_to_be_stored() -> None:
    memories = JudgeStateStore([("a", JudgeState(State.OK).to_bytes())])
    assert memories.put("a", SEEN) == SEEN.to_bytes()
    assert memories.put("b", JudgeState(State.OFFLINE)) == JudgeState(State.OFFLINE).to_bytes()
    assert (memories.of("a").announced_kinds, memories.of("b").announced) == ((FaultKind.BLURRED,), State.OFFLINE)


def test_a_camera_that_left_is_forgotten_and_one_not_known_is_no_trouble() -> None:
    memories = JudgeStateStore([("a", SEEN.to_bytes())])
    memories.forget("a")
    memories.forget("b")
    assert memories.of("a") == JudgeState()
