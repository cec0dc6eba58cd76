"""Computes a picture's figures and scores: levels of a full-range 8-bit scale, per picture and per tile. Pure but for
the compiler.

All passes and everything computed from their sums run in one compiled call. Between two pictures the decoder evicts our
code from the CPU caches, and loading a piece of code back costs more than running it, Python code most of all. The
meaning of each figure is in engine/kernels/registry.py; its definition in plain NumPy is in engine/kernels/reference.py
and in the modules of the scores.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import chroma, edges, luma, pattern, plane, row_sampling, slopes, summary
from engine.kernels.exposure import LOST_HIGH, LOST_LOW, count_clipped, exposure, lost_share, shade_level
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS
from engine.kernels.layout import masks
from engine.kernels.occlusion import occlusion
from engine.kernels.sharpness import sharpness
from engine.kernels.summary import TILES
from engine.model.measurement import Scores
from engine.model.picture import LumaPlane, Picture
from engine.runtime.numba_cache import CACHED

NOISE_CORRECTION = 1.0
"""Share of the measured noise that is subtracted from energies and edges; 0 is the bug that bench.accuracy plants."""
UNITS_PER_LEVEL = 128
"""Units per level of the cells' mean levels."""
EDGE_LEVELS_MIN, EDGE_NOISE_MIN = 12.0, 6.0
"""Smallest height of an edge, in levels and in multiples of the noise."""
PERCENTILES = tuple(round(100 * share) for share in summary.SHARES)
NAMES = (
    "luma_mean", "luma_std", "luma_min", "luma_max", "clipped_dark_share", "clipped_bright_share",
    *(f"luma_p{share}" for share in PERCENTILES),
    "laplacian_energy", "laplacian_corrected", "gradient_energy", "spatial_information", "noise_sigma",
    "noise_floor", "tile_luma_std", "flat_share", "structureless_share", "row_pattern", "column_pattern", "edge_tiles",
    "lost_highlights", "lost_shadows", "shade_level", "gradient_across", "gradient_down", "gradient_product",
    "masked_share", "acutance", "chroma_u_mean", "chroma_v_mean",
    "chroma_std",
)  # fmt: skip
"""The figures in the order in which the compiled call returns them; those of _OPTIONAL are left out if they are nan."""
_LIMITED_BLACK, _LIMITED_SPAN, _LIMITED_COLOUR_SPAN = 16.0, 219.0, 224.0
_STEP_NOISE = 0.5
"""What noise adds to the steepest step of an edge, in standard deviations, as the largest of three neighbours is taken.
"""
_OPTIONAL = ("masked_share", "acutance", "chroma_u_mean", "chroma_v_mean", "chroma_std")
LUMA, STRUCTURE, ACUTANCE, U, V = 0, 1, 2, 4, 5
"""Rows of `Figures.grids`; the acutance has two rows: edges crossed by x, then those crossed by y."""
_GRIDS = 6
_DETAIL = 6 + len(PERCENTILES)
_COLOUR = len(NAMES) - 3
_SCORES = len(NAMES)
"""Index after the figures: sharpness, exposure and occlusion follow them."""
_MEAN, _DARK, _BRIGHT, _SHADOW, _HIGHLIGHT, _SPREAD, _STRUCTURELESS, _ACUTANCE, _MASKED, _LOST = (
    NAMES.index(name)
    for name in (
        "luma_mean", "clipped_dark_share", "clipped_bright_share", "luma_p5", "luma_p95", "tile_luma_std",
        "structureless_share", "acutance", "masked_share", "lost_highlights",
    )
)  # fmt: skip


