"""Measures steps that stand alone on the grid of 8 samples: the mark of blocks that were decoded from wrong bits.

Edges of a scene fall anywhere on the grid. Blocks that lost synchronisation are smooth inside and do not fit together.
Compiled; pure.
"""

from typing import Any, Final

import numba
import numpy as np
from numba import types

from engine.model.picture import Picture
from engine.runtime.numba_cache import CACHED

STEP_LEVELS: Final = 24
"""The least step that counts, in levels of 8 bits."""
BANDS: Final = 6
"""Bands one below the other; the worst one counts, since a picture is whole up to where it was damaged."""

_GRID = 8
_PHASES = (7, 3, 1)
"""Places of a step between samples x and x + 1, x modulo 8: on the grid, on that of 4 samples, and on none."""
_STRIDE = 17
_i32 = np.int32
_ALONE = 4
_COMMON_RATIO = 1.3
_SIGNATURES = [
    types.float64(types.Array(sample, 2, "A", readonly=True), types.int64) for sample in (types.uint8, types.uint16)
]


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_alone(before: Any, here: Any, there: Any, after: Any, step_min: Any, sums: Any) -> None:
    """Add 1 to `sums` where `here` to `there` is a step of at least `step_min`, several times as large as the ones
    beside it. Whole vectors at a time: all five are contiguous and of one length."""
    for x in range(sums.shape[0]):
        step = abs(_i32(there[x]) - _i32(here[x]))
        beside = max(abs(_i32(here[x]) - _i32(before[x])), abs(_i32(after[x]) - _i32(there[x])))
        sums[x] += _i32(1) if (step >= step_min) & (_i32(_ALONE) * beside < step) else _i32(0)


@numba.njit(nogil=True, cache=CACHED)
def _add_across(luma: Any, top: int, band: int, step_min: Any, sums: Any, counts: Any) -> None:
    """Count by phase the steps from sample to sample of every _STRIDE-th row of a band. `sums`: scratch."""
    places = luma.shape[1] - 3
    sums[:] = 0
    for y in range(top, top + band, _STRIDE):
        row = luma[y]
        _add_alone(row[:places], row[1 : places + 1], row[2 : places + 2], row[3 : places + 3], step_min, sums)
    for phase in _PHASES:
        for place in range(phase - 1, places, _GRID):
            counts[phase] += sums[place]


@numba.njit(nogil=True, cache=CACHED)
def _add_down(luma: Any, top: int, band: int, step_min: Any, columns: Any, sums: Any, counts: Any) -> None:
    """Count by phase the steps from row to row of a band, at every _STRIDE-th sample. `columns`, `sums`: scratch."""
    for y in range(top, min(top + band + _GRID, luma.shape[0])):
        row, out = luma[y], columns[y - top]
        for place in range(out.shape[0]):
            out[place] = row[_STRIDE * place]
    for phase in _PHASES:
        sums[:] = 0
        for y in range(phase, min(band, luma.shape[0] - 2 - top), _GRID):
            _add_alone(columns[y - 1], columns[y], columns[y + 1], columns[y + 2], step_min, sums)
        counts[phase] += sums.sum()


@numba.njit(_SIGNATURES, nogil=True, cache=CACHED)
def _grid_excess(luma: Any, step_min: int) -> float:
    height, width = luma.shape
    band = height // BANDS // _GRID * _GRID
    worst = 0.0
    counts = np.zeros(_GRID, np.int64)
    across = np.empty(width - 3, np.int32)
    down = np.empty(-(-width // _STRIDE), np.int32)
    columns = np.empty((band + _GRID, down.shape[0]), luma.dtype)
    for index in range(BANDS):
        counts[:] = 0
        top = height // _GRID * _GRID - (index + 1) * band
        _add_across(luma, top, band, _i32(step_min), across, counts)
        _add_down(luma, top, band, _i32(step_min), columns, down, counts)
        edges = 2 * band * width // (_GRID * _STRIDE)
        if edges > 0:
            worst = max(worst, (counts[7] - _COMMON_RATIO * max(counts[3], counts[1])) / edges)
    return worst


def grid_excess(picture: Picture) -> float:
    """Return how many of 1,000 places on the grid have a step that stands alone, beyond those of any other phase.

    Of the worst band. Whole pictures without loop filter have 0 to 6; nearly all of those from wrong bits have more.
    """
    return 1000.0 * _grid_excess(picture.luma, STEP_LEVELS << (picture.bit_depth - 8))
