"""A camera against its own past: what it learns, what it holds against a picture, what it forgets on purpose."""

import dataclasses
import math

import numpy as np
import pytest

from engine.judge.baseline import BASELINE_BYTES, CELLS, Baseline, Usual
from engine.judge.history import History
from engine.judge.learn import SETTLING, learn
from engine.judge.look import look_of
from engine.judge.rules import judge_measurement
from engine.types import Cause, FaultKind, Measurement, State, UnknownReason
from tests.camera_memory import (
    ACUTANCE,
    MINUTE_NS,
    SCENE,
    SETTINGS,
    SHAPE,
    STRUCTURE,
    a_measurement,
    at_minute,
    judge_all,
    learned,
)


def announced(history: History, *pictures: Measurement) -> tuple[FaultKind, ...]:
    """What is announced after the pictures were seen one after the other, an hour apart."""
    visits = [at_minute(one, 1000 + 60 * number) for number, one in enumerate(pictures)]
    return judge_all(visits, history)[0][-1].announced_kinds


def twice(**picture: object) -> list[Measurement]:
    return [a_measurement(1000 + 60 * number, **picture) for number in (0, 1)]  # type: ignore[arg-type]


def covered_cells(columns: slice, level: float = 70.0) -> np.ndarray:
    """A soft cover over some columns of cells."""
    cells = SCENE.copy()
    cells[:, columns] = level + np.linspace(0, 6, 18)[:, None]
    return cells


def structure_where(columns: slice, energy: float) -> np.ndarray:
    """As ever but for some columns of tiles."""
    structure = STRUCTURE.copy()
    structure[:, columns] = energy
    return structure


def lost(columns: slice) -> np.ndarray:
    structure = STRUCTURE.copy()
    structure[:, columns] = 0.2
    return structure


def test_steeper_thresholds_come_with_a_baseline_and_softer_cameras_are_taken_as_they_are() -> None:
    soft = {"sharpness": 50.0, "acutance": ACUTANCE * 0.7}
    verdicts, history = judge_all([a_measurement(15 * at, **soft) for at in range(8)])
    assert [one.reason for one in verdicts[:4]] == [UnknownReason.DOUBTFUL] * 4
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


@pytest.mark.parametrize("columns", [4, 6, 8])
def test_a_covered_part_is_found_with_its_share_and_place(columns: int) -> None:
    picture = {"cells": covered_cells(slice(0, 2 * columns)), "structure": lost(slice(0, columns))}
    verdicts, _ = judge_all(twice(**picture), learned())
    assert verdicts[-1].announced_kinds == (FaultKind.PARTLY_COVERED,)
    assert verdicts[-1].figures["hidden_share"] == pytest.approx(columns / 16, abs=0.07)
    assert "left" in verdicts[-1].detail
    assert {tile % 16 for tile in verdicts[-1].tiles} <= set(range(columns + 1))


def test_a_cover_over_a_plain_wall_is_seen_by_its_light_where_it_touches_the_scene_too() -> None:
    wall = SCENE.copy()
    wall[:, :12] = 150.0
    flat = lost(slice(0, 6))
    history = learned(cells=wall, structure=flat)
    cells = wall.copy()
    cells[:, :16] = 60.0
    picture = {"cells": cells, "structure": np.where(np.arange(16) < 8, 0.2, flat)}
    assert announced(history, *twice(**picture)) == (FaultKind.PARTLY_COVERED,)


def test_light_on_a_plain_wall_is_no_cover() -> None:
    wall = SCENE.copy()
    wall[:, :12] = 110.0
    flat = lost(slice(0, 6))
    history = learned(cells=wall, structure=flat)
    lit = wall.copy()
    lit[:, :12] = 170.0
    assert announced(history, *twice(cells=lit, structure=flat)) == ()


def test_people_who_stand_elsewhere_at_each_visit_are_no_cover() -> None:
    history = learned()
    visits = []
    for number in range(8):
        place = slice(3 * (number % 4), 3 * (number % 4) + 3)
        cells = covered_cells(slice(2 * place.start, 2 * place.stop))
        visits.append(a_measurement(1000 + 60 * number, cells=cells, structure=lost(place)))
    verdicts, _ = judge_all(visits, history)
    assert all(one.announced == State.OK for one in verdicts)


