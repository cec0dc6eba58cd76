"""What one picture shows by itself, without the camera's past: kinds of fault, or why nothing can be said. Pure."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.config.judge import JudgeSettings
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, UnknownReason

Mask = npt.NDArray[np.bool_]

_BACKLIT_SHARE = 0.5
"""Half of the picture that dark under burnt highlights is a camera against the light."""


@dataclass(frozen=True, slots=True)
class PictureFindings:
    """The answer of one picture.

    `kinds`: the faults seen; `cause`: why, where they leave it open. `unknown`: with no fault, why the picture is not
    ok either; None: it is. `confidence`: 0.5 on the threshold that decided, 1 far from it. `tiles`: where it shows, a
    flat mask; None: everywhere or nowhere. `hidden`: tiles where something stands before the scene, a person perhaps;
    None: nowhere to speak of. `figures`: what was worked out for the answer, by name.
    """

    kinds: tuple[FaultKind, ...] = ()
    cause: Cause | None = None
    unknown: UnknownReason | None = None
    confidence: float = 0.5
    tiles: Mask | None = None
    hidden: Mask | None = None
    figures: dict[str, float] = field(default_factory=dict)


def ordered(kinds: set[FaultKind]) -> tuple[FaultKind, ...]:
    """Kinds in the order of FaultKind."""
    return tuple(kind for kind in FaultKind if kind in kinds) if kinds else ()


def margin(value: float, threshold: float, far: float) -> float:
    """How far `value` is beyond `threshold` on the way to `far`: 0..1."""
    return min(1.0, max(0.0, (value - threshold) / (far - threshold)))


def signal_lost(measurement: Measurement, settings: JudgeSettings) -> bool:
    """A recorder's own picture: without noise and without a change from sample to sample."""
    return measurement.figures["flat_share"] >= settings.flat_share_min


def too_bright(measurement: Measurement, settings: JudgeSettings) -> FaultKind | UnknownReason | None:
    """By itself a picture is too bright if much of it is clipped, or if shadows are lifted under burnt highlights.

    One without any shadows, or with black in it, and not clipped, may as well be a bright scene: that is doubtful.
    """
    figures = measurement.figures
    mean, shadow = figures["luma_mean"], figures["luma_p5"]
    if figures["clipped_bright_share"] >= settings.bright_clipped_share_min or mean >= settings.bright_mean_max:
        return FaultKind.TOO_BRIGHT
    burnt = figures["luma_p99"] >= settings.bright_highlight_min
    if mean < settings.bright_mean_min or shadow < settings.bright_shadow_min or not burnt:
        return None
    scene = shadow >= settings.bright_scene_min or figures["luma_p1"] < settings.bright_black_max
    return UnknownReason.DOUBTFUL if scene else FaultKind.TOO_BRIGHT


def light_cause(measurement: Measurement, kinds: set[FaultKind], settings: JudgeSettings) -> Cause | None:
    """Why a picture is too dark or too bright."""
    figures = measurement.figures
    burnt = figures["clipped_bright_share"] >= settings.backlight_share_min
    if FaultKind.TOO_DARK in kinds:
        return Cause.BACKLIGHT if burnt and figures["luma_p50"] < settings.dark_mean_max else None
    if FaultKind.TOO_BRIGHT in kinds:
        return Cause.OVEREXPOSURE
    return None


def look_alone(measurement: Measurement, settings: JudgeSettings) -> PictureFindings:
    """Compare a whole (undamaged) picture's figures with the thresholds."""
    figures = measurement.figures
    mean, sharpness = figures["luma_mean"], measurement.scores.sharpness
    dark = mean < settings.dark_mean_max
    if signal_lost(measurement, settings):
        lost = {FaultKind.SIGNAL_LOSS, FaultKind.TOO_DARK} if dark else {FaultKind.SIGNAL_LOSS}
        return PictureFindings(
            ordered(lost), confidence=0.5 + 0.5 * margin(figures["flat_share"], settings.flat_share_min, 1.0)
        )
    if measurement.height < settings.lines_min:
        return PictureFindings(unknown=UnknownReason.DOUBTFUL)
    if mean < settings.light_min:
        # Without light nothing else shows: a covered lens at night is a dark picture.
        if dark:
            return PictureFindings((FaultKind.TOO_DARK,), confidence=_dark(mean, settings))
        return PictureFindings(unknown=UnknownReason.TOO_DARK_TO_JUDGE)
    kinds: set[FaultKind] = set()
    cause: Cause | None = None
    bright = too_bright(measurement, settings)
    hidden = _hidden(figures["structureless_share"], settings)
    if hidden != FaultKind.COVERED:
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
    if hidden is not None:
        kinds.add(hidden)
    if kinds:
        cause = light_cause(measurement, kinds, settings)
        return PictureFindings(ordered(kinds), cause, confidence=_confidence(measurement, kinds, settings))
    return PictureFindings(
        unknown=_doubt(measurement, bright, settings), confidence=_confidence(measurement, kinds, settings)
    )


def _doubt(
    measurement: Measurement, bright: FaultKind | UnknownReason | None, settings: JudgeSettings
) -> UnknownReason | None:
    sharpness = measurement.scores.sharpness
    if sharpness is None or measurement.figures["edge_tiles"] < settings.edge_tiles_sure_min:
        return UnknownReason.FEATURELESS
    if sharpness < settings.sharpness_sure_min:
        few = measurement.figures["edge_tiles"] < settings.edge_tiles_min
        return UnknownReason.FEATURELESS if few else UnknownReason.DOUBTFUL
    return UnknownReason.DOUBTFUL if bright is UnknownReason.DOUBTFUL else None


def _hidden(structureless: float, settings: JudgeSettings) -> FaultKind | None:
    if structureless >= settings.covered_share_min:
        return FaultKind.COVERED
    return FaultKind.PARTLY_COVERED if structureless >= settings.partly_covered_share_min else None


def _dark(mean: float, settings: JudgeSettings) -> float:
    return 0.5 + 0.5 * margin(mean, settings.dark_mean_max, settings.dark_mean_max / 2)


def _confidence(measurement: Measurement, kinds: set[FaultKind], settings: JudgeSettings) -> float:
    """Of the surest kind; without one, of the figure nearest to its threshold."""
    figures, sharpness = measurement.figures, measurement.scores.sharpness
    sure: list[float] = []
    if FaultKind.TOO_DARK in kinds:
        return _dark(figures["luma_mean"], settings)
    if FaultKind.BLURRED in kinds and sharpness is not None:
        sure.append(margin(sharpness, settings.sharpness_min, settings.sharpness_min / 2))
    if FaultKind.TOO_BRIGHT in kinds:
        sure.append(margin(figures["luma_mean"], settings.bright_mean_min, settings.bright_mean_max))
    if kinds & {FaultKind.COVERED, FaultKind.PARTLY_COVERED}:
        sure.append(margin(figures["structureless_share"], settings.partly_covered_share_min, 1.0))
    if not kinds and sharpness is not None:
        sure.append(margin(sharpness, settings.sharpness_min, 100.0))
    return 0.5 + 0.5 * max(sure, default=0.0)
