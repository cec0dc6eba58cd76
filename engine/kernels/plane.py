"""Makes the analysis plane: a picture's luma, area averaged to about 540 lines, in 10-bit samples (quarter levels).
Pure but for the compiler.

Every pass except the chroma pass reads this plane and not the picture, so that apart from this one reading a 4K camera
costs as much as a D1 camera. Only the lines that a pass needs are made (engine/kernels/row_sampling.py).
"""

from typing import Any, NamedTuple, cast

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.grid import TILE_COLUMNS, Factor, factor
from engine.model.picture import LumaPlane, Picture
from engine.runtime.numba_cache import CACHED

SAMPLE_MAX = 1023
UNITS_PER_LEVEL = 4
COLUMNS_MIN = 4 * TILE_COLUMNS

_i32 = np.int32
_u16 = np.uint16
_f32 = np.float32


class AnalysisPlane(NamedTuple):
    """`samples`: uint16, 0..SAMPLE_MAX, shape (number of kept rows of `lines`, columns)."""

    samples: npt.NDArray[np.uint16]
    lines: int

    @property
    def step(self) -> int:
        """Lines from the anchor of one strip to the next anchor."""
        return row_sampling.step_of(self.lines, self.samples.shape[1])


def _signature(sample: Any) -> Any:
    samples = types.Array(sample, 1, "C", readonly=True)
    return types.void(samples, *[types.int64] * 8, types.Array(types.uint16, 2, "C"))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _average_2x2(upper: Any, lower: Any, out: Any) -> None:
    """Average two rows into one of half the width: the sum of four 8-bit samples is their mean in quarter levels."""
    for x in range(out.shape[0]):
        out[x] = _u16(_u16(upper[2 * x]) + _u16(upper[2 * x + 1]) + _u16(lower[2 * x]) + _u16(lower[2 * x + 1]))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _copy_row(row: Any, out: Any) -> None:
    for x in range(out.shape[0]):
        out[x] = _u16(_u16(row[x]) << 2)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_weighted(row: Any, weight: int, line: Any) -> None:
    for x in range(line.shape[0]):
        line[x] = _i32(line[x] + _i32(weight * _i32(row[x])))


