"""Finds the tiles where the scene is hidden; engine/judge/compare.py calls it. Compiled; pure but for the compiler.

Arguments named `current` and `baseline` are codes (engine/judge/baseline.py) as float32, shape (CODES,). Arguments per
tile are flat, shape (TILES,). `scratch` is a buffer of that shape whose content does not matter.
"""

import math
from typing import Any

import numba
import numpy as np

from engine.judge.baseline import COLOUR_U, COLOUR_V, STRUCTURE, STRUCTURE_UNITS, TILES
from engine.judge.order_statistics import MEDIAN, TOP, compress, quantile
from engine.runtime.numba_cache import CACHED

STRUCTURED_MIN = math.log2(1.0 + 4.0) * STRUCTURE_UNITS
"""Structure code from which on a tile has structure: a gradient energy of 4 levels^2."""
LOST_OCTAVES = 1.5
"""A tile lost its structure if it fell by so much more than the least affected tiles ..."""
LOST_TO_NOISE_OCTAVES = 0.7
"""... or by so much more, if what remains is what noise leaves."""
LOST_CONTRAST_MAX = 0.35
"""Contrast that a covered tile keeps at most, relative to the contrast of the rest of the picture."""
SCENE_CONTRAST_MIN = 0.25
"""Contrast of the best tiles below which the whole scene is gone."""
RISE_MAX_OCTAVES = 1.0
"""Structure that a cover adds at most: it is too near to be in focus. If more was added, something else came into view.
"""
NOISE_MAX, ABOVE_NOISE = 3.5, 0.8
"""Octaves of structure that noise and coding leave at most; octaves above it from which on a tile shows more than that.
"""
UNAFFECTED_TILES_MIN = 8
"""Tiles that kept the scene, needed to tell how the light changed."""
CHANGED_LEVELS, CHANGED_COLOUR = 22.0, 12.0
"""A plain tile is hidden if its light or its colour differs by more than that, in levels ..."""
RELATIVE_FROM = 100.0
"""... or, where the usual level is higher than this, by the same share of it: light that changes changes a white wall
too."""
DARK_LEVELS = 8.0
"""Added to levels before dividing by them, so that ratios stay bounded in the dark."""
TILES_MIN = 6
"""Tiles with structure, or with edges both now and usually, that a quantile over tiles needs."""
LOWEST_FIFTH = 0.2

_f32 = np.float32


@numba.njit(nogil=True, cache=CACHED)
def _median_shift(current: Any, baseline: Any, begin: int, mask: Any, scratch: Any) -> Any:
    """Return the median difference of the codes from `begin` on, over the tiles in `mask`."""
    count = 0
    for tile in range(TILES):
        if mask[tile]:
            scratch[count] = current[begin + tile] - baseline[begin + tile]
            count += 1
    return quantile(scratch, count, MEDIAN)


@numba.njit(nogil=True, cache=CACHED)
def plain_threshold(floor: float) -> float:
    """Return the structure code below which a tile shows only noise and coding. `floor`: structure found everywhere."""
    return max(STRUCTURED_MIN, min(floor, NOISE_MAX * STRUCTURE_UNITS) + ABOVE_NOISE * STRUCTURE_UNITS)