class Figures(NamedTuple):
    """All raw figures of one picture, and its scores.

    `named`: by the names of the registry. `grids`: float32 (6, TILE_ROWS, TILE_COLUMNS), row-major from the top left:
    mean level, noise-corrected gradient energy, acutance of the edges crossed by x and by y (nan where too few), mean U
    and V around neutral. `cells`: uint16, CELL_ROWS x CELL_COLUMNS row by row, mean levels in 1/UNITS_PER_LEVEL.
    `masked`: bool, shape (TILE_ROWS, TILE_COLUMNS): tiles that a privacy mask covers; None if there are none.
    """

    named: dict[str, float]
    scores: Scores
    grids: npt.NDArray[np.float32]
    cells: npt.NDArray[np.uint16]
    masked: npt.NDArray[np.bool_] | None


def _signature(sample: Any) -> Any:
    samples = types.Array(sample, 1, "C", readonly=True)
    return types.void(
        samples, *[types.int64] * 7, types.boolean, *[types.int64] * 3, samples, samples, *[types.int64] * 4,
        types.float64, types.Array(types.float64, 1, "C"), types.Array(types.float32, 3, "C"),
        types.Array(types.uint16, 1, "C"), types.Array(types.boolean, 1, "C"),
    )  # fmt: skip


@numba.njit(nogil=True, cache=CACHED)
def _segments(columns: int) -> Any:
    """Return the borders of the parts in which a pattern is searched for, along `columns` rows or columns."""
    borders = np.empty(pattern.SEGMENTS + 1, np.int64)
    for index in range(pattern.SEGMENTS + 1):
        borders[index] = index * columns // pattern.SEGMENTS
    return borders


@numba.njit(nogil=True, cache=CACHED)
def _measure_chroma(
    samples: Any, stride: int, step: int, rows: int, columns: int, unit: float, gain: float, grid: Any
) -> Any:  # fmt: skip
    """Write the mean of each tile to `grid`; return the picture's mean and the variance of its samples, in levels."""
    sums = np.zeros((2, TILE_ROWS, TILE_COLUMNS), np.int64)
    count, squares = chroma.accumulate(samples, stride, step, rows, columns, sums)
    total = 0
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        grid[tile] = (sums[1, row, column] / sums[0, row, column] / unit - 128.0) * gain
        total += sums[1, row, column]
    mean = total / count
    return (mean / unit - 128.0) * gain, (squares / count - mean * mean) / unit**2 * gain**2


@numba.njit(nogil=True, cache=CACHED)
def _find_masks(shrunk: Any, lines: int, step: int, flat: Any, bins: Any, masked: Any, beside: Any) -> float:
    """Mark the tiles that masks cover in `masked`, and those whose edges may be a mask's in `beside`; take the samples
    in masks out of the histogram. Returns the share of the picture that is masked, nan if nothing is."""
    samples, in_masks = np.zeros(TILES, np.int64), np.zeros(TILES, np.int64)
    mask_bins = np.zeros(luma.BINS, np.int64)
    share: float = masks.accumulate(shrunk, lines, step, flat, samples, in_masks, mask_bins)
    if share <= 0.0 or not masks.unmeasured(samples, in_masks, masked, beside):
        return np.nan
    for index in range(luma.BINS):
        bins[index] -= mask_bins[index]
    return share


