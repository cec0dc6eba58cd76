"""Turns the integer sums of the passes into figures; engine/kernels/figures.py calls it, and reference.py defines the
same in plain NumPy. Pure but for the compiler."""

from typing import Any

import numba
import numpy as np

from engine.kernels import row_sampling
from engine.kernels.edges import INNER_TILE_ROWS
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS
from engine.kernels.layout import masks
from engine.kernels.slopes import ACROSS, DOWN, PRODUCT, SAMPLES
from engine.runtime.numba_cache import CACHED

TILES = TILE_ROWS * TILE_COLUMNS
NOISE_QUANTILE = 0.25
"""Immerkaer's measure takes texture for noise, so the picture's noise is taken from the calmer tiles."""
NOISE_TRUSTED = 2.0
"""Multiple of the floor up to which a tile's own noise counts as noise; the excess is fine texture."""
NOISE_MAX = 6.0
"""Highest noise of a sensor in levels at the analysis scale; fur, leaves and gravel measure higher."""
SOBEL_NOISE = 2 * 12.0 / 64.0
LAPLACIAN_NOISE = 20.0
"""Share of the variance of white noise that an operator passes on (the sum of its squared weights)."""
SOBEL_GAIN = 8.0
"""Sobel's response to a slope of one level per sample."""
IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
SHARES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
FLAT_MAX = 0.01
"""Gradient energy (levels^2, noise not subtracted) below which a tile cannot come from a sensor."""
LIT_MAX = 250.0
"""Mean level above which a tile is burnt out, and flat for that reason."""
STRUCTURE_MIN = 0.6
"""Gradient energy (levels^2, noise subtracted) below which a tile of a well lit picture shows nothing."""
GRAIN_SHARE = 0.25
"""Share of the expected noise energy that may remain after the correction, because a codec colours noise."""
EDGES_MIN = 4
"""Edges of a direction that a tile needs to have an acutance."""
TILES_MIN = 6
"""Tiles with edges that a direction needs to have an acutance."""
ACUTANCE_QUANTILE = 0.75
"""The picture's acutance is the one at which the sharpest quarter of the tiles with edges begins."""


@numba.njit(nogil=True, cache=CACHED)
def quantile(values: Any, share: float) -> float:
    """Return the value below which `share` (0..1) of `values` lie, the lower of two neighbours."""
    index = int(share * (values.shape[0] - 1))
    value: float = np.partition(values, index)[index]
    return value


@numba.njit(nogil=True, cache=CACHED)
def level_statistics(bins: Any, gain: float, black: float, out: Any) -> None:
    """Write to `out`: mean, deviation, lowest and highest level, shares clipped dark and bright, the levels of SHARES.

    `bins`: counts of quarter levels as coded; full-range level = (bin / 4 - black) * gain, within 0..255.
    """
    total = 0
    for index in range(bins.shape[0]):
        total += bins[index]
    mean = square = dark = bright = 0.0
    lowest, highest = -1.0, 0.0
    below = 0
    percentile = 0
    for index in range(bins.shape[0]):
        count = bins[index]
        if not count:
            continue
        level = min(255.0, max(0.0, (index / 4 - black) * gain))
        mean += count * level
        square += count * level * level
        if lowest < 0:
            lowest = level
        highest = level
        if level <= CLIPPED_LOW:
            dark += count
        if level >= CLIPPED_HIGH:
            bright += count
        below += count
        while percentile < len(SHARES) and below >= SHARES[percentile] * total:
            out[6 + percentile] = level
            percentile += 1
    out[0] = mean / total
    out[1] = np.sqrt(max(0.0, square / total - out[0] ** 2))
    out[2], out[3] = lowest, highest
    out[4], out[5] = dark / total, bright / total


