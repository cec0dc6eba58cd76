"""The one pass over luma. Reads every sample once, writes integer sums per tile and a histogram.

Inside, samples are 10-bit (quarter levels), so that every product of the derivatives below fits 32 bits and the inner
loop fills whole vectors; columns are summed first and folded into tiles once a tile row. All sums but that of the
gradient's magnitude are exact integers. Row `k` of `sums` (shape (PLANES, TILE_ROWS, TILE_COLUMNS), int64):

    0 samples  1 value  2 value^2  3 Sobel magnitude^2  4 Laplacian^2  5 |Immerkaer|
    6 second difference along x^2  7 along y^2  8 central difference along x^2  9 along y^2

Derivatives exist at samples with eight neighbours only, and the planes count those alone. Sources: Sobel and SI,
ITU-T P.910 (10/2023) 7.7; noise, J. Immerkaer, Fast Noise Variance Estimation, CVIU 64(2), 1996.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels.cache import CACHED
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS, Factor, factor
from engine.types import Picture

PLANES = 10
VALUE, SQUARE, SOBEL, LAPLACIAN, NOISE, SECOND, CENTRAL = 1, 2, 3, 4, 5, 6, 8
"""Where to find them; of the two differences, x comes first."""
COUNT_STEP = 2
"""Of the histogram every COUNT_STEP-th row is counted: counting is the one step that no vector unit helps."""
COLUMNS_MIN = 4 * TILE_COLUMNS
VALUE, SQUARE, SOBEL, LAPLACIAN, NOISE, SECOND, CENTRAL = 1, 2, 3, 4, 5, 6, 8
"""Where to find them; the planes of the two differences begin at SECOND and CENTRAL."""
BINS = 1024
"""Of the histogram: one a quarter level."""

_ROWS, _COLUMNS = TILE_ROWS, TILE_COLUMNS
_ACCUMULATORS = PLANES - 1
_i32 = np.int32
_u16 = np.uint16
_f32 = np.float32


def _signature(sample: Any) -> Any:
    plane = types.Array(sample, 1, "C", readonly=True)
    counts = types.Array(types.int64, 1, "C")
    return types.float64(plane, *[types.int64] * 8, types.Array(types.int64, 3, "C"), counts)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _shrink(
    samples: Any, first: int, stride: int, width: int, y: int, over_x: int, under_x: int, over_y: int, under_y: int,
    shift: int, line: Any, out: Any,
) -> None:  # fmt: skip
    """Row `y` of the scaled picture, 10-bit, rounded half up."""
    columns = out.shape[0]
    if shift == 2 and over_x == 1 and over_y == 1:
        row = samples[first + y * stride : first + y * stride + width]
        for x in range(columns):
            out[x] = _u16(_u16(row[x]) << 2)
        return
    if shift == 2 and over_x == 2 and over_y == 2 and under_x == 1 and under_y == 1:
        start = first + 2 * y * stride
        one = samples[start : start + width]
        two = samples[start + stride : start + stride + width]
        for x in range(columns):
            out[x] = _u16(_u16(one[2 * x]) + _u16(one[2 * x + 1]) + _u16(two[2 * x]) + _u16(two[2 * x + 1]))
        return
    # Area average in whole numbers: input row i covers [i * under, (i + 1) * under) of a ruler on which output row y
    # covers [y * over, (y + 1) * over).
    line[:] = 0
    low, high = y * over_y, (y + 1) * over_y
    for i in range(low // under_y, (high + under_y - 1) // under_y):
        weight = _i32(min(high, (i + 1) * under_y) - max(low, i * under_y))
        row = samples[first + i * stride : first + i * stride + width]
        for x in range(width):
            line[x] = _i32(line[x] + _i32(weight * _i32(row[x])))
    scale = _f32(4.0) / _f32(over_x * over_y)
    if shift != 2:
        scale = scale * _f32(0.25) * _f32(2.0) ** _f32(shift)
    half = _f32(0.5)
    top = _f32(BINS - 1)  # 16-bit white rounds up, and a stray high bit must not leave the histogram
    if over_x == 1:
        for x in range(columns):
            out[x] = _u16(min(_f32(line[x]) * scale + half, top))
    elif over_x == 4 and under_x == 3:
        for group in range(columns // 3):
            a, b, c, d = line[4 * group], line[4 * group + 1], line[4 * group + 2], line[4 * group + 3]
            out[3 * group] = _u16(min(_f32(3 * a + b) * scale + half, top))
            out[3 * group + 1] = _u16(min(_f32(2 * b + 2 * c) * scale + half, top))
            out[3 * group + 2] = _u16(min(_f32(c + 3 * d) * scale + half, top))
        for x in range(columns // 3 * 3, columns):
            out[x] = _u16(min(_f32(_span(line, x, over_x, under_x)) * scale + half, top))
    else:
        for x in range(columns):
            out[x] = _u16(min(_f32(_span(line, x, over_x, under_x)) * scale + half, top))


@numba.njit(nogil=True, cache=CACHED)
def _span(line: Any, x: int, over: int, under: int) -> int:
    """The weighted sum of the input columns under output column `x`."""
    low, high = x * over, (x + 1) * over
    total = 0
    for i in range(low // under, (high + under - 1) // under):
        total += (min(high, (i + 1) * under) - max(low, i * under)) * line[i]
    return total


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _count(row: Any, bins: Any) -> None:
    """Add a row to four histograms in turn: one alone would wait for its own last write in flat areas."""
    quarter = row.shape[0] // 4
    head = row[: 4 * quarter]
    one, two, three, four = bins[0], bins[1], bins[2], bins[3]
    for x in range(quarter):
        one[head[4 * x]] += _i32(1)
        two[head[4 * x + 1]] += _i32(1)
        three[head[4 * x + 2]] += _i32(1)
        four[head[4 * x + 3]] += _i32(1)
    for x in range(4 * quarter, row.shape[0]):
        one[row[x]] += _i32(1)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _differentiate(up: Any, here: Any, down: Any, sums: Any, magnitude: Any) -> None:
    """Add one row's derivatives to the sums of its columns."""
    n = here.shape[0] - 2
    u0, u1, u2 = up[0:n], up[1 : n + 1], up[2 : n + 2]
    h0, h1, h2 = here[0:n], here[1 : n + 1], here[2 : n + 2]
    d0, d1, d2 = down[0:n], down[1 : n + 1], down[2 : n + 2]
    s0, s1, s2, s3, s4 = sums[0], sums[1], sums[2], sums[3], sums[4]
    for x in range(n):
        c = _i32(h1[x])
        left, right, above, below = _i32(h0[x]), _i32(h2[x]), _i32(u1[x]), _i32(d1[x])
        nw, ne, sw, se = _i32(u0[x]), _i32(u2[x]), _i32(d0[x]), _i32(d2[x])
        gx = _i32(_i32(_i32(ne + se) - _i32(nw + sw)) + _i32(_i32(right - left) << _i32(1)))
        gy = _i32(_i32(_i32(sw + se) - _i32(nw + ne)) + _i32(_i32(below - above) << _i32(1)))
        cross = _i32(_i32(left + right) + _i32(above + below))
        laplacian = _i32(cross - _i32(c << _i32(2)))
        corners = _i32(_i32(nw + ne) + _i32(sw + se))
        noise = _i32(_i32(corners - _i32(cross + cross)) + _i32(c << _i32(2)))
        gradient = _i32(_i32(gx * gx) + _i32(gy * gy))
        s0[x] = _i32(s0[x] + c)
        s1[x] = _i32(s1[x] + _i32(c * c))
        s2[x] = _i32(s2[x] + gradient)
        s3[x] = _i32(s3[x] + _i32(laplacian * laplacian))
        s4[x] = _i32(s4[x] + _i32(abs(noise)))
        magnitude[x] = _f32(magnitude[x] + np.sqrt(_f32(gradient)))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _follow(up: Any, here: Any, down: Any, sums: Any) -> None:
    """Add one row's differences along x and y. A loop of its own: one over all sums is no longer vectorised."""
    n = here.shape[0] - 2
    u, d = up[1 : n + 1], down[1 : n + 1]
    h0, h1, h2 = here[0:n], here[1 : n + 1], here[2 : n + 2]
    s0, s1, s2, s3 = sums[0], sums[1], sums[2], sums[3]
    for x in range(n):
        twice = _i32(_i32(h1[x]) << _i32(1))
        left, right, above, below = _i32(h0[x]), _i32(h2[x]), _i32(u[x]), _i32(d[x])
        xx, yy = _i32(_i32(left + right) - twice), _i32(_i32(above + below) - twice)
        across, along = _i32(right - left), _i32(below - above)
        s0[x] = _i32(s0[x] + _i32(xx * xx))
        s1[x] = _i32(s1[x] + _i32(yy * yy))
        s2[x] = _i32(s2[x] + _i32(across * across))
        s3[x] = _i32(s3[x] + _i32(along * along))


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def _measure(
    samples: Any, stride: int, rows: int, width: int, over_x: int, under_x: int, over_y: int, under_y: int, shift: int,
    sums: Any, bins: Any,
) -> float:  # fmt: skip
    """Fill `sums` and `bins`; returns the sum of the Sobel magnitude."""
    height = rows * under_y // over_y
    columns = width * under_x // over_x
    ring = np.zeros((3, columns), np.uint16)
    line = np.zeros(width, np.int32)
    counts = np.zeros((4, BINS), np.int32)
    accumulators = np.zeros((_ACCUMULATORS, columns - 2), np.int32)
    magnitude = np.zeros(columns - 2, np.float32)
    total = 0.0
    tile = 0
    for y in range(height):
        row = ring[y % 3]
        _shrink(samples, 0, stride, width, y, over_x, under_x, over_y, under_y, shift, line, row)
        if y % COUNT_STEP == 0:
            _count(row, counts)
        if y < 2:
            continue
        _differentiate(ring[(y - 2) % 3], ring[(y - 1) % 3], row, accumulators, magnitude)
        _follow(ring[(y - 2) % 3], ring[(y - 1) % 3], row, accumulators[SECOND - 1 :])
        # Sample row y - 1 is done; fold when it was the last of its tiles.
        if y == height - 1 or y == (tile + 1) * height // _ROWS:
            first = max(1, tile * height // _ROWS)
            for column in range(_COLUMNS):
                begin = max(1, column * columns // _COLUMNS) - 1
                end = min(columns - 1, (column + 1) * columns // _COLUMNS) - 1
                sums[0, tile, column] += (end - begin) * (y - first)
                for plane in range(_ACCUMULATORS):
                    folded = 0
                    for x in range(begin, end):
                        folded += accumulators[plane, x]
                    sums[1 + plane, tile, column] += folded
            for x in range(columns - 2):
                total += magnitude[x]
            accumulators[:] = 0
            magnitude[:] = 0
            tile = min(tile + 1, _ROWS - 1)
    for index in range(BINS):
        bins[index] += counts[0, index] + counts[1, index] + counts[2, index] + counts[3, index]
    return total


class LumaSums:
    """What the pass gives: `sums` as above, `bins` (BINS,) int64, `magnitude` the sum of the Sobel magnitude."""

    __slots__ = ("bins", "magnitude", "sums")

    def __init__(self, sums: npt.NDArray[np.int64], bins: npt.NDArray[np.int64], magnitude: float) -> None:
        self.sums = sums
        self.bins = bins
        self.magnitude = magnitude


def factors(picture: Picture) -> tuple[Factor, Factor]:
    """Horizontal and vertical. A field has half the lines at full width, so each side has its own."""
    rows, columns = picture.luma.shape
    across = factor(picture.height)
    if across.length(columns) < COLUMNS_MIN:
        # A tall strip would be left without a column for each tile; it keeps more of its width instead.
        across = Factor(max(1, columns // COLUMNS_MIN), 1)
    return across, factor(rows)


def measure(picture: Picture) -> LumaSums:
    """Run the pass over `picture.luma`: at least 32 x 32 samples, rows contiguous, line padding allowed."""
    luma = picture.luma
    rows, width = luma.shape
    across, down = factors(picture)
    stride = luma.strides[0] // luma.itemsize
    # Numba vectorises over flat contiguous memory only; this view adds nothing to what the plane spans.
    flat = np.lib.stride_tricks.as_strided(luma, ((rows - 1) * stride + width,), (luma.itemsize,), writeable=False)
    sums = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    bins = np.zeros(BINS, np.int64)
    shift = 10 - picture.bit_depth
    magnitude = _measure(
        flat, stride, rows, width, across.over, across.under, down.over, down.under, shift, sums, bins
    )  # fmt: skip
    return LumaSums(sums, bins, float(magnitude))
