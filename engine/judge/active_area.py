"""Keeps to a camera's active area: what the bars of its pictures leave, as its visits agree on it. Pure.

The grid of tiles lies within the active area, so a baseline holds for one area. It changes only when several visits in
a row without a fault have seen another: a dark picture hides where its bars end, and a recorder's own picture has none.
"""

from engine.judge.state import JudgeState
from engine.model.active_area import WHOLE
from engine.model.measurement import Measurement

AGREEING_VISITS = 3
"""Visits in a row that must see another area before it is the camera's."""


def before_visit(judge_state: JudgeState, measurement: Measurement) -> JudgeState:
    """Return the state with the camera's first area, if this picture is the first whose bars could be told.

    A baseline that was learned without knowing of bars starts anew if there are some.
    """
    seen = measurement.seen_area
    if judge_state.area is not None or seen is None:
        return judge_state
    if seen == WHOLE:
        return judge_state._replace(area=seen)
    return judge_state.without_baseline()._replace(area=seen)


def after_visit(judge_state: JudgeState, measurement: Measurement, *, faultless: bool) -> JudgeState:
    """Return the state after a picture was judged; with another area, and without baselines, if the visits agree."""
    area, seen = judge_state.area, measurement.seen_area
    if area is None or seen is None:
        return judge_state
    if not faultless or seen.is_like(area):
        return judge_state._replace(area_visits=0) if judge_state.area_visits else judge_state
    if judge_state.area_visits + 1 < AGREEING_VISITS:
        return judge_state._replace(area_visits=judge_state.area_visits + 1)
    return judge_state.without_baseline()._replace(area=seen)
