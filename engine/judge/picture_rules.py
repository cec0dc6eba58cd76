"""Assesses one picture by itself, without the camera's baseline: kinds of fault, or why the picture allows no verdict.
Pure."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.config.judge import JudgeSettings
from engine.model.active_area import UNITS
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, UnknownReason

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PictureAssessment:
    """What one picture shows.

    `kinds`: the faults found; `cause`: why, where they leave it open. `unknown`: without a fault, why the picture is
    not ok either; None if it is ok. `confidence`: 0.5 at the threshold that decided, 1 far from it. `tiles`: where the
    fault is, a flat mask; None if everywhere or nowhere. `hidden`: tiles where something is in front of the scene, a
    person perhaps; None if there are few or none. `spots`: as bits, tiles where something small
    is (engine.judge.optics.tile_changes); empty if that was not looked for. `figures`: the figures computed for the
    assessment, by name. `detail`: what is said instead of what the figures of the whole picture explain; empty if they
    do.
    """

    kinds: tuple[FaultKind, ...] = ()
    cause: Cause | None = None
    unknown: UnknownReason | None = None
    confidence: float = 0.5
    tiles: Mask | None = None
    hidden: Mask | None = None
    figures: dict[str, float] = field(default_factory=dict)
    detail: str = ""
    spots: bytes = b""


def ordered(kinds: set[FaultKind]) -> tuple[FaultKind, ...]:
    """Return the kinds in the order of FaultKind."""
    return tuple(kind for kind in FaultKind if kind in kinds) if kinds else ()


def relative_excess(value: float, threshold: float, far: float) -> float:
    """Return how far `value` is beyond `threshold` on the way to `far`, 0..1."""
    return min(1.0, max(0.0, (value - threshold) / (far - threshold)))


def is_signal_lost(measurement: Measurement, settings: JudgeSettings) -> bool:
    """Return whether the picture is a recorder's own: without noise and without any change from sample to sample."""
    return measurement.figures["flat_share"] >= settings.flat_share_min


def brightness_problem(measurement: Measurement, settings: JudgeSettings) -> FaultKind | UnknownReason | None:
    """Return TOO_BRIGHT if much of the picture is clipped, or if shadows are lifted under burnt highlights.

    Returns DOUBTFUL for a picture that may just as well be a bright scene: not clipped, and without any shadows or with
    black in it. Returns None if the picture is not too bright.
    """
    figures = measurement.figures
    mean, shadow = figures["luma_mean"], figures["luma_p5"]
    if figures["clipped_bright_share"] >= settings.bright_clipped_share_min or mean >= settings.bright_mean_max:
        return FaultKind.TOO_BRIGHT
    burnt = figures["luma_p99"] >= settings.bright_highlight_min
    if mean < settings.bright_mean_min or shadow < settings.bright_shadow_min or not burnt:
        return None
    bright_scene = shadow >= settings.bright_scene_min or figures["luma_p1"] < settings.bright_black_max
    return UnknownReason.DOUBTFUL if bright_scene else FaultKind.TOO_BRIGHT


def light_doubts(measurement: Measurement, settings: JudgeSettings) -> list[str]:
    """Return in words why a picture that is neither too dark nor too bright may be badly exposed; empty if it is not.

    Only what the figures tell: a measurement of an earlier version has not all of them.
    """
    figures = measurement.figures
    said = []
    lost, shade = figures.get("lost_highlights", 0.0), figures.get("shade_level", 255.0)
    if lost > settings.lost_highlights_max:
        said.append(
            f"{100 * lost:.0f} % burnt out beside lamps and windows, limit {100 * settings.lost_highlights_max:.0f} %"
        )
    if shade < settings.shade_level_min:
        said.append(f"level of the darker part {shade:.0f}, limit {settings.shade_level_min:.0f}")
    if figures["luma_p99"] < settings.dull_highlight_max and figures["luma_mean"] < settings.dull_mean_max:
        said.append(
            f"nothing bright: 99 % below level {figures['luma_p99']:.0f}, limit {settings.dull_highlight_max:.0f}, "
            f"at a mean of {figures['luma_mean']:.0f}, limit {settings.dull_mean_max:.0f}"
        )
    burnt, median = figures["clipped_bright_share"], figures["luma_p50"]
    if burnt >= settings.backlight_share_min and median < settings.backlight_median_max:
        said.append(
            f"against the light: {100 * burnt:.0f} % burnt out, limit {100 * settings.backlight_share_min:.0f} %, and "
            f"half of it below level {median:.0f}, limit {settings.backlight_median_max:.0f}"
        )
    return said


def light_cause(measurement: Measurement, kinds: set[FaultKind], settings: JudgeSettings) -> Cause | None:
    """Return why a picture is too dark or too bright, None if the picture does not show it.

    Burnt highlights over a median that is dark mean that the camera faces the light.
    """
    figures = measurement.figures
    burnt = figures["clipped_bright_share"] >= settings.backlight_share_min
    if FaultKind.TOO_DARK in kinds:
        return Cause.BACKLIGHT if burnt and figures["luma_p50"] < settings.dark_mean_max else None
    if FaultKind.TOO_BRIGHT in kinds:
        return Cause.OVEREXPOSURE
    return None


