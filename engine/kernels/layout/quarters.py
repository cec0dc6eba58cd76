"""Finds pictures that are four cameras' pictures in one, as recorders show them: seams across their middle. Pure but
for the compiler.

Both middle lines must be seams, in at least three of their four halves. A line is a seam where the picture leaps across
it, and leaps less between neighbours as far apart, or where a line of one level, that neither side has, separates them.
A post in the middle of a room is no seam: above or below it is something else.
"""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.kernels.plane import flattened
from engine.model.picture import PICTURE_SIDE_PX_MIN, Picture
from engine.runtime.numba_cache import CACHED

SAMPLES = 48
"""Places along half a seam where the picture is looked at."""
WINDOW = 4
"""Samples on either side that are averaged there."""
LEAP_LEVELS, LEAP_RATIO = 8, 1.5
"""A leap in levels that counts, and its ratio to the largest of those beside it."""
LEAP_SHARE = 0.25
"""Share of the places that leap in a seam; a scene leaps so in a tenth of them."""
SEAM_MEAN = 0.5
"""Mean of the four halves from which on they are seams; one of them may be weak, where both sides happen to be alike.
"""
LINE_LEVELS, LINE_SHARE = 6, 0.9
"""Levels within which a line that separates is of one level, in that share of its places."""
BESIDE = (-4, -2, 2, 4)
"""Where else leaps are looked at, in distances between the averaged windows."""

_PARTS = 4


def _signature(sample: Any) -> Any:
    samples = types.Array(sample, 1, "C", readonly=True)
    return types.void(samples, *[types.int64] * 4, types.Array(types.float64, 1, "C"))


@numba.njit(nogil=True, cache=CACHED)
def _mean(samples: Any, start: int, across: int) -> float:
    total: Any = 0
    for index in range(WINDOW):
        total += np.int64(samples[start + index * across])
    mean: float = total / WINDOW
    return mean


@numba.njit(nogil=True, cache=CACHED)
def _leap(samples: Any, middle: int, gap: int, across: int) -> float:
    """Return by how much the means of the windows on either side of a place differ."""
    left = _mean(samples, middle - (gap + WINDOW) * across, across)
    return abs(left - _mean(samples, middle + gap * across, across))


@numba.njit(nogil=True, cache=CACHED)
def _seam(samples: Any, start: int, across: int, along: int, length: int, gap: int, unit: int) -> float:
    """Return the share of the places in half a middle line that leap; 1 if a line of one level separates its sides.

    `start`: the first sample of the middle line. `across`, `along`: distance of the next sample across the seam, and
    along it. `length`: samples along it. `gap`: samples on either side that may belong to a line between. `unit`: one
    level.
    """
    leaps: Any = 0
    apart: Any = 0
    line = np.empty(SAMPLES, np.int64)
    for index in range(SAMPLES):
        middle = start + index * length // SAMPLES * along
        leap = _leap(samples, middle, gap, across)
        largest = 0.0
        for beside in BESIDE:
            largest = max(largest, _leap(samples, middle + beside * (gap + WINDOW) * across, gap, across))
        leaps += leap >= LEAP_LEVELS * unit and leap >= LEAP_RATIO * largest
        line[index] = samples[middle]
        left, right = np.int64(samples[middle - 2 * gap * across]), np.int64(samples[middle + 2 * gap * across])
        apart += min(abs(left - line[index]), abs(right - line[index])) >= LEAP_LEVELS * unit
    level = np.sort(line)[SAMPLES // 2]
    same = 0
    for index in range(SAMPLES):
        same += abs(line[index] - level) <= LINE_LEVELS * unit
    separated = same >= LINE_SHARE * SAMPLES and apart >= LEAP_SHARE * SAMPLES
    return 1.0 if separated else leaps / SAMPLES


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def find(samples: Any, stride: int, rows: int, columns: int, unit: int, seams: Any) -> None:
    """Write how much of a seam each half of the middle lines is to `seams`: upper and lower half of the vertical one,
    left and right half of the horizontal one. If neither the upper nor the left one is one, 0 to the others."""
    seams[:] = 0.0
    middle_row, middle_column = rows // 2, columns // 2
    across_gap, down_gap = 2 + columns // 480, 2 + rows // 270
    for half in range(2):
        if half and max(seams[0], seams[2]) < LEAP_SHARE:
            return
        seams[half] = _seam(
            samples, half * middle_row * stride + middle_column, 1, stride, middle_row, across_gap, unit
        )
        seams[2 + half] = _seam(
            samples, middle_row * stride + half * middle_column, stride, 1, middle_column, down_gap, unit
        )


def measure(picture: Picture) -> Any:
    """Return how much of a seam each half of the middle lines of a picture is, float64, shape (4,), 0..1."""
    luma = picture.luma
    rows, columns = luma.shape
    stride = luma.strides[0] // luma.itemsize
    seams = np.empty(_PARTS)
    flat = flattened(luma, (rows - 1) * stride + columns)
    find(flat, stride, rows, columns, 1 << (picture.bit_depth - 8), seams)
    return seams


def is_quartered(picture: Picture) -> bool:
    """Return whether a picture is four in one. Pictures whose quarters would be too small are not."""
    if min(picture.luma.shape) < 2 * PICTURE_SIDE_PX_MIN:
        return False
    seams = np.sort(measure(picture))
    return bool(seams[1] >= LEAP_SHARE and seams.mean() >= SEAM_MEAN)
