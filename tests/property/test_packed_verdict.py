"""Whatever a judge may say comes back from the store as it was said, figures to seven digits."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.model.camera import CameraStream
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.packed import verdict as packed_verdict
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict

FLOATS = st.floats(-1e7, 1e7, width=32)
WORDS = st.text(max_size=40)
NAMES = st.text("abcdefghij_", min_size=1, max_size=12)
SCORES = st.builds(Scores, *[st.none() | st.floats(0, 100, width=32)] * 3)
KINDS = st.lists(st.sampled_from(FaultKind), max_size=4, unique=True).map(tuple)
VERDICTS = st.builds(
    Verdict,
    camera_id=WORDS,
    visit_id=st.integers(0, 2**64 - 1),
    at_wall_ns=st.integers(0, 2**62),
    state=st.sampled_from(State),
    kinds=KINDS,
    reason=WORDS,
    detail=WORDS,
    announced=st.sampled_from(State),
    announced_kinds=KINDS,
    since_wall_ns=st.integers(0, 2**62),
    scores=SCORES,
    figures=st.dictionaries(NAMES, FLOATS, max_size=50),
    thresholds=st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    rules_version=WORDS,
    width=st.integers(0, 8192),
    height=st.integers(0, 8192),
    codec=st.none() | st.sampled_from(Codec),
    cause=st.none() | st.sampled_from(Cause),
    announced_cause=st.none() | st.sampled_from(Cause),
    severity=st.none() | st.sampled_from(Severity),
    confidence=st.integers(0, 1000).map(lambda steps: steps / 1000),
    tiles=st.sets(st.integers(0, 143)).map(lambda tiles: tuple(sorted(tiles))),
    stream=st.sampled_from(CameraStream),
)


def stored(verdict: Verdict) -> Verdict:
    """Through all the bytes that a store keeps of it."""
    key = packed_verdict.shape_key(verdict)
    fields, names_no, thresholds_no = packed_verdict.unpack_shape(packed_verdict.pack_shape(key, 3, 4))
    assert (names_no, thresholds_no) == (3, 4)
    shape = packed_verdict.build_shape(fields, key.names, verdict.thresholds)
    assert shape.key == key
    return packed_verdict.unpack(verdict.camera_id, verdict.at_wall_ns, shape, packed_verdict.pack(verdict))


@given(VERDICTS)
def test_a_verdict_comes_back_as_it_was(verdict: Verdict) -> None:
    assert stored(verdict) == verdict
    assert packed_verdict.scores(packed_verdict.pack(verdict)) == verdict.scores


@given(st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=40))
def test_figures_keep_seven_digits(values: list[float]) -> None:
    verdict = Verdict("c", 1, 2, State.OK, figures={f"f{at}": value for at, value in enumerate(values)})
    back = list(stored(verdict).figures.values())
    assert np.allclose(back, values, rtol=6e-8, atol=1e-37)


def test_a_row_of_forty_figures_is_some_two_hundred_bytes() -> None:
    verdict = Verdict("c", 1, 2, State.OK, figures={f"figure_{n}": float(n) for n in range(40)})
    assert len(packed_verdict.pack(verdict)) < 200
    assert len(packed_verdict.pack(replace(verdict, tiles=tuple(range(144))))) < 220