@numba.njit(nogil=True, cache=CACHED)
def cell_levels(
    sums: Any, lines: int, step: int, columns: int, scale: float, black: float, units: int, out: Any, levels: Any
) -> None:
    """Write the mean level of each cell to `out` in 1/`units`, and of each tile to `levels`, both flat."""
    levels[:] = 0
    below = 0
    for row in range(CELL_ROWS):
        above, below = below, row_sampling.kept_count((row + 1) * lines // CELL_ROWS, step)
        height = below - above
        for column in range(CELL_COLUMNS):
            width = (column + 1) * columns // CELL_COLUMNS - column * columns // CELL_COLUMNS
            level = min(255.0, max(0.0, sums[row, column] * (scale / (height * width)) - black))
            out[row * CELL_COLUMNS + column] = np.uint16(np.rint(level * units))
            levels[row // 2 * TILE_COLUMNS + column // 2] += 0.25 * level


@numba.njit(nogil=True, cache=CACHED)
def level_spread(levels: Any, masked: Any) -> float:
    """Return the deviation of the mean levels of the tiles that are not masked."""
    count = 0
    mean = square = 0.0
    for tile in range(TILES):
        if not masked[tile]:
            count += 1
            mean += levels[tile]
            square += levels[tile] * levels[tile]
    mean /= count
    spread: float = np.sqrt(max(0.0, square / count - mean * mean))
    return spread


@numba.njit(nogil=True, cache=CACHED)
def tile_slopes(sums: Any, scale: float, raw: Any, noise: Any) -> None:
    """Write the mean square of Sobel's slope of each tile to `raw`, and Immerkaer's noise to `noise`, both flat."""
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        raw[tile] = sums[1, row, column] / sums[0, row, column] * (scale / SOBEL_GAIN) ** 2
        noise[tile] = sums[3, row, column] / sums[0, row, column] * (scale * IMMERKAER)


@numba.njit(nogil=True, cache=CACHED)
def noise_floor(noise: Any, masked: Any) -> float:
    """Return the noise of the calmer tiles among those that are not masked, in levels."""
    floor: float = quantile(masks.unmasked(noise, masked), NOISE_QUANTILE)
    return floor


@numba.njit(nogil=True, cache=CACHED)
def tile_grain(noise: Any, floor: float, grain: Any) -> None:
    """Write the part that noise adds to the mean square of each tile's slope to `grain`, flat."""
    for tile in range(TILES):
        grain[tile] = SOBEL_NOISE * min(min(noise[tile], NOISE_MAX), NOISE_TRUSTED * floor) ** 2


@numba.njit(nogil=True, cache=CACHED)
def detail_energies(sums: Any, magnitude: float, scale: float, masked: Any, out: Any) -> None:
    """Write to `out`: Laplacian energy, the same less noise, gradient energy, SI of ITU-T P.910, Immerkaer's noise; of
    the tiles that are not masked, except that the SI takes in the edges of masks."""
    count = sobel = laplacian = immerkaer = 0
    for tile in range(TILES):
        if masked[tile]:
            continue
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        count += sums[0, row, column]
        sobel += sums[1, row, column]
        laplacian += sums[2, row, column]
        immerkaer += sums[3, row, column]
    energy, sigma = laplacian / count * scale**2, immerkaer / count * scale * IMMERKAER
    slope, mean = sobel / count * scale**2, magnitude / count * scale
    out[0], out[1] = energy, energy - LAPLACIAN_NOISE * sigma**2
    out[2], out[3] = slope / SOBEL_GAIN**2, np.sqrt(max(0.0, slope - mean**2))
    out[4] = sigma


@numba.njit(nogil=True, cache=CACHED)
def gradient_tensor(slopes: Any, scale: float, noise_correction: float, grain: Any, beside: Any, out: Any) -> None:
    """Write to `out`, in levels^2: the mean square of the slope across and of the slope down, less noise, and the mean
    product of the two. Of the tiles that the slope pass reads and no mask is in; 0 if there are none.

    `slopes`: sums of that pass. `grain`: what noise adds to the mean square of both slopes of a tile together.
    """
    across = down = product = 0.0
    count = 0
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        if beside[tile] or not slopes[SAMPLES, row, column]:
            continue
        unit = (scale / SOBEL_GAIN) ** 2 / slopes[SAMPLES, row, column]
        noise = 0.5 * noise_correction * grain[tile]
        across += slopes[ACROSS, row, column] * unit - noise
        down += slopes[DOWN, row, column] * unit - noise
        product += slopes[PRODUCT, row, column] * unit
        count += 1
    out[0], out[1] = max(0.0, across) / max(1, count), max(0.0, down) / max(1, count)
    out[2] = product / max(1, count)


@numba.njit(nogil=True, cache=CACHED)
def mark_flat(raw: Any, levels: Any, flat: Any) -> float:
    """Mark the tiles without any change from sample to sample, burnt-out tiles left out; return their share."""
    count = 0
    for tile in range(TILES):
        flat[tile] = raw[tile] < FLAT_MAX and levels[tile] < LIT_MAX
        count += flat[tile]
    return count / TILES


@numba.njit(nogil=True, cache=CACHED)
def structureless_share(levels: Any, gradient: Any, grain: Any, gradient_min: float, masked: Any) -> float:
    """Return the share of tiles whose gradient is below a threshold, among those that are not masked.

    The threshold is `gradient_min`, less in dark tiles, plus GRAIN_SHARE of the tile's `grain`.
    """
    structureless = count = 0
    for tile in range(TILES):
        if masked[tile]:
            continue
        count += 1
        lit = min(1.0, max(0.25, levels[tile] / 100.0))
        structureless += gradient[tile] < gradient_min * lit + GRAIN_SHARE * grain[tile]
    return structureless / count


@numba.njit(nogil=True, cache=CACHED)
def acutance(edge_sums: Any, scale: float, step_noise: float, ratios: Any) -> Any:
    """Write steps over heights of each tile to `ratios`, noise subtracted from each step; nan where edges are too few.

    `edge_sums`: counts, steps and heights, as engine/kernels/edges.py gives them. Returns the number of tiles with
    edges, of the direction that has more; and the ratio below which ACUTANCE_QUANTILE of the inner tiles lie, of the
    weaker direction, nan if too few tiles have edges.
    """
    weaker = np.inf
    tiles_max = 0
    for direction in range(2):
        inner_ratios = np.empty(TILES)
        inner = tiles = 0
        for row in range(TILE_ROWS):
            for column in range(TILE_COLUMNS):
                index = (direction * TILE_ROWS + row) * TILE_COLUMNS + column
                count = edge_sums[0, direction, row, column]
                if count < EDGES_MIN:
                    ratios[index] = np.nan
                    continue
                steps = edge_sums[1, direction, row, column] * scale - step_noise * count
                ratio = max(0.0, steps) / (edge_sums[2, direction, row, column] * scale)
                ratios[index] = ratio
                tiles += 1
                if INNER_TILE_ROWS[0] <= row < INNER_TILE_ROWS[1]:
                    inner_ratios[inner] = ratio
                    inner += 1
        tiles_max = max(tiles_max, tiles)
        if inner >= TILES_MIN:
            weaker = min(weaker, quantile(inner_ratios[:inner], ACUTANCE_QUANTILE))
    return tiles_max, weaker if weaker < np.inf else np.nan
