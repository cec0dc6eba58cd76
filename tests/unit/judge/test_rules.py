"""From measurements to verdicts by single pictures: what is seen, what several visits confirm, what is announced."""

import dataclasses
from typing import Any

import pytest

from engine.config.judge import JudgeSettings
from engine.judge.baseline import LEVEL_UNITS
from engine.judge.freeze import SIGNATURE_VERSION
from engine.judge.rules import RULES_VERSION, judge_failure, judge_measurement, judge_undecoded
from engine.judge.state import OUTCOMES_MAX, STATE_BYTES_MAX, JudgeState
from engine.kernels import signature
from engine.model.keyframe import Codec
from engine.model.verdict import Cause, FaultKind, Severity, State, UnknownReason
from engine.model.visit import FailureReason, VisitFailure
from tests.support.judge_states import GOOD, MINUTE_NS, SETTINGS, a_measurement, judge_all, judge_one, learned


def test_a_good_picture_is_ok_and_announced_at_once() -> None:
    verdict = judge_one(a_measurement(3))
    assert (verdict.state, verdict.kinds, verdict.reason) == (State.OK, (), "")
    assert (verdict.announced, verdict.since_wall_ns) == (State.OK, 3 * MINUTE_NS)
    assert verdict.severity is None


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"sharpness": 20.0}, {FaultKind.BLURRED}),
        ({"luma_mean": 35.0}, {FaultKind.TOO_DARK}),
        ({"luma_mean": 4.0, "structureless_share": 1.0, "sharpness": None}, {FaultKind.TOO_DARK}),
        ({"luma_mean": 35.0, "sharpness": 20.0}, {FaultKind.TOO_DARK}),
        ({"luma_mean": 175.0, "luma_p5": 80.0, "luma_p99": 252.0}, {FaultKind.TOO_BRIGHT}),
        ({"luma_mean": 230.0}, {FaultKind.TOO_BRIGHT}),
        ({"clipped_bright_share": 0.4}, {FaultKind.TOO_BRIGHT}),
        ({"luma_p5": 110.0, "luma_p95": 125.0}, {FaultKind.LOW_CONTRAST}),
        ({"structureless_share": 0.95, "sharpness": None}, {FaultKind.COVERED}),
        ({"structureless_share": 0.95, "sharpness": 10.0, "luma_p5": 110.0, "luma_p95": 125.0}, {FaultKind.COVERED}),
        ({"structureless_share": 0.7}, {FaultKind.PARTLY_COVERED}),
        ({"structureless_share": 0.95, "luma_mean": 35.0, "sharpness": None}, {FaultKind.COVERED, FaultKind.TOO_DARK}),
        ({"flat_share": 0.95, "luma_mean": 60.0}, {FaultKind.SIGNAL_LOSS}),
        ({"flat_share": 0.95, "luma_mean": 3.0}, {FaultKind.SIGNAL_LOSS, FaultKind.TOO_DARK}),
    ],
)
def test_a_fault_is_named_for_what_it_is(changes: dict[str, Any], kinds: set[FaultKind]) -> None:
    verdict, _ = judge_measurement(a_measurement(**changes), JudgeState(), SETTINGS, only_visit=True)
    assert verdict.state == State.FAULT
    assert set(verdict.kinds) == kinds
    assert 0.5 <= verdict.confidence <= 1


def test_bright_lamps_in_a_picture_with_shadows_are_no_fault() -> None:
    assert judge_one(a_measurement(luma_mean=173.0, luma_p5=41.0, luma_p99=255.0)).state == State.OK


@pytest.mark.parametrize("darkest", [{"luma_p1": 100.0, "luma_p5": 127.0}, {"luma_p1": 4.0, "luma_p5": 80.0}])
def test_a_bright_scene_without_shadows_or_with_black_is_doubtful_and_no_fault(darkest: dict[str, Any]) -> None:
    verdict = judge_one(a_measurement(luma_mean=200.0, luma_p99=252.0, **darkest))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.DOUBTFUL)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lost_highlights": 0.06}, "6 % burnt out beside lamps and windows, limit 3 %"),
        ({"shade_level": 31.0}, "level of the darker part 31, limit 40"),
        (
            {"luma_p99": 141.0, "luma_mean": 80.0},
            "nothing bright: 99 % below level 141, limit 165, at a mean of 80, limit 95",
        ),
    ],
)
def test_a_picture_a_stop_and_a_half_off_is_doubtful_without_a_baseline_and_not_with_one(
    changes: dict[str, Any], said: str
) -> None:
    verdict = judge_one(a_measurement(**changes))
    assert (verdict.state, verdict.reason, verdict.detail) == (State.UNKNOWN, UnknownReason.DOUBTFUL, said)
    usual = learned(**changes)
    assert judge_measurement(a_measurement(900, **changes), usual, SETTINGS)[0].state is State.OK


def test_a_tiny_picture_shows_too_little_to_be_judged() -> None:
    tiny = dataclasses.replace(a_measurement(sharpness=10.0), width=176, height=144)
    verdict = judge_one(tiny)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.DOUBTFUL)
    assert verdict.detail == "the picture has 144 lines: judged from 180 on"


