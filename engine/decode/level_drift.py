"""Finds where the blocks' means of a JPEG leap, all by the same amount, from one block to the next. Pure.

A mean is coded as the difference to the block before. A wrong bit in it shifts all blocks that follow, though the codes
stay whole. Compared with the block above, exactly one row's length of blocks in a row then differs by the same amount,
from any column on. Edges of a scene that reach across the whole picture begin at its side, or grow from block to block.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float32]

DRIFT_LEVELS_MIN: Final = 6.0
EVENNESS_MIN: Final = 3.5
"""Least mean difference over its deviation. Whole pictures reach 2.9, at walls that meet a floor."""

_SIDE_UNITS = 2
_COLUMNS_MIN = 16
_LEAP_SHARE = 0.35
"""The differences just outside may be that share of those within, and those at the ends within may miss it."""


def has_drift(levels: Levels) -> bool:
    """Whether the means leap. `levels`, shape (rows, columns): means of blocks, or of one block a unit, in levels."""
    columns = levels.shape[1]
    if levels.shape[0] < 3 or columns < _COLUMNS_MIN:
        return False
    steps = (levels[1:] - levels[:-1]).ravel().astype(np.float64)
    sums = np.cumsum(steps)
    mean = (sums[columns:] - sums[:-columns]) / columns  # of the steps after each one
    begins = np.flatnonzero(np.abs(mean) >= DRIFT_LEVELS_MIN)
    column = (begins + 1) % columns
    begins = begins[np.minimum(column, columns - column) > _SIDE_UNITS]
    if not len(begins):
        return False
    squares = np.cumsum(steps * steps)
    mean = mean[begins]
    variance = (squares[begins + columns] - squares[begins]) / columns - mean * mean
    even = np.abs(mean) >= EVENNESS_MIN * (np.sqrt(np.maximum(variance, 0)) + 1)
    return any(
        _leaps(steps, int(begin) + 1, columns, float(wanted))
        for begin, wanted in zip(begins[even], mean[even], strict=True)
    )


def _leaps(steps: npt.NDArray[np.float64], begin: int, count: int, mean: float) -> bool:
    """Whether the differences from `begin` on begin and end abruptly."""
    few = count // 8
    end = begin + count
    outside = [steps[max(0, begin - few) : begin], steps[end : end + few]]
    within = [steps[begin : begin + few], steps[end - few : end]]
    return all(
        abs(float(np.mean(part)) - wanted) <= _LEAP_SHARE * abs(mean)
        for parts, wanted in ((outside, 0.0), (within, mean))
        for part in parts
        if len(part)
    )
