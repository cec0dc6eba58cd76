"""The edge pass: per tile and direction, how large a share of an edge's height its steepest step takes. Pure but for
the compiler.

A step is the difference of two neighbouring samples. A step is an edge if it is no smaller than the steps before and
after it, and if the window of WINDOW samples around it rises by more than a threshold; that rise is the edge's height.
Step over height is 1 for an edge one sample wide and about 1/4 for an edge that a defocused lens spreads over the whole
window, whatever the contrast, the light and the scene. Only edges that are strong in their picture count, so that block
edges of the codec, noise and texture have no influence: the threshold of each direction is STRONG_FACTOR times the
mean height of its edges in a sample of rows, each height weighted by itself, and no less than the caller's threshold.

`counts`, `steps`, `heights`: int64, shape (2, TILE_ROWS, TILE_COLUMNS), edges crossed by x first, then those crossed
by y; steps and heights are sums in quarter levels. Sources: width of an edge as its height over its slope,
P. Marziliano et al., A no-reference perceptual blur metric, ICIP 2002; the rule that few and strong edges decide,
R. Ferzli and L. Karam, IEEE Trans. Image Processing 18(4), 2009.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.luma import total_of
from engine.kernels.plane import AnalysisPlane
from engine.runtime.numba_cache import CACHED

WINDOW = row_sampling.STRIP_ROWS
"""Samples of the window; the edge's own step is in its middle."""
STRONG_FACTOR = 0.7
STRIP_SAMPLING = 2
"""Every so many-th strip is sampled to find the threshold for strong edges."""
INNER_TILE_ROWS = (2, 7)
"""First row of tiles and the one past the last that decide: clock and name are burnt in above and below them."""

_ROWS, _COLUMNS = TILE_ROWS, TILE_COLUMNS
_i16 = np.int16
_i32 = np.int32
_u16 = np.uint16

_SIGNATURE = types.void(
    types.Array(types.uint16, 2, "C"), types.int64, types.int64, types.float64, types.Array(types.int64, 4, "C"),
    types.Array(types.float64, 1, "C"),
)  # fmt: skip


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _count_edges(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, height_min: Any, sums: Any) -> None:
    """Count the edges between `c` and `d` of six consecutive rows of samples, and add up their steps and heights.

    In 16 bits: a tile has at most 64 rows of heights below 1024.
    """
    counts, steps, heights = sums[0], sums[1], sums[2]
    for x in range(a.shape[0]):
        step = _i16(_i16(d[x]) - _i16(c[x]))
        before = _i16(_i16(c[x]) - _i16(b[x]))
        after = _i16(_i16(e[x]) - _i16(d[x]))
        height = _i16(_i16(f[x]) - _i16(a[x]))
        step = _i16(-step) if step < 0 else step
        before = _i16(-before) if before < 0 else before
        after = _i16(-after) if after < 0 else after
        height = _i16(-height) if height < 0 else height
        edge = (height > height_min) & (step >= before) & (step >= after)
        counts[x] = _u16(counts[x] + _u16(1 if edge else 0))
        steps[x] = _u16(steps[x] + _u16(step if edge else _i16(0)))
        heights[x] = _u16(heights[x] + _u16(height if edge else _i16(0)))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _sum_heights(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, height_min: Any, sums: Any) -> None:
    """Add up the heights of the edges between `c` and `d` of six consecutive rows of samples, and their squares."""
    heights, squares = sums[0], sums[1]
    for x in range(a.shape[0]):
        step = _i16(_i16(d[x]) - _i16(c[x]))
        before = _i16(_i16(c[x]) - _i16(b[x]))
        after = _i16(_i16(e[x]) - _i16(d[x]))
        height = _i16(_i16(f[x]) - _i16(a[x]))
        step = _i16(-step) if step < 0 else step
        before = _i16(-before) if before < 0 else before
        after = _i16(-after) if after < 0 else after
        height = _i16(-height) if height < 0 else height
        edge = (height > height_min) & (step >= before) & (step >= after)
        edge_height = _i32(height) if edge else _i32(0)
        heights[x] = _i32(heights[x] + edge_height)
        squares[x] = _i32(squares[x] + _i32(edge_height * edge_height))


