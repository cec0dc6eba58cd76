"""The judge: one visit's result and the camera's judge state in, a verdict and the new judge state out. Pure."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge import active_area, freeze
from engine.judge.baseline import CELLS, COLUMNS, ROWS, Baseline, BaselineFigures, Grid
from engine.judge.baseline_rules import assess_against_baseline
from engine.judge.baseline_update import update_baseline
from engine.judge.compare import compare
from engine.judge.confirmation import apply_doubted, apply_outcome
from engine.judge.doubt import doubt_text
from engine.judge.features import extract_features
from engine.judge.optics.exposure_rules import EXPOSURE_CAUSES, is_exposure_alone
from engine.judge.optics.light_range import left
from engine.judge.optics.tile_changes import measure_tiles
from engine.judge.picture_rules import Mask, PictureAssessment, assess_picture, ordered
from engine.judge.second_visit import why_seen_twice
from engine.judge.state import JudgeState, Outcome
from engine.judge.views import by_view, combined, worst_scores
from engine.model.active_area import WHOLE
from engine.model.faults import severity
from engine.model.measurement import Measurement, Scores
from engine.model.verdict import Cause, FaultKind, State, UnknownReason, Verdict
from engine.model.visit import NOT_JUDGED, VisitFailure

RULES_VERSION = "8"
"""Changed whenever the same figures, thresholds and judge state could give another verdict."""

INFRARED_CHROMA_MAX = 1.5
"""A picture whose colours deviate less is black and white: a camera's night mode."""
_THRESHOLDS = tuple(JudgeSettings.model_fields)
_cached: tuple[JudgeSettings | None, Mapping[str, float]] = None, {}
_LEARNED_UNKNOWNS = {None, UnknownReason.DOUBTFUL, UnknownReason.FEATURELESS}
_REGIONS = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")


def judge_measurement(
    measurement: Measurement,
    judge_state: JudgeState,
    settings: JudgeSettings,
    *,
    working: bool = True,
    only_visit: bool = False,
) -> tuple[Verdict, JudgeState]:
    """Judge a scored picture. A damaged one is unknown(damaged): what it shows comes from the decoder, not the camera.

    A fault that may come from damage nobody can detect is unknown(doubtful) when it is first seen, and counts when the
    next visit has a fault too (engine.judge.second_visit.py). `working`: whether people work in the kitchen at that
    time; if not, darkness is no fault, and a still picture proves nothing. `only_visit`: no other visit follows, so a
    fault is said when it is first seen. Returns the verdict and the new judge state. The verdict's figures are the
    measurement's, those computed against the baseline (docs/measuring.md), `baseline_visits`, and `same_visits`, the
    number of visits in a row that brought this picture.
    """
    at_ns = measurement.arrival_wall_ns
    doubted = ""
    if measurement.damage:
        assessment = PictureAssessment(unknown=UnknownReason.DAMAGED)
        detail = "damaged: " + ", ".join(measurement.damage)
        figures = dict(measurement.figures)
    else:
        before = judge_state
        assessment, judge_state = _assess_and_learn(measurement, judge_state, settings, working)
        doubted = "" if only_visit else why_seen_twice(assessment.kinds, measurement, before)
        figures = {**measurement.figures, **assessment.figures}
        doubt = doubt_text(assessment.unknown, measurement, settings)
        detail = assessment.detail or "; ".join(filter(None, (doubt, _hidden_regions(assessment))))
    state = State.FAULT if assessment.kinds else State.OK if assessment.unknown is None else State.UNKNOWN
    outcome = Outcome(state, assessment.kinds, assessment.cause)
    if doubted:
        judge_state = apply_doubted(judge_state, outcome, at_ns)
        state, detail = State.UNKNOWN, doubted
        assessment = replace(assessment, kinds=(), cause=None, unknown=UnknownReason.DOUBTFUL, tiles=None)
    else:
        judge_state = apply_outcome(judge_state, outcome, at_ns, settings)
    verdict = Verdict(
        camera_id=measurement.camera_id,
        visit_id=measurement.visit_id,
        at_wall_ns=at_ns,
        state=state,
        kinds=assessment.kinds,
        reason=assessment.unknown.value if assessment.unknown is not None else "",
        detail=detail,
        announced=judge_state.announced or State.UNKNOWN,
        announced_kinds=judge_state.announced_kinds,
        since_wall_ns=judge_state.since_wall_ns,
        scores=Scores(None, None, None) if measurement.damage else worst_scores(measurement),
        figures=figures,
        thresholds=thresholds(settings),
        rules_version=RULES_VERSION,
        width=measurement.width,
        height=measurement.height,
        codec=measurement.codec,
        cause=assessment.cause,
        announced_cause=judge_state.announced_cause,
        severity=severity(judge_state.announced_kinds, judge_state.announced_cause),
        confidence=round(assessment.confidence, 3),
        tiles=() if assessment.tiles is None else tuple(np.flatnonzero(assessment.tiles).tolist()),
    )
    return verdict, judge_state


