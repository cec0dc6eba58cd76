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


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _stands_alone(before: Any, here: Any, there: Any, after: Any, step_min: Any) -> Any:
    """Whether `here` to `there` is a step of at least `step_min`, several times as large as the ones beside it."""
    step = abs(_i32(there) - _i32(here))
    return step >= step_min and (_ALONE * max(abs(_i32(here) - _i32(before)), abs(_i32(after) - _i32(there))) < step)


@numba.njit(_SIGNATURES, nogil=True, cache=CACHED)
def _grid_excess(luma: Any, step_min: int) -> float:
    height, width = luma.shape
    band = height // BANDS // _GRID * _GRID
    worst = 0.0
    counts = np.zeros(_GRID, np.int64)
    for index in range(BANDS):
        counts[:] = 0
        top = height // _GRID * _GRID - (index + 1) * band
        for phase in _PHASES:
            for y in range(top, top + band, _STRIDE):
                row = luma[y]
                for x in range(phase, width - 2, _GRID):
                    counts[phase] += _stands_alone(row[x - 1], row[x], row[x + 1], row[x + 2], step_min)
            for y in range(top + phase, min(top + band, height - 2), _GRID):
                above, here, there, below = luma[y - 1], luma[y], luma[y + 1], luma[y + 2]
                for x in range(0, width, _STRIDE):
                    counts[phase] += _stands_alone(above[x], here[x], there[x], below[x], step_min)
        edges = 2 * band * width // (_GRID * _STRIDE)
        if edges > 0:
            worst = max(worst, (counts[7] - _COMMON_RATIO * max(counts[3], counts[1])) / edges)
    return worst


def grid_excess(picture: Picture) -> float:
    """Return how many of 1,000 places on the grid have a step that stands alone, beyond those of any other phase.

    Of the worst band. Whole pictures without loop filter have 0 to 6; most of those decoded from wrong bits, more.
    """
    return 1000.0 * _grid_excess(picture.luma, STEP_LEVELS << (picture.bit_depth - 8))
