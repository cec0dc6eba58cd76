"""Compares a picture's features with its camera's baseline. Compiled; pure but for the compiler.

The thumbnail of cells shows whether the scene is the same, however sharp: after subtracting the mean of the
neighbourhood, it is correlated with that of the baseline. Dirt, steam and a defocused lens leave the correlation high;
a covered lens or another view destroys it. A veil shows in how much contrast is left and how far black is lifted; a
blur shows in how steep edges are compared with their usual steepness.

All of it is one compiled call. Between two verdicts the decoders evict this code from the CPU caches, and a hundred
NumPy calls that have to be loaded again cost several times their running time. The definitions in plain NumPy are in
engine/judge/reference.py.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.judge.baseline import (
    ACUTANCE,
    ACUTANCE_UNITS,
    CELLS,
    CODES,
    COLOUR_U,
    COLOUR_V,
    COLUMNS,
    ROWS,
    SEASON_ACUTANCE,
    STRUCTURE,
    STRUCTURE_UNITS,
    TILES,
    Baseline,
    Grid,
)
from engine.judge.occlusion import (
    DARK_LEVELS,
    LOWEST_FIFTH,
    STRUCTURED_MIN,
    TILES_MIN,
    mark_hidden,
    plain_threshold,
)
from engine.judge.order_statistics import MEDIAN, TOP, quantile
from engine.runtime.numba_cache import CACHED

Mask = npt.NDArray[np.bool_]

AIRLIGHT_LEVEL = 160.0
"""Light that a dense veil adds, in levels."""
HIGHPASS_MAX = 40.0
"""Bound on the difference of a cell from its neighbourhood, in levels: one lamp must not decide."""
SHADED_LEVELS = 4.0
"""Deviation of a tile's cells from their neighbourhood, in levels, from which on it shows light and shade."""
STRUCTURED_COUNT_MIN = 24
"""Least denominator of shares of the tiles with structure."""
BLACK_LEVELS, WHITE_LEVELS = 30.0, 225.0
"""Tiles that are usually darker or brighter do not show a gain in light."""
EPSILON = 4.0
"""Added to energies before dividing by them, in levels^2."""
UPPER_QUARTILE = 0.75
RADIUS = 2
"""Cells of the neighbourhood on either side, fewer at the borders."""

_HIGH, _WIDE = 2 * ROWS, 2 * COLUMNS
_NO_MASK = np.zeros((ROWS, COLUMNS), np.bool_)
_f32 = np.float32

# Quantiles over tiles: index of each, and the share at which it is taken.
(
    _BLACK_LIFT, _RISE, _RISE_TOP, _ACUTANCE_X, _ACUTANCE_Y, _ACUTANCE_SEASON, _SHIFT_U, _SHIFT_V, _GAIN,
    _LOW_STRUCTURE,
) = range(10)  # fmt: skip
_SHARES = (MEDIAN, MEDIAN, TOP, MEDIAN, MEDIAN, MEDIAN, MEDIAN, MEDIAN, TOP, LOWEST_FIFTH)
_QUANTILES = len(_SHARES)

# Indices of the numbers that the compiled call returns, in the order of SceneChange; nan stands for None.
(
    _MATCH, _SPREAD, _CONTRAST, _VEIL, _SHARPNESS, _ANISOTROPY, _SEASON, _STRUCTURE, _STRUCTURE_TOP,
    _STRUCTURED_HIDDEN, _HIDDEN, _CAST, _LIGHT,
) = range(13)  # fmt: skip
_NUMBERS = 13

_SIGNATURE = types.void(
    types.Array(types.float32, 1, "C"), types.Bytes(types.uint8, 1, "C", readonly=True),
    types.Array(types.boolean, 2, "C"), types.Array(types.float64, 1, "C"), types.Array(types.boolean, 2, "C"),
    types.Array(types.float32, 2, "C"),
)  # fmt: skip


