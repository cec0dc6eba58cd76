"""From integer sums to figures, compiled: seventy calls of NumPy on 144 tiles cost as much as the passes themselves.

What each figure means stands in engine/kernels/figures.py, and its definition, as NumPy says it, in reference.py.
"""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.kernels.cache import CACHED
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS

TILES = TILE_ROWS * TILE_COLUMNS
NOISE_QUANTILE = 0.25
"""Texture reads as noise in Immerkaer's measure; the calmer tiles tell the picture's noise."""
NOISE_TRUSTED = 2.0
"""Up to that many times the floor a tile's own noise is taken for noise; what is beyond it is fine texture."""
NOISE_MAX = 6.0
"""A sensor's noise stays below that in levels at the analysis scale; fur, leaves and gravel read higher."""
SOBEL_NOISE = 2 * 12.0 / 64.0
"""How much of a white noise's variance Sobel's slope passes on, x and y together (the sum of its squared weights)."""
SOBEL_GAIN = 8.0
"""A slope of one level a sample reads as 8 in Sobel's sums."""
IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
SHARES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
FLAT_MAX = 0.01
"""Gradient energy (levels^2, noise left in) below which a tile was never seen by a sensor."""
LIT_MAX = 250.0
"""A tile that is brighter is burnt out, and flat for that."""

_f64 = types.float64
_grid = types.Array(types.float64, 2, "C")
_sums3 = types.Array(types.int64, 3, "C")
_sums2 = types.Array(types.int64, 2, "C")
_sums1 = types.Array(types.int64, 1, "C")
_floats = types.Array(types.float64, 1, "C")


@numba.njit(nogil=True, cache=CACHED)
def quantile(values: Any, share: float) -> float:
    """The value below which `share` of them lie, the lower of two neighbours."""
    ordered = np.sort(values)
    found: float = ordered[int(share * (ordered.shape[0] - 1))]
    return found


@numba.njit([_f64(_sums3, _f64, _floats)], nogil=True, cache=CACHED)
def tile_noise(sums: Any, scale: float, noise: Any) -> float:
    """Immerkaer's noise of each tile, flat, in levels; returns the picture's floor."""
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        noise[tile] = sums[3, row, column] / sums[0, row, column] * (scale * IMMERKAER)
    floor: float = quantile(noise, NOISE_QUANTILE)
    return floor


@numba.njit([types.void(_sums3, _floats, _f64, _f64, _floats, _floats)], nogil=True, cache=CACHED)
def tile_gradient(sums: Any, noise: Any, floor: float, scale: float, raw: Any, grain: Any) -> None:
    """Mean square of Sobel's slope of each tile, flat, as it is, and what noise adds to it."""
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        raw[tile] = sums[1, row, column] / sums[0, row, column] * (scale / SOBEL_GAIN) ** 2
        grain[tile] = SOBEL_NOISE * min(min(noise[tile], NOISE_MAX), NOISE_TRUSTED * floor) ** 2


@numba.njit([types.void(_sums1, _f64, _f64, _floats)], nogil=True, cache=CACHED)
def light(bins: Any, gain: float, black: float, out: Any) -> None:
    """Mean, deviation, least and largest level, shares clipped dark and bright, and the levels of SHARES, into `out`.

    `bins`: counts of quarter levels as coded; full-range level = (bin / 4 - black) * gain, within 0..255.
    """
    total = 0
    for index in range(bins.shape[0]):
        total += bins[index]
    mean = square = dark = bright = 0.0
    least, largest = -1.0, 0.0
    below = 0
    wanted = 0
    for index in range(bins.shape[0]):
        count = bins[index]
        if not count:
            continue
        level = min(255.0, max(0.0, (index / 4 - black) * gain))
        mean += count * level
        square += count * level * level
        if least < 0:
            least = level
        largest = level
        if level <= CLIPPED_LOW:
            dark += count
        if level >= CLIPPED_HIGH:
            bright += count
        below += count
        while wanted < len(SHARES) and below >= SHARES[wanted] * total:
            out[6 + wanted] = level
            wanted += 1
    out[0] = mean / total
    out[1] = np.sqrt(max(0.0, square / total - out[0] ** 2))
    out[2], out[3] = least, largest
    out[4], out[5] = dark / total, bright / total


