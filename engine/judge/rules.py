"""The judge: one visit's result and the camera's memory in, a verdict and the new memory out. Pure."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge import freeze
from engine.judge.baseline import CELLS, COLUMNS, ROWS, Baseline, Grid, UsualView
from engine.judge.baseline_rules import look_against
from engine.judge.baseline_update import learn
from engine.judge.compare import compare
from engine.judge.confirmation import announce
from engine.judge.features import features_of
from engine.judge.picture_rules import PictureFindings, look_alone, ordered
from engine.judge.state import JudgeState, Outcome
from engine.model.faults import severity
from engine.model.measurement import Measurement, Scores
from engine.model.verdict import Cause, FaultKind, State, UnknownReason, Verdict
from engine.model.visit import VisitFailure

RULES_VERSION = "4"
"""Changes whenever the same figures, thresholds and memory could give another verdict."""

INFRARED_CHROMA_MAX = 1.5
"""A picture whose colours spread less is black and white: a camera's night mode."""
_THRESHOLDS = tuple(JudgeSettings.model_fields)
_latest: tuple[JudgeSettings | None, Mapping[str, float]] = None, {}
_LEARNED_UNKNOWNS = {None, UnknownReason.DOUBTFUL, UnknownReason.FEATURELESS}
_PLACES = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")


def judge_measurement(
    measurement: Measurement, history: JudgeState, settings: JudgeSettings, *, working: bool = True
) -> tuple[Verdict, JudgeState]:
    """A picture was scored. A damaged one is unknown(damaged): what it shows is the decoder's doing, not the camera's.

    `working`: whether people work in the kitchen at that time; without them darkness is no fault, and a picture that
    stands still is no proof. The verdict's figures are the measurement's, and beside them what was worked out against
    the baseline (docs/measuring.md), `baseline_visits`, and `same_visits`, how many visits in a row brought this
    picture.
    """
    at_ns = measurement.arrival_wall_ns
    if measurement.damage:
        seen, detail = PictureFindings(unknown=UnknownReason.DAMAGED), "damaged: " + ", ".join(measurement.damage)
        figures = dict(measurement.figures)
    else:
        seen, history = _look(measurement, history, settings, working)
        figures = {**measurement.figures, **seen.figures}
        detail = _where(seen)
    state = State.FAULT if seen.kinds else State.OK if seen.unknown is None else State.UNKNOWN
    history = announce(history, Outcome(state, seen.kinds, seen.cause), at_ns, settings)
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
        cause=seen.cause,
        announced_cause=history.announced_cause,
        severity=severity(history.announced_kinds),
        confidence=round(seen.confidence, 3),
        tiles=() if seen.tiles is None else tuple(np.flatnonzero(seen.tiles).tolist()),
    )
    return verdict, history


def judge_failure(
    failure: VisitFailure, at_wall_ns: int, history: JudgeState, settings: JudgeSettings
) -> tuple[Verdict, JudgeState]:
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
    history: JudgeState,
    settings: JudgeSettings,
) -> tuple[Verdict, JudgeState]:
    """A keyframe came, and no picture out of it: unknown(reason). The camera is there, so it is not offline."""
    return _without_picture(camera_id, visit_id, at_wall_ns, State.UNKNOWN, reason, detail, history, settings)


def thresholds(settings: JudgeSettings) -> Mapping[str, float]:
    """What figures were compared with, by the names of the settings."""
    global _latest
    known, values = _latest
    if known is not settings:  # they never change, and comparing fifty of them costs more than a rule does
        values = {name: float(getattr(settings, name)) for name in _THRESHOLDS}
        _latest = settings, values
    return values


