"""Figures of a detector, with their uncertainty. Pure.

AUC: the chance that a sharp picture's figure exceeds a blurred one's, ties counting half (Mann and Whitney 1947; Hanley
and McNeil, Radiology 143, 1982). Rates: Wilson's interval (JASA 22, 1927). AUC's interval: bootstrap over scenes, since
pictures of one scene are no independent witnesses (Efron and Tibshirani 1993, 8.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval; `count`: what it was made of."""

    value: float
    low: float
    high: float
    count: int

    def json(self) -> dict[str, float | int]:
        """Rounded to four decimals."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.count}


def auc(high: Sequence[float] | Values, low: Sequence[float] | Values) -> float:
    """Chance that one of `high` exceeds one of `low`, 0..1; 0.5 where they do not differ, nan if either is empty."""
    above, below = np.asarray(high, np.float64), np.asarray(low, np.float64)
    if not above.size or not below.size:
        return float("nan")
    ordered = np.sort(below)
    less = np.searchsorted(ordered, above, "left")
    equal = np.searchsorted(ordered, above, "right") - less
    return float((less + 0.5 * equal).sum() / (above.size * below.size))


def roc(high: Sequence[float], low: Sequence[float]) -> tuple[Values, Values]:
    """(false alarm rate, hit rate) of every threshold, both rising from 0 to 1; a hit is one of `low` below it."""
    thresholds = np.unique(np.concatenate([high, low]))
    above, below = np.sort(np.asarray(high, np.float64)), np.sort(np.asarray(low, np.float64))
    false = np.searchsorted(above, thresholds, "right") / above.size
    hit = np.searchsorted(below, thresholds, "right") / below.size
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], hit])


def wilson(hits: int, trials: int) -> Interval:
    """A rate and its interval; nan where nothing was tried."""
    if not trials:
        return Interval(float("nan"), 0.0, 1.0, 0)
    rate, square = hits / trials, _Z_95**2
    centre = (rate + square / (2 * trials)) / (1 + square / trials)
    half = _Z_95 / (1 + square / trials) * (rate * (1 - rate) / trials + square / (4 * trials**2)) ** 0.5
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half), trials)


def auc_interval(
    high: Mapping[str, Sequence[float]], low: Mapping[str, Sequence[float]], seed: int, rounds: int = 400
) -> Interval:
    """AUC over all scenes pooled, with a bootstrap over scenes. Figures are given by scene."""
    scenes = sorted(set(high) | set(low))
    above = [np.asarray(high.get(scene, ()), np.float64) for scene in scenes]
    below = [np.asarray(low.get(scene, ()), np.float64) for scene in scenes]
    whole = auc(_pooled(above), _pooled(below))
    count = sum(one.size for one in above) + sum(one.size for one in below)
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(rounds if len(scenes) > 1 else 0):
        chosen = random.integers(0, len(scenes), len(scenes))
        value = auc(_pooled([above[one] for one in chosen]), _pooled([below[one] for one in chosen]))
        if not np.isnan(value):
            drawn.append(value)
    low_end, high_end = np.quantile(drawn, (0.025, 0.975)) if drawn else (whole, whole)
    return Interval(whole, float(low_end), float(high_end), count)


def shuffled_auc(high: Sequence[float], low: Sequence[float], seed: int, rounds: int = 20) -> float:
    """The mean AUC after the labels were dealt out anew: 0.5, or the harness cannot fail."""
    values = np.concatenate([np.asarray(high, np.float64), np.asarray(low, np.float64)])
    random = np.random.default_rng(seed)
    dealt = []
    for _ in range(rounds):
        random.shuffle(values)
        dealt.append(auc(values[: len(high)], values[len(high) :]))
    return float(np.mean(dealt))


def _pooled(parts: Sequence[Values]) -> Values:
    return np.concatenate(parts) if parts else np.empty(0)