def test_a_wholly_covered_lens_is_covered_and_not_another_scene() -> None:
    picture = {"cells": covered_cells(slice(0, 32)), "structure": np.full(SHAPE, 0.2)}
    picture["acutance"] = np.full((2, *SHAPE), np.nan)
    assert announced(learned(), *twice(**picture, sharpness=None)) == (FaultKind.COVERED,)


def test_a_cover_over_a_scene_that_has_little_structure_is_told_by_its_light_and_shade() -> None:
    dim = {"structure": STRUCTURE / 8}
    picture = {"cells": covered_cells(slice(0, 32)), "structure": STRUCTURE / 20, "sharpness": None}
    assert announced(learned(**dim), *twice(**picture)) == (FaultKind.COVERED,)


def test_a_grey_cloth_is_no_night_mode() -> None:
    picture = {"cells": covered_cells(slice(0, 32)), "structure": np.full(SHAPE, 0.2), "sharpness": None}
    assert announced(learned(), *twice(**picture, grey=True)) == (FaultKind.COVERED,)


@pytest.mark.parametrize(("down", "across"), [(0, 4), (0, -7), (3, 5), (-4, 0)])
def test_a_turned_camera_is_moved_and_the_shift_is_estimated(down: int, across: int) -> None:
    elsewhere = np.random.default_rng(9).uniform(60, 180, SCENE.shape)
    rows, columns = np.mgrid[0:18, 0:32]
    inside = (rows - down >= 0) & (rows - down < 18) & (columns - across >= 0) & (columns - across < 32)
    cells = np.where(inside, np.roll(SCENE, (down, across), (0, 1)), elsewhere)
    verdicts, _ = judge_all(twice(cells=cells), learned())
    assert verdicts[-1].announced_kinds == (FaultKind.MOVED,)
    assert verdicts[-1].figures["shift_across"] == pytest.approx(across / 32, abs=0.02)
    assert verdicts[-1].figures["shift_down"] == pytest.approx(down / 18, abs=0.03)


def test_another_scene_altogether_is_moved() -> None:
    assert announced(learned(), *twice(cells=np.random.default_rng(77).uniform(60, 180, SCENE.shape))) == (
        FaultKind.MOVED,
    )


def test_a_view_that_is_plain_in_part_is_moved_and_not_covered() -> None:
    elsewhere = np.random.default_rng(78).uniform(60, 180, SCENE.shape)
    elsewhere[:, 20:] = 90.0
    picture = {"cells": elsewhere, "structure": lost(slice(10, 16))}
    assert announced(learned(), *twice(**picture)) == (FaultKind.MOVED,)


def test_bright_tape_is_a_cover_and_no_light() -> None:
    picture = {"cells": covered_cells(slice(0, 24), 215.0), "structure": lost(slice(0, 12)), "luma_mean": 200.0}
    picture |= {"luma_p5": 85.0, "luma_p99": 250.0}
    assert announced(learned(), *twice(**picture)) == (FaultKind.PARTLY_COVERED,)


def test_block_edges_of_a_coarse_codec_do_not_hide_a_blur_that_took_the_structure() -> None:
    assert announced(learned(), *twice(structure=STRUCTURE / 3)) == (FaultKind.BLURRED,)


def test_noise_in_a_darker_picture_is_the_cameras_gain() -> None:
    (verdict,), _ = judge_all([a_measurement(900, noise_floor=5.0, luma_mean=75.0)], learned())
    assert (verdict.kinds, verdict.cause) == ((FaultKind.NOISY,), Cause.LOW_LIGHT)


def test_a_dark_picture_that_still_shows_the_scene_is_lights_off() -> None:
    dark = a_measurement(900, cells=0.2 * SCENE, structure=STRUCTURE * 0.05, luma_mean=24.0)
    (verdict,), _ = judge_all([dark], learned())
    assert (verdict.kinds, verdict.cause) == ((FaultKind.TOO_DARK,), Cause.LIGHTS_OFF)


