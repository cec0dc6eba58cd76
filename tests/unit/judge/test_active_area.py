"""The judge keeps to a camera's active area, and changes it only when visits agree and see no fault."""

import dataclasses
from typing import Any

from engine.config.judge import JudgeSettings
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.active_area import WHOLE, ActiveArea
from engine.model.measurement import Measurement
from engine.model.verdict import State
from tests.support.judge_states import a_measurement, judge_all, learned

PILLARBOX = ActiveArea(1250, 0, 8750, 10_000)
LIKE_IT = ActiveArea(1290, 0, 8710, 10_000)


def seen(at: int, area: ActiveArea | None, *, measured: ActiveArea | None = None, **picture: Any) -> Measurement:
    """Return a picture that saw `area`, measured in it unless another is given."""
    measurement = a_measurement(at, **picture)
    return dataclasses.replace(measurement, seen_area=area, area=measured or area or WHOLE)


def known(area: ActiveArea = PILLARBOX) -> JudgeState:
    """Return the state of a camera whose pictures have always had this area."""
    return judge_all([seen(15 * at, area) for at in range(12)])[1]


def baseline_visits(state: JudgeState) -> int:
    return state.baseline(infrared=False).visits


def test_the_first_picture_whose_bars_can_be_told_gives_the_area() -> None:
    state = judge_all([seen(0, None), seen(15, None)])[1]
    assert (state.area, baseline_visits(state)) == (None, 2)
    state = judge_all([seen(30, PILLARBOX)], state)[1]
    assert (state.area, baseline_visits(state)) == (PILLARBOX, 1), "what was learned was of the whole picture"


def test_a_camera_without_bars_keeps_what_it_learned_before_bars_were_known_of() -> None:
    before = learned()
    assert before.area is None
    after = judge_all([seen(1000, WHOLE)], before)[1]
    assert (after.area, baseline_visits(after)) == (WHOLE, baseline_visits(before) + 1)


def test_an_edge_that_moves_a_little_changes_nothing() -> None:
    before = known()
    after = judge_all([seen(1000 + at, LIKE_IT, measured=PILLARBOX) for at in range(5)], before)[1]
    assert (after.area, baseline_visits(after)) == (PILLARBOX, baseline_visits(before) + 5)


def test_the_area_changes_when_three_visits_in_a_row_agree() -> None:
    pictures = [seen(1000 + 15 * at, WHOLE, measured=PILLARBOX) for at in range(3)]
    two = judge_all(pictures[:2], known())[1]
    assert (two.area, two.area_visits) == (PILLARBOX, 2)
    again = judge_all([seen(1040, PILLARBOX)], two)[1]
    assert again.area_visits == 0, "one visit that sees the old one begins the count anew"
    three = judge_all(pictures[2:], two)[1]
    assert (three.area, three.area_visits, baseline_visits(three)) == (WHOLE, 0, 0)
    assert three.announced is State.OK, "what is announced stays"


def test_a_picture_that_does_not_tell_says_nothing_of_the_area() -> None:
    pictures = [seen(1000 + 15 * at, area, measured=PILLARBOX) for at, area in enumerate((WHOLE, None, WHOLE, None))]
    after = judge_all(pictures, known())[1]
    assert (after.area, after.area_visits) == (PILLARBOX, 2)


def test_visits_with_a_fault_do_not_change_the_area() -> None:
    lost = [seen(1000 + 15 * at, WHOLE, measured=PILLARBOX, flat_share=0.9) for at in range(6)]
    verdicts, after = judge_all(lost, known())
    assert verdicts[-1].state is State.FAULT
    assert (after.area, after.area_visits) == (PILLARBOX, 0)


def test_a_picture_measured_in_another_area_is_judged_by_itself_and_not_learned_from() -> None:
    before = known()
    late = seen(1000, PILLARBOX, measured=WHOLE, luma_mean=20.0)
    verdict, after = judge_measurement(late, before, JudgeSettings(), only_visit=True)
    assert (verdict.state, "scene_match" in verdict.figures) == (State.FAULT, False)
    assert baseline_visits(after) == baseline_visits(before)


def test_a_camera_that_is_exchanged_tells_its_area_anew() -> None:
    reset = known().without_baseline()
    assert reset.area is None
    assert judge_all([seen(1000, WHOLE)], reset)[1].area == WHOLE


def test_lines_are_counted_within_the_area() -> None:
    strip = ActiveArea(0, 4000, 10_000, 6000)
    verdict, _ = judge_measurement(seen(0, strip), JudgeState(), JudgeSettings(lines_min=240), only_visit=True)
    assert (verdict.state, verdict.detail) == (State.UNKNOWN, "the picture has 216 lines: judged from 240 on")
