"""From measurements to verdicts: what one picture shows, what several visits confirm, what a frozen one gives away."""

import dataclasses

import numpy as np
import pytest

from engine.config.schema import JudgeSettings
from engine.judge.freeze import SIGNATURE_VERSION, UNITS_PER_LEVEL
from engine.judge.history import OUTCOMES_MAX, History
from engine.judge.rules import RULES_VERSION, judge_failure, judge_measurement, judge_undecoded
from engine.kernels import signature
from engine.types import (
    Codec,
    FailureReason,
    FaultKind,
    FeedKind,
    Measurement,
    Scores,
    State,
    TileMap,
    UnknownReason,
    Verdict,
    VisitFailure,
)

SETTINGS = JudgeSettings()
MINUTE_NS = 60 * 10**9
GOOD = {
    "luma_mean": 120.0, "luma_p5": 40.0, "luma_p95": 200.0, "luma_p99": 220.0, "clipped_bright_share": 0.0,
    "structureless_share": 0.1,
}  # fmt: skip
SHAPE = (9, 16)


def a_measurement(
    at: int = 0,
    *,
    sharpness: float | None = 80.0,
    structure: np.ndarray | None = None,
    means: np.ndarray | None = None,
    damage: tuple[str, ...] = (),
    **figures: float,
) -> Measurement:
    """A good picture but for what is given; `at` counts minutes, and its tile means differ from those of any other."""
    if means is None:
        means = np.random.default_rng(at).uniform(60, 180, SHAPE)
    structure = np.full(SHAPE, 50.0) if structure is None else structure
    return Measurement(
        camera_id="c1",
        visit_id=at + 1,
        arrival_wall_ns=at * MINUTE_NS,
        stream_time_ns=None,
        source=FeedKind.RTSP,
        codec=Codec.H264,
        width=1920,
        height=1080,
        pixel_format="yuv420p",
        full_range=False,
        interlaced=False,
        damage=damage,
        figures=GOOD | figures,
        scores=Scores(sharpness, 90.0, 10.0),
        tiles=TileMap(means.astype(np.float32), structure.astype(np.float32)),
        signature=signature.pack(means),
    )


def judge_all(measurements: list[Measurement], settings: JudgeSettings = SETTINGS) -> tuple[list[Verdict], History]:
    history, verdicts = History(), []
    for measurement in measurements:
        verdict, history = judge_measurement(measurement, history, settings)
        history = History.from_bytes(history.to_bytes())  # every visit may be the last before a restart
        verdicts.append(verdict)
    return verdicts, history


def judge_one(measurement: Measurement) -> Verdict:
    return judge_measurement(measurement, History(), SETTINGS)[0]


def test_a_good_picture_is_ok_and_announced_at_once() -> None:
    verdict = judge_one(a_measurement(3))
    assert (verdict.state, verdict.kinds, verdict.reason) == (State.OK, (), "")
    assert (verdict.announced, verdict.since_wall_ns) == (State.OK, 3 * MINUTE_NS)


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
    ],
)
def test_a_fault_is_named_for_what_it_is(changes: dict[str, float], kinds: set[FaultKind]) -> None:
    verdict = judge_one(a_measurement(**changes))
    assert verdict.state == State.FAULT
    assert set(verdict.kinds) == kinds


def test_bright_lamps_in_a_picture_with_shadows_are_no_fault() -> None:
    assert judge_one(a_measurement(luma_mean=173.0, luma_p5=41.0, luma_p99=255.0)).state == State.OK


def test_a_picture_without_edges_is_unknown_and_not_blurred() -> None:
    verdict = judge_one(a_measurement(sharpness=None))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.FEATURELESS)


def test_a_night_that_is_no_fault_is_still_too_dark_to_judge() -> None:
    lenient = JudgeSettings(dark_mean_max=5.0)
    verdict, _ = judge_measurement(a_measurement(luma_mean=12.0, sharpness=None), History(), lenient)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.TOO_DARK_TO_JUDGE)


