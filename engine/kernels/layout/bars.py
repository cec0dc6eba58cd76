"""Finds bars: strips of one level along the sides of a picture, as a recorder adds them to a picture of another shape.
Pure but for the compiler.

Each side is searched from the outside in. A line belongs to a bar if most of its samples have the level of the
outermost line. A line of text may interrupt a bar, as in a banner with a name. A bar ends in a sharp straight edge;
what fades, as a dark ceiling does, is no bar, and a burnt-out one is none either. Then, and if bars would leave too
little, nothing is said: the camera's other visits tell (engine/judge/active_area.py).
"""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.kernels.plane import flattened
from engine.model.active_area import UNITS, WHOLE, ActiveArea
from engine.model.picture import PICTURE_SIDE_PX_MIN, Picture
from engine.runtime.numba_cache import CACHED

FEW_SAMPLES, SAMPLES = 32, 256
"""Samples of a line by which it is ruled out, and by which it is found."""
BAR_SHARE = 0.6
"""Share of a line's samples that have the level of the bar, at least."""
BAR_LEVELS = 1
"""Levels by which they differ from it at most; a codec changes no more in what is of one level."""
RINGING_LEVELS, RINGING_SHARE = 8, 0.9
"""A line also belongs to a bar if so many of its samples are within so many levels: a codec blurs the edge into it."""
EDGE_LEVELS, EDGE_SHARE_MAX = 16, 0.8
"""Behind the edge, at most EDGE_SHARE_MAX of the samples are within EDGE_LEVELS."""
SIDE_SHARE_MAX = 0.36
"""Share of the picture that a bar takes at most, at each side: a picture of 9:16 in one of 16:9 has 0.34."""
SIDE_DIVISOR = 40
"""A bar takes at least 1/SIDE_DIVISOR of the picture: less changes no figure."""
TEXT_DIVISOR = 12
"""A line of text takes at most 1/TEXT_DIVISOR of the picture."""
WHITE_MIN = 250
"""Level from which on a strip is burnt out, and no bar."""
UNDETERMINED = -1
_TOP, _BOTTOM, _LEFT, _RIGHT = range(4)
_SIDES = 4
_LIMITED_BLACK, _LIMITED_SPAN = 16, 219


def edge_lines(lines: int) -> int:
    """Return how many lines the edge of a bar may take, in a picture with so many: encoders blur it."""
    return 2 + lines // 270


def _signature(sample: Any) -> Any:
    samples = types.Array(sample, 1, "C", readonly=True)
    return types.void(samples, *[types.int64] * 5, types.Array(types.int64, 1, "C"))


@numba.njit(nogil=True, cache=CACHED)
def _read(samples: Any, start: int, along: int, length: int, count: int, line: Any) -> None:
    """Copy `count` samples, spread evenly over a line of `length` samples `along` apart, to `line`."""
    for index in range(count):
        line[index] = samples[start + index * length // count * along]


@numba.njit(nogil=True, cache=CACHED)
def _share_of(line: Any, count: int, level: int, tolerance: int) -> float:
    near = 0
    for index in range(count):
        near += abs(line[index] - level) <= tolerance
    return near / count


@numba.njit(nogil=True, cache=CACHED)
def _bar(samples: Any, start: int, inwards: int, along: int, length: int, lines: int, unit: int, white: int) -> int:
    """Return how many lines a bar has that begins with the line at `start`; 0 if there is none.

    `inwards`, `along`: distance of the next line, and of the next sample of a line. `length`: samples of a line.
    `lines`: lines of the picture in this direction. `unit`: one level. `white`: level that is burnt out.
    """
    line = np.empty(SAMPLES, np.int64)
    for count in (FEW_SAMPLES, SAMPLES):
        _read(samples, start, along, length, count, line)
        level = np.sort(line[:count])[count // 2]
        if _share_of(line, count, level, BAR_LEVELS * unit) < BAR_SHARE:
            return 0
    if level >= white:
        return UNDETERMINED
    limit = int(SIDE_SHARE_MAX * lines)
    depth = at = 1
    while at <= limit and at - depth <= lines // TEXT_DIVISOR:
        _read(samples, start + at * inwards, along, length, SAMPLES, line)
        at += 1
        same = _share_of(line, SAMPLES, level, BAR_LEVELS * unit) >= BAR_SHARE
        if same or _share_of(line, SAMPLES, level, RINGING_LEVELS * unit) >= RINGING_SHARE:
            depth = at
    behind = depth + 2 + lines // 270
    if depth > limit or behind >= lines:
        return UNDETERMINED
    _read(samples, start + behind * inwards, along, length, SAMPLES, line)
    if _share_of(line, SAMPLES, level, EDGE_LEVELS * unit) > EDGE_SHARE_MAX:
        return UNDETERMINED
    return depth if depth * SIDE_DIVISOR >= lines else 0


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def find(samples: Any, stride: int, rows: int, columns: int, unit: int, white: int, bars: Any) -> None:
    """Write how many lines the bars at top, bottom, left and right have to `bars`; UNDETERMINED if that cannot be
    told."""
    bars[_LEFT] = bars[_RIGHT] = 0
    bars[_TOP] = _bar(samples, 0, stride, 1, columns, rows, unit, white)
    bars[_BOTTOM] = _bar(samples, (rows - 1) * stride, -stride, 1, columns, rows, unit, white)
    top, length = max(0, bars[_TOP]), rows - max(0, bars[_TOP]) - max(0, bars[_BOTTOM])
    bars[_LEFT] = _bar(samples, top * stride, 1, stride, length, columns, unit, white)
    bars[_RIGHT] = _bar(samples, top * stride + columns - 1, -1, stride, length, columns, unit, white)


def white_sample(picture: Picture) -> int:
    """Return the sample of WHITE_MIN."""
    level = WHITE_MIN if picture.full_range else _LIMITED_BLACK + WHITE_MIN * _LIMITED_SPAN // 255
    return int(level << (picture.bit_depth - 8))


def measure(picture: Picture) -> Any:
    """Return the lines of the bars at top, bottom, left and right of a picture, int64, shape (4,)."""
    luma = picture.luma
    rows, columns = luma.shape
    stride = luma.strides[0] // luma.itemsize
    bars = np.empty(_SIDES, np.int64)
    flat = flattened(luma, (rows - 1) * stride + columns)
    find(flat, stride, rows, columns, 1 << (picture.bit_depth - 8), white_sample(picture), bars)
    return bars


def seen_area(picture: Picture) -> ActiveArea | None:
    """Return what the bars of a picture leave; None if it cannot be told."""
    bars = measure(picture)
    top, bottom, left, right = bars.tolist()
    if not (top or bottom or left or right):
        return WHOLE
    if min(top, bottom, left, right) == UNDETERMINED:
        return None
    rows, columns = picture.luma.shape
    area = ActiveArea(
        _units(left, columns), _units(top, rows), UNITS - _units(right, columns), UNITS - _units(bottom, rows)
    )
    first_column, first_row, end_column, end_row = area.pixels(columns, rows)
    if min(end_column - first_column, end_row - first_row) < PICTURE_SIDE_PX_MIN:
        return None
    return area


def _units(lines: int, of: int) -> int:
    """Return a bar of so many lines, with its edge, in units of the picture's side; rounded up."""
    return -(-(lines + edge_lines(of)) * UNITS // of) if lines else 0