def active_lines(measurement: Measurement) -> int:
    """Return the lines of the active part of a picture."""
    area = measurement.area
    return measurement.height * (area.bottom - area.top) // UNITS


def assess_picture(measurement: Measurement, settings: JudgeSettings) -> PictureAssessment:
    """Compare the figures of an undamaged picture with the thresholds."""
    figures = measurement.figures
    mean, sharpness = figures["luma_mean"], measurement.scores.sharpness
    dark = mean < settings.dark_mean_max
    if is_signal_lost(measurement, settings):
        lost = {FaultKind.SIGNAL_LOSS, FaultKind.TOO_DARK} if dark else {FaultKind.SIGNAL_LOSS}
        excess = relative_excess(figures["flat_share"], settings.flat_share_min, 1.0)
        return PictureAssessment(ordered(lost), confidence=0.5 + 0.5 * excess)
    if active_lines(measurement) < settings.lines_min:
        return PictureAssessment(unknown=UnknownReason.DOUBTFUL)
    if mean < settings.light_min:
        # Without light nothing else can be found: a covered lens at night is a dark picture.
        if dark:
            return PictureAssessment((FaultKind.TOO_DARK,), confidence=_dark_confidence(mean, settings))
        return PictureAssessment(unknown=UnknownReason.TOO_DARK_TO_JUDGE)
    kinds: set[FaultKind] = set()
    bright = brightness_problem(measurement, settings)
    cover = _cover_kind(figures["structureless_share"], settings)
    if cover != FaultKind.COVERED:
        blurred = sharpness is not None and sharpness < settings.sharpness_min and not dark
        if blurred and figures["edge_tiles"] >= settings.edge_tiles_min:
            kinds.add(FaultKind.BLURRED)
        if bright is FaultKind.TOO_BRIGHT:
            kinds.add(FaultKind.TOO_BRIGHT)
        span = figures["luma_p95"] - figures["luma_p5"]
        if not dark and bright is None and span < settings.contrast_span_min:
            kinds.add(FaultKind.LOW_CONTRAST)
    if dark:
        kinds.add(FaultKind.TOO_DARK)
    if cover is not None:
        kinds.add(cover)
    confidence = _confidence(measurement, kinds, settings)
    if kinds:
        return PictureAssessment(ordered(kinds), light_cause(measurement, kinds, settings), confidence=confidence)
    return PictureAssessment(unknown=_unknown_reason(measurement, bright, settings), confidence=confidence)


def _unknown_reason(
    measurement: Measurement, bright: FaultKind | UnknownReason | None, settings: JudgeSettings
) -> UnknownReason | None:
    """Return why a picture without a fault is not ok; None if it is ok."""
    sharpness = measurement.scores.sharpness
    if sharpness is None or measurement.figures["edge_tiles"] < settings.edge_tiles_sure_min:
        return UnknownReason.FEATURELESS
    if sharpness < settings.sharpness_sure_min:
        few = measurement.figures["edge_tiles"] < settings.edge_tiles_min
        return UnknownReason.FEATURELESS if few else UnknownReason.DOUBTFUL
    doubtful = bright is UnknownReason.DOUBTFUL or light_doubts(measurement, settings)
    return UnknownReason.DOUBTFUL if doubtful else None


def _cover_kind(structureless_share: float, settings: JudgeSettings) -> FaultKind | None:
    if structureless_share >= settings.covered_share_min:
        return FaultKind.COVERED
    return FaultKind.PARTLY_COVERED if structureless_share >= settings.partly_covered_share_min else None


def _dark_confidence(mean: float, settings: JudgeSettings) -> float:
    return 0.5 + 0.5 * relative_excess(mean, settings.dark_mean_max, settings.dark_mean_max / 2)


def _confidence(measurement: Measurement, kinds: set[FaultKind], settings: JudgeSettings) -> float:
    """Return the confidence of the most certain kind; without a kind, that of the sharpness."""
    figures, sharpness = measurement.figures, measurement.scores.sharpness
    excesses: list[float] = []
    if FaultKind.TOO_DARK in kinds:
        return _dark_confidence(figures["luma_mean"], settings)
    if FaultKind.BLURRED in kinds and sharpness is not None:
        excesses.append(relative_excess(sharpness, settings.sharpness_min, settings.sharpness_min / 2))
    if FaultKind.TOO_BRIGHT in kinds:
        excesses.append(relative_excess(figures["luma_mean"], settings.bright_mean_min, settings.bright_mean_max))
    if kinds & {FaultKind.COVERED, FaultKind.PARTLY_COVERED}:
        excesses.append(relative_excess(figures["structureless_share"], settings.partly_covered_share_min, 1.0))
    if not kinds and sharpness is not None:
        excesses.append(relative_excess(sharpness, settings.sharpness_min, 100.0))
    return 0.5 + 0.5 * max(excesses, default=0.0)