class SceneChange(NamedTuple):
    """How a picture differs from the baseline.

    `match`: correlation with the usual scene, -1..1. `spread`: deviation of the cells from their neighbourhood,
    relative to the usual one, wherever they are. `contrast`: share of the usual contrast that is left. `veil`: octaves
    of contrast that added light takes; 0 where black is as black as usual. `sharpness`: steepness of edges relative to
    their usual steepness, of the weaker direction, 1 is unchanged; None if too few tiles have edges. `anisotropy`:
    octaves by which the two directions differ in it. `season_sharpness`: as `sharpness`, against the season average,
    both directions together. `structure`: octaves of gradient energy gained by the median tile of those with structure,
    `structure_top`: by the least affected ones; None if too few tiles have structure. `structured_hidden_share`: share
    of the tiles with structure that are hidden and usually show something; `hidden_share`: share of the tiles that are
    hidden, without those that are masked and not hidden. `cast`: colour shift of the median tile, in levels. `light`:
    light relative to the usual, in the tiles that kept most of it, black and clipped tiles not counted; 1 is unchanged.
    `masks`: bool, shape (2, TILES), see `hidden`
    and `hidden_evident`. `highpassed`: float32, shape (2, CELLS): cells minus the mean of their neighbourhood, bounded,
    current and usual.
    """

    match: float
    spread: float
    contrast: float
    veil: float
    sharpness: float | None
    anisotropy: float
    season_sharpness: float | None
    structure: float | None
    structure_top: float | None
    structured_hidden_share: float
    hidden_share: float
    cast: float
    light: float
    masks: Mask
    highpassed: Grid

    @property
    def hidden(self) -> Mask:
        """Tiles where the scene is hidden, flat."""
        hidden: Mask = self.masks[0]
        return hidden

    @property
    def hidden_evident(self) -> Mask:
        """Hidden tiles that usually show structure, or light and shade, flat."""
        evident: Mask = self.masks[1]
        return evident


def compare(codes: Grid, baseline: Baseline, masked: Mask | None = None) -> SceneChange:
    """Return how the codes of a picture differ from a baseline that has at least one visit.

    `masked`: bool, shape (ROWS, COLUMNS), the tiles that privacy masks cover in the picture; None if there are none.
    What is beside a mask is not compared: its edge would be found in its place whatever happens to the scene.
    """
    numbers = np.empty(_NUMBERS)
    masks = np.empty((2, TILES), np.bool_)
    highpassed = np.empty((2, CELLS), np.float32)
    _compare(codes, baseline.packed, _NO_MASK if masked is None else masked, numbers, masks, highpassed)
    fields = [None if number != number else number for number in numbers.tolist()]
    return SceneChange._make([*fields, masks, highpassed])


def correlation(current: Grid, baseline: Grid) -> float:
    """Return the correlation of two high-passed thumbnails, -1..1."""
    power, baseline_power = float(np.vdot(current, current)), float(np.vdot(baseline, baseline))
    return float(np.vdot(current, baseline)) / (math.sqrt(power * baseline_power) + EPSILON)


def visible_match(change: SceneChange) -> float | None:
    """Return the correlation of the part that is not hidden with the usual scene; None if it is less than a quarter."""
    visible = ~change.hidden.reshape(ROWS, COLUMNS).repeat(2, axis=0).repeat(2, axis=1).ravel()
    if 4 * np.count_nonzero(visible) < visible.size:
        return None
    return correlation(change.highpassed[0, visible], change.highpassed[1, visible])


@numba.njit(nogil=True, cache=CACHED)
def _highpass(codes: Any, out: Any) -> None:
    """Write the cells minus the mean of their neighbourhood, bounded."""
    line = np.empty(_WIDE, np.float32)
    for y in range(_HIGH):
        top, end = max(0, y - RADIUS), min(_HIGH, y + RADIUS + 1)
        line[:] = _f32(0.0)
        for row in range(top, end):
            for x in range(_WIDE):
                line[x] += codes[row * _WIDE + x]
        for x in range(_WIDE):
            left, right = max(0, x - RADIUS), min(_WIDE, x + RADIUS + 1)
            total = _f32(0.0)
            for column in range(left, right):
                total += line[column]
            high = codes[y * _WIDE + x] - total / _f32((end - top) * (right - left))
            out[y * _WIDE + x] = min(_f32(HIGHPASS_MAX), max(_f32(-HIGHPASS_MAX), high))