@pytest.mark.parametrize("figures", [{"sharpness": 1.0}, {"structureless_share": 1.0}, {"luma_mean": 3.0}])
def test_a_damaged_picture_is_unknown_whatever_it_shows(figures: dict[str, float]) -> None:
    verdict = judge_one(a_measurement(damage=("corrupt_flag",), **figures))
    assert (verdict.state, verdict.kinds, verdict.reason) == (State.UNKNOWN, (), UnknownReason.DAMAGED)
    assert "corrupt_flag" in verdict.detail


def test_a_damaged_picture_teaches_nothing() -> None:
    _, before = judge_all([a_measurement(0)])
    _, after = judge_measurement(a_measurement(1, damage=("incomplete",)), before, SETTINGS)
    assert (after.baseline, after.signature, after.same_visits) == (before.baseline, before.signature, 1)


def test_a_verdict_carries_what_it_takes_to_audit_it() -> None:
    verdict = judge_one(a_measurement(sharpness=20.0))
    assert verdict.rules_version == RULES_VERSION
    assert verdict.thresholds["sharpness_min"] == SETTINGS.sharpness_min
    assert verdict.figures.items() >= GOOD.items()
    assert (verdict.width, verdict.height, verdict.codec) == (1920, 1080, Codec.H264)


def test_one_bad_picture_raises_no_alarm_and_two_do() -> None:
    verdicts, _ = judge_all([a_measurement(0), a_measurement(1, sharpness=20.0), a_measurement(2, sharpness=20.0)])
    assert [one.state for one in verdicts] == [State.OK, State.FAULT, State.FAULT]
    assert [one.announced for one in verdicts] == [State.OK, State.OK, State.FAULT]
    assert verdicts[2].announced_kinds == (FaultKind.BLURRED,)
    assert verdicts[2].since_wall_ns == 2 * MINUTE_NS


def test_different_faults_do_not_confirm_each_other() -> None:
    verdicts, _ = judge_all([a_measurement(0), a_measurement(1, sharpness=20.0), a_measurement(2, luma_mean=30.0)])
    assert verdicts[-1].announced == State.OK


def test_a_camera_whose_first_picture_is_bad_begins_as_unknown() -> None:
    verdicts, _ = judge_all([a_measurement(0, sharpness=20.0)])
    assert verdicts[0].announced == State.UNKNOWN


def test_a_fault_is_taken_back_after_two_good_visits_and_flapping_keeps_it() -> None:
    bad = [a_measurement(0, sharpness=20.0), a_measurement(1, sharpness=20.0)]
    flapping = [a_measurement(at, sharpness=80.0 if at % 2 == 0 else 20.0) for at in range(2, 8)]
    verdicts, _ = judge_all([*bad, *flapping])
    assert {one.announced for one in verdicts[1:]} == {State.FAULT}
    assert verdicts[-1].since_wall_ns == MINUTE_NS
    verdicts, _ = judge_all([*bad, a_measurement(2), a_measurement(3)])
    assert [one.announced for one in verdicts[2:]] == [State.FAULT, State.OK]
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
        "c1", 4, MINUTE_NS, UnknownReason.QUARANTINED, "two workers died", History(), SETTINGS
    )
    assert (verdict.state, verdict.reason, verdict.visit_id) == (State.UNKNOWN, "quarantined", 4)
    assert history.outcomes[-1].state == State.UNKNOWN


def test_three_equal_pictures_are_frozen_and_said_at_once() -> None:
    means = np.random.default_rng(1).uniform(60, 180, SHAPE)
    verdicts, _ = judge_all([a_measurement(at, means=means) for at in range(3)])
    assert [one.kinds for one in verdicts] == [(), (), (FaultKind.FROZEN,)]
    assert verdicts[-1].announced_kinds == (FaultKind.FROZEN,)
    assert verdicts[-1].figures["same_visits"] == 3


