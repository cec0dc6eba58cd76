"""The pass over edges: how much of an edge's height its steepest step takes, per tile and direction.

A step is the difference of two neighbouring samples. It is an edge where it is no less than the steps before and
behind it, and where the window of WINDOW samples around it rises by more than a threshold: its height. Step over
height is 1 for an edge that one sample makes and 1/4 or so for one that a lens out of focus spreads over the whole
window, whatever the contrast, the light and the scene. Only edges that are strong in their picture count, so that block
edges of the codec, noise and texture have no say: the threshold of each direction is STRONG times the mean height of
its edges in a sample of rows, heights weighing themselves, and no less than the caller's.

`counts`, `steps`, `heights`: int64, shape (2, TILE_ROWS, TILE_COLUMNS), edges that x crosses first, then those that y
crosses; steps and heights are sums in quarter levels. Sources: width of an edge as its height over its slope,
P. Marziliano et al., A no-reference perceptual blur metric, ICIP 2002; the rule that few and strong edges judge,
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

WINDOW = row_sampling.ROWS
"""Samples of the window, the edge's own step in its middle."""
STRONG = 0.7
SAMPLED = 2
"""Of the strips, every so many-th tells what is strong."""
ROWS_SAMPLED = (2, 7)
"""From and up to which row of tiles: clock and name are burnt in above and below."""

_ROWS, _COLUMNS = TILE_ROWS, TILE_COLUMNS
_i16 = np.int16
_i32 = np.int32
_u16 = np.uint16

_SIGNATURE = types.void(
    types.Array(types.uint16, 2, "C"), types.int64, types.int64, types.float64, types.Array(types.int64, 4, "C"),
    types.Array(types.float64, 1, "C"),
)  # fmt: skip


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _mark(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, least: Any, sums: Any) -> None:
    """Six rows of samples, one behind the other: count edges between `c` and `d`, add up their steps and heights.

    In 16 bits: a tile has at most 64 rows of heights below 1024.
    """
    counts, steps, heights = sums[0], sums[1], sums[2]
    for x in range(a.shape[0]):
        step = _i16(_i16(d[x]) - _i16(c[x]))
        before = _i16(_i16(c[x]) - _i16(b[x]))
        behind = _i16(_i16(e[x]) - _i16(d[x]))
        height = _i16(_i16(f[x]) - _i16(a[x]))
        step = _i16(-step) if step < 0 else step
        before = _i16(-before) if before < 0 else before
        behind = _i16(-behind) if behind < 0 else behind
        height = _i16(-height) if height < 0 else height
        edge = (height > least) & (step >= before) & (step >= behind)
        counts[x] = _u16(counts[x] + _u16(1 if edge else 0))
        steps[x] = _u16(steps[x] + _u16(step if edge else _i16(0)))
        heights[x] = _u16(heights[x] + _u16(height if edge else _i16(0)))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _heights(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, least: Any, sums: Any) -> None:
    """The same rows: add up heights of edges and their squares."""
    heights, squares = sums[0], sums[1]
    for x in range(a.shape[0]):
        step = _i16(_i16(d[x]) - _i16(c[x]))
        before = _i16(_i16(c[x]) - _i16(b[x]))
        behind = _i16(_i16(e[x]) - _i16(d[x]))
        height = _i16(_i16(f[x]) - _i16(a[x]))
        step = _i16(-step) if step < 0 else step
        before = _i16(-before) if before < 0 else before
        behind = _i16(-behind) if behind < 0 else behind
        height = _i16(-height) if height < 0 else height
        edge = (height > least) & (step >= before) & (step >= behind)
        tall = _i32(height) if edge else _i32(0)
        heights[x] = _i32(heights[x] + tall)
        squares[x] = _i32(squares[x] + _i32(tall * tall))


@numba.njit(nogil=True, cache=CACHED)
def _fold(columns: Any, offset: int, width: int, row: int, direction: int, sums: Any) -> None:
    """A row of tiles is complete: its column sums go to the tiles. Column 0 stands at sample `offset`."""
    n = columns.shape[1]
    for column in range(_COLUMNS):
        begin = max(0, column * width // _COLUMNS - offset)
        end = min(n, (column + 1) * width // _COLUMNS - offset)
        for kind in range(3):
            sums[kind, direction, row, column] = total_of(columns[kind, begin:end])
    columns[:] = 0


@numba.njit(nogil=True, cache=CACHED)
def _strong(sums: Any, least: float) -> float:
    """The threshold of a direction from its sampled heights."""
    heights = squares = 0.0
    for x in range(sums.shape[1]):
        heights += sums[0, x]
        squares += sums[1, x]
    return max(least, STRONG * squares / heights) if heights > 0 else least


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def add(plane: Any, lines: int, step: int, least: float, sums: Any, thresholds: Any) -> None:
    """Fill counts, steps and heights in `sums`, and the two thresholds. `plane`: what is kept of `lines` rows."""
    height, width = plane.shape
    n = width - WINDOW + 1
    along = np.zeros((2, n), np.int32)
    across = np.zeros((2, width), np.int32)
    apart = row_sampling.spacing(step)
    first = -(-max(ROWS_SAMPLED[0] * lines // _ROWS, row_sampling.BEFORE) // step)
    floor = _i16(least)
    for strip in range(first, -(-min(ROWS_SAMPLED[1] * lines // _ROWS, lines - row_sampling.BEHIND) // step), SAMPLED):
        y = strip * apart
        row = plane[y]
        _heights(row[0:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3], row[4 : n + 4], row[5:], floor, along)
        _heights(plane[y - 2], plane[y - 1], row, plane[y + 1], plane[y + 2], plane[y + 3], floor, across)
    thresholds[0], thresholds[1] = _strong(along, least), _strong(across, least)
    strong_x, strong_y = _i16(thresholds[0]), _i16(thresholds[1])
    columns_x = np.zeros((3, n), np.uint16)
    columns_y = np.zeros((3, width), np.uint16)
    tile = 0
    tile_end = row_sampling.kept(lines // _ROWS, step)
    for y in range(height):
        if y % apart == 0:
            row = plane[y]
            _mark(
                row[0:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3], row[4 : n + 4], row[5:], strong_x, columns_x
            )
            if row_sampling.BEFORE <= y < height - row_sampling.BEHIND:
                _mark(plane[y - 2], plane[y - 1], row, plane[y + 1], plane[y + 2], plane[y + 3], strong_y, columns_y)
        if y + 1 == tile_end:
            _fold(columns_x, row_sampling.BEFORE, width, tile, 0, sums)
            _fold(columns_y, 0, width, tile, 1, sums)
            tile += 1
            tile_end = row_sampling.kept((tile + 1) * lines // _ROWS, step)


@dataclass(frozen=True, slots=True)
class EdgeSums:
    """What the pass gives, as above. `thresholds`: heights in quarter levels from which on an edge counted, x and y."""

    counts: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]


def measure(plane: AnalysisPlane, least: float) -> EdgeSums:
    """Run the pass over an analysis plane. `least`: quarter levels that an edge must rise at least, 1..1023."""
    sums = np.zeros((3, 2, TILE_ROWS, TILE_COLUMNS), np.int64)
    thresholds = np.zeros(2)
    add(plane.samples, plane.lines, plane.step, least, sums, thresholds)
    return EdgeSums(sums[0], sums[1], sums[2], thresholds)
