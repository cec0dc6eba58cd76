"""A camera whose exposure changed: told from its evenings, from a window, from covers, and from the lights."""

from typing import Any

import numpy as np
import pytest

from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, Severity, State, UnknownReason, Verdict
from tests.support.judge_states import SCENE, SETTINGS, STRUCTURE, a_measurement, judge_all, judge_one

DAY_MINUTES = 24 * 60
HOURS = range(8, 20, 2)


def lit(minute: int, stops: float, **picture: Any) -> Measurement:
    """The scene with more or less light, as a camera codes it (IEC 61966-2-1)."""
    cells = np.clip((picture.pop("cells", SCENE) + 14.0) * 2.0 ** (stops / 2.4) - 14.0, 0, 255)
    figures = {"luma_mean": float(cells.mean()), **picture}
    return a_measurement(minute, cells=cells, **figures)


def days(*evenings: float, first: int = 0, evening: tuple[int, ...] = (16, 18)) -> list[Measurement]:
    """A day of visits for each entry: of usual light, and of that many stops less in the evening."""
    return [
        lit((first + day) * DAY_MINUTES + 60 * hour, (-dimmer if hour in evening else 0.0) + 0.1 * (hour % 3 - 1))
        for day, dimmer in enumerate(evenings)
        for hour in HOURS
    ]


def used_to(*evenings: float) -> JudgeState:
    return judge_all(days(*evenings))[1]


def lasting(stops: float, history: JudgeState, **picture: Any) -> Verdict:
    """The verdict after three visits on the tenth day."""
    visits = [lit(10 * DAY_MINUTES + 60 * hour, stops, **picture) for hour in (8, 10, 12)]
    return judge_all(visits, history)[0][-1]


@pytest.mark.parametrize(
    ("stops", "kind", "cause", "way"),
    [
        (-1.5, FaultKind.TOO_DARK, Cause.UNDEREXPOSURE, "below"),
        (1.5, FaultKind.TOO_BRIGHT, Cause.OVEREXPOSURE, "above"),
    ],
)
def test_a_stop_and_a_half_that_lasts_is_announced(stops: float, kind: FaultKind, cause: Cause, way: str) -> None:
    verdict = lasting(stops, used_to(0, 0, 0), luma_p99=240.0)
    assert (verdict.announced_kinds, verdict.announced_cause) == ((kind,), cause)
    assert verdict.severity is Severity.IMPAIRED
    assert verdict.figures["light_stops"] == pytest.approx(stops, abs=0.2)
    assert f"light 1.5 stops {way} the usual" in verdict.detail


@pytest.mark.parametrize("stops", [-0.7, 0.6])
def test_the_light_of_a_dull_day_is_no_fault(stops: float) -> None:
    assert lasting(stops, used_to(0, 0, 0)).announced is State.OK


def test_a_camera_that_knows_dark_evenings_is_used_to_them_at_any_hour() -> None:
    evenings = used_to(1.4, 1.4, 1.4, 1.4)
    assert lasting(-1.5, evenings).announced is State.OK
    assert lasting(-2.6, evenings).announced_kinds == (FaultKind.TOO_DARK,)


def test_evenings_alarm_nobody_while_a_camera_gets_to_know_them() -> None:
    verdicts, _ = judge_all(days(1.4, 1.4, 1.4, 1.4, 1.4, 1.4))
    assert {verdict.announced for verdict in verdicts} <= {State.OK, State.UNKNOWN}


def test_nights_that_fall_earlier_are_usual_after_the_first() -> None:
    earlier = days(1.4, 1.4, 1.4, 1.4, first=10, evening=(14, 16, 18))
    verdicts, _ = judge_all(earlier, used_to(0, 0, 0, 0))
    by_day = [verdicts[6 * day + 2 : 6 * day + 6] for day in range(4)]
    assert by_day[0][-1].announced_cause is Cause.UNDEREXPOSURE
    assert [verdict.state for day in by_day[1:] for verdict in day] == [State.OK] * 12


