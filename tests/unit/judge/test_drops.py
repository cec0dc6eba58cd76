"""Drops on the lens: soft blobs in the same places, told from people, from pots and from a young baseline's ghosts."""

import numpy as np
import pytest

from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, Severity, State
from tests.support.judge_states import ACUTANCE, SCENE, SETTINGS, a_measurement, judge_all, learned


def blobs(tiles: int, seed: int = 3) -> np.ndarray:
    """Some tiles, all over the picture, shape (9, 16)."""
    where = np.zeros(144, np.bool_)
    where[np.random.default_rng(seed).permutation(144)[:tiles]] = True
    return where.reshape(9, 16)


def spotted(at: int, where: np.ndarray, *, soft: bool = True) -> Measurement:
    """The scene with a lighter blob in one cell of each of these tiles."""
    cells = SCENE.copy()
    cells[::2, ::2] += 22.0 * where
    acutance = ACUTANCE.copy()
    acutance[:, where] *= 0.7 if soft else 1.0
    return a_measurement(at, cells=cells, acutance=acutance)


def judged(visits: list[Measurement], history: JudgeState | None = None) -> list[tuple[FaultKind, ...]]:
    return [verdict.kinds for verdict in judge_all(visits, history or learned(20))[0]]


def test_soft_blobs_that_stay_are_drops_on_the_lens() -> None:
    where = blobs(60)
    verdicts, _ = judge_all([spotted(1000 + 60 * visit, where) for visit in range(3)], learned(20))
    assert [verdict.state for verdict in verdicts] == [State.OK, State.FAULT, State.FAULT]
    last = verdicts[-1]
    assert (last.announced_kinds, last.announced_cause) == ((FaultKind.BLURRED,), Cause.DROPS)
    assert last.severity is Severity.IMPAIRED
    assert last.figures["spot_share"] == pytest.approx(len(last.tiles) / 144)
    assert len(set(last.tiles) - set(np.flatnonzero(where).tolist())) <= 2
    assert last.figures["spot_soft_share"] > 0.9 * last.figures["spot_share"]


def test_blobs_elsewhere_at_each_visit_are_people_and_pots() -> None:
    assert judged([spotted(1000 + 60 * visit, blobs(60, seed=visit)) for visit in range(4)]) == [()] * 4


def test_things_with_sharp_edges_were_put_down() -> None:
    where = blobs(60)
    assert judged([spotted(1000 + 60 * visit, where, soft=False) for visit in range(4)]) == [()] * 4


def test_a_few_blobs_are_no_fault() -> None:
    few = round(SETTINGS.spot_share_min * 144) - 6
    assert judged([spotted(1000 + 60 * visit, blobs(few)) for visit in range(4)]) == [()] * 4


def test_the_people_of_a_young_baselines_first_picture_are_no_drops() -> None:
    crowd = SCENE.copy()
    crowd[:, ::4] += 60.0
    visits = [a_measurement(0, cells=crowd), *(a_measurement(15 * visit) for visit in range(1, 40))]
    verdicts, _ = judge_all(visits)
    assert {verdict.kinds for verdict in verdicts} == {()}


def test_drops_of_the_first_visit_on_are_what_the_camera_shows() -> None:
    where = blobs(60)
    history = judge_all([spotted(15 * visit, where) for visit in range(20)])[1]
    assert judged([spotted(1000 + 60 * visit, where) for visit in range(3)], history) == [()] * 3


def test_a_wiped_lens_is_ok_again() -> None:
    where = blobs(60)
    visits = [spotted(1000 + 60 * visit, where) for visit in range(4)]
    visits += [a_measurement(1300 + 60 * visit) for visit in range(2)]
    verdicts, _ = judge_all(visits, learned(20))
    assert verdicts[3].announced_kinds == (FaultKind.BLURRED,)
    assert verdicts[-1].announced is State.OK


def test_in_other_light_drops_are_not_looked_for() -> None:
    where = blobs(60)
    visits = [spotted(1000 + 60 * visit, where) for visit in range(3)]
    dim = []
    for visit in visits:
        cells = SCENE * 0.5
        cells[::2, ::2] += 30.0 * where
        dim.append(a_measurement(visit.arrival_wall_ns // (60 * 10**9), cells=cells, luma_mean=float(cells.mean())))
    verdicts, _ = judge_all(dim, learned(20))
    assert all("spot_share" not in verdict.figures for verdict in verdicts)


def test_a_camera_that_was_pushed_a_little_has_no_drops() -> None:
    smooth = SCENE.copy()
    for _ in range(2):
        smooth = (smooth + np.roll(smooth, 1, 0) + np.roll(smooth, 1, 1) + np.roll(smooth, (1, 1), (0, 1))) / 4
    smooth = 120.0 + 3.0 * (smooth - 120.0)
    pushed = 0.6 * smooth + 0.4 * np.roll(smooth, 1, axis=1)
    acutance = ACUTANCE.copy()
    acutance[:, blobs(40)] *= 0.7
    visits = [a_measurement(1000 + 60 * visit, cells=pushed, acutance=acutance) for visit in range(3)]
    verdicts, _ = judge_all(visits, learned(20, cells=smooth))
    assert verdicts[-1].figures["spot_share"] > SETTINGS.spot_share_min
    assert verdicts[-1].figures["spot_soft_share"] > SETTINGS.spot_soft_share_min
    assert [verdict.kinds for verdict in verdicts] == [()] * 3
