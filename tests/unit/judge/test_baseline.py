"""A camera against its own past: what it learns, what it holds against a picture, what it forgets on purpose."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from engine.judge.baseline import BASELINE_BYTES, CELLS, Baseline, BaselineFigures
from engine.judge.baseline_update import SETTLING, update_baseline
from engine.judge.features import extract_features
from engine.judge.rules import judge_measurement
from engine.model.verdict import Cause, FaultKind, State, UnknownReason
from tests.support.expect import present
from tests.support.judge_states import (
    ACUTANCE,
    MINUTE_NS,
    SCENE,
    SETTINGS,
    SHAPE,
    STRUCTURE,
    a_measurement,
    announced,
    judge_all,
    learned,
    twice,
)


def test_steeper_thresholds_come_with_a_baseline_and_softer_cameras_are_taken_as_they_are() -> None:
    soft: dict[str, Any] = {"sharpness": 50.0, "acutance": ACUTANCE * 0.7}
    verdicts, history = judge_all([a_measurement(15 * at, **soft) for at in range(8)])
    assert [verdict.reason for verdict in verdicts[:4]] == [UnknownReason.DOUBTFUL] * 4
    assert verdicts[-1].state == State.OK
    (blurred,), _ = judge_all([a_measurement(900, sharpness=50.0, acutance=ACUTANCE * 0.5)], history)
    assert blurred.kinds == (FaultKind.BLURRED,)


def test_even_blur_is_a_lens_out_of_focus_and_blur_along_one_axis_is_motion() -> None:
    (even,), _ = judge_all([a_measurement(900, acutance=ACUTANCE * 0.6)], learned())
    assert (even.kinds, even.cause) == ((FaultKind.BLURRED,), Cause.DEFOCUS)
    smeared = ACUTANCE.copy()
    smeared[0] *= 0.5
    (one_sided,), _ = judge_all([a_measurement(900, acutance=smeared)], learned())
    assert (one_sided.kinds, one_sided.cause) == ((FaultKind.BLURRED,), Cause.MOTION)
    assert one_sided.figures["sharpness_ratio"] == pytest.approx(0.5, abs=0.02)


def test_lifted_black_over_sharp_edges_is_steam_and_over_soft_ones_grease() -> None:
    steamed = {"cells": 0.55 * SCENE + 75, "structure": STRUCTURE * 0.3}
    assert announced(learned(), *twice(**steamed, acutance=ACUTANCE * 0.95)) == (FaultKind.STEAM,)
    greasy = {"cells": 0.85 * SCENE + 25, "structure": STRUCTURE * 0.4}
    assert announced(learned(), *twice(**greasy, acutance=ACUTANCE * 0.7)) == (FaultKind.GREASE,)


def test_a_picture_that_is_only_darker_is_not_veiled() -> None:
    assert announced(learned(), *twice(cells=0.7 * SCENE, structure=STRUCTURE * 0.5, luma_mean=84.0)) == ()


def test_block_edges_of_a_coarse_codec_do_not_hide_a_blur_that_took_the_structure() -> None:
    assert announced(learned(), *twice(structure=STRUCTURE / 3)) == (FaultKind.BLURRED,)


def test_noise_in_a_darker_picture_is_the_cameras_gain() -> None:
    (verdict,), _ = judge_all([a_measurement(900, noise_floor=5.0, luma_mean=75.0)], learned())
    assert (verdict.kinds, verdict.cause) == ((FaultKind.NOISY,), Cause.LOW_LIGHT)


def test_a_dark_picture_that_still_shows_the_scene_is_lights_off() -> None:
    dark = a_measurement(900, cells=0.2 * SCENE, structure=STRUCTURE * 0.05, luma_mean=24.0)
    (verdict,), _ = judge_all([dark], learned())
    assert (verdict.kinds, verdict.cause) == ((FaultKind.TOO_DARK,), Cause.LIGHTS_OFF)


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        ({"noise_floor": 5.0}, FaultKind.NOISY),
        ({"noise_floor": 20.0}, FaultKind.SNOW),
        ({"row_pattern": 9.0}, FaultKind.STRIPES),
        ({"column_pattern": 9.0}, FaultKind.STRIPES),
    ],
)
def test_a_signal_is_held_against_what_is_usual(figures: dict[str, float], kind: FaultKind) -> None:
    assert announced(learned(), *twice(**figures)) == (kind,)


BRIGHT = (
    {"luma_mean": 190.0, "clipped_bright_share": 0.1},
    {"luma_mean": 170.0, "luma_p5": 80.0, "luma_p99": 252.0},
    {"luma_mean": 150.0, "clipped_bright_share": 0.3},
)


@pytest.mark.parametrize("figures", BRIGHT)
def test_more_light_everywhere_is_too_bright(figures: dict[str, float]) -> None:
    assert announced(learned(), *twice(cells=1.4 * SCENE, **figures)) == (FaultKind.TOO_BRIGHT,)


@pytest.mark.parametrize("figures", BRIGHT)
def test_a_sky_that_clips_while_the_rest_is_as_ever_is_not_too_bright(figures: dict[str, float]) -> None:
    assert announced(learned(), *twice(cells=1.1 * SCENE, **figures)) == ()


def test_what_is_usual_for_a_camera_is_no_fault_of_it() -> None:
    usual: dict[str, Any] = {"noise_floor": 5.0, "row_pattern": 9.0, "u": np.full(SHAPE, 30.0)}
    assert announced(learned(**usual), *twice(**usual)) == ()


def test_a_colour_cast_needs_light_to_be_seen_in() -> None:
    tinted = {"u": np.full(SHAPE, 25.0)}
    assert announced(learned(), *twice(**tinted)) == (FaultKind.COLOUR_CAST,)
    dark = {"cells": 0.35 * SCENE, "structure": STRUCTURE * 0.2, "luma_mean": 36.0}
    assert FaultKind.COLOUR_CAST not in announced(learned(), *twice(**tinted, **dark))


def test_day_and_infrared_are_learned_apart() -> None:
    night: dict[str, Any] = {"cells": SCENE[::-1].copy() * 0.2 + 0.8 * SCENE, "grey": True, "acutance": ACUTANCE * 0.7}
    history = learned()
    verdicts, history = judge_all([a_measurement(900 + at, **night) for at in range(8)], history)
    assert all(verdict.state == State.OK for verdict in verdicts)
    assert len(history.day_baseline) == len(history.infrared_baseline) == BASELINE_BYTES
    (day,), _ = judge_all([a_measurement(2000)], history)
    assert day.state == State.OK


def test_a_blurred_week_does_not_teach_the_baseline_to_accept_it() -> None:
    before = learned()
    history = before
    for at in range(60):
        _, history = judge_measurement(a_measurement(900 + 15 * at, acutance=ACUTANCE * 0.6), history, SETTINGS)
    assert history.day_baseline == before.day_baseline


def test_grease_that_thickens_day_by_day_is_announced_before_a_single_visit_would_tell() -> None:
    _, history = judge_all([a_measurement(240 * at) for at in range(40)])
    announced_at = None
    for day in range(1, 31):
        for visit in range(4):
            minute = (40 * 240) + day * 1440 + visit * 240
            picture = a_measurement(minute, acutance=ACUTANCE * (1 - 0.012 * day))
            verdict, history = judge_measurement(picture, history, SETTINGS)
            if verdict.announced == State.FAULT and announced_at is None:
                announced_at = day
                assert verdict.announced_kinds == (FaultKind.GREASE,)
    assert announced_at is not None
    assert 1 - 0.012 * announced_at > SETTINGS.sharpness_ratio_min


def test_a_cleaned_camera_is_ok_again() -> None:
    _, history = judge_all([a_measurement(240 * at) for at in range(40)])
    soft = [a_measurement(10_000 + 360 * at, acutance=ACUTANCE * 0.9) for at in range(12)]
    verdicts, history = judge_all(soft, history)
    assert verdicts[-1].announced_kinds == (FaultKind.GREASE,)
    verdicts, _ = judge_all([a_measurement(16_000 + 60 * at) for at in range(2)], history)
    assert verdicts[-1].announced == State.OK


def test_steps_smaller_than_a_unit_are_not_lost() -> None:
    picture = a_measurement()
    codes = extract_features(picture.signature, present(picture.tiles)).codes
    baseline = Baseline()
    for visit in range(SETTLING + 1):
        baseline = update_baseline(baseline, codes, BaselineFigures(), visit * MINUTE_NS, 1.5, 120.0)
    for visit in range(720):  # half a day, a visit a minute: each weighs 1/2160
        baseline = update_baseline(
            baseline, codes + np.float32(6.0), BaselineFigures(), (100 + visit) * MINUTE_NS, 1.5, 120.0
        )
    risen = baseline.codes[:CELLS].astype(float) - codes[:CELLS]
    assert float(risen.mean()) == pytest.approx(6 * (1 - math.exp(-720 / 2160)), abs=0.3)


def test_an_operator_resets_a_baseline_and_the_camera_learns_anew() -> None:
    history = learned()
    elsewhere = np.random.default_rng(77).uniform(60, 180, SCENE.shape)
    _, history = judge_all(twice(cells=elsewhere), history)
    assert history.announced == State.FAULT
    reset = history.without_baseline()
    assert reset.without_baseline() == reset
    verdicts, _ = judge_all([a_measurement(2000 + 60 * at, cells=elsewhere + at) for at in range(4)], reset)
    assert verdicts[-1].announced == State.OK


def test_a_verdict_without_tiles_is_judged_by_its_figures() -> None:
    bare = dataclasses.replace(a_measurement(3, sharpness=20.0), tiles=None, signature=b"")
    verdict, history = judge_measurement(bare, learned(), SETTINGS)
    assert verdict.kinds == (FaultKind.BLURRED,)
    assert history.day_baseline == learned().day_baseline


def test_time_that_jumps_back_does_no_harm() -> None:
    early = dataclasses.replace(a_measurement(1), arrival_wall_ns=0)
    verdict, after = judge_measurement(early, learned(), SETTINGS)
    assert verdict.state == State.OK
    assert Baseline.from_bytes(after.day_baseline).visits == Baseline.from_bytes(learned().day_baseline).visits + 1
