"""A fault that undetected damage may have made counts at the second visit; no announcement comes later for it."""

from dataclasses import replace
from typing import Any

import pytest

from engine.config.judge import JudgeSettings
from engine.judge.baseline import from_earlier
from engine.judge.optics.light_range import LightRange
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import FaultKind, State, UnknownReason
from tests.support.judge_states import (
    SETTINGS,
    a_measurement,
    covered_cells,
    earlier_baseline,
    judge_all,
    learned,
    lost,
)


def coded(measurement: Measurement, *, fragile: bool = False, headers: int = 7) -> Measurement:
    return replace(measurement, fragile=fragile, headers=headers)


def usual(*, fragile: bool = False) -> JudgeState:
    return judge_all([coded(a_measurement(15 * at), fragile=fragile) for at in range(12)])[1]


def dark(at: int) -> Measurement:
    return a_measurement(at, sharpness=None, luma_mean=12.0)


def test_the_usual_parameter_sets_make_a_fault_count_at_once() -> None:
    verdict, _ = judge_measurement(coded(dark(900)), usual(), SETTINGS)
    assert (verdict.state, verdict.kinds) == (State.FAULT, (FaultKind.TOO_DARK,))


@pytest.mark.parametrize(
    "seen", [coded(dark(900), headers=8), coded(dark(900), fragile=True)], ids=["other headers", "fragile"]
)
def test_a_fault_seen_once_is_doubtful_says_what_was_seen_and_announces_nothing(seen: Measurement) -> None:
    before = usual()
    verdict, after = judge_measurement(seen, before, SETTINGS)
    assert (verdict.state, verdict.reason, verdict.kinds) == (State.UNKNOWN, UnknownReason.DOUBTFUL, ())
    assert (verdict.cause, verdict.tiles) == (None, ())
    assert verdict.detail.startswith("too_dark, seen once: ")
    assert (verdict.announced, verdict.since_wall_ns) == (State.OK, before.since_wall_ns)
    assert after.day_baseline == before.day_baseline, "nothing is learned of it"


def test_something_before_part_of_the_picture_counts_when_it_is_seen_again() -> None:
    """Wrong bits that no decoder noticed smeared the last rows of a slice (bench.mutations, seed 5, number 93706)."""
    cover: dict[str, Any] = {"cells": covered_cells(slice(0, 14)), "structure": lost(slice(0, 7))}
    verdicts, _ = judge_all([coded(a_measurement(at, **cover)) for at in (900, 901)], usual())
    assert [verdict.state for verdict in verdicts] == [State.UNKNOWN, State.FAULT]
    assert verdicts[0].detail.startswith("partly_covered, seen once: wrong bits")
    assert (verdicts[1].announced, verdicts[1].announced_kinds) == (State.FAULT, (FaultKind.PARTLY_COVERED,))


@pytest.mark.parametrize("fragile", [False, True])
def test_the_second_visit_counts_and_is_announced_as_soon_as_ever(fragile: bool) -> None:
    verdicts, _ = judge_all([coded(dark(at), fragile=fragile, headers=8) for at in (900, 901)], usual(fragile=fragile))
    assert [verdict.state for verdict in verdicts] == [State.UNKNOWN, State.FAULT]
    assert (verdicts[1].announced, verdicts[1].announced_kinds) == (State.FAULT, (FaultKind.TOO_DARK,))


def test_an_encoder_that_was_set_up_anew_is_known_after_one_good_picture() -> None:
    good, bad = coded(a_measurement(900), headers=8), coded(dark(901), headers=8)
    verdicts, _ = judge_all([good, bad], usual())
    assert [verdict.state for verdict in verdicts] == [State.OK, State.FAULT]


def test_single_damaged_pictures_between_good_ones_announce_nothing() -> None:
    visits = [a_measurement(900 + at) if at % 2 else dark(900 + at) for at in range(8)]
    verdicts, _ = judge_all([coded(visit, fragile=True) for visit in visits], usual(fragile=True))
    assert {verdict.announced for verdict in verdicts} == {State.OK}
    assert State.FAULT not in {verdict.state for verdict in verdicts}


def test_one_visit_that_would_suffice_to_announce_does_not_if_it_is_doubted() -> None:
    settings = JudgeSettings(confirm_n=1)
    verdicts, _ = judge_all([coded(dark(at), fragile=True) for at in (900, 901)], usual(fragile=True), settings)
    assert [verdict.announced for verdict in verdicts] == [State.OK, State.FAULT]


def test_an_announced_fault_goes_on_without_a_doubt() -> None:
    visits = [dark(900), dark(901), a_measurement(902), dark(903)]
    verdicts, _ = judge_all([coded(visit, fragile=True) for visit in visits], usual(fragile=True))
    assert [verdict.state for verdict in verdicts] == [State.UNKNOWN, State.FAULT, State.OK, State.FAULT]


def test_the_first_picture_of_a_camera_is_doubted_in_a_patrol_and_judged_in_a_check() -> None:
    seen = coded(dark(0), fragile=True)
    patrolled, after = judge_measurement(seen, JudgeState(), SETTINGS)
    assert (patrolled.state, patrolled.announced, after.announced) == (State.UNKNOWN, State.UNKNOWN, State.UNKNOWN)
    checked, _ = judge_measurement(seen, JudgeState(), SETTINGS, only_visit=True)
    assert checked.state is State.FAULT


@pytest.mark.parametrize(("version", "headers", "missing"), [(2, 0, 19), (3, 77, 15), (4, 77, 3)])
def test_the_memory_of_earlier_versions_is_kept_whole(version: int, headers: int, missing: int) -> None:
    state = learned()._replace(headers=headers, soft_visits=3, area=None, area_visits=0, views=b"")
    day = earlier_baseline(state.day_baseline)
    blob = state._replace(day_baseline=day).to_bytes()
    size = len(blob) - sum(map(len, (state.packed_outcomes, state.tile_means, state.hidden, day)))
    earlier = bytes([version]) + blob[1 : size - missing] + blob[size:]
    kept = JudgeState.from_bytes(earlier)
    assert kept == state._replace(day_baseline=from_earlier(day))
    figures = state.baseline(infrared=False).figures
    without = figures._replace(gradient_across=0.0, gradient_down=0.0, gradient_product=0.0)
    assert kept.baseline(infrared=False).figures == without
    assert kept.baseline(infrared=False).packed == state.baseline(infrared=False).packed
    assert kept.baseline(infrared=False).visits == 12
    assert kept.baseline(infrared=False).light == LightRange()
    assert JudgeState.from_bytes(earlier[:40]) == JudgeState()