@numba.njit(nogil=True, cache=CACHED)
def _fold_into_tiles(columns: Any, offset: int, width: int, row: int, direction: int, sums: Any) -> None:
    """Add the column sums of a complete row of tiles to its tiles, and clear them. Column 0 is at sample `offset`."""
    n = columns.shape[1]
    for column in range(_COLUMNS):
        begin = max(0, column * width // _COLUMNS - offset)
        end = min(n, (column + 1) * width // _COLUMNS - offset)
        for kind in range(3):
            sums[kind, direction, row, column] = total_of(columns[kind, begin:end])
    columns[:] = 0


@numba.njit(nogil=True, cache=CACHED)
def _strong_threshold(sums: Any, height_min: float) -> float:
    """Return the height threshold of a direction from its sampled heights."""
    heights = squares = 0.0
    for x in range(sums.shape[1]):
        heights += sums[0, x]
        squares += sums[1, x]
    return max(height_min, STRONG_FACTOR * squares / heights) if heights > 0 else height_min


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def accumulate(plane: Any, lines: int, step: int, height_min: float, sums: Any, thresholds: Any) -> None:
    """Fill `sums` with counts, steps and heights, and `thresholds` with x and y. `plane`: the kept rows of `lines`."""
    height, width = plane.shape
    n = width - WINDOW + 1
    sums_x = np.zeros((2, n), np.int32)
    sums_y = np.zeros((2, width), np.int32)
    distance = row_sampling.spacing(step)
    first = -(-max(INNER_TILE_ROWS[0] * lines // _ROWS, row_sampling.ROWS_BEFORE) // step)
    end = -(-min(INNER_TILE_ROWS[1] * lines // _ROWS, lines - row_sampling.ROWS_AFTER) // step)
    floor = _i16(height_min)
    for strip in range(first, end, STRIP_SAMPLING):
        y = strip * distance
        row = plane[y]
        _sum_heights(row[0:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3], row[4 : n + 4], row[5:], floor, sums_x)
        _sum_heights(plane[y - 2], plane[y - 1], row, plane[y + 1], plane[y + 2], plane[y + 3], floor, sums_y)
    thresholds[0], thresholds[1] = _strong_threshold(sums_x, height_min), _strong_threshold(sums_y, height_min)
    strong_x, strong_y = _i16(thresholds[0]), _i16(thresholds[1])
    columns_x = np.zeros((3, n), np.uint16)
    columns_y = np.zeros((3, width), np.uint16)
    tile = 0
    tile_end = row_sampling.kept_count(lines // _ROWS, step)
    for y in range(height):
        if y % distance == 0:
            row = plane[y]
            _count_edges(
                row[0:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3], row[4 : n + 4], row[5:], strong_x, columns_x
            )
            if row_sampling.ROWS_BEFORE <= y < height - row_sampling.ROWS_AFTER:
                _count_edges(
                    plane[y - 2], plane[y - 1], row, plane[y + 1], plane[y + 2], plane[y + 3], strong_y, columns_y
                )
        if y + 1 == tile_end:
            _fold_into_tiles(columns_x, row_sampling.ROWS_BEFORE, width, tile, 0, sums)
            _fold_into_tiles(columns_y, 0, width, tile, 1, sums)
            tile += 1
            tile_end = row_sampling.kept_count((tile + 1) * lines // _ROWS, step)


@dataclass(frozen=True, slots=True)
class EdgeSums:
    """The sums of the pass, as described above. `thresholds`: heights in quarter levels above which an edge counted, of
    x and y."""

    counts: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]


def measure(plane: AnalysisPlane, height_min: float) -> EdgeSums:
    """Run the pass over an analysis plane. `height_min`: smallest height of an edge in quarter levels, 1..1023."""
    sums = np.zeros((3, 2, TILE_ROWS, TILE_COLUMNS), np.int64)
    thresholds = np.zeros(2)
    accumulate(plane.samples, plane.lines, plane.step, height_min, sums, thresholds)
    return EdgeSums(sums[0], sums[1], sums[2], thresholds)
