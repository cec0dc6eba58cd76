"""A picture of four cameras is judged view by view, each against what it usually shows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from engine.judge.rules import judge_measurement
from engine.judge.state import STATE_BYTES_MAX, JudgeState
from engine.model.active_area import WHOLE
from engine.model.measurement import CameraView, Measurement, Scores
from engine.model.verdict import FaultKind, State, UnknownReason
from tests.support.judge_states import SETTINGS, a_measurement, covered_cells, judge_all, lost

FOUR = WHOLE._replace(views=4)
HIDDEN: dict[str, Any] = {"cells": covered_cells(slice(0, 32)), "structure": lost(slice(0, 16))}


def four(at: int, changes: Mapping[int, Mapping[str, Any]] | None = None) -> Measurement:
    """Return a picture of four cameras; `changes`: what is not good in a view, by its index."""
    views = []
    for index in range(4):
        view = a_measurement(10_000 * index + at, **(changes or {}).get(index, {}))
        assert view.tiles is not None
        views.append(CameraView(view.figures, view.scores, view.tiles, view.signature))
    return dataclasses.replace(a_measurement(at), area=FOUR, seen_area=FOUR, views=tuple(views))


def known() -> JudgeState:
    return judge_all([four(15 * at) for at in range(12)])[1]


def test_each_view_learns_its_own_baseline_and_comes_back_from_bytes() -> None:
    state = known()
    assert state.area == FOUR
    assert [view.baseline(infrared=False).visits for view in state.view_states()] == [12] * 4
    assert state.baseline(infrared=False).visits == 0
    assert len(state.to_bytes()) <= 5 * STATE_BYTES_MAX
    assert JudgeState.from_bytes(state.to_bytes()) == state


def test_a_fault_of_one_view_is_the_cameras_and_says_where() -> None:
    verdicts, _ = judge_all([four(1000 + 60 * at, {1: HIDDEN}) for at in range(2)], known())
    assert verdicts[-1].state is State.FAULT
    assert verdicts[-1].announced_kinds == (FaultKind.COVERED,)
    assert verdicts[-1].detail == "top right view: covered"
    assert verdicts[-1].figures["hidden_share"] > 0.8


def test_faults_of_several_views_are_all_named() -> None:
    dark = {"luma_mean": 12.0, "sharpness": None}
    verdict, _ = judge_measurement(four(1000, {0: dark, 3: HIDDEN}), known(), SETTINGS, only_visit=True)
    assert set(verdict.kinds) == {FaultKind.TOO_DARK, FaultKind.COVERED}
    assert verdict.detail == "top left view: too_dark; bottom right view: covered"


def test_a_view_that_allows_no_verdict_makes_the_picture_unknown_and_says_why() -> None:
    doubtful = four(0, {2: {"sharpness": 45.0}})
    verdict, _ = judge_measurement(doubtful, JudgeState(), SETTINGS, only_visit=True)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, UnknownReason.DOUBTFUL)
    assert verdict.detail.startswith("bottom left view: sharpness 45")


def test_the_scores_are_those_of_the_worst_view() -> None:
    verdict, _ = judge_measurement(four(0, {2: {"sharpness": 70.0}}), JudgeState(), SETTINGS)
    assert verdict.scores == Scores(70.0, 90.0, 10.0)
    assert verdict.state is State.OK


def test_a_camera_that_shows_one_view_again_is_believed_after_three_visits() -> None:
    single = [dataclasses.replace(a_measurement(2000 + 15 * at), seen_area=WHOLE, area=FOUR) for at in range(3)]
    with_views = [dataclasses.replace(picture, views=four(2000 + 15 * at).views) for at, picture in enumerate(single)]
    after = judge_all(with_views, known())[1]
    assert (after.area, after.views) == (WHOLE, b"")
