"""Finds where the blocks' means of a JPEG leap, all by the same amount, from one block to the next. Compiled; pure.

A mean is coded as the difference to the block before. A wrong bit in it shifts all blocks that follow, though the codes
stay whole. Compared with the block above, exactly one row's length of blocks in a row then differs by the same amount,
from any column on. Edges of a scene that reach across the whole picture begin at its side, or grow from block to block.
"""

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.runtime.numba_cache import CACHED

Levels = npt.NDArray[np.float32]

DRIFT_LEVELS_MIN: Final = 6.0
EVENNESS_MIN: Final = 3.5
"""Least mean difference over its deviation. Whole pictures reach 2.9, at walls that meet a floor."""

_SIDE_UNITS = 2
_COLUMNS_MIN = 16
_LEAP_SHARE = 0.35
"""The differences just outside may be that share of those within, and those at the ends within may miss it."""


@numba.njit(nogil=True, cache=CACHED)
def _fits(sums: Any, begin: int, end: int, wanted: float, tolerance: float) -> bool:
    """Whether the mean of the steps from `begin` to `end` is `wanted`; true if there are none."""
    return end <= begin or abs((sums[end] - sums[begin]) / (end - begin) - wanted) <= tolerance


@numba.njit(types.boolean(types.Array(types.float32, 2, "C", readonly=True)), nogil=True, cache=CACHED)
def _leaps(levels: Any) -> bool:
    rows, columns = levels.shape
    count = (rows - 1) * columns
    sums = np.zeros(count + 1)
    squares = np.zeros(count + 1)
    for row in range(1, rows):
        for column in range(columns):
            step = np.float64(levels[row, column]) - np.float64(levels[row - 1, column])
            place = (row - 1) * columns + column
            sums[place + 1] = sums[place] + step
            squares[place + 1] = squares[place] + step * step
    few = columns // 8
    for begin in range(1, count - columns + 1):
        mean = (sums[begin + columns] - sums[begin]) / columns
        if abs(mean) < DRIFT_LEVELS_MIN:
            continue
        column = begin % columns
        if min(column, columns - column) <= _SIDE_UNITS:
            continue
        end = begin + columns
        variance = (squares[end] - squares[begin]) / columns - mean * mean
        if abs(mean) < EVENNESS_MIN * (np.sqrt(max(variance, 0.0)) + 1):
            continue
        # the steps begin and end abruptly
        tolerance = _LEAP_SHARE * abs(mean)
        outside = _fits(sums, max(0, begin - few), begin, 0.0, tolerance) and _fits(
            sums, end, min(end + few, count), 0.0, tolerance
        )
        within = _fits(sums, begin, begin + few, mean, tolerance) and _fits(sums, end - few, end, mean, tolerance)
        if outside and within:
            return True
    return False


def has_drift(levels: Levels) -> bool:
    """Whether the means leap. `levels`, shape (rows, columns), contiguous: means of blocks, or of one block a unit, in
    levels."""
    if levels.shape[0] < 3 or levels.shape[1] < _COLUMNS_MIN:
        return False
    return bool(_leaps(levels))
