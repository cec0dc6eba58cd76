"""The luma pass over the analysis plane: integer sums per tile and per cell, a histogram, and the profiles of bands.
Pure but for the compiler.

It reads the plane's kept rows (engine/kernels/row_sampling.py). `tiles`, shape (PLANES, TILE_ROWS, TILE_COLUMNS),
int64, holds four sums per tile, taken from one row of each strip:

    0 samples  1 Sobel magnitude^2  2 Laplacian^2  3 |Immerkaer|

Derivatives exist only at samples with eight neighbours. `cells`, shape (CELL_ROWS, CELL_COLUMNS), int64, are the sums
of all kept samples on a grid four times as fine as the tiles. `bins` is the histogram of every second sample of the
anchor rows. `rows` (BANDS, rows) and `columns` (BANDS, columns), int32, are the sums of each row in four bands side by
side, and of each column in four bands one above the other. All sums except that of the gradient's magnitude are exact
integers: linear parts fit 16 bits and squares 32, so that the inner loops fill whole vectors; columns are summed first
and folded into tiles once per row of tiles. Sources: Sobel and SI, ITU-T P.910 (10/2023) 7.7; noise, J. Immerkaer, Fast
Noise Variance Estimation, CVIU 64(2), 1996.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS
from engine.kernels.plane import SAMPLE_MAX, AnalysisPlane
from engine.runtime.numba_cache import CACHED

PLANES = 4
SOBEL, LAPLACIAN, NOISE = 1, 2, 3
BINS = SAMPLE_MAX + 1
"""Bins of the histogram, one per quarter level."""
BANDS = 4

_ROWS, _COLUMNS = TILE_ROWS, TILE_COLUMNS
_CELL_ROWS, _CELL_COLUMNS = CELL_ROWS, CELL_COLUMNS
_i16 = np.int16
_i32 = np.int32
_u16 = np.uint16
_f32 = np.float32

_array = types.Array
_SIGNATURE = types.float64(
    _array(types.uint16, 2, "C"),
    types.int64,
    types.int64,
    _array(types.int64, 3, "C"),
    _array(types.int64, 2, "C"),
    _array(types.int64, 1, "C"),
    _array(types.int32, 2, "C"),
    _array(types.int32, 2, "C"),
)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_to_histogram(row: Any, bins: Any) -> None:
    """Add every second sample to four histograms in turn: one alone would wait for its last write in flat areas."""
    eighth = row.shape[0] // 8
    head = row[: 8 * eighth]
    bins0, bins1, bins2, bins3 = bins[0], bins[1], bins[2], bins[3]
    for x in range(eighth):
        bins0[head[8 * x]] += _i32(1)
        bins1[head[8 * x + 2]] += _i32(1)
        bins2[head[8 * x + 4]] += _i32(1)
        bins3[head[8 * x + 6]] += _i32(1)
    for x in range(8 * eighth, row.shape[0], 2):
        bins0[row[x]] += _i32(1)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_row(row: Any, sums: Any) -> None:
    """Add a row to its column sums. 16 bits hold 64 rows of samples; a cell has fewer."""
    for x in range(row.shape[0]):
        sums[x] = _u16(sums[x] + row[x])


@numba.njit(nogil=True, cache=CACHED, inline="never")
def total_of(samples: Any) -> Any:
    """Return the sum of contiguous 16-bit numbers. Only in a function of its own does the loop fill whole vectors."""
    total = _i32(0)
    for x in range(samples.shape[0]):
        total = _i32(total + _i32(samples[x]))
    return total


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _wide_total_of(columns: Any) -> Any:
    """Return the sum of contiguous 32-bit numbers, in 64 bits: a third slower than `total_of`."""
    total = np.int64(0)
    for x in range(columns.shape[0]):
        total += np.int64(columns[x])
    return total


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_to_profile(columns: Any, profile: Any) -> None:
    for x in range(columns.shape[0]):
        profile[x] = _i32(profile[x] + _i32(columns[x]))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _differentiate(up: Any, here: Any, down: Any, sums: Any, magnitude: Any) -> None:
    """Add one row's derivatives to its column sums: squared gradient, squared Laplacian, noise; and the magnitude."""
    n = here.shape[0] - 2
    u0, u1, u2 = up[0:n], up[1 : n + 1], up[2 : n + 2]
    h0, h1, h2 = here[0:n], here[1 : n + 1], here[2 : n + 2]
    d0, d1, d2 = down[0:n], down[1 : n + 1], down[2 : n + 2]
    s0, s1, s2 = sums[0], sums[1], sums[2]
    for x in range(n):
        c = _i16(h1[x])
        left, right, above, below = _i16(h0[x]), _i16(h2[x]), _i16(u1[x]), _i16(d1[x])
        nw, ne, sw, se = _i16(u0[x]), _i16(u2[x]), _i16(d0[x]), _i16(d2[x])
        gx = _i16(_i16(_i16(ne - nw) + _i16(se - sw)) + _i16(_i16(right - left) * _i16(2)))
        gy = _i16(_i16(_i16(sw - nw) + _i16(se - ne)) + _i16(_i16(below - above) * _i16(2)))
        cross = _i16(_i16(left + right) + _i16(above + below))
        laplacian = _i16(cross - _i16(c * _i16(4)))
        corners = _i16(_i16(nw + ne) + _i16(sw + se))
        noise = _i16(corners - _i16(cross + laplacian))
        gradient = _i32(_i32(_i32(gx) * _i32(gx)) + _i32(_i32(gy) * _i32(gy)))
        s0[x] = _i32(s0[x] + gradient)
        s1[x] = _i32(s1[x] + _i32(_i32(laplacian) * _i32(laplacian)))
        s2[x] = _i32(s2[x] + _i32(abs(_i32(noise))))
        magnitude[x] = _f32(magnitude[x] + np.sqrt(_f32(gradient)))


