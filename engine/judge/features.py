"""Extracts the features of a picture: its measurement in the code units of a baseline, and how far tiles changed since
an earlier picture. Compiled; pure but for the compiler.

The definition in plain NumPy is in engine/judge/reference.py.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types

from engine.judge.baseline import (
    ACUTANCE,
    ACUTANCE_MIN,
    ACUTANCE_UNITS,
    CELLS,
    CODES,
    COLOUR_U,
    COLOUR_V,
    COLOUR_ZERO,
    COLUMNS,
    LEVEL_UNITS,
    SEASON,
    SEASON_ACUTANCE,
    STRUCTURE,
    STRUCTURE_UNITS,
    TILES,
    Grid,
)
from engine.judge.order_statistics import nth_element
from engine.model.picture import TileMap
from engine.runtime.numba_cache import CACHED

LEVEL_MIN, LEVEL_MAX = 8, 247
"""A tile that is darker or brighter is crushed to black or white, and never changes."""
UPPER_QUARTILE, PERCENTILE_95 = 0.75, 0.95

_f32 = np.float32
_u8 = np.uint8

_BYTES = types.Bytes(types.uint8, 1, "C", readonly=True)
_GRID = types.Array(types.float32, 2, "C", readonly=True)
_MOTION = types.Tuple([types.int64, *[types.float64] * 3, types.int64])  # type: ignore[no-untyped-call]
_SIGNATURE = _MOTION(
    _BYTES, _BYTES, types.float64, _GRID, types.Array(types.float32, 3, "C", readonly=True), _GRID, _GRID,
    types.Array(types.float32, 1, "C"), types.Array(types.uint8, 1, "C"),
)  # fmt: skip


class Motion(NamedTuple):
    """How far the mean levels of tiles changed since an earlier picture.

    `movable`: number of tiles that could change, being neither black nor white; 0 without an earlier picture. `median`,
    `upper_quartile`, `percentile_95`: of their absolute changes, in levels. `unchanged`: number of tiles that changed
    by no more than the tolerance.
    """

    movable: int
    median: float
    upper_quartile: float
    percentile_95: float
    unchanged: int


class Features(NamedTuple):
    """`codes`: float32, shape (CODES,), 0..255, laid out as in engine/judge/baseline.py. `tile_means`: TILES unsigned
    16-bit little-endian numbers, row-major, mean levels of tiles in 1/LEVEL_UNITS. `motion`: since an earlier picture.
    """

    codes: Grid
    tile_means: bytes
    motion: Motion


def extract_features(signature: bytes, tiles: TileMap, previous_means: bytes = b"", tolerance: float = 0.0) -> Features:
    """Return the features of a picture with a readable `signature` (layout in engine/kernels/signature.py).

    `previous_means`: `tile_means` of an earlier picture, or empty. `tolerance`: in levels, see `Motion.unchanged`.
    """
    codes: Grid = np.empty(CODES, np.float32)
    means = np.empty(2 * TILES, np.uint8)
    motion = _extract(
        signature, previous_means, tolerance, tiles.structure, tiles.acutance, tiles.u, tiles.v, codes, means
    )
    return Features(codes, means.tobytes(), Motion(*motion))


@numba.njit(nogil=True, cache=CACHED)
def _uint16(packed: Any, index: int) -> int:
    """Return the little-endian 16-bit number at `index`."""
    return int(packed[index]) + 256 * int(packed[index + 1])


@numba.njit(nogil=True, cache=CACHED)
def _encode_tiles(structure: Any, acutance: Any, u: Any, v: Any, codes: Any) -> None:
    """Write all codes except those of the cells."""
    top, zero = _f32(255.0), _f32(0.0)
    for tile in range(TILES):
        row, column = tile // COLUMNS, tile % COLUMNS
        energy = min(top, np.log2(structure[row, column] + _f32(1.0)) * _f32(STRUCTURE_UNITS))
        codes[STRUCTURE + tile] = codes[SEASON + tile] = energy
        total = zero
        directions = 0
        for direction in range(2):
            ratio = acutance[direction, row, column]
            code = zero
            if ratio > _f32(ACUTANCE_MIN):  # false for nan
                code = np.log2(ratio / _f32(ACUTANCE_MIN)) * _f32(ACUTANCE_UNITS)
                directions += 1
            codes[ACUTANCE + direction * TILES + tile] = min(top, code)
            total += code
        codes[SEASON_ACUTANCE + tile] = min(top, total * _f32(0.5) if directions == 2 else total)
        codes[COLOUR_U + tile] = min(top, max(zero, u[row, column] + _f32(COLOUR_ZERO)))
        codes[COLOUR_V + tile] = min(top, max(zero, v[row, column] + _f32(COLOUR_ZERO)))


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _extract(
    signature: Any,
    previous: Any,
    tolerance: float,
    structure: Any,
    acutance: Any,
    u: Any,
    v: Any,
    codes: Any,
    means: Any,
) -> Any:  # fmt: skip
    """Fill `codes` and `means`; return the fields of Motion."""
    for cell in range(CELLS):
        codes[cell] = min(_f32(255.0), _f32(_uint16(signature, 1 + 2 * cell)) * _f32(1.0 / LEVEL_UNITS))
    _encode_tiles(structure, acutance, u, v, codes)
    changes = np.empty(TILES, np.int64)
    count = unchanged = 0
    for tile in range(TILES):
        upper = 1 + 8 * COLUMNS * (tile // COLUMNS) + 4 * (tile % COLUMNS)
        lower = upper + 4 * COLUMNS
        mean = _uint16(signature, upper) + _uint16(signature, upper + 2)
        mean = (mean + _uint16(signature, lower) + _uint16(signature, lower + 2)) // 4
        means[2 * tile], means[2 * tile + 1] = _u8(mean & 255), _u8(mean >> 8)
        if len(previous) > 0 and LEVEL_MIN * LEVEL_UNITS < mean < LEVEL_MAX * LEVEL_UNITS:
            change = abs(mean - _uint16(previous, 2 * tile))
            unchanged += change <= tolerance * LEVEL_UNITS
            changes[count] = change
            count += 1
    if count == 0:
        return 0, 0.0, 0.0, 0.0, 0
    median = nth_element(changes, count, count // 2) / LEVEL_UNITS
    upper_quartile = nth_element(changes, count, int(UPPER_QUARTILE * (count - 1))) / LEVEL_UNITS
    percentile_95 = nth_element(changes, count, int(PERCENTILE_95 * (count - 1))) / LEVEL_UNITS
    return count, median, upper_quartile, percentile_95, unchanged