def judge_failure(
    failure: VisitFailure, at_wall_ns: int, judge_state: JudgeState, settings: JudgeSettings
) -> tuple[Verdict, JudgeState]:
    """Judge a visit that brought no keyframe: offline(reason); unknown for a reason that says nothing of the camera."""
    return _judge_without_picture(
        failure.camera_id,
        failure.visit_id,
        at_wall_ns,
        State.UNKNOWN if failure.reason in NOT_JUDGED else State.OFFLINE,
        failure.reason,
        failure.detail,
        judge_state,
        settings,
    )


def judge_undecoded(
    camera_id: str,
    visit_id: int,
    at_wall_ns: int,
    reason: UnknownReason,
    detail: str,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> tuple[Verdict, JudgeState]:
    """Judge a keyframe that gave no picture: unknown(reason). The camera answered, so it is not offline."""
    return _judge_without_picture(camera_id, visit_id, at_wall_ns, State.UNKNOWN, reason, detail, judge_state, settings)


def thresholds(settings: JudgeSettings) -> Mapping[str, float]:
    """Return the thresholds that figures are compared with, by the names of the settings."""
    global _cached
    cached_settings, values = _cached
    if cached_settings is not settings:  # settings never change, and comparing fifty of them costs more than a rule
        values = {name: float(getattr(settings, name)) for name in _THRESHOLDS}
        _cached = settings, values
    return values


def _assess_and_learn(
    measurement: Measurement, judge_state: JudgeState, settings: JudgeSettings, working: bool
) -> tuple[PictureAssessment, JudgeState]:
    """Assess an undamaged picture; return the assessment, and the judge state updated with the picture."""
    judge_state = active_area.before_visit(judge_state, measurement)
    if measurement.area != (judge_state.area or WHOLE):
        assessment = assess_picture(measurement, settings)  # it was measured in an area that is not the camera's
    elif measurement.views:
        parts = by_view(measurement)
        assessed = [
            _assess_view(part, state, settings, working)
            for part, state in zip(parts, judge_state.view_states(), strict=True)
        ]
        judge_state = judge_state.with_view_states([state for _, state in assessed])
        assessment = combined([assessment for assessment, _ in assessed], parts, settings)
        if not assessment.kinds and assessment.unknown in _LEARNED_UNKNOWNS:
            judge_state = judge_state._replace(headers=measurement.headers)
    else:
        assessment, judge_state = _assess_view(measurement, judge_state, settings, working)
    return assessment, active_area.after_visit(judge_state, measurement, faultless=not assessment.kinds)


def _assess_view(
    measurement: Measurement, judge_state: JudgeState, settings: JudgeSettings, working: bool
) -> tuple[PictureAssessment, JudgeState]:
    """Assess the picture of one view against its own state; return that updated."""
    tiles = measurement.tiles
    if tiles is None or not _is_readable(measurement.signature):
        return assess_picture(measurement, settings), judge_state
    infrared = measurement.figures.get("chroma_std", 0.0) < INFRARED_CHROMA_MAX
    baseline = judge_state.baseline(infrared=infrared)
    features = extract_features(measurement.signature, tiles, judge_state.tile_means, settings.frozen_tolerance)
    usual_change = baseline.figures.change if working else 0.0
    still = freeze.update(judge_state, measurement, features, usual_change, settings)
    assessment = _assess(measurement, features.codes, baseline, infrared, judge_state, settings)
    if not working:
        still = still._replace(same_visits=1, still_visits=1, clock_still_visits=1)
    assessment = _with_freeze(assessment, still, settings)
    if not working:
        assessment = _excuse_darkness(assessment, measurement, settings)
    blob = judge_state.infrared_baseline if infrared else judge_state.day_baseline
    if not assessment.kinds and assessment.unknown in _LEARNED_UNKNOWNS:
        at_ns = measurement.arrival_wall_ns
        figures = _baseline_figures(measurement, baseline.figures.change if still.change is None else still.change)
        learned = update_baseline(
            baseline,
            features.codes,
            figures,
            at_ns,
            settings.memory_days,
            settings.season_days,
            assessment.figures.get("light_stops"),
            assessment.spots,
        )
        blob = learned.to_bytes()
        judge_state = judge_state._replace(headers=measurement.headers)
    elif is_exposure_alone(assessment) and baseline.visits:
        light = left(baseline.light, assessment.figures["light_stops"], measurement.arrival_wall_ns)
        blob = replace(baseline, light=light).to_bytes()
    elif assessment.spots:
        blob = replace(baseline, spots=assessment.spots).to_bytes()
    soft_visits, soft_since_wall_ns = _count_soft(assessment, judge_state, measurement.arrival_wall_ns, settings)
    judge_state = judge_state._replace(
        tile_means=still.tile_means,
        same_visits=still.same_visits,
        still_visits=still.still_visits,
        compared_wall_ns=still.compared_wall_ns,
        stream_time_ns=still.stream_time_ns,
        clock_still_visits=still.clock_still_visits,
        hidden=np.packbits(assessment.hidden).tobytes() if assessment.hidden is not None else b"",
        soft_visits=soft_visits,
        soft_since_wall_ns=soft_since_wall_ns,
        day_baseline=judge_state.day_baseline if infrared else blob,
        infrared_baseline=blob if infrared else judge_state.infrared_baseline,
    )
    assessment.figures["baseline_visits"] = float(baseline.visits)
    assessment.figures["same_visits"] = float(judge_state.same_visits)
    return assessment, judge_state


def _assess(
    measurement: Measurement,
    codes: Grid,
    baseline: Baseline,
    infrared: bool,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> PictureAssessment:
    """Assess a picture against the baseline of its mode.

    While that baseline has too few visits, the picture is assessed by itself if it shows the scene of the other mode's
    baseline, or if that one has too few visits as well; otherwise against the other mode's.
    """
    if baseline.visits >= settings.baseline_visits_min:
        change = compare(codes, baseline, _masked(measurement))
        tile_changes = measure_tiles(codes, baseline, change, _masked(measurement))
        return assess_against_baseline(measurement, change, baseline, judge_state, settings, tile_changes)
    other = judge_state.baseline(infrared=not infrared)
    if other.visits >= settings.baseline_visits_min:
        # A grey cloth is not the night mode: the scene of the other mode must be there.
        change = compare(codes, other, _masked(measurement))
        if change.match < settings.scene_match_min:
            return assess_against_baseline(measurement, change, other, judge_state, settings)
    return assess_picture(measurement, settings)


def _masked(measurement: Measurement) -> Mask | None:
    """Return the tiles that privacy masks cover; None if there are none."""
    return None if measurement.tiles is None else measurement.tiles.masked


def _count_soft(
    assessment: PictureAssessment, judge_state: JudgeState, at_wall_ns: int, settings: JudgeSettings
) -> tuple[int, int]:
    """Return for how many visits in a row edges have been softer than in the season, and the time of the last visit
    before them."""
    ratio = assessment.figures.get("season_ratio")
    if ratio is None:
        return judge_state.soft_visits, judge_state.soft_since_wall_ns
    if ratio >= settings.season_ratio_min:
        return 0, at_wall_ns
    return judge_state.soft_visits + 1, judge_state.soft_since_wall_ns


def _with_freeze(
    assessment: PictureAssessment, still: freeze.FreezeState, settings: JudgeSettings
) -> PictureAssessment:
    """Add FROZEN if the clock or the picture stood still for `frozen_visits`; a lost signal is still anyway."""
    if FaultKind.SIGNAL_LOSS in assessment.kinds:
        return assessment
    cause = None
    if still.clock_still_visits >= settings.frozen_visits:
        cause = Cause.CLOCK_STILL
    elif max(still.same_visits, still.still_visits) >= settings.frozen_visits:
        cause = Cause.PICTURE_STILL
    if cause is None:
        return assessment
    kinds = ordered({*assessment.kinds, FaultKind.FROZEN})
    return replace(assessment, kinds=kinds, cause=cause, unknown=None, confidence=1.0)


def _excuse_darkness(
    assessment: PictureAssessment, measurement: Measurement, settings: JudgeSettings
) -> PictureAssessment:
    """Replace faults of a dark picture by unknown(too_dark_to_judge): nobody works in the kitchen."""
    dark_only = set(assessment.kinds) <= {FaultKind.TOO_DARK, FaultKind.SIGNAL_LOSS}
    dim = measurement.figures["luma_mean"] < settings.dark_mean_max or assessment.cause in EXPOSURE_CAUSES
    if not assessment.kinds or not dark_only or not dim:
        return assessment
    return replace(assessment, kinds=(), cause=None, unknown=UnknownReason.TOO_DARK_TO_JUDGE)


def _baseline_figures(measurement: Measurement, change: float) -> BaselineFigures:
    figures = measurement.figures
    return BaselineFigures(
        luma_mean=figures["luma_mean"],
        noise_floor=figures["noise_floor"],
        row_pattern=figures["row_pattern"],
        column_pattern=figures["column_pattern"],
        clipped_bright_share=figures["clipped_bright_share"],
        change=change,
        gradient_across=figures.get("gradient_across", 0.0),
        gradient_down=figures.get("gradient_down", 0.0),
        gradient_product=figures.get("gradient_product", 0.0),
    )


def _is_readable(signature: bytes) -> bool:
    return len(signature) == 1 + 2 * CELLS and signature[0] == freeze.SIGNATURE_VERSION


def _hidden_regions(assessment: PictureAssessment) -> str:
    """Return in words how much of the picture is hidden and where; empty if nothing is."""
    if assessment.tiles is None or not assessment.tiles.any():
        return ""
    grid = assessment.tiles.reshape(ROWS, COLUMNS)
    shares = [float(region.mean()) for rows in np.array_split(grid, 3) for region in np.array_split(rows, 3, axis=1)]
    regions = [name for name, share in zip(_REGIONS, shares, strict=True) if share >= 0.5]
    text = f"{100 * float(assessment.tiles.mean()):.0f} % of the picture hidden"
    return f"{text}: {', '.join(regions)}" if 0 < len(regions) < len(_REGIONS) else text


def _judge_without_picture(
    camera_id: str,
    visit_id: int,
    at_wall_ns: int,
    state: State,
    reason: str,
    detail: str,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> tuple[Verdict, JudgeState]:
    judge_state = apply_outcome(judge_state, Outcome(state), at_wall_ns, settings)
    verdict = Verdict(
        camera_id=camera_id,
        visit_id=visit_id,
        at_wall_ns=at_wall_ns,
        state=state,
        reason=str(reason),
        detail=detail,
        announced=judge_state.announced or State.UNKNOWN,
        announced_kinds=judge_state.announced_kinds,
        announced_cause=judge_state.announced_cause,
        severity=severity(judge_state.announced_kinds, judge_state.announced_cause),
        since_wall_ns=judge_state.since_wall_ns,
        thresholds=thresholds(settings),
        rules_version=RULES_VERSION,
    )
    return verdict, judge_state