def test_a_ticking_clock_does_not_hide_a_frozen_picture() -> None:
    means = np.random.default_rng(1).uniform(60, 180, SHAPE)
    ticking = []
    for at in range(3):
        shown = means.copy()
        shown[0, :6] += 3.0 * at
        ticking.append(a_measurement(at, means=shown))
    assert judge_all(ticking)[0][-1].kinds == (FaultKind.FROZEN,)


def test_a_still_scene_with_sensor_noise_is_not_frozen() -> None:
    rng = np.random.default_rng(1)
    means = rng.uniform(60, 180, SHAPE)
    visits = [a_measurement(at, means=means + rng.normal(0, 0.04, SHAPE)) for at in range(8)]
    assert all(one.state == State.OK for one in judge_all(visits)[0])


def test_a_slow_drift_is_not_frozen() -> None:
    means = np.random.default_rng(1).uniform(60, 180, SHAPE)
    visits = [a_measurement(at, means=means + 0.008 * at) for at in range(12)]
    assert all(one.state == State.OK for one in judge_all(visits)[0])


def test_a_black_picture_is_never_frozen_since_nothing_could_move_in_it() -> None:
    visits = [a_measurement(at, means=np.zeros(SHAPE), luma_mean=0.0, sharpness=None) for at in range(5)]
    assert all(one.kinds == (FaultKind.TOO_DARK,) for one in judge_all(visits)[0])


def test_visits_close_together_prove_no_freeze() -> None:
    means = np.random.default_rng(1).uniform(60, 180, SHAPE)
    visits = [
        dataclasses.replace(a_measurement(0, means=means), arrival_wall_ns=10**18 + at * 10**8) for at in range(10)
    ]
    assert all(one.state == State.OK for one in judge_all(visits)[0])


def test_tiles_that_lost_their_structure_are_covered_by_the_baseline() -> None:
    good = [a_measurement(at) for at in range(5)]
    half = np.full(SHAPE, 50.0)
    half[:, :6] = 0.1  # 37 % of the picture, which no share of structureless tiles alone would tell
    verdicts, _ = judge_all([*good, a_measurement(5, structure=half)])
    assert verdicts[-1].kinds == (FaultKind.PARTLY_COVERED,)
    assert verdicts[-1].figures["lost_structure_share"] == pytest.approx(6 / 16)
    verdicts, _ = judge_all([*good, a_measurement(5, structure=np.full(SHAPE, 0.1))])
    assert verdicts[-1].kinds == (FaultKind.COVERED,)


def test_a_wall_that_never_had_structure_is_not_covered_once_the_baseline_knows_it() -> None:
    wall = np.full(SHAPE, 50.0)
    wall[:, :11] = 0.1
    visits = [a_measurement(at, structure=wall, structureless_share=0.55) for at in range(4)]
    visits.append(a_measurement(4, structure=wall, structureless_share=0.69))
    assert all(one.state == State.OK for one in judge_all(visits)[0])


def test_a_blurred_week_does_not_teach_the_baseline_to_accept_it() -> None:
    _, before = judge_all([a_measurement(at) for at in range(5)])
    history = before
    for at in range(5, 60):
        _, history = judge_measurement(
            a_measurement(at, sharpness=10.0, structure=np.full(SHAPE, 2.0)), history, SETTINGS
        )
    assert history.baseline == before.baseline


def test_the_memory_of_a_camera_stays_small() -> None:
    _, history = judge_all([a_measurement(at) for at in range(50)])
    assert len(history.outcomes) == OUTCOMES_MAX
    assert len(history.to_bytes()) < 1024


def test_the_judge_reads_signatures_as_the_kernels_write_them() -> None:
    assert (SIGNATURE_VERSION, UNITS_PER_LEVEL) == (signature.VERSION, signature.UNITS_PER_LEVEL)