@numba.njit([_signature(types.uint8), _signature(types.uint16)], nogil=True, cache=CACHED)
def _measure(
    samples: Any, stride: int, width: int, over_x: int, under_x: int, over_y: int, under_y: int, depth: int,
    full_range: bool, lines: int, step: int, columns: int, u: Any, v: Any, colour_stride: int, colour_step: int,
    colour_rows: int, colour_columns: int, noise_correction: float, values: Any, tile_grids: Any, cells_out: Any,
    masked: Any,
) -> None:  # fmt: skip
    """Run all passes; write the figures and scores to `values`, the tiles to `tile_grids`, the cells to `cells_out`,
    and which tiles are masked to `masked`."""
    black, gain, colour_gain = 0.0, 1.0, 1.0
    if not full_range:
        black, gain, colour_gain = _LIMITED_BLACK, 255.0 / _LIMITED_SPAN, 255.0 / _LIMITED_COLOUR_SPAN
    unit = 2.0 ** (depth - 8)
    grids = tile_grids.reshape((_GRIDS, TILES))
    height = row_sampling.kept_count(lines, step)
    shrunk = np.empty((height, columns), np.uint16)
    plane.shrink(samples, stride, width, over_x, under_x, over_y, under_y, 10 - depth, step, shrunk)
    sums = np.zeros((luma.PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    cell_sums = np.zeros((CELL_ROWS, CELL_COLUMNS), np.int64)
    bins = np.zeros(luma.BINS, np.int64)
    row_profile = np.empty((luma.BANDS, height), np.int32)
    column_profile = np.zeros((luma.BANDS, columns), np.int32)
    magnitude = luma.accumulate(shrunk, lines, step, sums, cell_sums, bins, row_profile, column_profile)
    scale = gain / plane.UNITS_PER_LEVEL
    levels = np.empty(TILES)
    summary.cell_levels(cell_sums, lines, step, columns, scale, black * gain, UNITS_PER_LEVEL, cells_out, levels)
    noise, raw, grain = np.empty(TILES), np.empty(TILES), np.empty(TILES)
    summary.tile_slopes(sums, scale, raw, noise)
    flat, beside = np.empty(TILES, np.bool_), np.zeros(TILES, np.bool_)
    flat_share = summary.mark_flat(raw, levels, flat)
    masked[:] = False
    values[_MASKED] = _find_masks(shrunk, lines, step, flat, bins, masked, beside) if flat_share > 0.0 else np.nan
    summary.level_statistics(bins, gain, black, values)
    floor = summary.noise_floor(noise, masked)
    summary.tile_grain(noise, floor, grain)
    gradient = np.empty(TILES)
    for tile in range(TILES):
        gradient[tile] = max(0.0, raw[tile] - noise_correction * grain[tile])
        grids[LUMA, tile] = levels[tile]
        grids[STRUCTURE, tile] = gradient[tile]
    summary.detail_energies(sums, magnitude, scale, masked, values[_DETAIL:])
    values[_DETAIL + 5] = floor
    values[_DETAIL + 6] = summary.level_spread(levels, masked)
    values[_DETAIL + 7] = flat_share
    values[_DETAIL + 8] = summary.structureless_share(levels, gradient, grain, summary.STRUCTURE_MIN, masked)
    values[_DETAIL + 9] = pattern.shared_deviation(row_profile, _segments(height), columns) * scale
    values[_DETAIL + 10] = pattern.shared_deviation(column_profile, _segments(columns), height) * scale
    edge_sums = np.zeros((3, 2, TILE_ROWS, TILE_COLUMNS), np.int64)
    height_min = max(EDGE_LEVELS_MIN, EDGE_NOISE_MIN * floor * noise_correction) / scale
    edges.accumulate(shrunk, lines, step, height_min, edge_sums, np.empty(2))
    for tile in range(TILES):
        if beside[tile]:
            edge_sums[:, :, tile // TILE_COLUMNS, tile % TILE_COLUMNS] = 0
    step_noise = _STEP_NOISE * floor * noise_correction
    ratios = grids[ACUTANCE:U].reshape(-1)
    values[_DETAIL + 11], values[_ACUTANCE] = summary.acutance(edge_sums, scale, step_noise, ratios)
    clipped = np.zeros((3, TILES), np.int64)
    count_clipped(shrunk, lines, step, (LOST_LOW / gain + black) * 4.0, (LOST_HIGH / gain + black) * 4.0, clipped)
    values[_LOST] = lost_share(clipped[0], clipped[1], masked)
    values[_LOST + 1] = lost_share(clipped[0], clipped[2], masked)
    values[_LOST + 2] = shade_level(levels, masked)
    slope_sums = np.zeros((slopes.PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    slopes.accumulate(shrunk, lines, step, slope_sums)
    summary.gradient_tensor(slope_sums, scale, noise_correction, grain, beside, values[_LOST + 3 :])
    values[_COLOUR:_SCORES] = np.nan
    if colour_rows:
        mean_u, variance_u = _measure_chroma(
            u, colour_stride, colour_step, colour_rows, colour_columns, unit, colour_gain, grids[U]
        )
        mean_v, variance_v = _measure_chroma(
            v, colour_stride, colour_step, colour_rows, colour_columns, unit, colour_gain, grids[V]
        )
        values[_COLOUR], values[_COLOUR + 1] = mean_u, mean_v
        values[_COLOUR + 2] = np.sqrt(max(0.0, variance_u + variance_v))
    values[_SCORES] = sharpness(values[_MEAN], values[_ACUTANCE], values[_SPREAD])
    values[_SCORES + 1] = exposure(
        values[_MEAN], values[_SHADOW], values[_HIGHLIGHT], values[_DARK], values[_BRIGHT], values[_LOST],
        values[_LOST + 1], values[_LOST + 2],
    )  # fmt: skip
    values[_SCORES + 2] = occlusion(values[_STRUCTURELESS])


@lru_cache(maxsize=64)
def _geometry(rows: int, width: int, height: int, view_lines: int) -> tuple[int, ...]:
    """Return factors, lines, step and columns of the analysis plane. Cached: cameras have a few sizes."""
    across, down = plane.factors(rows, width, height, view_lines)
    lines, columns = down.length(rows), across.length(width)
    return across.over, across.under, down.over, down.under, lines, row_sampling.step_of(lines, columns), columns


def figures(picture: Picture) -> Figures:
    """Measure a picture of 64 to 8192 pixels a side. Its planes' rows are contiguous; line padding and NV12 are
    allowed."""
    samples = picture.luma
    rows, width = samples.shape
    over_x, under_x, over_y, under_y, lines, step, columns = _geometry(rows, width, picture.height, picture.view_lines)
    stride = samples.strides[0] // samples.itemsize
    flat = plane.flattened(samples, (rows - 1) * stride + width)
    u, v, colour_stride, colour_step, colour_rows, colour_columns = _colour_planes(picture, flat)
    results = np.empty(_SCORES + 3)
    grids = np.zeros((_GRIDS, TILE_ROWS, TILE_COLUMNS), np.float32)
    cells = np.empty(CELL_ROWS * CELL_COLUMNS, np.uint16)
    masked = np.empty(TILES, np.bool_)
    _measure(
        flat, stride, width, over_x, under_x, over_y, under_y, picture.bit_depth, picture.full_range, lines, step,
        columns, u, v, colour_stride, colour_step, colour_rows, colour_columns, NOISE_CORRECTION, results, grids, cells,
        masked,
    )  # fmt: skip
    values = results.tolist()
    named = dict(zip(NAMES, values, strict=False))
    for name in _OPTIONAL:
        if named[name] != named[name]:  # nan
            del named[name]
    sharpness_score, *others = values[_SCORES:]
    scores = Scores(None if sharpness_score != sharpness_score else sharpness_score, *others)
    has_masks = "masked_share" in named
    return Figures(named, scores, grids, cells, masked.reshape(TILE_ROWS, TILE_COLUMNS) if has_masks else None)


def _colour_planes(picture: Picture, placeholder: LumaPlane) -> tuple[LumaPlane, LumaPlane, int, int, int, int]:
    """Return both chroma planes flat, with line stride, sample step, rows and columns.

    A grey picture gives `placeholder` for both, and 0 rows.
    """
    if picture.chroma is None:
        return placeholder, placeholder, 1, 1, 0, 0
    u, v = picture.chroma
    rows, columns = u.shape
    stride, step = u.strides[0] // u.itemsize, u.strides[1] // u.itemsize
    span = (rows - 1) * stride + (columns - 1) * step + 1
    return plane.flattened(u, span), plane.flattened(v, span), stride, step, rows, columns
