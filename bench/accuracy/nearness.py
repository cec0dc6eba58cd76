"""Tells how near a verdict is to a fault: each figure between its usual value and its threshold. Pure."""

from dataclasses import dataclass
from typing import Final

from engine.model.verdict import Verdict

_LIMITS: Final[tuple[tuple[str, str, float], ...]] = (
    ("sharpness_ratio", "sharpness_ratio_min", 1.0),
    ("season_ratio", "season_ratio_min", 1.0),
    ("scene_match", "scene_match_min", 1.0),
    ("hidden_share", "hidden_share_min", 0.0),
    ("veil", "veil_min", 0.0),
    ("cast", "cast_min", 0.0),
    ("luma_mean", "dark_mean_max", 118.0),
)
"""Figure, the threshold that it must not pass, and its value in an ordinary picture; 118: middle grey in sRGB."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One figure of a verdict. `nearness`: 0 at its usual value, 1 at the threshold, more beyond it."""

    figure: str
    value: float
    threshold: float
    nearness: float


def limits(verdict: Verdict) -> list[Limit]:
    """Return the figures of a verdict that have a threshold, the nearest first. A figure alone makes no fault: rules
    ask for others beside it, and for more than one visit."""
    found = []
    for figure, name, usual in _LIMITS:
        if figure in verdict.figures and name in verdict.thresholds:
            value, threshold = verdict.figures[figure], verdict.thresholds[name]
            nearness = max(0.0, (value - usual) / (threshold - usual)) if threshold != usual else 0.0
            found.append(Limit(figure, value, threshold, nearness))
    return sorted(found, key=lambda limit: -limit.nearness)


def nearness(verdict: Verdict) -> float:
    """Return the nearness of the nearest figure; of a fault at least 1."""
    nearest = max((limit.nearness for limit in limits(verdict)), default=0.0)
    return max(1.0, nearest) if verdict.kinds else nearest