def test_a_camera_of_one_day_is_not_held_against_it() -> None:
    later = [lit(DAY_MINUTES + 60 * hour, -1.5) for hour in (8, 10, 12)]
    assert judge_all(later, used_to(0))[0][-1].announced is State.OK


def test_a_changed_exposure_is_not_learned() -> None:
    history = used_to(0, 0, 0)
    visits = [lit((10 + day) * DAY_MINUTES + 60 * hour, -1.5) for day in range(6) for hour in HOURS]
    verdicts, after = judge_all(visits, history)
    assert verdicts[-1].announced_cause is Cause.UNDEREXPOSURE
    assert after.baseline(infrared=False).codes.tolist() == history.baseline(infrared=False).codes.tolist()


def test_outside_working_hours_too_little_light_is_no_fault() -> None:
    visit = lit(10 * DAY_MINUTES + 600, -1.5)
    verdict, _ = judge_measurement(visit, used_to(0, 0, 0), SETTINGS, working=False)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.TOO_DARK_TO_JUDGE)


def window(columns: slice, level: float) -> np.ndarray:
    """The scene two stops darker, with a bright area at the top."""
    cells: np.ndarray = (SCENE + 14.0) * 2.0 ** (-2.0 / 2.4) - 14.0
    cells[2:14, columns] = level
    return cells


def behind(level: float, **figures: float) -> list[Measurement]:
    structure = STRUCTURE / 4
    structure[1:7, 4:9] = 0.1
    cells = window(slice(8, 18), level)
    picture: dict[str, Any] = {"cells": cells, "structure": structure, "luma_mean": float(cells.mean()), **figures}
    return [a_measurement(10 * DAY_MINUTES + 60 * hour, **picture) for hour in (8, 10, 12)]


def test_a_scene_that_is_dark_before_a_bright_window_is_taken_against_the_light() -> None:
    verdicts, _ = judge_all(behind(255.0, clipped_bright_share=0.1), used_to(0, 0, 0))
    assert (verdicts[-1].announced_kinds, verdicts[-1].announced_cause) == ((FaultKind.TOO_DARK,), Cause.BACKLIGHT)
    assert verdicts[-1].severity is Severity.IMPAIRED


def test_a_bright_cloth_is_no_window() -> None:
    verdicts, _ = judge_all(behind(225.0, clipped_bright_share=0.05), used_to(0, 0, 0))
    assert verdicts[-1].announced_kinds == (FaultKind.PARTLY_COVERED,)


def test_without_a_baseline_a_picture_against_the_light_is_doubtful() -> None:
    verdict = judge_one(a_measurement(luma_mean=90.0, luma_p50=66.0, clipped_bright_share=0.09))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.DOUBTFUL)
    assert verdict.detail == "against the light: 9 % burnt out, limit 3 %, and half of it below level 66, limit 80"
    assert judge_one(a_measurement(luma_p50=66.0)).state is State.OK
    assert judge_one(a_measurement(luma_p50=100.0, clipped_bright_share=0.09)).state is State.OK


def test_somebody_in_a_dark_coat_before_the_lens_does_not_change_the_light() -> None:
    cells = SCENE.copy()
    cells[:, :10] = 25.0
    near = [a_measurement(10 * DAY_MINUTES + 60 * hour, cells=cells) for hour in (8, 10, 12)]
    verdict = judge_all(near, used_to(0, 0, 0))[0][-1]
    assert verdict.figures["light_stops"] == pytest.approx(0.0, abs=0.1)
    assert FaultKind.TOO_DARK not in verdict.kinds


def test_a_veil_that_lifts_black_is_steam_and_no_exposure() -> None:
    veiled: dict[str, Any] = {"cells": 0.55 * SCENE + 85, "structure": STRUCTURE * 0.3, "luma_mean": 150.0}
    visits = [a_measurement(10 * DAY_MINUTES + 60 * hour, **veiled) for hour in (8, 10, 12)]
    assert judge_all(visits, used_to(0, 0, 0))[0][-1].announced_kinds == (FaultKind.STEAM,)