def test_a_dark_cover_is_told_from_lights_off_by_what_is_left_of_the_scene() -> None:
    dark = a_measurement(900, cells=covered_cells(slice(0, 32), 30.0), structure=np.full(SHAPE, 0.1), luma_mean=33.0)
    (verdict,), _ = judge_all([dark], learned())
    assert verdict.kinds == (FaultKind.TOO_DARK, FaultKind.COVERED)


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


def test_black_paint_over_most_of_the_lens_is_no_want_of_light() -> None:
    picture = {"cells": covered_cells(slice(0, 22), 15.0), "structure": lost(slice(0, 11)), "luma_mean": 40.0}
    assert announced(learned(), *twice(**picture)) == (FaultKind.PARTLY_COVERED,)


def test_a_cover_before_a_plain_part_of_a_noisy_scene_is_told_by_light_and_shade_alone() -> None:
    noisy = np.full(SHAPE, 9.0)
    noisy[:, 8:] = 200.0
    cover = {"cells": covered_cells(slice(0, 12), 20.0), "structure": noisy}
    assert announced(learned(structure=noisy), *twice(**cover)) == (FaultKind.PARTLY_COVERED,)


def test_lamps_that_fade_leave_a_white_wall_a_white_wall() -> None:
    kitchen, structure = 0.4 * SCENE, np.full(SHAPE, 0.3)
    kitchen[:, 18:] = 215.0 + np.random.default_rng(3).normal(0, 5, (18, 14))  # white, with marks on it
    structure[:, :8] = 50.0
    usual = {"cells": kitchen, "structure": structure}
    dim = 0.75 * kitchen
    dim[:, 18:] = 180.0  # the camera's curve takes less from what is bright
    dimmer = {"cells": dim, "structure": structure}
    assert announced(learned(**usual), *twice(**dimmer)) == ()


def test_who_stood_there_in_the_first_visits_is_not_missed_when_gone() -> None:
    person = {"cells": covered_cells(slice(0, 8), 30.0)}
    busy = structure_where(slice(0, 4), 90.0)
    memory = judge_all([a_measurement(15 * at, **person, structure=busy) for at in range(5)])[1]
    assert announced(memory, *twice(cells=SCENE, structure=lost(slice(0, 4)))) == ()


def test_a_cover_is_no_move_while_the_rest_is_in_its_place() -> None:
    cells = SCENE.copy()
    cells[:, :23] = np.roll(SCENE, 8, axis=1)[:, :23]  # it happens to look as a turn would
    assert announced(learned(), *twice(cells=cells, structure=lost(slice(0, 11)))) == (FaultKind.PARTLY_COVERED,)


def test_a_cover_over_most_of_a_bright_scene_is_no_veil() -> None:
    # All that is left is as rich as ever; the cover is bright, as steam is.
    scene = 0.6 * SCENE
    cells = scene.copy()
    cells[:, :20] = 0.25 * (scene[:, :20] - scene.mean()) + 150.0
    structure = np.full(SHAPE, 50.0)
    structure[:, :10] = 1.0
    assert announced(learned(cells=scene), *twice(cells=cells, structure=structure)) == (FaultKind.PARTLY_COVERED,)


def test_a_lens_behind_black_paint_is_covered_and_not_only_dark() -> None:
    black = a_measurement(900, cells=covered_cells(slice(0, 32), 14.0), structure=np.full(SHAPE, 0.1), luma_mean=15.0)
    (verdict,), _ = judge_all([black], learned())
    assert verdict.kinds == (FaultKind.TOO_DARK, FaultKind.COVERED)


def test_a_cover_before_all_that_has_structure_is_whole_though_plain_walls_look_as_ever() -> None:
    structure = np.full(SHAPE, 0.3)
    structure[2:7, 3:12] = 60.0
    scene = np.full((18, 32), 100.0)
    scene[4:14, 6:24] = SCENE[4:14, 6:24]
    usual = {"cells": scene, "structure": structure}
    down, across = np.mgrid[0:18, 0:32]
    waves = np.sin(down / 1.7 + 0.4) + np.sin(across / 2.3)
    shaded = 100.0 + 0.17 * (scene - 100.0) + 18 * waves  # light of its own, and a little that comes through
    cover = {"cells": shaded, "structure": np.full(SHAPE, 0.3), "sharpness": None}
    assert announced(learned(**usual), *twice(**cover)) == (FaultKind.COVERED,)


