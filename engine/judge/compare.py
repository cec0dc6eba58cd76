"""How a picture differs from what its camera usually shows. Pure.

The thumbnail of cells tells whether the scene is the same, whatever its sharpness: what is left of it when the mean of
the neighbourhood is taken out is correlated with that of the baseline. Dirt, steam and a lens out of focus leave the
correlation high; what covers the lens, or another view, leaves nothing of it. How much contrast is left and how far
black is lifted tells a veil; how steep edges are against their own usual steepness tells a blur.

All of it is one compiled call: between two verdicts the decoders have taken the caches, and a hundred calls of NumPy
that come back into them cost several times what they do. The definitions as NumPy says them are in
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
from engine.judge.occlusion import DARK_LEVELS, EDGES_MIN, FIFTH, STRUCTURED, hide, plain_below
from engine.judge.order_statistics import HALF, TOP, rank
from engine.runtime.numba_cache import CACHED

Mask = npt.NDArray[np.bool_]

AIR_LEVEL = 160.0
"""Light that a veil adds where it is thick, in levels."""
HIGH_MAX = 40.0
"""A cell is taken to differ from its neighbourhood by no more: one lamp must not decide."""
MARKED_LEVELS = 4.0
"""A tile shows light and shade if its cells deviate so much from their neighbourhood, in levels."""
ABLE_MIN = 24
"""Shares of the tiles with structure are of so many at least."""
BLACK_LEVELS, WHITE_LEVELS = 30.0, 225.0
"""Darker and brighter tiles do not tell a gain in light."""
FLOOR = 4.0
QUARTER = 0.75
REACH = 2
"""Cells of the neighbourhood on either side, fewer at the borders."""

_HIGH, _WIDE = 2 * ROWS, 2 * COLUMNS
_f32 = np.float32

# Ranks over tiles, and the shares at which they are asked.
(_LIFTED, _RISE, _RISE_TOP, _ALONG, _ACROSS, _SOFTENED, _SHIFT_U, _SHIFT_V, _GAIN, _PLAIN) = range(10)
_SHARES = (HALF, HALF, TOP, HALF, HALF, HALF, HALF, HALF, TOP, FIFTH)
_RANKS = len(_SHARES)

# Places of the numbers that the compiled call gives, as Change has them; nan where there is none.
(
    _MATCH, _SPREAD, _CONTRAST, _VEIL, _SHARPNESS, _SIDEDNESS, _SEASON, _STRUCTURE, _STRUCTURE_TOP, _TOLD, _HIDDEN,
    _CAST, _LIGHT,
) = range(13)  # fmt: skip
_NUMBERS = 13

_SIGNATURE = types.void(
    types.Array(types.float32, 1, "C"), types.Bytes(types.uint8, 1, "C", readonly=True),
    types.Array(types.float64, 1, "C"), types.Array(types.boolean, 2, "C"), types.Array(types.float32, 2, "C"),
)  # fmt: skip


class Change(NamedTuple):
    """What is different.

    `match`: correlation with the usual scene, -1..1. `spread`: deviation of the cells from their neighbourhood against
    the usual one, wherever they lie. `contrast`: of the usual contrast, what is left. `veil`: octaves of contrast that
    added light takes; 0 where black is as black as ever. `sharpness`: steepness of edges against their
    usual one, of the weaker direction, 1 is as ever; None where too few tiles have edges. `sidedness`: octaves by which
    the directions differ in it. `season`: the same against the season's memory, both directions together. `structure`:
    octaves of gradient energy that the middle tile of those that have any gained, `structure_top` the least affected
    ones; None where few have. `told_share`: of the tiles with structure, those that tell that the scene is gone by what
    they usually show; `hidden_share`: of all tiles, those where it is gone. `cast`: shift of colour in the middle tile,
    levels. `light`: against the usual in the tiles that kept most of it, black and clipped ones left out; 1 is as ever.
    `masks`: bool, shape (2, TILES), see `hidden` and `telling`. `highs`: float32, shape (2, CELLS): cells without the
    mean of their neighbourhood, bounded, now and usually.
    """

    match: float
    spread: float
    contrast: float
    veil: float
    sharpness: float | None
    sidedness: float
    season: float | None
    structure: float | None
    structure_top: float | None
    told_share: float
    hidden_share: float
    cast: float
    light: float
    masks: Mask
    highs: Grid

    @property
    def hidden(self) -> Mask:
        """Tiles where the scene is gone, flat."""
        hidden: Mask = self.masks[0]
        return hidden

    @property
    def telling(self) -> Mask:
        """Those of them that tell it by what they usually show."""
        telling: Mask = self.masks[1]
        return telling


def compare(codes: Grid, baseline: Baseline) -> Change:
    """What changed between a baseline that has seen something and the codes of a look."""
    numbers = np.empty(_NUMBERS)
    masks = np.empty((2, TILES), np.bool_)
    highs = np.empty((2, CELLS), np.float32)
    _compare(codes, baseline.packed, numbers, masks, highs)
    return Change._make([*[None if one != one else one for one in numbers.tolist()], masks, highs])


def match_of(high: Grid, usual_high: Grid) -> float:
    """How well two thumbnails correlate, of which the means of neighbourhoods were taken out, -1..1."""
    power, usual_power = float(np.vdot(high, high)), float(np.vdot(usual_high, usual_high))
    return float(np.vdot(high, usual_high)) / (math.sqrt(power * usual_power) + FLOOR)


def kept_match(change: Change) -> float | None:
    """How well what is not hidden correlates with the usual, in its place; None where less than a quarter is left."""
    left = ~change.hidden.reshape(ROWS, COLUMNS).repeat(2, axis=0).repeat(2, axis=1).ravel()
    if 4 * np.count_nonzero(left) < left.size:
        return None
    return match_of(change.highs[0, left], change.highs[1, left])


@numba.njit(nogil=True, cache=CACHED)
def _highpass(codes: Any, out: Any) -> None:
    """Cells without the mean of their neighbourhood, bounded."""
    line = np.empty(_WIDE, np.float32)
    for y in range(_HIGH):
        top, end = max(0, y - REACH), min(_HIGH, y + REACH + 1)
        line[:] = _f32(0.0)
        for row in range(top, end):
            for x in range(_WIDE):
                line[x] += codes[row * _WIDE + x]
        for x in range(_WIDE):
            left, right = max(0, x - REACH), min(_WIDE, x + REACH + 1)
            total = _f32(0.0)
            for column in range(left, right):
                total += line[column]
            high = codes[y * _WIDE + x] - total / _f32((end - top) * (right - left))
            out[y * _WIDE + x] = min(_f32(HIGH_MAX), max(_f32(-HIGH_MAX), high))


@numba.njit(nogil=True, cache=CACHED)
def _correlate(highs: Any, numbers: Any) -> None:
    power = usual_power = both = 0.0
    for cell in range(CELLS):
        high, usual = float(highs[0, cell]), float(highs[1, cell])
        power += high * high
        usual_power += usual * usual
        both += high * usual
    numbers[_MATCH] = both / (np.sqrt(power * usual_power) + FLOOR)
    numbers[_SPREAD] = np.sqrt(power / (usual_power + FLOOR))


@numba.njit(nogil=True, cache=CACHED)
def _windows(highs: Any, left: Any, marked: Any) -> None:
    """What is left of each tile's contrast, over its cells and one more on either side, and which tiles have any."""
    for row in range(ROWS):
        for column in range(COLUMNS):
            both = usual = _f32(0.0)
            for y in range(max(0, 2 * row - 1), min(_HIGH, 2 * row + 3)):
                for x in range(max(0, 2 * column - 1), min(_WIDE, 2 * column + 3)):
                    high = highs[1, y * _WIDE + x]
                    both += highs[0, y * _WIDE + x] * high
                    usual += high * high
            left[row * COLUMNS + column] = both / (usual + _f32(FLOOR))
            marked[row * COLUMNS + column] = usual >= 16 * MARKED_LEVELS**2


