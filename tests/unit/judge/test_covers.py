"""What hides the scene, in part or as a whole, and what turns the camera away: told from people, light and veils."""

from typing import Any

import numpy as np
import pytest

from engine.model.verdict import FaultKind, State
from tests.support.judge_states import (
    SCENE,
    SHAPE,
    STRUCTURE,
    a_measurement,
    announced,
    covered_cells,
    judge_all,
    learned,
    lost,
    structure_where,
    twice,
)


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
    assert all(verdict.announced == State.OK for verdict in verdicts)


def test_a_wholly_covered_lens_is_covered_and_not_another_scene() -> None:
    picture = {"cells": covered_cells(slice(0, 32)), "structure": np.full(SHAPE, 0.2)}
    picture["acutance"] = np.full((2, *SHAPE), np.nan)
    assert announced(learned(), *twice(**picture, sharpness=None)) == (FaultKind.COVERED,)


def test_a_cover_over_a_scene_that_has_little_structure_is_told_by_its_light_and_shade() -> None:
    dim: dict[str, Any] = {"structure": STRUCTURE / 8}
    picture: dict[str, Any] = {"cells": covered_cells(slice(0, 32)), "structure": STRUCTURE / 20, "sharpness": None}
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


def test_a_dark_cover_is_told_from_lights_off_by_what_is_left_of_the_scene() -> None:
    dark = a_measurement(900, cells=covered_cells(slice(0, 32), 30.0), structure=np.full(SHAPE, 0.1), luma_mean=33.0)
    (verdict,), _ = judge_all([dark], learned())
    assert verdict.kinds == (FaultKind.TOO_DARK, FaultKind.COVERED)


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
    usual: dict[str, Any] = {"cells": kitchen, "structure": structure}
    dim = 0.75 * kitchen
    dim[:, 18:] = 180.0  # the camera's curve takes less from what is bright
    dimmer: dict[str, Any] = {"cells": dim, "structure": structure}
    assert announced(learned(**usual), *twice(**dimmer)) == ()


def test_who_stood_there_in_the_first_visits_is_not_missed_when_gone() -> None:
    person: dict[str, Any] = {"cells": covered_cells(slice(0, 8), 30.0)}
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
    usual: dict[str, Any] = {"cells": scene, "structure": structure}
    down, across = np.mgrid[0:18, 0:32]
    waves = np.sin(down / 1.7 + 0.4) + np.sin(across / 2.3)
    shaded = 100.0 + 0.17 * (scene - 100.0) + 18 * waves  # light of its own, and a little that comes through
    cover: dict[str, Any] = {"cells": shaded, "structure": np.full(SHAPE, 0.3), "sharpness": None}
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


def held(columns: int, places: list[int]) -> list[Any]:
    """A cloth of that many columns of tiles, held at another place on each visit."""
    visits = []
    for number, place in enumerate(places):
        where = slice(place, place + columns)
        cells = covered_cells(slice(2 * where.start, 2 * where.stop))
        visits.append(a_measurement(1000 + 60 * number, cells=cells, structure=lost(where)))
    return visits


def test_a_cloth_that_somebody_holds_elsewhere_at_each_visit_is_a_cover() -> None:
    verdicts, _ = judge_all(held(5, [0, 11, 5]), learned())
    assert [verdict.kinds for verdict in verdicts[:1]] == [()]
    assert verdicts[-1].announced_kinds == (FaultKind.PARTLY_COVERED,)


def test_a_large_cover_at_one_visit_and_a_person_at_the_next_is_none() -> None:
    verdicts, _ = judge_all([*held(5, [0]), *held(2, [12, 6])], learned())
    assert all(verdict.announced == State.OK for verdict in verdicts)
