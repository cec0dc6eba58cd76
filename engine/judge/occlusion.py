"""Where is the scene gone? Tile by tile, compiled; engine/judge/compare.py runs it. Pure but for the compiler."""

import math
from typing import Any

import numba
import numpy as np

from engine.judge.baseline import COLOUR_U, COLOUR_V, STRUCTURE, STRUCTURE_UNITS, TILES
from engine.judge.order_statistics import HALF, TOP, pick, rank
from engine.runtime.numba_cache import CACHED

STRUCTURED = math.log2(1.0 + 4.0) * STRUCTURE_UNITS
"""A tile usually has structure from a gradient energy of 4 levels^2 on."""
LOST_OCTAVES = 1.5
"""A tile lost its structure if it fell so much further than the least affected ones ..."""
FELL_OCTAVES = 0.7
"""... or so much, and what is left is what noise leaves."""
KEPT_MAX = 0.35
"""Of the contrast of a covered place no more than that is left, against what is left elsewhere."""
LEFT_MIN = 0.25
"""Contrast left in the best places below which the scene is gone."""
RISEN_OCTAVES = 1.0
"""What covers is too near to be in focus: where structure rose by more, something else came into view."""
NOISE_MAX, ABOVE_NOISE = 3.5, 0.8
"""Octaves of structure that noise and coding leave at most; what a tile must have above it to be more than that."""
KEPT_TILES_MIN = 8
"""Fewer tiles that kept the scene do not tell how the light changed."""
PLAIN_LEVELS, PLAIN_COLOUR = 22.0, 12.0
"""A plain tile is hidden if its light or its colour is off by more than that, in levels ..."""
PLAIN_LIT = 100.0
"""... or in as large a share of its usual light as that is of this level: what lights a white wall changes, too."""
DARK_LEVELS = 8.0
"""Keeps shares of light from exploding in the dark."""
EDGES_MIN = 6
"""Fewer tiles with structure, or with edges then and now, tell nothing."""
FIFTH = 0.2

_f32 = np.float32


@numba.njit(nogil=True, cache=CACHED)
def _middle_shift(now: Any, usual: Any, begin: int, known: Any, some: Any) -> Any:
    """By how much the middle one of the known tiles differs."""
    count = 0
    for tile in range(TILES):
        if known[tile]:
            some[count] = now[begin + tile] - usual[begin + tile]
            count += 1
    return rank(some, count, HALF)


@numba.njit(nogil=True, cache=CACHED)
def plain_below(floor: float) -> float:
    """Structure below which a tile shows nothing but what noise and coding leave everywhere: `floor`."""
    return max(STRUCTURED, min(floor, NOISE_MAX * STRUCTURE_UNITS) + ABOVE_NOISE * STRUCTURE_UNITS)


@numba.njit(nogil=True, cache=CACHED)
def _mark_off(now: Any, usual: Any, levels: Any, gone: Any, some: Any, off: Any) -> None:
    """Tiles whose mean light or colour changed otherwise than that of the tiles that are as ever."""
    known, share = np.empty(TILES, np.bool_), np.empty(TILES, np.float32)
    kept = 0
    for tile in range(TILES):
        share[tile] = levels[0, tile] / (levels[1, tile] + _f32(DARK_LEVELS))
        known[tile] = not gone[tile]
        kept += known[tile]
    if kept < KEPT_TILES_MIN:
        known[:] = True
    middle = rank(some, pick(share, known, some), HALF)
    u, v = _middle_shift(now, usual, COLOUR_U, known, some), _middle_shift(now, usual, COLOUR_V, known, some)
    for tile in range(TILES):
        lit = min(levels[1, tile] + _f32(DARK_LEVELS), _f32(PLAIN_LIT))
        by_light = abs(share[tile] - middle) * lit > PLAIN_LEVELS
        by_u = abs(now[COLOUR_U + tile] - usual[COLOUR_U + tile] - u) > PLAIN_COLOUR
        by_v = abs(now[COLOUR_V + tile] - usual[COLOUR_V + tile] - v) > PLAIN_COLOUR
        off[tile] = by_light or by_u or by_v


@numba.njit(nogil=True, cache=CACHED)
def hide(
    now: Any,
    usual: Any,
    levels: Any,
    left: Any,
    marked: Any,
    contrast: float,
    floor: float,
    some: Any,
    masks: Any,
) -> None:
    """Tiles where the scene is gone, and those of them that tell it by what they usually show.

    A tile that usually has structure has lost it, or is as plain as noise leaves it. One that usually shows light and
    shade shows them no more, and its mean light or colour is another. A plain one is hidden by light and colour alone,
    and only beside such that tell. `floor`: plain_below() of what is usual.
    """
    masks[:] = False
    everywhere = contrast < LEFT_MIN
    left_min = KEPT_MAX if everywhere else KEPT_MAX * min(1.0, contrast)
    gone, structured, off = np.empty(TILES, np.bool_), np.empty(TILES, np.bool_), np.empty(TILES, np.bool_)
    kept = affected = 0
    for tile in range(TILES):
        gone[tile] = left[tile] < left_min
        structured[tile] = usual[STRUCTURE + tile] >= floor
        affected += gone[tile] and (structured[tile] or marked[tile])
        if structured[tile] and not gone[tile]:
            some[kept] = now[STRUCTURE + tile] - usual[STRUCTURE + tile]
            kept += 1
    if not everywhere and not affected:
        return
    least = 0.0 if everywhere or kept < EDGES_MIN else min(0.0, float(rank(some, kept, TOP)))
    _mark_off(now, usual, levels, gone, some, off)
    for tile in range(TILES):
        some[tile] = now[STRUCTURE + tile]
    now_plain = plain_below(float(rank(some, TILES, FIFTH)))
    told = 0
    for tile in range(TILES):
        rise = now[STRUCTURE + tile] - usual[STRUCTURE + tile]
        fell = now[STRUCTURE + tile] < now_plain and rise < least - FELL_OCTAVES * STRUCTURE_UNITS
        lost = fell or rise < least - LOST_OCTAVES * STRUCTURE_UNITS
        plain = off[tile] and rise < RISEN_OCTAVES * STRUCTURE_UNITS
        tells = structured[tile] and lost and (gone[tile] or everywhere)
        tells = tells or (marked[tile] and gone[tile] and plain)
        told += tells
        masks[1, tile] = tells
        masks[0, tile] = tells or (plain and not structured[tile])
    if not told:
        masks[:] = False  # light on a plain wall alone hides nothing