def test_a_dark_picture_with_burnt_lights_looks_against_the_light() -> None:
    verdict = judge_one(a_measurement(luma_mean=40.0, luma_p50=20.0, clipped_bright_share=0.08))
    assert (verdict.kinds, verdict.cause) == ((FaultKind.TOO_DARK,), Cause.BACKLIGHT)


def test_a_picture_without_edges_is_unknown_and_not_blurred() -> None:
    verdict = judge_one(a_measurement(sharpness=None))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.FEATURELESS)


def test_few_edges_are_not_enough_to_call_a_picture_blurred() -> None:
    verdict = judge_one(a_measurement(sharpness=20.0, edge_tiles=20.0))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.FEATURELESS)


def test_between_blurred_and_sharp_lies_doubt() -> None:
    verdict = judge_one(a_measurement(sharpness=50.0))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.DOUBTFUL)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sharpness": 41.0}, "sharpness 41: sharp from 60 on, blurred below 36"),
        ({"sharpness": None, "edge_tiles": 3.0}, "edges in 3 of 144 tiles: judged from 36 on"),
        ({"sharpness": 20.0, "edge_tiles": 20.0}, "edges in 20 of 144 tiles: judged from 36 on"),
        (
            {"luma_mean": 200.0, "luma_p99": 252.0, "luma_p1": 100.0, "luma_p5": 127.0},
            "very bright, but perhaps a bright scene: mean level 200, limit 165; darkest twentieth at 127, limit 70",
        ),
        ({"sharpness": 90.0}, ""),
        ({"sharpness": 20.0}, ""),
    ],
)
def test_a_doubt_says_its_score_and_its_limits(changes: dict[str, Any], said: str) -> None:
    assert judge_one(a_measurement(**changes)).detail == said


def test_two_doubts_are_both_said() -> None:
    bright: dict[str, Any] = {"luma_mean": 200.0, "luma_p99": 252.0, "luma_p1": 100.0, "luma_p5": 127.0}
    detail = judge_one(a_measurement(sharpness=50.0, **bright)).detail
    assert detail.startswith("sharpness 50: ")
    assert "; very bright" in detail


def test_limits_that_were_changed_are_said_as_they_are() -> None:
    settings = JudgeSettings(sharpness_min=30.0, sharpness_sure_min=70.0)
    verdict, _ = judge_measurement(a_measurement(sharpness=65.0), JudgeState(), settings)
    assert verdict.detail == "sharpness 65: sharp from 70 on, blurred below 30"


def test_a_night_that_is_no_fault_is_still_too_dark_to_judge() -> None:
    lenient = JudgeSettings(dark_mean_max=5.0)
    verdict, _ = judge_measurement(a_measurement(luma_mean=12.0, sharpness=None), JudgeState(), lenient)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.TOO_DARK_TO_JUDGE)


@pytest.mark.parametrize("changes", [{"luma_mean": 3.0, "sharpness": None}, {"flat_share": 1.0, "luma_mean": 0.0}])
def test_darkness_is_no_fault_while_the_kitchen_rests(changes: dict[str, Any]) -> None:
    dark = a_measurement(**changes)
    resting, _ = judge_measurement(dark, JudgeState(), SETTINGS, working=False)
    assert (resting.state, resting.reason) == (State.UNKNOWN, UnknownReason.TOO_DARK_TO_JUDGE)
    assert resting.detail.endswith("dark below 48")
    assert judge_one(dark).state == State.FAULT


def test_a_blue_screen_is_a_fault_by_night_too() -> None:
    blue, _ = judge_measurement(a_measurement(flat_share=1.0, luma_mean=60.0), JudgeState(), SETTINGS, working=False)
    assert blue.kinds == (FaultKind.SIGNAL_LOSS,)


@pytest.mark.parametrize("figures", [{"sharpness": 1.0}, {"structureless_share": 1.0}, {"luma_mean": 3.0}])
def test_a_damaged_picture_is_unknown_whatever_it_shows(figures: dict[str, Any]) -> None:
    verdict = judge_one(a_measurement(damage=("corrupt_flag",), **figures))
    assert (verdict.state, verdict.kinds, verdict.reason) == (State.UNKNOWN, (), UnknownReason.DAMAGED)
    assert "corrupt_flag" in verdict.detail


def test_a_damaged_picture_confirms_no_fault() -> None:
    """A picture that was damaged and passed for whole is visited again; that one, whole or damaged, ends the matter."""
    damaged = [a_measurement(visit, damage=("zero_hole",), sharpness=20.0) for visit in (2, 3, 4)]
    verdicts, _ = judge_all([a_measurement(0), a_measurement(1, sharpness=20.0), *damaged])
    assert [verdict.announced for verdict in verdicts] == [State.OK, State.OK, State.OK, *2 * [State.UNKNOWN]]
    assert not any(verdict.announced_kinds for verdict in verdicts)


