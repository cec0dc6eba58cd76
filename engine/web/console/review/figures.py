"""Says why a verdict is a fault: the figures that decided beside their limits, for people who know no names of figures.

The rules are those of engine/terminal/verdict_reasons.py; a test holds that both have the same. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from patrol.v1.verdicts_pb2 import FaultKind


class Rule(NamedTuple):
    """A figure and the threshold that it is compared with. `from_limit`: a fault from the limit on; else below it.

    `percent`: both are shares. `is_rise`: the limit is how far the figure may rise above the usual, which the verdict
    does not have.
    """

    figure: str
    limit: str
    words: str
    from_limit: bool
    percent: bool = False
    is_rise: bool = False


class Comparison(NamedTuple):
    """A figure of a verdict beside its limit. `is_fault`: whether it lies beyond the limit."""

    kind: int
    rule: Rule
    value: float
    limit: float
    is_fault: bool


RULES: Mapping[int, tuple[Rule, ...]] = {
    FaultKind.FAULT_KIND_BLURRED: (
        Rule("sharpness_ratio", "sharpness_ratio_min", "sharpness compared with the usual", False, percent=True),
        Rule("sharpness", "sharpness_min", "sharpness", False),
    ),
    FaultKind.FAULT_KIND_TOO_DARK: (Rule("luma_mean", "dark_mean_max", "mean brightness (0 to 255)", False),),
    FaultKind.FAULT_KIND_TOO_BRIGHT: (
        Rule("luma_mean", "bright_mean_min", "mean brightness (0 to 255)", True),
        Rule("luma_p5", "bright_shadow_min", "brightness of the shadows (0 to 255)", True),
        Rule("luma_p99", "bright_highlight_min", "brightness of the highlights (0 to 255)", True),
        Rule("clipped_bright_share", "bright_clipped_share_min", "burnt-out share of the picture", True, percent=True),
    ),
    FaultKind.FAULT_KIND_LOW_CONTRAST: (
        Rule("contrast_span", "contrast_span_min", "levels between dark and bright", False),
    ),
    FaultKind.FAULT_KIND_COVERED: (
        Rule("scene_match", "scene_match_min", "likeness to the usual scene (1 is the same)", False),
        Rule("contrast_left", "covered_contrast_max", "contrast left of the usual", False, percent=True),
        Rule("hidden_share", "covered_hidden_share_min", "hidden share of the usual scene", True, percent=True),
        Rule("structureless_share", "covered_share_min", "share without structure", True, percent=True),
    ),
    FaultKind.FAULT_KIND_PARTLY_COVERED: (
        Rule("hidden_share", "hidden_share_min", "hidden share of the usual scene", True, percent=True),
        Rule("structureless_share", "partly_covered_share_min", "share without structure", True, percent=True),
    ),
    FaultKind.FAULT_KIND_FROZEN: (Rule("same_visits", "frozen_visits", "visits in a row with the same picture", True),),
    FaultKind.FAULT_KIND_SIGNAL_LOSS: (
        Rule("flat_share", "flat_share_min", "share without any noise", True, percent=True),
    ),
    FaultKind.FAULT_KIND_MOVED: (
        Rule("scene_match", "scene_match_min", "likeness to the usual scene (1 is the same)", False),
        Rule("shift_match", "moved_match_min", "likeness to the usual scene once shifted", True),
    ),
    FaultKind.FAULT_KIND_STEAM: (Rule("veil", "veil_min", "veil over the usual scene", True),),
    FaultKind.FAULT_KIND_GREASE: (
        Rule("sharpness_ratio", "sharpness_ratio_min", "sharpness compared with the usual", False, percent=True),
        Rule("season_ratio", "season_ratio_min", "sharpness compared with the season", False, percent=True),
    ),
    FaultKind.FAULT_KIND_COLOUR_CAST: (Rule("cast", "cast_min", "shift of the colours", True),),
    FaultKind.FAULT_KIND_NOISY: (Rule("noise_floor", "noise_rise_min", "noise", True, is_rise=True),),
    FaultKind.FAULT_KIND_SNOW: (Rule("noise_floor", "snow_noise_min", "noise", True),),
    FaultKind.FAULT_KIND_STRIPES: (
        Rule("row_pattern", "pattern_rise_min", "pattern of the rows", True, is_rise=True),
        Rule("column_pattern", "pattern_rise_min", "pattern of the columns", True, is_rise=True),
    ),
}


def comparisons(verdict: Any) -> Sequence[Comparison]:
    """Return the figures that decided; if none lies beyond its limit by itself, all that the kinds of fault rest on."""
    figures, found = _figures(verdict), []
    for kind in verdict.kinds:
        for rule in RULES.get(kind, ()):
            if rule.figure in figures and rule.limit in verdict.thresholds:
                value, limit = figures[rule.figure], verdict.thresholds[rule.limit]
                beyond = value >= limit if rule.from_limit else value < limit
                found.append(Comparison(kind, rule, value, limit, beyond))
    decided = [item for item in found if item.is_fault]
    return decided or found


def _figures(verdict: Any) -> dict[str, float]:
    """Return the figures by name, with those that rules are about and that verdicts have elsewhere."""
    figures = dict(verdict.figures)
    if verdict.scores.HasField("sharpness") and "sharpness_ratio" not in figures:
        figures["sharpness"] = verdict.scores.sharpness
    if "luma_p95" in figures and "luma_p5" in figures:
        figures["contrast_span"] = figures["luma_p95"] - figures["luma_p5"]
    return figures
