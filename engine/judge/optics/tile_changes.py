"""Compares a picture with its baseline tile by tile: by how much the light changed, and in which tiles something small
lies over the scene. Compiled; pure but for the compiler.

It adds to engine/judge/compare.py what shows only in the tiles together. Light from a lamp or through the aperture
multiplies the light of every tile alike, while people, covers and windows change some of them. Drops on the glass leave
the scene in its place and change light and shade in many places, with soft edges, always in the same ones.

The definition in plain NumPy is in engine/judge/optics/reference.py.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.judge.baseline import ACUTANCE, ACUTANCE_UNITS, CELLS, COLUMNS, ROWS, SPOTS_BYTES, TILES, Baseline, Grid
from engine.judge.compare import BLACK_LEVELS, WHITE_LEVELS, SceneChange
from engine.judge.occlusion import TILES_MIN
from engine.judge.order_statistics import MEDIAN, quantile
from engine.runtime.numba_cache import CACHED

Mask = npt.NDArray[np.bool_]

BURNT_LEVEL = 245.0
"""Mean level of a tile from which on it does not show how much light there is."""
TOE_LEVELS, GAMMA = 14.0, 2.4
"""Light is proportional to `(level + TOE_LEVELS) ** GAMMA` (IEC 61966-2-1, above its linear part)."""
AGREEING = 0.35
"""Share of the lit tiles, at either end, that may have changed otherwise."""
SPOT_LEVELS = 6.0
"""Change of a cell against its neighbourhood, in levels, from which on something lies over it."""
SOFTER_OCTAVES = 0.12
"""A tile is soft if its edges lost so much more steepness than those of the median tile."""

_WIDE = 2 * COLUMNS
_NO_MASK = np.zeros((ROWS, COLUMNS), np.bool_)
_f32 = np.float32

_SIGNATURE = types.float64(
    types.Array(types.float32, 1, "C"), types.Bytes(types.uint8, 1, "C", readonly=True),
    types.Array(types.boolean, 2, "C"), types.Array(types.float32, 2, "C"),
    types.Array(types.uint8, 2, "C"),
)  # fmt: skip


class TileChanges(NamedTuple):
    """What changed in the tiles of a picture against the baseline.

    `stops`: by how much the light of the lit tiles changed, in stops, the least change that all of them show but
    AGREEING at either end; 0 where they disagree, None if fewer than TILES_MIN are lit. `spots`: tiles with light and
    shade that is not the scene's; `soft`: tiles whose edges are softer than elsewhere; both one bit per tile,
    row-major, the first tile in the highest bit of the first byte.
    """

    stops: float | None
    spots: bytes
    soft: bytes


def measure_tiles(codes: Grid, baseline: Baseline, change: SceneChange, masked: Mask | None = None) -> TileChanges:
    """Return the changes of the tiles. `codes`, `masked`: as for engine.judge.compare.compare, which gave `change`."""
    packed = np.empty((2, SPOTS_BYTES), np.uint8)
    stops = _measure(codes, baseline.packed, _NO_MASK if masked is None else masked, change.highpassed, packed)
    bits = packed.tobytes()
    return TileChanges(None if stops != stops else stops, bits[:SPOTS_BYTES], bits[SPOTS_BYTES:])


@numba.njit(nogil=True, cache=CACHED)
def _light_change(current: Any, baseline: Any, masked: Any, ratios: Any) -> float:
    """Return `stops` of TileChanges, nan if too few tiles are lit. `ratios`: a buffer of TILES."""
    count = 0
    for tile in range(TILES):
        row, column = tile // COLUMNS, tile % COLUMNS
        level = usual = _f32(0.0)
        for corner in range(4):
            cell = (2 * row + corner // 2) * _WIDE + 2 * column + corner % 2
            level += _f32(0.25) * current[cell]
            usual += _f32(0.25) * _f32(baseline[cell])
        if BLACK_LEVELS <= usual < WHITE_LEVELS and level < BURNT_LEVEL and not masked[row, column]:
            ratios[count] = (level + _f32(TOE_LEVELS)) / (usual + _f32(TOE_LEVELS))
            count += 1
    if count < TILES_MIN:
        return float(np.nan)
    low = GAMMA * np.log2(quantile(ratios, count, AGREEING))
    high = GAMMA * np.log2(quantile(ratios, count, 1.0 - AGREEING))
    return float(max(0.0, low) if high > 0.0 else min(0.0, high))


@numba.njit(nogil=True, cache=CACHED)
def _mark_spots(highpassed: Any, stops: float, spots: Any) -> None:
    """Mark spots. More light makes light and shade differ more: `stops` says by which factor."""
    share = _f32(1.0 if np.isnan(stops) else 2.0 ** (stops / GAMMA))
    limit = _f32(SPOT_LEVELS) * max(_f32(1.0), share)
    spots[:] = False
    for cell in range(CELLS):
        if abs(highpassed[0, cell] - share * highpassed[1, cell]) > limit:
            spots[cell // (2 * _WIDE) * COLUMNS + cell % _WIDE // 2] = True


@numba.njit(nogil=True, cache=CACHED)
def _mark_soft(current: Any, baseline: Any, rises: Any, scratch: Any, soft: Any) -> None:
    """Mark soft tiles. `rises`, `scratch`: buffers of TILES."""
    soft[:] = False
    count = 0
    for tile in range(TILES):
        total = _f32(0.0)
        directions = 0
        for code in (ACUTANCE + tile, ACUTANCE + TILES + tile):
            if current[code] > 0 and baseline[code] > 0:
                total += current[code] - _f32(baseline[code])
                directions += 1
        rises[tile] = np.nan
        if directions:
            rises[tile] = scratch[count] = total / _f32(directions)
            count += 1
    if count >= TILES_MIN:
        limit = quantile(scratch, count, MEDIAN) - _f32(SOFTER_OCTAVES * ACUTANCE_UNITS)
        for tile in range(TILES):
            soft[tile] = rises[tile] < limit  # false for nan


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _measure(current: Any, packed: Any, masked: Any, highpassed: Any, bits: Any) -> float:
    """Fill `bits` with spots and soft tiles; return the change of light in stops, nan for None."""
    masks = np.empty((2, TILES), np.bool_)
    buffers = np.empty((2, TILES), np.float32)
    stops = _light_change(current, packed, masked, buffers[0])
    _mark_spots(highpassed, stops, masks[0])
    _mark_soft(current, packed, buffers[0], buffers[1], masks[1])
    for index in range(2):
        for byte in range(SPOTS_BYTES):
            value = 0
            for bit in range(8):
                value = 2 * value + masks[index, 8 * byte + bit]
            bits[index, byte] = value
    return float(stops)
