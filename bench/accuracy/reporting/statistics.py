"""Computes the performance figures of a detector with their uncertainty. Pure.

AUC: the probability that a sharp picture's figure exceeds a blurred one's, ties counting half (Mann and Whitney 1947;
Hanley and McNeil, Radiology 143, 1982). Rates: Wilson's interval (JASA 22, 1927). Interval of the AUC: bootstrap over
scenes, since pictures of one scene are not independent (Efron and Tibshirani 1993, 8.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval; `count`: number of samples."""

    value: float
    low: float
    high: float
    count: int

    def json(self) -> dict[str, float | int]:
        """Return the interval as JSON, rounded to four decimals."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.count}


def auc(high: Sequence[float] | Values, low: Sequence[float] | Values) -> float:
    """Return the probability, 0..1, that one of `high` exceeds one of `low`; 0.5 if they do not differ, nan if either
    is empty."""
    above, below = np.asarray(high, np.float64), np.asarray(low, np.float64)
    if not above.size or not below.size:
        return float("nan")
    ordered = np.sort(below)
    less = np.searchsorted(ordered, above, "left")
    equal = np.searchsorted(ordered, above, "right") - less
    return float((less + 0.5 * equal).sum() / (above.size * below.size))


def roc(high: Sequence[float], low: Sequence[float]) -> tuple[Values, Values]:
    """Return (false alarm rates, hit rates) of all thresholds, both rising from 0 to 1.

    A hit is a value of `low` up to the threshold, a false alarm one of `high`.
    """
    thresholds = np.unique(np.concatenate([high, low]))
    above, below = np.sort(np.asarray(high, np.float64)), np.sort(np.asarray(low, np.float64))
    false = np.searchsorted(above, thresholds, "right") / above.size
    hit = np.searchsorted(below, thresholds, "right") / below.size
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], hit])


def wilson(hits: int, trials: int) -> Interval:
    """Return a rate and its interval; nan if there were no trials."""
    if not trials:
        return Interval(float("nan"), 0.0, 1.0, 0)
    rate, square = hits / trials, _Z_95**2
    centre = (rate + square / (2 * trials)) / (1 + square / trials)
    half = _Z_95 / (1 + square / trials) * (rate * (1 - rate) / trials + square / (4 * trials**2)) ** 0.5
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half), trials)


def auc_interval(
    high: Mapping[str, Sequence[float]], low: Mapping[str, Sequence[float]], seed: int, rounds: int = 400
) -> Interval:
    """Return the AUC over all scenes pooled, and its interval by a bootstrap over scenes. `high`, `low`: by scene."""
    scenes = sorted(set(high) | set(low))
    above = [np.asarray(high.get(scene, ()), np.float64) for scene in scenes]
    below = [np.asarray(low.get(scene, ()), np.float64) for scene in scenes]
    pooled = auc(_pooled(above), _pooled(below))
    count = sum(values.size for values in above) + sum(values.size for values in below)
    random = np.random.default_rng(seed)
    samples = []
    for _ in range(rounds if len(scenes) > 1 else 0):
        drawn = random.integers(0, len(scenes), len(scenes))
        value = auc(_pooled([above[scene] for scene in drawn]), _pooled([below[scene] for scene in drawn]))
        if not np.isnan(value):
            samples.append(value)
    low_end, high_end = np.quantile(samples, (0.025, 0.975)) if samples else (pooled, pooled)
    return Interval(pooled, float(low_end), float(high_end), count)


def shuffled_auc(high: Sequence[float], low: Sequence[float], seed: int, rounds: int = 20) -> float:
    """Return the mean AUC with shuffled labels. If it is not 0.5, the harness itself is wrong."""
    values = np.concatenate([np.asarray(high, np.float64), np.asarray(low, np.float64)])
    random = np.random.default_rng(seed)
    samples = []
    for _ in range(rounds):
        random.shuffle(values)
        samples.append(auc(values[: len(high)], values[len(high) :]))
    return float(np.mean(samples))


def _pooled(parts: Sequence[Values]) -> Values:
    return np.concatenate(parts) if parts else np.empty(0)
