"""The judge: one visit's result and the camera's memory in, a verdict and the new memory out. Pure."""

import functools
from collections.abc import Mapping

from engine.config.schema import JudgeSettings
from engine.judge.announce import announce
from engine.judge.baseline import learn, lost_share
from engine.judge.freeze import compare
from engine.judge.history import History, Outcome
from engine.judge.picture import Seen, look
from engine.types import FaultKind, Measurement, Scores, State, UnknownReason, Verdict, VisitFailure

RULES_VERSION = "1"
"""Changes whenever the same figures, thresholds and memory could give another verdict."""

_THRESHOLDS = tuple(JudgeSettings.model_fields)


def judge_measurement(measurement: Measurement, history: History, settings: JudgeSettings) -> tuple[Verdict, History]:
    """A picture was scored. A damaged one is unknown(damaged): what it shows is the decoder's doing, not the camera's.

    The verdict's figures are the measurement's, and beside them `lost_structure_share` (where there is a baseline) and
    `same_visits`, how many visits in a row brought this picture.
    """
    at_ns = measurement.arrival_wall_ns
    figures = dict(measurement.figures)
    if measurement.damage:
        seen = Seen((), UnknownReason.DAMAGED)
        detail = "damaged: " + ", ".join(measurement.damage)
    else:
        history = compare(history, measurement.signature, at_ns, settings)
        tiles = measurement.tiles
        lost = lost_share(history, tiles.structure, settings) if tiles is not None else None
        seen = look(measurement, lost, settings)
        if history.same_visits >= settings.frozen_visits:
            seen = Seen((*seen.kinds, FaultKind.FROZEN))
        elif tiles is not None and not seen.kinds and seen.unknown is None:
            history = learn(history, tiles.structure)
        figures["same_visits"] = float(history.same_visits)
        if lost is not None:
            figures["lost_structure_share"] = lost
        detail = ""
    state = State.FAULT if seen.kinds else State.OK if seen.unknown is None else State.UNKNOWN
    history = announce(history, Outcome(state, seen.kinds), at_ns, settings)
    verdict = Verdict(
        camera_id=measurement.camera_id,
        visit_id=measurement.visit_id,
        at_wall_ns=at_ns,
        state=state,
        kinds=seen.kinds,
        reason=seen.unknown.value if seen.unknown is not None else "",
        detail=detail,
        announced=history.announced or State.UNKNOWN,
        announced_kinds=history.announced_kinds,
        since_wall_ns=history.since_wall_ns,
        scores=Scores(None, None, None) if measurement.damage else measurement.scores,
        figures=figures,
        thresholds=thresholds(settings),
        rules_version=RULES_VERSION,
        width=measurement.width,
        height=measurement.height,
        codec=measurement.codec,
    )
    return verdict, history


def judge_failure(
    failure: VisitFailure, at_wall_ns: int, history: History, settings: JudgeSettings
) -> tuple[Verdict, History]:
    """A visit brought no keyframe: offline(reason)."""
    return _without_picture(
        failure.camera_id,
        failure.visit_id,
        at_wall_ns,
        State.OFFLINE,
        failure.reason,
        failure.detail,
        history,
        settings,
    )


def judge_undecoded(
    camera_id: str,
    visit_id: int,
    at_wall_ns: int,
    reason: UnknownReason,
    detail: str,
    history: History,
    settings: JudgeSettings,
) -> tuple[Verdict, History]:
    """A keyframe came, and no picture out of it: unknown(reason). The camera is there, so it is not offline."""
    return _without_picture(camera_id, visit_id, at_wall_ns, State.UNKNOWN, reason, detail, history, settings)


@functools.lru_cache(maxsize=4)
def thresholds(settings: JudgeSettings) -> Mapping[str, float]:
    """What figures were compared with, by the names of the settings."""
    values = settings.__dict__
    return {name: float(values[name]) for name in _THRESHOLDS}


def _without_picture(
    camera_id: str,
    visit_id: int,
    at_wall_ns: int,
    state: State,
    reason: str,
    detail: str,
    history: History,
    settings: JudgeSettings,
) -> tuple[Verdict, History]:
    history = announce(history, Outcome(state), at_wall_ns, settings)
    verdict = Verdict(
        camera_id=camera_id,
        visit_id=visit_id,
        at_wall_ns=at_wall_ns,
        state=state,
        reason=str(reason),
        detail=detail,
        announced=history.announced or State.UNKNOWN,
        announced_kinds=history.announced_kinds,
        since_wall_ns=history.since_wall_ns,
        thresholds=thresholds(settings),
        rules_version=RULES_VERSION,
    )
    return verdict, history
