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

from engine.compiled import CACHED
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
from engine.judge.hidden import DARK_LEVELS, EDGES_MIN, FIFTH, STRUCTURED, hide, plain_below
from engine.judge.rank import HALF, TOP, rank

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

# Places of the numbers that the compiled call gives; nan where there is none. First come ranks over tiles.
(
    _LIFTED, _RISE, _RISE_TOP, _ALONG, _ACROSS, _SOFTENED, _SHIFT_U, _SHIFT_V, _LIGHT, _PLAIN,
    _MATCH, _SPREAD, _CONTRAST, _VEIL, _HIDDEN, _TOLD,
) = range(16)  # fmt: skip
_SHARES = (HALF, HALF, TOP, HALF, HALF, HALF, HALF, HALF, TOP, FIFTH)
_RANKS, _NUMBERS = len(_SHARES), 16

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
    ones; None where few have. `hidden`: tiles where the scene is gone, flat; `telling`: those of them that tell it by
    what they usually show, `told_share` of those with structure; `hidden_share` of all. `cast`: shift of colour in the
    middle tile, levels. `light`: against the usual in the tiles that kept most of it, black and clipped ones left out;
    1 is as ever. `high`, `usual_high`: cells without the mean of their neighbourhood, bounded, now and usually, flat.
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
    hidden: Mask
    telling: Mask
    told_share: float
    hidden_share: float
    cast: float
    light: float
    high: Grid
    usual_high: Grid


def compare(codes: Grid, baseline: Baseline) -> Change:
    """What changed between a baseline that has seen something and the codes of a look."""
    numbers = np.empty(_NUMBERS)
    masks = np.empty((2, TILES), np.bool_)
    highs = np.empty((2, CELLS), np.float32)
    _compare(codes, baseline.packed, numbers, masks, highs)
    (
        _, rise, rise_top, along, across, softened, u, v, light, _, match, spread, contrast, veil, hidden_share, told
    ) = numbers.tolist()  # fmt: skip
    steeper = [one / ACUTANCE_UNITS for one in (along, across) if not math.isnan(one)]
    return Change(
        match=match,
        spread=spread,
        contrast=contrast,
        veil=veil,
        sharpness=2.0 ** min(steeper) if steeper else None,
        sidedness=abs(steeper[0] - steeper[1]) if len(steeper) == 2 else 0.0,
        season=None if math.isnan(softened) else 2.0 ** (softened / ACUTANCE_UNITS),
        structure=None if math.isnan(rise) else rise / STRUCTURE_UNITS,
        structure_top=None if math.isnan(rise_top) else rise_top / STRUCTURE_UNITS,
        hidden=masks[0],
        telling=masks[1],
        told_share=told,
        hidden_share=hidden_share,
        cast=math.hypot(u, v),
        light=light,
        high=highs[0],
        usual_high=highs[1],
    )


def match_of(high: Grid, usual_high: Grid) -> float:
    """How well two thumbnails correlate, of which the means of neighbourhoods were taken out, -1..1."""
    power, usual_power = float(np.vdot(high, high)), float(np.vdot(usual_high, usual_high))
    return float(np.vdot(high, usual_high)) / (math.sqrt(power * usual_power) + FLOOR)


def kept_match(change: Change) -> float | None:
    """How well what is not hidden correlates with the usual, in its place; None where less than a quarter is left."""
    left = ~change.hidden.reshape(ROWS, COLUMNS).repeat(2, axis=0).repeat(2, axis=1).ravel()
    if 4 * np.count_nonzero(left) < left.size:
        return None
    return match_of(change.high[left], change.usual_high[left])


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
            samples[_LIGHT, counts[_LIGHT]] = (level + _f32(DARK_LEVELS)) / (usual_level + _f32(DARK_LEVELS))
            counts[_LIGHT] += 1
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
    for index in range(_RANKS):
        known = counts[index] >= EDGES_MIN
        numbers[index] = rank(samples[index], counts[index], _SHARES[index]) if known else np.nan
    lifted = max(0.0, numbers[_LIFTED])
    numbers[_CONTRAST] = contrast
    numbers[_VEIL] = np.log2(1.0 + lifted / (max(contrast, 0.05) * AIR_LEVEL)) if contrast > 0 else 0.0
    if counts[_LIGHT] < EDGES_MIN:
        numbers[_LIGHT] = levels[0].sum() / (levels[1].sum() + DARK_LEVELS * TILES)
    hide(now, usual, levels, left, marked, contrast, plain_below(numbers[_PLAIN]), some, masks)
    hidden = telling = 0
    for tile in range(TILES):
        hidden += masks[0, tile]
        telling += masks[1, tile] and usual[STRUCTURE + tile] >= STRUCTURED
    numbers[_HIDDEN] = hidden / TILES
    numbers[_TOLD] = telling / max(ABLE_MIN, counts[_RISE])
