"""The slope pass: per tile, how steep the picture is across, down, and along its diagonals. Pure but for the compiler.

The mean squares of the slopes across and down and the mean of their product are a tile's structure tensor: the energy
of its slopes in every direction follows from them. It is taken from every third strip of the inner rows of tiles
(engine/kernels/row_sampling.py), where no clock and no name are burnt in.

`sums`, int64, shape (4, TILE_ROWS, TILE_COLUMNS): samples, Sobel x^2, Sobel y^2, Sobel x y. Source: J. Bigun and
G. Granlund, Optimal orientation detection of linear symmetry, ICCV 1987.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.edges import INNER_TILE_ROWS
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.luma import fold_tiles
from engine.kernels.plane import AnalysisPlane
from engine.runtime.numba_cache import CACHED

PLANES = 4
SAMPLES, ACROSS, DOWN, PRODUCT = range(PLANES)
STRIP_SAMPLING = 3
"""Every so many-th strip is read."""

_ROWS = TILE_ROWS
_i16 = np.int16
_i32 = np.int32

_SIGNATURE = types.void(
    types.Array(types.uint16, 2, "C"), types.int64, types.int64, types.Array(types.int64, 3, "C")
)  # fmt: skip


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_slopes(up: Any, here: Any, down: Any, sums: Any) -> None:
    """Add one row's products of slopes to its column sums. In 32 bits: a tile has at most 64 rows."""
    n = here.shape[0] - 2
    u0, u1, u2 = up[0:n], up[1 : n + 1], up[2 : n + 2]
    h0, h2 = here[0:n], here[2 : n + 2]
    d0, d1, d2 = down[0:n], down[1 : n + 1], down[2 : n + 2]
    s0, s1, s2 = sums[0], sums[1], sums[2]
    for x in range(n):
        nw, ne, sw, se = _i16(u0[x]), _i16(u2[x]), _i16(d0[x]), _i16(d2[x])
        right_left, below_above = _i16(_i16(h2[x]) - _i16(h0[x])), _i16(_i16(d1[x]) - _i16(u1[x]))
        gx = _i16(_i16(_i16(ne - nw) + _i16(se - sw)) + _i16(right_left * _i16(2)))
        gy = _i16(_i16(_i16(sw - nw) + _i16(se - ne)) + _i16(below_above * _i16(2)))
        s0[x] = _i32(s0[x] + _i32(_i32(gx) * _i32(gx)))
        s1[x] = _i32(s1[x] + _i32(_i32(gy) * _i32(gy)))
        s2[x] = _i32(s2[x] + _i32(_i32(gx) * _i32(gy)))


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def accumulate(plane: Any, lines: int, step: int, sums: Any) -> None:
    """Fill `sums`, zero outside the inner rows of tiles. `plane`: the kept rows of `lines`."""
    height, width = plane.shape
    distance = row_sampling.spacing(step)
    columns = np.zeros((3, width - 2), np.int32)
    for tile in range(INNER_TILE_ROWS[0], INNER_TILE_ROWS[1]):
        top = row_sampling.kept_count(tile * lines // _ROWS, step)
        end = min(height - 1, row_sampling.kept_count((tile + 1) * lines // _ROWS, step))
        strip = -(-(top - distance + 1) // distance)
        strip += -strip % STRIP_SAMPLING
        count = 0
        for y in range(strip * distance + distance - 1, end, STRIP_SAMPLING * distance):
            _add_slopes(plane[y - 1], plane[y], plane[y + 1], columns)
            count += 1
        fold_tiles(columns, count, tile, sums)


def measure(plane: AnalysisPlane) -> dict[str, npt.NDArray[np.int64]]:
    """Run the pass over an analysis plane of at least 32 x 64 samples."""
    sums = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    accumulate(plane.samples, plane.lines, plane.step, sums)
    return {"slopes": sums}