def test_a_cover_that_lets_light_and_shade_through_in_part_is_whole_where_all_lost_their_structure() -> None:
    cells = np.full(SCENE.shape, 100.0)
    cells[:, :10] += 0.3 * (SCENE[:, :10] - SCENE.mean())
    structure = np.full(SHAPE, 0.2)
    structure[:, :5] = 4.6  # three octaves less than ever, and still the least affected
    assert announced(learned(), *twice(cells=cells, structure=structure)) == (FaultKind.COVERED,)
    structure[:, :5] = STRUCTURE[:, :5]
    assert announced(learned(), *twice(cells=cells, structure=structure)) == (FaultKind.PARTLY_COVERED,)


def test_a_plain_part_of_a_noisy_scene_is_hidden_beside_what_tells_it() -> None:
    noisy = np.full(SHAPE, 9.0)
    noisy[:, 12:], noisy[3:6, 1] = 200.0, 60.0
    scene, under = SCENE.copy(), noisy.copy()
    scene[:, :24], under[3:6, 1] = 110.0, 9.0
    scene[6:12, 2:4] = SCENE[6:12, 2:4]
    cells = scene.copy()
    cells[:, :10] = covered_cells(slice(0, 10), 60.0)[:, :10]
    memory = learned(cells=scene, structure=noisy)
    assert announced(memory, *twice(cells=cells, structure=under)) == (FaultKind.PARTLY_COVERED,)


def test_what_is_usual_for_a_camera_is_no_fault_of_it() -> None:
    usual = {"noise_floor": 5.0, "row_pattern": 9.0, "u": np.full(SHAPE, 30.0)}
    assert announced(learned(**usual), *twice(**usual)) == ()


def test_a_colour_cast_needs_light_to_be_seen_in() -> None:
    tinted = {"u": np.full(SHAPE, 25.0)}
    assert announced(learned(), *twice(**tinted)) == (FaultKind.COLOUR_CAST,)
    dark = {"cells": 0.35 * SCENE, "structure": STRUCTURE * 0.2, "luma_mean": 36.0}
    assert FaultKind.COLOUR_CAST not in announced(learned(), *twice(**tinted, **dark))


def test_day_and_infrared_are_learned_apart() -> None:
    night = {"cells": SCENE[::-1].copy() * 0.2 + 0.8 * SCENE, "grey": True, "acutance": ACUTANCE * 0.7}
    history = learned()
    verdicts, history = judge_all([a_measurement(900 + at, **night) for at in range(8)], history)
    assert all(one.state == State.OK for one in verdicts)
    assert len(history.day) == len(history.infrared) == BASELINE_BYTES
    (day,), _ = judge_all([a_measurement(2000)], history)
    assert day.state == State.OK


def test_a_blurred_week_does_not_teach_the_baseline_to_accept_it() -> None:
    before = learned()
    history = before
    for at in range(60):
        _, history = judge_measurement(a_measurement(900 + 15 * at, acutance=ACUTANCE * 0.6), history, SETTINGS)
    assert history.day == before.day


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
    one = look_of(picture.signature, picture.tiles).codes
    baseline = Baseline()
    for visit in range(SETTLING + 1):
        baseline = learn(baseline, one, Usual(), visit * MINUTE_NS, 1.5, 120.0)
    for visit in range(720):  # half a day, a visit a minute: each weighs 1/2160
        baseline = learn(baseline, one + np.float32(6.0), Usual(), (100 + visit) * MINUTE_NS, 1.5, 120.0)
    risen = baseline.codes[:CELLS].astype(float) - one[:CELLS]
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
    assert history.day == learned().day


def test_time_that_jumps_back_does_no_harm() -> None:
    early = dataclasses.replace(a_measurement(1), arrival_wall_ns=0)
    verdict, after = judge_measurement(early, learned(), SETTINGS)
    assert verdict.state == State.OK
    assert Baseline.from_bytes(after.day).visits == Baseline.from_bytes(learned().day).visits + 1