def _look(
    measurement: Measurement, history: JudgeState, settings: JudgeSettings, working: bool
) -> tuple[PictureFindings, JudgeState]:
    """What the picture shows, and the memory with it in."""
    tiles = measurement.tiles
    if tiles is None or not _readable(measurement.signature):
        return look_alone(measurement, settings), history
    infrared = measurement.figures.get("chroma_std", 0.0) < INFRARED_CHROMA_MAX
    baseline = history.baseline(infrared=infrared)
    look = features_of(measurement.signature, tiles, history.signature, settings.frozen_tolerance)
    still = freeze.compare(history, measurement, look, baseline.usual.change if working else 0.0, settings)
    seen = _see(measurement, look.codes, baseline, infrared, history, settings)
    if not working:
        still = still._replace(same_visits=1, still_visits=1, clock_still_visits=1)
    seen = _frozen(seen, still, settings)
    if not working and seen.kinds and set(seen.kinds) <= {FaultKind.TOO_DARK, FaultKind.SIGNAL_LOSS}:
        black = measurement.figures["luma_mean"] < settings.dark_mean_max
        seen = replace(seen, kinds=(), cause=None, unknown=UnknownReason.TOO_DARK_TO_JUDGE) if black else seen
    blob = history.infrared if infrared else history.day
    if not seen.kinds and seen.unknown in _LEARNED_UNKNOWNS:
        at_ns = measurement.arrival_wall_ns
        usual = _usual(measurement, baseline.usual.change if still.change is None else still.change)
        blob = learn(baseline, look.codes, usual, at_ns, settings.memory_days, settings.season_days).to_bytes()
    soft_visits, soft_since_wall_ns = _softened(seen, history, measurement.arrival_wall_ns, settings)
    history = history._replace(
        signature=still.signature,
        same_visits=still.same_visits,
        still_visits=still.still_visits,
        signature_wall_ns=still.signature_wall_ns,
        stream_time_ns=still.stream_time_ns,
        clock_still_visits=still.clock_still_visits,
        hidden=np.packbits(seen.hidden).tobytes() if seen.hidden is not None else b"",
        soft_visits=soft_visits,
        soft_since_wall_ns=soft_since_wall_ns,
        day=history.day if infrared else blob,
        infrared=blob if infrared else history.infrared,
    )
    seen.figures["baseline_visits"] = float(baseline.visits)
    seen.figures["same_visits"] = float(history.same_visits)
    return seen, history


def _see(
    measurement: Measurement,
    codes: Grid,
    baseline: Baseline,
    infrared: bool,
    history: JudgeState,
    settings: JudgeSettings,
) -> PictureFindings:
    """Against the baseline of the picture's mode; before there is one, by itself if the other mode's scene is there."""
    if baseline.visits >= settings.baseline_visits_min:
        return look_against(measurement, compare(codes, baseline), baseline, history, settings)
    other = history.baseline(infrared=not infrared)
    if other.visits >= settings.baseline_visits_min:
        # A grey cloth is no night mode: the scene of the other mode must be there.
        change = compare(codes, other)
        if change.match < settings.scene_match_min:
            return look_against(measurement, change, other, history, settings)
    return look_alone(measurement, settings)


def _softened(seen: PictureFindings, history: JudgeState, at_wall_ns: int, settings: JudgeSettings) -> tuple[int, int]:
    """How long edges have been softer than in the season: visits in a row, and since when."""
    ratio = seen.figures.get("season_ratio")
    if ratio is None:
        return history.soft_visits, history.soft_since_wall_ns
    if ratio >= settings.season_ratio_min:
        return 0, at_wall_ns
    return history.soft_visits + 1, history.soft_since_wall_ns


def _frozen(seen: PictureFindings, still: freeze.Stillness, settings: JudgeSettings) -> PictureFindings:
    if FaultKind.SIGNAL_LOSS in seen.kinds:
        return seen
    cause = None
    if still.clock_still_visits >= settings.frozen_visits:
        cause = Cause.CLOCK_STILL
    elif max(still.same_visits, still.still_visits) >= settings.frozen_visits:
        cause = Cause.PICTURE_STILL
    if cause is None:
        return seen
    return replace(seen, kinds=ordered({*seen.kinds, FaultKind.FROZEN}), cause=cause, unknown=None, confidence=1.0)


def _usual(measurement: Measurement, change: float) -> UsualView:
    named = measurement.figures
    return UsualView(
        luma_mean=named["luma_mean"],
        noise_floor=named["noise_floor"],
        row_pattern=named["row_pattern"],
        column_pattern=named["column_pattern"],
        clipped_bright_share=named["clipped_bright_share"],
        change=change,
    )


def _readable(signature: bytes) -> bool:
    return len(signature) == 1 + 2 * CELLS and signature[0] == freeze.SIGNATURE_VERSION


def _where(seen: PictureFindings) -> str:
    """In words, how much of the picture is hidden and where."""
    if seen.tiles is None or not seen.tiles.any():
        return ""
    shares = [float(one.mean()) for row in np.array_split(seen.tiles.reshape(ROWS, COLUMNS), 3) for one in
              np.array_split(row, 3, axis=1)]  # fmt: skip
    places = [name for name, share in zip(_PLACES, shares, strict=True) if share >= 0.5]
    text = f"{100 * float(seen.tiles.mean()):.0f} % of the picture hidden"
    return f"{text}: {', '.join(places)}" if 0 < len(places) < len(_PLACES) else text


def _without_picture(
    camera_id: str,
    visit_id: int,
    at_wall_ns: int,
    state: State,
    reason: str,
    detail: str,
    history: JudgeState,
    settings: JudgeSettings,
) -> tuple[Verdict, JudgeState]:
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
        announced_cause=history.announced_cause,
        severity=severity(history.announced_kinds),
        since_wall_ns=history.since_wall_ns,
        thresholds=thresholds(settings),
        rules_version=RULES_VERSION,
    )
    return verdict, history
