"""The judge's states in the hub: kept as bytes, given as values."""

from engine.hub.keyframes.judge_state_store import JudgeStateStore
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
    states = JudgeStateStore([("a", JudgeState(State.OK).to_bytes()), ("cut", b"\2\3")])
    assert states.get("a") == JudgeState(State.OK)
    assert states.get("b") == states.get("cut") == JudgeState()


def test_a_new_memory_replaces_the_old_one_and_is_told_as_it_is_to_be_stored() -> None:
    states = JudgeStateStore([("a", JudgeState(State.OK).to_bytes())])
    assert states.replace("a", SEEN) == SEEN.to_bytes()
    assert states.replace("b", JudgeState(State.OFFLINE)) == JudgeState(State.OFFLINE).to_bytes()
    assert (states.get("a").announced_kinds, states.get("b").announced) == ((FaultKind.BLURRED,), State.OFFLINE)


def test_a_camera_that_left_is_forgotten_and_one_not_known_is_no_trouble() -> None:
    states = JudgeStateStore([("a", SEEN.to_bytes())])
    states.forget("a")
    states.forget("b")
    assert states.get("a") == JudgeState()