@numba.njit(nogil=True, cache=CACHED)
def _leave_out(masked: Any, ignored: Any, highpassed: Any) -> None:
    """Mark in `ignored` the masked tiles and those beside them, and clear their cells."""
    for row in range(ROWS):
        for column in range(COLUMNS):
            near = False
            for y in range(max(0, row - 1), min(ROWS, row + 2)):
                for x in range(max(0, column - 1), min(COLUMNS, column + 2)):
                    near = near or masked[y, x]
            ignored[row * COLUMNS + column] = near
            if near:
                for cell in range(4):
                    place = (2 * row + cell // 2) * _WIDE + 2 * column + cell % 2
                    highpassed[0, place] = highpassed[1, place] = _f32(0.0)


@numba.njit(nogil=True, cache=CACHED)
def _correlate(highpassed: Any, numbers: Any) -> None:
    power = baseline_power = product = 0.0
    for cell in range(CELLS):
        current, baseline = float(highpassed[0, cell]), float(highpassed[1, cell])
        power += current * current
        baseline_power += baseline * baseline
        product += current * baseline
    numbers[_MATCH] = product / (np.sqrt(power * baseline_power) + EPSILON)
    numbers[_SPREAD] = np.sqrt(power / (baseline_power + EPSILON))


@numba.njit(nogil=True, cache=CACHED)
def _tile_contrasts(highpassed: Any, tile_contrast: Any, shaded: Any) -> None:
    """Write each tile's share of its usual contrast, over its cells and one more on either side, and which tiles have
    contrast."""
    for row in range(ROWS):
        for column in range(COLUMNS):
            product = power = _f32(0.0)
            for y in range(max(0, 2 * row - 1), min(_HIGH, 2 * row + 3)):
                for x in range(max(0, 2 * column - 1), min(_WIDE, 2 * column + 3)):
                    high = highpassed[1, y * _WIDE + x]
                    product += highpassed[0, y * _WIDE + x] * high
                    power += high * high
            tile_contrast[row * COLUMNS + column] = product / (power + _f32(EPSILON))
            shaded[row * COLUMNS + column] = power >= 16 * SHADED_LEVELS**2


@numba.njit(nogil=True, cache=CACHED)
def _scene_contrast(tile_contrast: Any, baseline: Any, ignored: Any, scratch: Any) -> float:
    """Return the contrast left in the best of the tiles that usually have structure; of all tiles, if those are few."""
    count = 0
    for tile in range(TILES):
        if baseline[STRUCTURE + tile] >= STRUCTURED_MIN and not ignored[tile]:
            scratch[count] = tile_contrast[tile]
            count += 1
    if count < TILES_MIN:
        count = TILES
        for tile in range(TILES):
            scratch[tile] = tile_contrast[tile]
    return float(quantile(scratch, count, UPPER_QUARTILE))


@numba.njit(nogil=True, cache=CACHED)
def _collect_samples(current: Any, baseline: Any, contrast: float, levels: Any, samples: Any, counts: Any) -> None:
    """Write the tiles' mean levels, and the samples of all quantiles. One loop: less code to load into the caches."""
    for tile in range(TILES):
        corner = 2 * _WIDE * (tile // COLUMNS) + 2 * (tile % COLUMNS)
        below = corner + _WIDE
        level = _f32(0.25) * (current[corner] + current[corner + 1] + current[below] + current[below + 1])
        usual_level = _f32(0.25) * (baseline[corner] + baseline[corner + 1] + baseline[below] + baseline[below + 1])
        levels[0, tile], levels[1, tile] = level, usual_level
        if BLACK_LEVELS <= usual_level < WHITE_LEVELS:
            samples[_GAIN, counts[_GAIN]] = (level + _f32(DARK_LEVELS)) / (usual_level + _f32(DARK_LEVELS))
            counts[_GAIN] += 1
        samples[_BLACK_LIFT, tile] = current[corner] - contrast * baseline[corner]
        if baseline[STRUCTURE + tile] >= STRUCTURED_MIN:
            rise = current[STRUCTURE + tile] - baseline[STRUCTURE + tile]
            samples[_RISE, counts[_RISE]] = samples[_RISE_TOP, counts[_RISE]] = rise
            counts[_RISE] += 1
        samples[_LOW_STRUCTURE, tile] = baseline[STRUCTURE + tile]
        samples[_SHIFT_U, tile] = current[COLOUR_U + tile] - baseline[COLOUR_U + tile]
        samples[_SHIFT_V, tile] = current[COLOUR_V + tile] - baseline[COLOUR_V + tile]
        for kind in range(3):
            code = tile + (ACUTANCE, ACUTANCE + TILES, SEASON_ACUTANCE)[kind]
            if current[code] > 0 and baseline[code] > 0:
                samples[_ACUTANCE_X + kind, counts[_ACUTANCE_X + kind]] = current[code] - baseline[code]
                counts[_ACUTANCE_X + kind] += 1
    counts[_RISE_TOP] = counts[_RISE]
    counts[_BLACK_LIFT] = counts[_LOW_STRUCTURE] = counts[_SHIFT_U] = counts[_SHIFT_V] = TILES


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _compare(current: Any, packed: Any, masked: Any, numbers: Any, masks: Any, highpassed: Any) -> None:
    """Fill `numbers`, `masks` and `highpassed` as SceneChange has them. `packed`: the baseline's codes."""
    baseline = np.empty(CODES, np.float32)
    for code in range(CODES):
        baseline[code] = packed[code]
    _highpass(current, highpassed[0])
    _highpass(baseline, highpassed[1])
    ignored = np.empty(TILES, np.bool_)
    _leave_out(masked, ignored, highpassed)
    _correlate(highpassed, numbers)
    tile_contrast, scratch = np.empty(TILES, np.float32), np.empty(TILES, np.float32)
    shaded = np.empty(TILES, np.bool_)
    _tile_contrasts(highpassed, tile_contrast, shaded)
    contrast = _scene_contrast(tile_contrast, baseline, ignored, scratch)
    for tile in range(TILES):
        if ignored[tile] and not masked[tile // COLUMNS, tile % COLUMNS]:
            tile_contrast[tile] = max(_f32(0.0), _f32(contrast))
    levels = np.empty((2, TILES), np.float32)
    samples = np.empty((_QUANTILES, TILES), np.float32)
    counts = np.zeros(_QUANTILES, np.int64)
    _collect_samples(current, baseline, contrast, levels, samples, counts)
    quantiles = np.empty(_QUANTILES)
    for index in range(_QUANTILES):
        enough = counts[index] >= TILES_MIN
        quantiles[index] = quantile(samples[index], counts[index], _SHARES[index]) if enough else np.nan
    plain = plain_threshold(quantiles[_LOW_STRUCTURE])
    mark_hidden(current, baseline, levels, tile_contrast, shaded, contrast, plain, scratch, masks)
    hidden = structured_hidden = seen = 0
    for tile in range(TILES):
        seen += masks[0, tile] or not masked[tile // COLUMNS, tile % COLUMNS]
        hidden += masks[0, tile]
        structured_hidden += masks[1, tile] and baseline[STRUCTURE + tile] >= STRUCTURED_MIN
    lift = max(0.0, quantiles[_BLACK_LIFT])
    rise_x, rise_y = quantiles[_ACUTANCE_X] / ACUTANCE_UNITS, quantiles[_ACUTANCE_Y] / ACUTANCE_UNITS
    weaker = rise_x if rise_x < rise_y or np.isnan(rise_y) else rise_y
    anisotropy = abs(rise_x - rise_y)
    numbers[_CONTRAST] = contrast
    numbers[_VEIL] = np.log2(1.0 + lift / (max(contrast, 0.05) * AIRLIGHT_LEVEL)) if contrast > 0 else 0.0
    numbers[_SHARPNESS] = 2.0**weaker
    numbers[_ANISOTROPY] = 0.0 if np.isnan(anisotropy) else anisotropy
    numbers[_SEASON] = 2.0 ** (quantiles[_ACUTANCE_SEASON] / ACUTANCE_UNITS)
    numbers[_STRUCTURE] = quantiles[_RISE] / STRUCTURE_UNITS
    numbers[_STRUCTURE_TOP] = quantiles[_RISE_TOP] / STRUCTURE_UNITS
    numbers[_STRUCTURED_HIDDEN] = structured_hidden / max(STRUCTURED_COUNT_MIN, counts[_RISE])
    numbers[_HIDDEN] = hidden / max(1, seen)
    numbers[_CAST] = np.hypot(quantiles[_SHIFT_U], quantiles[_SHIFT_V])
    few = counts[_GAIN] < TILES_MIN
    numbers[_LIGHT] = levels[0].sum() / (levels[1].sum() + DARK_LEVELS * TILES) if few else quantiles[_GAIN]