@numba.njit(nogil=True, cache=CACHED)
def _contrast(left: Any, usual: Any, some: Any) -> float:
    """What is left in the best of the tiles that usually have structure; of all, where too few have."""
    count = 0
    for tile in range(TILES):
        if usual[STRUCTURE + tile] >= STRUCTURED:
            some[count] = left[tile]
            count += 1
    if count < EDGES_MIN:
        count = TILES
        for tile in range(TILES):
            some[tile] = left[tile]
    return float(rank(some, count, QUARTER))


@numba.njit(nogil=True, cache=CACHED)
def _gather(now: Any, usual: Any, contrast: float, levels: Any, samples: Any, counts: Any) -> None:
    """Mean levels of tiles, and what ranks are asked of: one loop, since code that is not run costs nothing to load."""
    for tile in range(TILES):
        corner = 2 * _WIDE * (tile // COLUMNS) + 2 * (tile % COLUMNS)
        below = corner + _WIDE
        level = _f32(0.25) * (now[corner] + now[corner + 1] + now[below] + now[below + 1])
        usual_level = _f32(0.25) * (usual[corner] + usual[corner + 1] + usual[below] + usual[below + 1])
        levels[0, tile], levels[1, tile] = level, usual_level
        if BLACK_LEVELS <= usual_level < WHITE_LEVELS:
            samples[_GAIN, counts[_GAIN]] = (level + _f32(DARK_LEVELS)) / (usual_level + _f32(DARK_LEVELS))
            counts[_GAIN] += 1
        samples[_LIFTED, tile] = now[corner] - contrast * usual[corner]
        if usual[STRUCTURE + tile] >= STRUCTURED:
            rise = now[STRUCTURE + tile] - usual[STRUCTURE + tile]
            samples[_RISE, counts[_RISE]] = samples[_RISE_TOP, counts[_RISE]] = rise
            counts[_RISE] += 1
        samples[_PLAIN, tile] = usual[STRUCTURE + tile]
        samples[_SHIFT_U, tile] = now[COLOUR_U + tile] - usual[COLOUR_U + tile]
        samples[_SHIFT_V, tile] = now[COLOUR_V + tile] - usual[COLOUR_V + tile]
        for kind in range(3):
            code = tile + (ACUTANCE, ACUTANCE + TILES, SEASON_ACUTANCE)[kind]
            if now[code] > 0 and usual[code] > 0:
                samples[_ALONG + kind, counts[_ALONG + kind]] = now[code] - usual[code]
                counts[_ALONG + kind] += 1
    counts[_RISE_TOP] = counts[_RISE]
    counts[_LIFTED] = counts[_PLAIN] = counts[_SHIFT_U] = counts[_SHIFT_V] = TILES


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _compare(now: Any, packed: Any, numbers: Any, masks: Any, highs: Any) -> None:
    usual = np.empty(CODES, np.float32)
    for code in range(CODES):
        usual[code] = packed[code]
    _highpass(now, highs[0])
    _highpass(usual, highs[1])
    _correlate(highs, numbers)
    left, some = np.empty(TILES, np.float32), np.empty(TILES, np.float32)
    marked = np.empty(TILES, np.bool_)
    _windows(highs, left, marked)
    contrast = _contrast(left, usual, some)
    levels = np.empty((2, TILES), np.float32)
    samples = np.empty((_RANKS, TILES), np.float32)
    counts = np.zeros(_RANKS, np.int64)
    _gather(now, usual, contrast, levels, samples, counts)
    ranks = np.empty(_RANKS)
    for index in range(_RANKS):
        known = counts[index] >= EDGES_MIN
        ranks[index] = rank(samples[index], counts[index], _SHARES[index]) if known else np.nan
    hide(now, usual, levels, left, marked, contrast, plain_below(ranks[_PLAIN]), some, masks)
    hidden = telling = 0
    for tile in range(TILES):
        hidden += masks[0, tile]
        telling += masks[1, tile] and usual[STRUCTURE + tile] >= STRUCTURED
    lifted = max(0.0, ranks[_LIFTED])
    along, across = ranks[_ALONG] / ACUTANCE_UNITS, ranks[_ACROSS] / ACUTANCE_UNITS
    weaker = along if along < across or np.isnan(across) else across
    apart = abs(along - across)
    numbers[_CONTRAST] = contrast
    numbers[_VEIL] = np.log2(1.0 + lifted / (max(contrast, 0.05) * AIR_LEVEL)) if contrast > 0 else 0.0
    numbers[_SHARPNESS] = 2.0**weaker
    numbers[_SIDEDNESS] = 0.0 if np.isnan(apart) else apart
    numbers[_SEASON] = 2.0 ** (ranks[_SOFTENED] / ACUTANCE_UNITS)
    numbers[_STRUCTURE] = ranks[_RISE] / STRUCTURE_UNITS
    numbers[_STRUCTURE_TOP] = ranks[_RISE_TOP] / STRUCTURE_UNITS
    numbers[_TOLD] = telling / max(ABLE_MIN, counts[_RISE])
    numbers[_HIDDEN] = hidden / TILES
    numbers[_CAST] = np.hypot(ranks[_SHIFT_U], ranks[_SHIFT_V])
    few = counts[_GAIN] < EDGES_MIN
    numbers[_LIGHT] = levels[0].sum() / (levels[1].sum() + DARK_LEVELS * TILES) if few else ranks[_GAIN]