@numba.njit(nogil=True, cache=CACHED)
def _weighted_sum(line: Any, x: int, over: int, under: int) -> int:
    """Return the weighted sum of the input columns under output column `x`."""
    low, high = x * over, (x + 1) * over
    total = 0
    for i in range(low // under, (high + under - 1) // under):
        total += (min(high, (i + 1) * under) - max(low, i * under)) * line[i]
    return total


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_strided(line: Any, over: int, weight: Any, under: int, count: int, sums: Any) -> None:
    """Add every `over`-th sum of a line, `weight` times, to every `under`-th of `sums`."""
    for group in range(count):
        sums[group * under] += _i32(weight * line[group * over])


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _sum_fours(line: Any, sums: Any) -> None:
    """Write the sums of four input columns each, as 4K is shrunk: four times as fast as by strides."""
    for x in range(sums.shape[0]):
        sums[x] = _i32(_i32(line[4 * x] + line[4 * x + 1]) + _i32(line[4 * x + 2] + line[4 * x + 3]))


@numba.njit(nogil=True, cache=CACHED)
def _sum_columns(line: Any, over: int, under: int, sums: Any) -> None:
    """Write the weighted sum of the input columns under each output column to `sums`.

    Weights repeat after `under` output columns: one loop for each of them is several times as fast as one for each
    column.
    """
    if over == 4 and under == 1:
        _sum_fours(line, sums)
        return
    count = sums.shape[0] // under
    sums[:] = 0
    for column in range(under):
        low, high = column * over, (column + 1) * over
        for i in range(low // under, (high + under - 1) // under):
            weight = _i32(min(high, (i + 1) * under) - max(low, i * under))
            _add_strided(line[i:], over, weight, under, count, sums[column:])
    for column in range(count * under, sums.shape[0]):
        sums[column] = _weighted_sum(line, column, over, under)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _round(sums: Any, scale: float, out: Any) -> None:
    """Scale sums to samples, rounded half up."""
    half = _f32(0.5)
    top = _f32(SAMPLE_MAX)  # 16-bit white rounds up, and a stray high bit must stay within the histogram
    for x in range(out.shape[0]):
        out[x] = _u16(min(_f32(sums[x]) * scale + half, top))


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _weigh_rows(upper: Any, lower: Any, upper_weight: Any, lower_weight: Any, line: Any) -> None:
    """Write the weighted sum of two rows of 8 bits. Weights of 4 in all: 16 bits hold that and the four columns."""
    for x in range(line.shape[0]):
        line[x] = _u16(_u16(upper[x]) * upper_weight + _u16(lower[x]) * lower_weight)


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _average_thirds(line: Any, out: Any) -> None:
    """Average four columns of such sums into three; 16 weights to a sample of four units, rounded half up."""
    half, four = _u16(2), _u16(4)
    whole = out.shape[0] // 3
    for group in range(whole):
        a, b, c, d = line[4 * group], line[4 * group + 1], line[4 * group + 2], line[4 * group + 3]
        out[3 * group] = _u16(_u16(_u16(a + a) + _u16(a + b)) + half) // four
        out[3 * group + 1] = _u16(_u16(_u16(b + c) + _u16(b + c)) + half) // four
        out[3 * group + 2] = _u16(_u16(_u16(d + d) + _u16(c + d)) + half) // four
    for x in range(3 * whole, out.shape[0]):
        out[x] = _u16((_weighted_sum(line, x, 4, 3) + 2) // 4)


@numba.njit(nogil=True, cache=CACHED)
def _shrink_to_three_quarters(samples: Any, stride: int, width: int, step: int, out: Any) -> None:
    """Shrink 8-bit samples to 3/4 in both directions, as 720p is: in integers, several times as fast as otherwise."""
    line = np.empty(width, np.uint16)
    for row in range(out.shape[0]):
        y = row_sampling.line_of(row, step)
        first = 4 * y // 3
        weight: Any = _u16(3 * (first + 1) - 4 * y)
        start = first * stride
        below = start + stride
        _weigh_rows(samples[start : start + width], samples[below : below + width], weight, _u16(4 - weight), line)
        _average_thirds(line, out[row])


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def shrink(
    samples: Any, stride: int, width: int, over_x: int, under_x: int, over_y: int, under_y: int, shift: int, step: int,
    out: Any,
) -> None:  # fmt: skip
    """Area average the kept rows into `out`, in integers. `shift`: 10 less the input's bits per sample.

    Input row i covers [i * under, (i + 1) * under) of a ruler on which output row y covers [y * over, (y + 1) * over).
    """
    rows = out.shape[0]
    if shift == 2 and over_x == 2 and over_y == 2 and under_x == 1 and under_y == 1:
        for row in range(rows):
            start = 2 * row_sampling.line_of(row, step) * stride
            _average_2x2(samples[start : start + width], samples[start + stride : start + stride + width], out[row])
        return
    if shift == 2 and over_x == under_x and over_y == under_y:
        for row in range(rows):
            start = row_sampling.line_of(row, step) * stride
            _copy_row(samples[start : start + width], out[row])
        return
    if shift == 2 and over_x == 4 and over_y == 4 and under_x == 3 and under_y == 3:
        _shrink_to_three_quarters(samples, stride, width, step, out)
        return
    scale: Any = _f32(4.0) / _f32(over_x * over_y)
    if shift != 2:
        scale = scale * _f32(0.25) * _f32(2.0) ** _f32(shift)
    line, sums = np.zeros(width, np.int32), np.empty(out.shape[1], np.int32)
    for row in range(rows):
        line[:] = 0
        y = row_sampling.line_of(row, step)
        low, high = y * over_y, (y + 1) * over_y
        for i in range(low // under_y, (high + under_y - 1) // under_y):
            weight: Any = _i32(min(high, (i + 1) * under_y) - max(low, i * under_y))
            _add_weighted(samples[i * stride : i * stride + width], weight, line)
        if over_x == 1:
            _round(line, scale, out[row])
            continue
        _sum_columns(line, over_x, under_x, sums)
        _round(sums, scale, out[row])


def factors(rows: int, columns: int, height: int, view_lines: int = 0) -> tuple[Factor, Factor]:
    """Return the horizontal and vertical factor for luma of `rows` x `columns` in a picture of `height` lines.

    They differ for a field, which has half the lines at full width. `view_lines`: see Picture.
    """
    view_lines = view_lines or height
    across = factor(view_lines)
    if across.length(columns) < COLUMNS_MIN:
        # A tall strip would be left without a column for each tile; it keeps more of its width instead.
        across = Factor(max(1, columns // COLUMNS_MIN), 1)
    return across, factor(view_lines * rows // height)


def analysis_plane(picture: Picture) -> AnalysisPlane:
    """Return the analysis plane of a picture, shrunk by `factors`. `picture.luma`: rows contiguous, line padding
    allowed."""
    luma = picture.luma
    rows, width = luma.shape
    across, down = factors(rows, width, picture.height, picture.view_lines)
    stride = luma.strides[0] // luma.itemsize
    lines, columns = down.length(rows), across.length(width)
    step = row_sampling.step_of(lines, columns)
    out = np.empty((row_sampling.kept_count(lines, step), columns), np.uint16)
    flat = flattened(luma, (rows - 1) * stride + width)
    shrink(flat, stride, width, across.over, across.under, down.over, down.under, 10 - picture.bit_depth, step, out)
    return AnalysisPlane(out, lines)


def flattened(plane: LumaPlane, span: int) -> LumaPlane:
    """Return the plane's memory as one row of `span` samples, without copying: Numba vectorises only over that.

    `span`: from the plane's first sample to its last, line padding included.
    """
    if plane.flags.c_contiguous:
        return plane.reshape(-1)
    flat = np.lib.stride_tricks.as_strided(plane, (span,), (plane.itemsize,), writeable=False)
    return cast(LumaPlane, flat)
