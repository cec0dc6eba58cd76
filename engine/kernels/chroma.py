"""The cheap pass over chroma: every sixteenth row, exact integer sums."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types

from engine.kernels.cache import CACHED
from engine.types import LumaPlane

ROW_STEP = 16


@dataclass(frozen=True, slots=True)
class ChromaSums:
    """Of one plane: how many samples were looked at, their sum and the sum of their squares."""

    samples: int
    total: int
    squares: int


def _signature(sample: Any) -> Any:
    pair = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]
    return pair(types.Array(sample, 1, "C", readonly=True), *[types.int64] * 5)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add(row: Any) -> Any:
    """Sum and sum of squares of contiguous samples: the loop that vectorises."""
    total = 0
    squares = 0
    for x in range(row.shape[0]):
        value: Any = np.int64(row[x])
        total += value
        squares += value * value
    return total, squares


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def _sum(samples: Any, stride: int, step: int, rows: int, columns: int, row_step: int) -> Any:
    total = 0
    squares = 0
    for y in range(0, rows, row_step):
        row = samples[y * stride : y * stride + (columns - 1) * step + 1]
        if step == 1:
            one, two = _add(row)
            total += one
            squares += two
        else:
            for x in range(columns):
                value: Any = np.int64(row[x * step])
                total += value
                squares += value * value
    return total, squares


def measure(plane: LumaPlane) -> ChromaSums:
    """Sums over every ROW_STEP-th row of one chroma plane; line padding and interleaving (NV12) are allowed."""
    rows, columns = plane.shape
    stride, step = plane.strides[0] // plane.itemsize, plane.strides[1] // plane.itemsize
    span = (rows - 1) * stride + (columns - 1) * step + 1
    flat = np.lib.stride_tricks.as_strided(plane, (span,), (plane.itemsize,), writeable=False)
    total, squares = _sum(flat, stride, step, rows, columns, ROW_STEP)
    return ChromaSums(len(range(0, rows, ROW_STEP)) * columns, total, squares)