@numba.njit([_f64(_grid, _floats)], nogil=True, cache=CACHED)
def tile_luma(cells: Any, luma: Any) -> float:
    """Mean level of each tile, flat, from its four cells; returns their deviation."""
    mean = square = 0.0
    for tile in range(TILES):
        row, column = 2 * (tile // TILE_COLUMNS), 2 * (tile % TILE_COLUMNS)
        level = 0.25 * (
            cells[row, column] + cells[row, column + 1] + cells[row + 1, column] + cells[row + 1, column + 1]
        )
        luma[tile] = level
        mean += level / TILES
        square += level * level / TILES
    spread: float = np.sqrt(max(0.0, square - mean * mean))
    return spread


@numba.njit([_f64(_floats, _floats)], nogil=True, cache=CACHED)
def flat_share(raw: Any, luma: Any) -> float:
    """Share of tiles without any change from sample to sample, burnt ones left out."""
    flat = 0
    for tile in range(TILES):
        flat += raw[tile] < FLAT_MAX and luma[tile] < LIT_MAX
    return flat / TILES


@numba.njit([_f64(_floats, _floats, _floats, _f64, _f64)], nogil=True, cache=CACHED)
def structureless_share(luma: Any, gradient: Any, grain: Any, least: float, grain_share: float) -> float:
    """Share of tiles whose gradient is below `least`, less in the dark, and `grain_share` of what noise gives."""
    none = 0
    for tile in range(TILES):
        lit = min(1.0, max(0.25, luma[tile] / 100.0))
        none += gradient[tile] < least * lit + grain_share * grain[tile]
    return none / TILES


@numba.njit(
    [_f64(_sums3, types.Array(_f64, 3, "C"), types.Array(_f64, 3, "C"), *[types.int64] * 4, _f64, _floats, _sums1)],
    nogil=True,
    cache=CACHED,
)
def acutance(
    edges: Any, steps: Any, heights: Any, edges_min: int, tiles_min: int, first: int, end: int, share: float,
    ratios: Any, told: Any,
) -> float:  # fmt: skip
    """Steps over heights of each tile into `ratios`, nan where too few edges; `told`: tiles with enough, x and y.

    Returns, of the weaker direction, the ratio below which `share` of the tiles of rows `first` to `end` lie; nan where
    fewer than `tiles_min` of them have edges.
    """
    weaker = np.inf
    for direction in range(2):
        asked = np.empty(TILES)
        count = 0
        for row in range(TILE_ROWS):
            for column in range(TILE_COLUMNS):
                place = (direction * TILE_ROWS + row) * TILE_COLUMNS + column
                if edges[direction, row, column] < edges_min:
                    ratios[place] = np.nan
                    continue
                ratio = steps[direction, row, column] / heights[direction, row, column]
                ratios[place] = ratio
                told[direction] += 1
                if first <= row < end:
                    asked[count] = ratio
                    count += 1
        if count >= tiles_min:
            weaker = min(weaker, quantile(asked[:count], share))
    return weaker if weaker < np.inf else np.nan


@numba.njit([_f64(_sums2, _sums2, _f64, _f64, _floats)], nogil=True, cache=CACHED)
def colour(samples: Any, totals: Any, unit: float, gain: float, out: Any) -> float:
    """Mean colour of each tile around neutral, flat; returns the picture's mean before that, in samples."""
    count = total = 0.0
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        out[tile] = (totals[row, column] / samples[row, column] / unit - 128.0) * gain
        count += samples[row, column]
        total += totals[row, column]
    return total / count
