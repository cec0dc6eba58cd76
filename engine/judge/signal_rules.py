"""Finds noise and stripes: what a camera's electronics, its cable or a weak sensor add to the picture. Pure.

Both are compared with the usual as energies. What is added is independent of the scene, so squares add up: a picture
whose usual stripes (a rail, tiles on a wall) deviate by 5 levels, and which now has a hum of 10, shows 11, hardly
more than twice the usual; the difference of the squares gives the 10 back.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.config.judge import JudgeSettings
from engine.judge.baseline import BaselineFigures
from engine.judge.picture_rules import relative_excess
from engine.model.verdict import Cause, FaultKind

_GAIN_LIGHT_MAX = 0.7
"""Share of the usual light below which noise is attributed to the camera's gain."""


class SignalFault(NamedTuple):
    """A fault of the signal, `excess` (0..1) beyond its threshold."""

    kind: FaultKind
    excess: float
    cause: Cause | None = None


def signal_faults(
    figures: Mapping[str, float], usual: BaselineFigures, settings: JudgeSettings
) -> Iterator[SignalFault]:
    """Yield what is wrong with the signal of a picture with these figures."""
    noise = added(figures["noise_floor"], usual.noise_floor, settings.noise_ratio_min)
    if noise >= settings.noise_rise_min:
        kind = FaultKind.SNOW if figures["noise_floor"] >= settings.snow_noise_min else FaultKind.NOISY
        by_gain = figures["luma_mean"] < _GAIN_LIGHT_MAX * usual.luma_mean
        excess = relative_excess(noise, settings.noise_rise_min, settings.snow_noise_min)
        yield SignalFault(kind, excess, Cause.LOW_LIGHT if by_gain else None)
    for pattern, usual_pattern in (
        (figures["row_pattern"], usual.row_pattern),
        (figures["column_pattern"], usual.column_pattern),
    ):
        stripes = added(pattern, usual_pattern, settings.pattern_ratio_min)
        if stripes >= settings.pattern_rise_min:
            excess = relative_excess(stripes, settings.pattern_rise_min, 3 * settings.pattern_rise_min)
            yield SignalFault(FaultKind.STRIPES, excess)


def added(deviation: float, usual: float, ratio_min: float) -> float:
    """Return the deviation that came to `ratio_min` times the usual one, as the root of the difference of squares; 0 if
    it is no more than that."""
    return math.sqrt(max(0.0, deviation**2 - (ratio_min * usual) ** 2))