@numba.njit(nogil=True, cache=CACHED)
def _fold_cells(columns: Any, cell_row: int, cells: Any, profiles: Any) -> None:
    """Add the column sums of a complete row of cells to its cells and to the profile of its band, and clear them."""
    width = columns.shape[0]
    for cell in range(_CELL_COLUMNS):
        cells[cell_row, cell] = total_of(columns[cell * width // _CELL_COLUMNS : (cell + 1) * width // _CELL_COLUMNS])
    _add_to_profile(columns, profiles[cell_row * BANDS // _CELL_ROWS])
    columns[:] = 0


@numba.njit(nogil=True, cache=CACHED)
def fold_tiles(accumulators: Any, count: int, tile_row: int, tiles: Any) -> None:
    """Add the column sums of a complete row of tiles to its tiles, and clear them. `count`: rows that were summed."""
    width = accumulators.shape[1] + 2
    for column in range(_COLUMNS):
        begin = max(1, column * width // _COLUMNS) - 1
        end = min(width - 1, (column + 1) * width // _COLUMNS) - 1
        tiles[0, tile_row, column] = (end - begin) * count
        for plane in range(accumulators.shape[0]):
            tiles[1 + plane, tile_row, column] = _wide_total_of(accumulators[plane, begin:end])
    accumulators[:] = 0


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def accumulate(plane: Any, lines: int, step: int, tiles: Any, cells: Any, bins: Any, rows: Any, columns: Any) -> float:
    """Fill the sums and return the sum of the Sobel magnitude. `plane`: the kept rows of `lines`."""
    height, width = plane.shape
    distance = row_sampling.spacing(step)
    counts = np.zeros((4, BINS), np.int32)
    values = np.zeros(width, np.uint16)
    accumulators = np.zeros((PLANES - 1, width - 2), np.int32)
    magnitude = np.zeros(width - 2, np.float32)
    total = 0.0
    cell = tile = used = 0
    cell_end, tile_end = (
        row_sampling.kept_count(lines // _CELL_ROWS, step),
        row_sampling.kept_count(lines // _ROWS, step),
    )
    for y in range(height):
        row = plane[y]
        if y % distance == 0:
            _add_to_histogram(row, counts)
        _add_row(row, values)
        for band in range(BANDS):
            rows[band, y] = total_of(row[band * width // BANDS : (band + 1) * width // BANDS])
        if y % distance == distance - 1 and 1 <= y < height - 1:
            _differentiate(plane[y - 1], row, plane[y + 1], accumulators, magnitude)
            used += 1
        if y + 1 == cell_end:
            _fold_cells(values, cell, cells, columns)
            cell += 1
            cell_end = row_sampling.kept_count((cell + 1) * lines // _CELL_ROWS, step)
        if y + 1 == tile_end:
            fold_tiles(accumulators, used, tile, tiles)
            for x in range(width - 2):
                total += magnitude[x]
            magnitude[:] = 0
            tile += 1
            tile_end = row_sampling.kept_count((tile + 1) * lines // _ROWS, step)
            used = 0
    for index in range(BINS):
        bins[index] += counts[0, index] + counts[1, index] + counts[2, index] + counts[3, index]
    return total


@dataclass(frozen=True, slots=True)
class LumaSums:
    """The sums of the pass, as described above. `bins`: shape (BINS,). `magnitude`: sum of the Sobel magnitude."""

    tiles: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    bins: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    magnitude: float


def measure(plane: AnalysisPlane) -> LumaSums:
    """Run the pass over an analysis plane of at least 32 x 64 samples."""
    height, width = plane.samples.shape
    tiles = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    cells = np.zeros((CELL_ROWS, CELL_COLUMNS), np.int64)
    bins = np.zeros(BINS, np.int64)
    rows = np.empty((BANDS, height), np.int32)
    columns = np.zeros((BANDS, width), np.int32)
    magnitude = accumulate(plane.samples, plane.lines, plane.step, tiles, cells, bins, rows, columns)
    return LumaSums(tiles, cells, bins, rows, columns, float(magnitude))