def test_a_damaged_picture_teaches_nothing() -> None:
    _, before = judge_all([a_measurement(0)])
    _, after = judge_measurement(a_measurement(1, damage=("incomplete",)), before, SETTINGS)
    assert (after.day_baseline, after.tile_means, after.same_visits) == (before.day_baseline, before.tile_means, 1)


def test_a_verdict_carries_what_it_takes_to_audit_it() -> None:
    verdict = judge_one(a_measurement(sharpness=20.0))
    assert verdict.rules_version == RULES_VERSION
    assert verdict.thresholds["sharpness_min"] == SETTINGS.sharpness_min
    assert verdict.figures.items() >= GOOD.items()
    assert (verdict.width, verdict.height, verdict.codec) == (1920, 1080, Codec.H264)


def test_one_bad_picture_raises_no_alarm_and_two_do() -> None:
    verdicts, _ = judge_all([a_measurement(0), a_measurement(1, sharpness=20.0), a_measurement(2, sharpness=20.0)])
    assert [verdict.state for verdict in verdicts] == [State.OK, State.FAULT, State.FAULT]
    assert [verdict.announced for verdict in verdicts] == [State.OK, State.OK, State.FAULT]
    assert verdicts[2].announced_kinds == (FaultKind.BLURRED,)
    assert verdicts[2].severity == Severity.IMPAIRED
    assert verdicts[2].since_wall_ns == 2 * MINUTE_NS


def test_different_faults_do_not_confirm_each_other() -> None:
    verdicts, _ = judge_all([a_measurement(0), a_measurement(1, sharpness=20.0), a_measurement(2, luma_mean=30.0)])
    assert verdicts[-1].announced == State.OK


def test_a_lens_that_is_covered_bit_by_bit_is_announced_by_its_latest_name() -> None:
    half, whole = a_measurement(1, structureless_share=0.7), a_measurement(2, structureless_share=0.95, sharpness=None)
    verdicts, _ = judge_all([a_measurement(0), half, whole])
    assert verdicts[-1].announced_kinds == (FaultKind.COVERED,)
    assert verdicts[-1].severity == Severity.BLIND


def test_a_camera_whose_first_picture_is_bad_begins_as_unknown() -> None:
    verdicts, _ = judge_all([a_measurement(0, sharpness=20.0)])
    assert verdicts[0].announced == State.UNKNOWN


def test_a_fault_is_taken_back_after_two_good_visits_and_flapping_keeps_it() -> None:
    bad = [a_measurement(0, sharpness=20.0), a_measurement(1, sharpness=20.0)]
    flapping = [a_measurement(at, sharpness=80.0 if at % 2 == 0 else 20.0) for at in range(2, 8)]
    verdicts, _ = judge_all([*bad, *flapping])
    assert {verdict.announced for verdict in verdicts[1:]} == {State.FAULT}
    assert verdicts[-1].since_wall_ns == MINUTE_NS
    verdicts, _ = judge_all([*bad, a_measurement(2), a_measurement(3)])
    assert [verdict.announced for verdict in verdicts[2:]] == [State.FAULT, State.OK]
    assert (verdicts[-1].announced_kinds, verdicts[-1].since_wall_ns) == ((), 3 * MINUTE_NS)


def test_a_camera_that_fails_twice_is_announced_offline_with_the_reason() -> None:
    _, history = judge_all([a_measurement(0)])
    failure = VisitFailure("c1", 9, FailureReason.REFUSED, "connection refused")
    first, history = judge_failure(failure, 2 * MINUTE_NS, history, SETTINGS)
    second, history = judge_failure(failure, 3 * MINUTE_NS, history, SETTINGS)
    assert (first.state, first.reason, first.announced) == (State.OFFLINE, "refused", State.OK)
    assert (second.announced, second.since_wall_ns) == (State.OFFLINE, 3 * MINUTE_NS)
    assert second.detail == "connection refused"


def test_a_keyframe_without_a_picture_is_unknown_and_not_offline() -> None:
    verdict, history = judge_undecoded(
        "c1", 4, MINUTE_NS, UnknownReason.QUARANTINED, "two workers died", JudgeState(), SETTINGS
    )
    assert (verdict.state, verdict.reason, verdict.visit_id) == (State.UNKNOWN, "quarantined", 4)
    assert history.outcomes[-1].state == State.UNKNOWN


def test_the_memory_of_a_camera_stays_small() -> None:
    day = [a_measurement(at) for at in range(50)]
    night = [a_measurement(at, grey=True) for at in range(50, 80)]
    _, history = judge_all([*day, *night])
    assert len(history.outcomes) == OUTCOMES_MAX
    assert history.day_baseline
    assert history.infrared_baseline
    assert len(history.to_bytes()) <= STATE_BYTES_MAX


def test_the_judge_reads_signatures_as_the_kernels_write_them() -> None:
    assert (SIGNATURE_VERSION, LEVEL_UNITS) == (signature.VERSION, signature.UNITS_PER_LEVEL)
