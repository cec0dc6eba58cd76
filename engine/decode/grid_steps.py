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
_STRIDE = 17
_i32 = np.int32
_ALONE = 4
_COMMON_RATIO = 1.3
_SIGNATURES = [
    types.float64(types.Array(sample, 2, "A", readonly=True), types.int64) for sample in (types.uint8, types.uint16)
]


@numba.njit(_SIGNATURES, nogil=True, cache=CACHED)
def _grid_excess(luma: Any, step_min: int) -> float:
    height, width = luma.shape
    band = height // BANDS // _GRID * _GRID
    worst = 0.0
    counts = np.zeros(_GRID, np.int64)
    for index in range(BANDS):
        counts[:] = 0
        top = height // _GRID * _GRID - (index + 1) * band
        for y in range(top + 1, top + band, _STRIDE):
            row = luma[y]
            step = _i32(row[1]) - _i32(row[0])
            following = _i32(row[2]) - _i32(row[1])
            for x in range(1, width - 2):
                before, step, following = step, following, _i32(row[x + 2]) - _i32(row[x + 1])
                if abs(step) >= step_min and _ALONE * max(abs(before), abs(following)) < abs(step):
                    counts[x & 7] += 1
        for y in range(max(top, 1), min(top + band, height - 2)):
            for x in range(1, width, _STRIDE):
                step = _i32(luma[y + 1, x]) - _i32(luma[y, x])
                if abs(step) >= step_min:
                    before = _i32(luma[y, x]) - _i32(luma[y - 1, x])
                    following = _i32(luma[y + 2, x]) - _i32(luma[y + 1, x])
                    if _ALONE * max(abs(before), abs(following)) < abs(step):
                        counts[y & 7] += 1
        common = 0
        for phase in range(_GRID - 1):
            common = max(common, counts[phase])
        edges = 2 * band * width // (_GRID * _STRIDE)
        if edges > 0:
            worst = max(worst, (counts[_GRID - 1] - _COMMON_RATIO * common) / edges)
    return worst


def grid_excess(picture: Picture) -> float:
    """Return how many of 1,000 places on the grid have a step that stands alone, beyond those of any other phase.

    Of the worst band. Whole pictures without loop filter have 0 to 4; most of those decoded from wrong bits, more.
    """
    return 1000.0 * _grid_excess(picture.luma, STEP_LEVELS << (picture.bit_depth - 8))
