"""A camera's memory survives the store, and bytes that are not one cost nothing but the memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.schema import JudgeSettings
from engine.judge.announce import announce
from engine.judge.history import OUTCOMES_MAX, History, Outcome
from engine.types import FaultKind, State

KINDS = st.sets(st.sampled_from(FaultKind)).map(lambda kinds: tuple(kind for kind in FaultKind if kind in kinds))
OUTCOMES = st.builds(Outcome, st.sampled_from(State), KINDS)
NS = st.integers(0, 2**63)
HISTORIES = st.builds(
    History,
    announced=st.none() | st.sampled_from(State),
    announced_kinds=KINDS,
    since_wall_ns=NS,
    outcomes=st.lists(OUTCOMES, max_size=OUTCOMES_MAX).map(tuple),
    signature=st.binary(max_size=289),
    same_visits=st.integers(0, 65535),
    signature_wall_ns=NS,
    baseline=st.binary(max_size=288),
    baseline_visits=st.integers(0, 65535),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(HISTORIES)
def test_a_memory_comes_back_from_its_bytes(history: History) -> None:
    assert History.from_bytes(history.to_bytes()) == history


@settings(max_examples=200, deadline=None, derandomize=True)
@given(HISTORIES, st.integers(0, 700))
def test_cut_bytes_are_a_camera_never_seen(history: History, length: int) -> None:
    blob = history.to_bytes()
    if length < len(blob):
        assert History.from_bytes(blob[:length]) == History()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200).map(lambda tail: b"\x01" + tail))
def test_any_bytes_are_read_without_an_error(blob: bytes) -> None:
    assert isinstance(History.from_bytes(blob), History)


def test_no_bytes_and_another_version_are_a_camera_never_seen() -> None:
    assert History.from_bytes(b"") == History()
    assert History.from_bytes(b"\x02" + History(same_visits=3).to_bytes()[1:]) == History()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.builds(Outcome, st.sampled_from([State.OK, State.OFFLINE, State.UNKNOWN])), min_size=1, max_size=30))
def test_what_is_announced_was_seen_and_kept_its_beginning(outcomes: list[Outcome]) -> None:
    history, judge = History(), JudgeSettings()
    for at, outcome in enumerate(outcomes, start=1):
        before = history
        history = announce(history, outcome, at, judge)
        if history.announced == before.announced:
            assert history.since_wall_ns == before.since_wall_ns
        else:
            assert history.since_wall_ns == at
            assert history.announced in (outcome.state, State.UNKNOWN)
