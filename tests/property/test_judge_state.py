"""A camera's memory survives the store, and bytes that are not one cost nothing but the memory."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.judge import JudgeSettings
from engine.judge.baseline import BASELINE_BYTES, Baseline
from engine.judge.confirmation import apply_outcome
from engine.judge.state import (
    HIDDEN_BYTES,
    OUTCOMES_MAX,
    STATE_BYTES_MAX,
    TILE_MEANS_BYTES,
    JudgeState,
    Outcome,
    known_area,
    pack_outcomes,
)
from engine.model.active_area import QUARTERS, UNITS, ActiveArea
from engine.model.verdict import Cause, FaultKind, State

KINDS = st.sets(st.sampled_from(FaultKind)).map(lambda kinds: tuple(kind for kind in FaultKind if kind in kinds))
CAUSES = st.none() | st.sampled_from(Cause)
OUTCOMES = st.builds(Outcome, st.sampled_from(State), KINDS, CAUSES, st.booleans())
NS = st.integers(0, 2**63)
COUNTS = st.integers(0, 65535)
BLOBS = st.sampled_from([b"", bytes(range(256)) * 8]).map(lambda blob: blob[:BASELINE_BYTES])
LOW_SIDES, HIGH_SIDES = st.integers(0, 4999), st.integers(5000, UNITS)
HISTORIES = st.builds(
    JudgeState,
    announced=st.none() | st.sampled_from(State),
    announced_kinds=KINDS,
    announced_cause=CAUSES,
    since_wall_ns=NS,
    packed_outcomes=st.lists(OUTCOMES, max_size=OUTCOMES_MAX).map(pack_outcomes),
    tile_means=st.just(b"") | st.binary(min_size=TILE_MEANS_BYTES, max_size=TILE_MEANS_BYTES),
    same_visits=COUNTS,
    still_visits=COUNTS,
    compared_wall_ns=NS,
    stream_time_ns=st.integers(-1, 2**62),
    clock_still_visits=COUNTS,
    hidden=st.just(b"") | st.binary(min_size=HIDDEN_BYTES, max_size=HIDDEN_BYTES),
    soft_visits=COUNTS,
    soft_since_wall_ns=NS,
    day_baseline=BLOBS,
    infrared_baseline=BLOBS,
    headers=st.integers(0, 2**32 - 1),
    area=st.none()
    | st.builds(ActiveArea, LOW_SIDES, LOW_SIDES, HIGH_SIDES, HIGH_SIDES, st.sampled_from([1, QUARTERS])),
    area_visits=st.integers(0, 255),
    views=st.just(b"") | st.binary(max_size=200),
    sub=st.just(b"") | st.binary(max_size=200),
    main_wanted=st.integers(0, 255),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(HISTORIES)
def test_a_memory_comes_back_from_its_bytes(history: JudgeState) -> None:
    assert JudgeState.from_bytes(history.to_bytes()) == history
    assert known_area(history.to_bytes()) == history.area
    assert len(history.to_bytes()) <= STATE_BYTES_MAX


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(OUTCOMES, max_size=OUTCOMES_MAX))
def test_what_past_visits_said_comes_back_from_its_bytes(outcomes: list[Outcome]) -> None:
    assert JudgeState(packed_outcomes=pack_outcomes(outcomes)).outcomes == tuple(outcomes)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(HISTORIES, st.integers(0, 4000))
def test_cut_bytes_are_a_camera_never_seen(history: JudgeState, length: int) -> None:
    blob = history.to_bytes()
    if length < len(blob):
        assert JudgeState.from_bytes(blob[:length]) == JudgeState()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.tuples(st.sampled_from([b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"]), st.binary(max_size=200)).map(b"".join))
def test_any_bytes_are_read_without_an_error(blob: bytes) -> None:
    assert isinstance(JudgeState.from_bytes(blob), JudgeState)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(min_size=BASELINE_BYTES - 1, max_size=BASELINE_BYTES))
def test_any_bytes_are_a_baseline_or_none(blob: bytes) -> None:
    baseline = Baseline.from_bytes(blob)
    assert baseline.to_bytes() in (b"", blob)


def test_the_area_is_known_from_the_bytes_of_the_version_before() -> None:
    state = JudgeState(area=ActiveArea(0, 1250, UNITS, 8750, 1))
    assert known_area(b"\x04" + state.to_bytes()[1:]) == state.area
    assert known_area(b"\x03" + state.to_bytes()[1:]) is None


def test_no_bytes_and_another_version_are_a_camera_never_seen() -> None:
    assert JudgeState.from_bytes(b"") == JudgeState()
    assert JudgeState.from_bytes(b"\x06" + JudgeState(same_visits=3).to_bytes()[1:]) == JudgeState()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.builds(Outcome, st.sampled_from([State.OK, State.OFFLINE, State.UNKNOWN])), min_size=1, max_size=30))
def test_what_is_announced_was_seen_and_kept_its_beginning(outcomes: list[Outcome]) -> None:
    history, judge = JudgeState(), JudgeSettings()
    for at, outcome in enumerate(outcomes, start=1):
        before = history
        history = apply_outcome(history, outcome, at, judge)
        if history.announced == before.announced:
            assert history.since_wall_ns == before.since_wall_ns
        else:
            assert history.since_wall_ns == at
            assert history.announced in (outcome.state, State.UNKNOWN)


def test_the_memory_of_the_first_version_keeps_what_was_announced() -> None:
    first = struct.pack("<BBHQBHQHHH", 1, 2, 1, 77, 2, 3, 99, 5, 4, 6) + struct.pack("<BHBH", 0, 0, 1, 1) + bytes(10)
    history = JudgeState.from_bytes(first)
    assert (history.announced, history.announced_kinds, history.since_wall_ns) == (
        State.FAULT,
        (FaultKind.BLURRED,),
        77,
    )
    assert history.outcomes == (Outcome(State.OK), Outcome(State.FAULT, (FaultKind.BLURRED,)))
    assert not history.day_baseline
