"""The chroma pass: exact integer sums per tile over a few dozen rows of one chroma plane. Pure but for the compiler."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.plane import flattened
from engine.model.picture import LumaPlane
from engine.runtime.numba_cache import CACHED

ROWS_PER_TILE = 2
"""Rows that are read in each row of tiles, at most."""

_ROWS, _COLUMNS = TILE_ROWS, TILE_COLUMNS


@dataclass(frozen=True, slots=True)
class ChromaSums:
    """Sums over one chroma plane.

    `samples`, `totals`: int64, shape (TILE_ROWS, TILE_COLUMNS): the number of samples that were read, and their sum.
    `count`, `squares`: the number of samples of the whole plane that were read, and the sum of their squares.
    """

    samples: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    count: int
    squares: int


def _signature(sample: Any) -> Any:
    sums = types.Array(types.int64, 3, "C")
    pair = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]
    return pair(types.Array(sample, 1, "C", readonly=True), *[types.int64] * 4, sums)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _sum_row(row: Any) -> Any:
    """Return the sum and the sum of squares of contiguous samples: the loop that vectorises."""
    total = 0
    squares = 0
    for x in range(row.shape[0]):
        value: Any = np.int64(row[x])
        total += value
        squares += value * value
    return total, squares


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def accumulate(samples: Any, stride: int, step: int, rows: int, columns: int, sums: Any) -> Any:
    """Add the number of samples and their sum per tile to `sums`.

    Returns the number of samples of the whole plane that were read, and the sum of their squares.
    """
    count = squares = 0
    for tile_row in range(_ROWS):
        begin, end = tile_row * rows // _ROWS, (tile_row + 1) * rows // _ROWS
        row_step = max(1, -(-(end - begin) // ROWS_PER_TILE))
        for y in range(begin, end, row_step):
            for tile in range(_COLUMNS):
                left, right = tile * columns // _COLUMNS, (tile + 1) * columns // _COLUMNS
                if step == 1:
                    total, square = _sum_row(samples[y * stride + left : y * stride + right])
                else:
                    total = square = 0
                    for x in range(left, right):
                        value: Any = np.int64(samples[y * stride + x * step])
                        total += value
                        square += value * value
                sums[0, tile_row, tile] += right - left
                sums[1, tile_row, tile] += total
                squares += square
                count += right - left
    return count, squares


def measure(plane: LumaPlane) -> ChromaSums:
    """Return the sums of one chroma plane of at least 16 x 16; line padding and interleaving (NV12) are allowed."""
    rows, columns = plane.shape
    stride, step = plane.strides[0] // plane.itemsize, plane.strides[1] // plane.itemsize
    sums = np.zeros((2, TILE_ROWS, TILE_COLUMNS), np.int64)
    flat = flattened(plane, (rows - 1) * stride + (columns - 1) * step + 1)
    count, squares = accumulate(flat, stride, step, rows, columns, sums)
    return ChromaSums(sums[0], sums[1], count, squares)
