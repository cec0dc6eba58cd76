"""What one picture shows, without its past but for the baseline: kinds of fault, or why nothing can be said. Pure."""

from dataclasses import dataclass

from engine.config.schema import JudgeSettings
from engine.types import FaultKind, Measurement, UnknownReason


@dataclass(frozen=True, slots=True)
class Seen:
    """`kinds`: the faults seen. `unknown`: with no fault, why the picture is not ok either; None: it is."""

    kinds: tuple[FaultKind, ...]
    unknown: UnknownReason | None = None


def look(measurement: Measurement, lost: float | None, settings: JudgeSettings) -> Seen:
    """Compare a whole (undamaged) picture's figures with the thresholds. `lost`: share of tiles that lost structure."""
    figures = measurement.figures
    mean = figures["luma_mean"]
    dark = mean < settings.dark_mean_max
    if mean < settings.light_min:
        # Without light nothing else shows: a covered lens at night is a dark picture.
        return Seen((FaultKind.TOO_DARK,)) if dark else Seen((), UnknownReason.TOO_DARK_TO_JUDGE)
    kinds: list[FaultKind] = []
    hidden = _hidden(figures["structureless_share"], lost, settings)
    if hidden != FaultKind.COVERED:
        sharpness = measurement.scores.sharpness
        if sharpness is not None and sharpness < settings.sharpness_min and not dark:
            kinds.append(FaultKind.BLURRED)
        bright = _too_bright(measurement, settings)
        if bright:
            kinds.append(FaultKind.TOO_BRIGHT)
        span = figures["luma_p95"] - figures["luma_p5"]
        if not dark and not bright and span < settings.contrast_span_min:
            kinds.append(FaultKind.LOW_CONTRAST)
    if dark:
        kinds.append(FaultKind.TOO_DARK)
    if hidden is not None:
        kinds.append(hidden)
    if not kinds and measurement.scores.sharpness is None:
        return Seen((), UnknownReason.FEATURELESS)
    return Seen(tuple(kind for kind in FaultKind if kind in kinds))


def _hidden(structureless: float, lost: float | None, settings: JudgeSettings) -> FaultKind | None:
    if structureless >= settings.covered_share_min or (lost is not None and lost >= settings.covered_lost_share_min):
        return FaultKind.COVERED
    if lost is not None:
        return FaultKind.PARTLY_COVERED if lost >= settings.partly_lost_share_min else None
    return FaultKind.PARTLY_COVERED if structureless >= settings.partly_covered_share_min else None


def _too_bright(measurement: Measurement, settings: JudgeSettings) -> bool:
    figures = measurement.figures
    washed_out = (
        figures["luma_mean"] >= settings.bright_mean_min
        and figures["luma_p5"] >= settings.bright_shadow_min
        and figures["luma_p99"] >= settings.bright_highlight_min
    )
    clipped = figures["clipped_bright_share"] >= settings.bright_clipped_share_min
    return washed_out or clipped or figures["luma_mean"] >= settings.bright_mean_max