@numba.njit(nogil=True, cache=CACHED)
def _mark_changed(
    current: Any, baseline: Any, levels: Any, lost_contrast: Any, scratch: Any, changed: Any
) -> None:  # fmt: skip
    """Mark tiles whose mean light or colour changed differently from that of the unaffected tiles."""
    unaffected, ratio = np.empty(TILES, np.bool_), np.empty(TILES, np.float32)
    count = 0
    for tile in range(TILES):
        ratio[tile] = levels[0, tile] / (levels[1, tile] + _f32(DARK_LEVELS))
        unaffected[tile] = not lost_contrast[tile]
        count += unaffected[tile]
    if count < UNAFFECTED_TILES_MIN:
        unaffected[:] = True
    median = quantile(scratch, compress(ratio, unaffected, scratch), MEDIAN)
    shift_u = _median_shift(current, baseline, COLOUR_U, unaffected, scratch)
    shift_v = _median_shift(current, baseline, COLOUR_V, unaffected, scratch)
    for tile in range(TILES):
        level = min(levels[1, tile] + _f32(DARK_LEVELS), _f32(RELATIVE_FROM))
        by_light = abs(ratio[tile] - median) * level > CHANGED_LEVELS
        by_u = abs(current[COLOUR_U + tile] - baseline[COLOUR_U + tile] - shift_u) > CHANGED_COLOUR
        by_v = abs(current[COLOUR_V + tile] - baseline[COLOUR_V + tile] - shift_v) > CHANGED_COLOUR
        changed[tile] = by_light or by_u or by_v


@numba.njit(nogil=True, cache=CACHED)
def mark_hidden(
    current: Any,
    baseline: Any,
    levels: Any,
    tile_contrast: Any,
    shaded: Any,
    contrast: float,
    plain: float,
    scratch: Any,
    masks: Any,
) -> None:
    """Mark the hidden tiles in `masks[0]`, and in `masks[1]` those of them that usually show something.

    A tile that usually has structure is hidden if it lost it, or if it is as plain as noise leaves it. One that usually
    shows light and shade is hidden if these are gone and its mean light or colour changed. A plain tile is hidden if
    its light or colour changed, but only if tiles of the other sorts are hidden too.

    `levels`: mean levels of tiles, current and usual, shape (2, TILES). `tile_contrast`: contrast of each tile as a
    share of the usual. `shaded`: tiles that usually show light and shade. `contrast`: of the best tiles, see
    SceneChange. `plain`: plain_threshold() of the baseline.
    """
    masks[:] = False
    everywhere = contrast < SCENE_CONTRAST_MIN
    contrast_min = LOST_CONTRAST_MAX if everywhere else LOST_CONTRAST_MAX * min(1.0, contrast)
    lost_contrast, structured = np.empty(TILES, np.bool_), np.empty(TILES, np.bool_)
    changed = np.empty(TILES, np.bool_)
    kept = affected = 0
    for tile in range(TILES):
        lost_contrast[tile] = tile_contrast[tile] < contrast_min
        structured[tile] = baseline[STRUCTURE + tile] >= plain
        affected += lost_contrast[tile] and (structured[tile] or shaded[tile])
        if structured[tile] and not lost_contrast[tile]:
            scratch[kept] = current[STRUCTURE + tile] - baseline[STRUCTURE + tile]
            kept += 1
    if not everywhere and not affected:
        return
    least_affected = 0.0 if everywhere or kept < TILES_MIN else min(0.0, float(quantile(scratch, kept, TOP)))
    _mark_changed(current, baseline, levels, lost_contrast, scratch, changed)
    for tile in range(TILES):
        scratch[tile] = current[STRUCTURE + tile]
    current_plain = plain_threshold(float(quantile(scratch, TILES, LOWEST_FIFTH)))
    evident_count = 0
    for tile in range(TILES):
        rise = current[STRUCTURE + tile] - baseline[STRUCTURE + tile]
        to_noise = (
            current[STRUCTURE + tile] < current_plain
            and rise < least_affected - LOST_TO_NOISE_OCTAVES * STRUCTURE_UNITS
        )
        lost_structure = to_noise or rise < least_affected - LOST_OCTAVES * STRUCTURE_UNITS
        replaced = changed[tile] and rise < RISE_MAX_OCTAVES * STRUCTURE_UNITS
        evident = structured[tile] and lost_structure and (lost_contrast[tile] or everywhere)
        evident = evident or (shaded[tile] and lost_contrast[tile] and replaced)
        evident_count += evident
        masks[1, tile] = evident
        masks[0, tile] = evident or (replaced and not structured[tile])
    if not evident_count:
        masks[:] = False  # light on a plain wall alone hides nothing
