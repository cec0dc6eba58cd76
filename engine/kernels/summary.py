"""From integer sums to figures, compiled; engine/kernels/figures.py runs it, reference.py has it as NumPy says it."""

from typing import Any

import numba
import numpy as np

from engine.kernels import row_sampling
from engine.kernels.edges import ROWS_SAMPLED
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS
from engine.runtime.numba_cache import CACHED

TILES = TILE_ROWS * TILE_COLUMNS
NOISE_QUANTILE = 0.25
"""Texture reads as noise in Immerkaer's measure; the calmer tiles tell the picture's noise."""
NOISE_TRUSTED = 2.0
"""Up to that many times the floor a tile's own noise is taken for noise; what is beyond it is fine texture."""
NOISE_MAX = 6.0
"""A sensor's noise stays below that in levels at the analysis scale; fur, leaves and gravel read higher."""
SOBEL_NOISE = 2 * 12.0 / 64.0
LAPLACIAN_NOISE = 20.0
"""How much of a white noise's variance an operator passes on (the sum of its squared weights)."""
SOBEL_GAIN = 8.0
"""A slope of one level a sample reads as 8 in Sobel's sums."""
IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
SHARES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
FLAT_MAX = 0.01
"""Gradient energy (levels^2, noise left in) below which a tile was never seen by a sensor."""
LIT_MAX = 250.0
"""A tile that is brighter is burnt out, and flat for that."""
STRUCTURE_MIN = 0.6
"""Gradient energy (levels^2, noise taken out) below which a tile of a well lit picture shows nothing."""
GRAIN_SHARE = 0.25
"""A codec colours noise, so that much of what noise should give may be left when it is taken out."""
EDGES_MIN = 4
"""Fewer edges of a direction tell nothing of a tile."""
TILES_MIN = 6
"""Fewer tiles with edges tell nothing of a direction."""
ACUTANCE_QUANTILE = 0.75
"""Of the tiles that have edges the sharpest quarter begins at the picture's acutance."""


@numba.njit(nogil=True, cache=CACHED)
def quantile(values: Any, share: float) -> float:
    """The value below which `share` of them lie, the lower of two neighbours."""
    place = int(share * (values.shape[0] - 1))
    found: float = np.partition(values, place)[place]
    return found


@numba.njit(nogil=True, cache=CACHED)
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


@numba.njit(nogil=True, cache=CACHED)
def cells(
    sums: Any, lines: int, step: int, columns: int, scale: float, black: float, units: int, out: Any, levels: Any
) -> float:
    """Mean level of each cell in 1/`units` into `out`, of each tile into `levels`, flat; returns their deviation."""
    levels[:] = 0
    below = 0
    for row in range(CELL_ROWS):
        above, below = below, row_sampling.kept((row + 1) * lines // CELL_ROWS, step)
        tall = below - above
        for column in range(CELL_COLUMNS):
            wide = (column + 1) * columns // CELL_COLUMNS - column * columns // CELL_COLUMNS
            level = min(255.0, max(0.0, sums[row, column] * (scale / (tall * wide)) - black))
            out[row * CELL_COLUMNS + column] = np.uint16(np.rint(level * units))
            levels[row // 2 * TILE_COLUMNS + column // 2] += 0.25 * level
    mean = square = 0.0
    for tile in range(TILES):
        mean += levels[tile] / TILES
        square += levels[tile] * levels[tile] / TILES
    spread: float = np.sqrt(max(0.0, square - mean * mean))
    return spread


@numba.njit(nogil=True, cache=CACHED)
def tile_noise(sums: Any, scale: float, noise: Any) -> float:
    """Immerkaer's noise of each tile, flat, in levels; returns the picture's floor."""
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        noise[tile] = sums[3, row, column] / sums[0, row, column] * (scale * IMMERKAER)
    floor: float = quantile(noise, NOISE_QUANTILE)
    return floor


@numba.njit(nogil=True, cache=CACHED)
def tile_gradient(sums: Any, noise: Any, floor: float, scale: float, raw: Any, grain: Any) -> None:
    """Mean square of Sobel's slope of each tile, flat, as it is, and what noise adds to it."""
    for tile in range(TILES):
        row, column = tile // TILE_COLUMNS, tile % TILE_COLUMNS
        raw[tile] = sums[1, row, column] / sums[0, row, column] * (scale / SOBEL_GAIN) ** 2
        grain[tile] = SOBEL_NOISE * min(min(noise[tile], NOISE_MAX), NOISE_TRUSTED * floor) ** 2


@numba.njit(nogil=True, cache=CACHED)
def detail(sums: Any, magnitude: float, scale: float, out: Any) -> None:
    """Laplacian energy, the same less noise, gradient energy, SI of ITU-T P.910, Immerkaer's noise, into `out`."""
    count = sobel = laplacian = immerkaer = 0
    for tile in range(TILES):
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
def flat_share(raw: Any, levels: Any) -> float:
    """Share of tiles without any change from sample to sample, burnt ones left out."""
    flat = 0
    for tile in range(TILES):
        flat += raw[tile] < FLAT_MAX and levels[tile] < LIT_MAX
    return flat / TILES


@numba.njit(nogil=True, cache=CACHED)
def structureless_share(levels: Any, gradient: Any, grain: Any, least: float) -> float:
    """Share of tiles whose gradient is below `least`, less in the dark, and GRAIN_SHARE of what noise gives."""
    none = 0
    for tile in range(TILES):
        lit = min(1.0, max(0.25, levels[tile] / 100.0))
        none += gradient[tile] < least * lit + GRAIN_SHARE * grain[tile]
    return none / TILES


@numba.njit(nogil=True, cache=CACHED)
def acutance(found: Any, scale: float, step_noise: float, ratios: Any) -> Any:
    """Steps over heights of each tile into `ratios`, nan where too few edges; noise is taken out of each step.

    `found`: counts, steps and heights, as engine/kernels/edges.py gives them. Returns how many tiles have edges, of the
    direction that has more of them, and, of the weaker direction, the ratio below which ACUTANCE_QUANTILE of the tiles
    that are asked lie; nan where too few have edges.
    """
    weaker = np.inf
    told_most = 0
    for direction in range(2):
        asked = np.empty(TILES)
        count = told = 0
        for row in range(TILE_ROWS):
            for column in range(TILE_COLUMNS):
                place = (direction * TILE_ROWS + row) * TILE_COLUMNS + column
                number = found[0, direction, row, column]
                if number < EDGES_MIN:
                    ratios[place] = np.nan
                    continue
                steps = found[1, direction, row, column] * scale - step_noise * number
                ratio = max(0.0, steps) / (found[2, direction, row, column] * scale)
                ratios[place] = ratio
                told += 1
                if ROWS_SAMPLED[0] <= row < ROWS_SAMPLED[1]:
                    asked[count] = ratio
                    count += 1
        told_most = max(told_most, told)
        if count >= TILES_MIN:
            weaker = min(weaker, quantile(asked[:count], ACUTANCE_QUANTILE))
    return told_most, weaker if weaker < np.inf else np.nan
