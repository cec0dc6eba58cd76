"""What the electronics add to a picture, and a blur of one direction: both are held against what is usual."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from engine.judge.baseline import Baseline, BaselineFigures, from_earlier
from engine.judge.blur_direction import DirectionalLoss, directional_loss
from engine.judge.rules import judge_measurement
from engine.judge.signal_rules import added, signal_faults
from engine.judge.state import JudgeState
from engine.model.verdict import Cause, FaultKind, State
from tests.support.expect import present
from tests.support.judge_states import (
    ACUTANCE,
    SETTINGS,
    STRUCTURE,
    a_measurement,
    earlier_baseline,
    judge_all,
    learned,
)

_USUAL = BaselineFigures(gradient_across=30.0, gradient_down=20.0, gradient_product=4.0)


def _tensor(across: float, down: float, product: float = 0.0) -> dict[str, Any]:
    return {"gradient_across": across, "gradient_down": down, "gradient_product": product}


def _blurred_along(angle: float, left: float, usual: BaselineFigures = _USUAL) -> dict[str, Any]:
    """Return the tensor of the usual scene after a blur along `angle` (radians) that leaves a share `left` of the
    energy of slopes in that direction."""
    x, y = math.cos(angle), math.sin(angle)
    a, b, c = usual.gradient_across, usual.gradient_down, usual.gradient_product
    # S T S, where S takes the direction (x, y) to the root of `left` of its length
    loss = 1.0 - math.sqrt(left)
    s = 1.0 - loss * x * x, -loss * x * y, 1.0 - loss * y * y
    first = s[0] * a + s[1] * c, s[0] * c + s[1] * b
    second = s[1] * a + s[2] * c, s[1] * c + s[2] * b
    return _tensor(
        first[0] * s[0] + first[1] * s[1], second[0] * s[1] + second[1] * s[2], first[0] * s[1] + first[1] * s[2]
    )


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_shake_is_motion_whatever_its_angle(degrees: int) -> None:
    loss = present(directional_loss(_blurred_along(math.radians(degrees), 0.3), _USUAL))
    assert loss.is_motion
    assert loss.anisotropy == pytest.approx(-0.5 * math.log2(0.3), abs=0.15)
    assert loss.least == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("left", [0.8, 0.4, 0.1])
def test_a_lens_out_of_focus_takes_as_much_in_all_directions(left: float) -> None:
    usual = _USUAL
    even = _tensor(left * usual.gradient_across, left * usual.gradient_down, left * usual.gradient_product)
    loss = present(directional_loss(even, usual))
    assert not loss.is_motion
    assert loss.least == pytest.approx(-0.5 * math.log2(left), abs=0.1)


def test_the_stronger_the_blur_the_more_the_directions_must_differ() -> None:
    assert DirectionalLoss(least=0.3, most=0.55).is_motion
    assert not DirectionalLoss(least=1.6, most=1.95).is_motion


@pytest.mark.parametrize(
    ("figures", "usual"),
    [
        ({}, _USUAL),
        (_tensor(0.0, 0.0), _USUAL),
        (_tensor(10.0, 10.0), BaselineFigures()),
        (_tensor(10.0, 10.0), _USUAL._replace(gradient_product=100.0)),
    ],
)
def test_without_slopes_nothing_is_said_about_their_direction(
    figures: Mapping[str, float], usual: BaselineFigures
) -> None:
    assert directional_loss(figures, usual) is None


def test_a_blur_along_a_diagonal_is_named_motion_and_an_even_one_defocus() -> None:
    scene = _tensor(30.0, 20.0, 4.0)
    usual = learned(**scene)
    soft = ACUTANCE * 0.7  # as soft by x as by y
    (shaken,), _ = judge_all([a_measurement(900, acutance=soft, **_blurred_along(math.pi / 4, 0.3))], usual)
    assert (shaken.kinds, shaken.cause) == ((FaultKind.BLURRED,), Cause.MOTION)
    assert shaken.figures["blur_anisotropy"] > 0.7
    (even,), _ = judge_all([a_measurement(900, acutance=soft, **_tensor(12.0, 8.0, 1.6))], usual)
    assert (even.kinds, even.cause) == ((FaultKind.BLURRED,), Cause.DEFOCUS)


def test_a_measurement_without_slopes_is_judged_as_before() -> None:
    (verdict,), _ = judge_all([a_measurement(900, acutance=ACUTANCE * 0.6)], learned(**_tensor(30.0, 20.0)))
    assert (verdict.kinds, verdict.cause) == ((FaultKind.BLURRED,), Cause.DEFOCUS)
    assert "blur_anisotropy" not in verdict.figures


def test_a_baseline_that_was_stored_before_slopes_were_measured_is_read_and_learns_them() -> None:
    state = learned(**_tensor(30.0, 20.0, 4.0))
    before = state._replace(day_baseline=from_earlier(earlier_baseline(state.day_baseline)))
    read = before.baseline(infrared=False)
    assert Baseline.from_bytes(read.to_bytes()) == read
    assert read.figures[:6] == state.baseline(infrared=False).figures[:6]
    assert read.figures[6:] == (0.0, 0.0, 0.0)
    _, after = judge_measurement(a_measurement(900, **_tensor(25.0, 21.0, 3.0)), before, SETTINGS)
    usual = after.baseline(infrared=False)
    assert usual.visits == state.baseline(infrared=False).visits + 1
    assert usual.figures[6:] == (25.0, 21.0, 3.0)


@pytest.mark.parametrize(
    ("deviation", "usual", "expected"), [(5.0, 0.0, 5.0), (5.0, 4.0, 0.0), (13.0, 4.0, 12.0), (3.0, 4.0, 0.0)]
)
def test_what_was_added_is_the_root_of_the_difference_of_squares(
    deviation: float, usual: float, expected: float
) -> None:
    assert added(deviation, usual, 1.25) == pytest.approx(expected)


def test_stripes_are_found_on_a_wall_that_has_a_pattern_of_its_own() -> None:
    tiled = learned(column_pattern=9.0)
    hum = math.hypot(9.0, 10.5)  # 15 levels of amplitude added to the tiles
    (verdict,), _ = judge_all([a_measurement(900, column_pattern=hum)], tiled)
    assert verdict.kinds == (FaultKind.STRIPES,)
    (usual,), _ = judge_all([a_measurement(900, column_pattern=1.2 * 9.0)], tiled)
    assert usual.state == State.OK


def test_noise_is_found_in_a_scene_whose_texture_looks_like_noise() -> None:
    gravel = learned(noise_floor=5.5)
    (verdict,), _ = judge_all([a_measurement(900, noise_floor=9.0)], gravel)
    assert verdict.kinds == (FaultKind.NOISY,)
    (usual,), _ = judge_all([a_measurement(900, noise_floor=6.5)], gravel)
    assert usual.state == State.OK


def test_the_more_is_added_the_surer_the_fault() -> None:
    usual = BaselineFigures(luma_mean=100.0, noise_floor=1.0, row_pattern=2.0, column_pattern=2.0)
    quiet = {"luma_mean": 100.0, "noise_floor": 1.0, "row_pattern": 2.0, "column_pattern": 2.0}
    assert list(signal_faults(quiet, usual, SETTINGS)) == []
    excesses = [
        next(signal_faults(quiet | {"row_pattern": pattern}, usual, SETTINGS)).excess for pattern in (8.0, 12.0, 16.0)
    ]
    assert excesses == sorted(excesses)
    assert excesses[0] < excesses[2]


def test_a_state_without_a_baseline_has_no_usual_slopes() -> None:
    assert JudgeState().baseline(infrared=False).figures == BaselineFigures()


def test_a_picture_whose_structure_is_gone_is_blurred_however_steep_its_edges() -> None:
    usual = learned()
    (kept,), _ = judge_all([a_measurement(900, structure=STRUCTURE * 0.75)], usual)
    assert kept.kinds == ()
    (soft,), _ = judge_all([a_measurement(900, structure=STRUCTURE * 0.6)], usual)
    assert (soft.kinds, soft.cause) == ((FaultKind.BLURRED,), Cause.DEFOCUS)
    assert soft.figures["sharpness_ratio"] > 0.95
