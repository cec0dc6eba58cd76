"""One picture in the units of a baseline, and what moved in it since the last one; compiled. Pure but for the compiler.

The definition as NumPy says it is in engine/judge/reference.py.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types

from engine.judge.baseline import (
    ACUTANCE,
    ACUTANCE_LEAST,
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
from engine.judge.order_statistics import nth
from engine.model.picture import TileMap
from engine.runtime.numba_cache import CACHED

LEVEL_MIN, LEVEL_MAX = 8, 247
"""A tile that is darker or brighter is crushed, and never moves."""
QUARTILE, NEARLY_ALL = 0.75, 0.95

_f32 = np.float32
_u8 = np.uint8

_BYTES = types.Bytes(types.uint8, 1, "C", readonly=True)
_GRID = types.Array(types.float32, 2, "C", readonly=True)
_MOVED = types.Tuple([types.int64, *[types.float64] * 3, types.int64])  # type: ignore[no-untyped-call]
_SIGNATURE = _MOVED(
    _BYTES, _BYTES, types.float64, _GRID, types.Array(types.float32, 3, "C", readonly=True), _GRID, _GRID,
    types.Array(types.float32, 1, "C"), types.Array(types.uint8, 1, "C"),
)  # fmt: skip


class Motion(NamedTuple):
    """What tiles did since an earlier picture.

    `able`: how many could move, being neither black nor white; 0 without an earlier picture. Levels by which the
    `middle` one of them moved, and `three_quarters` and `nearly_all` of them at most. `steady`: how many moved by no
    more than the tolerance.
    """

    able: int
    middle: float
    three_quarters: float
    nearly_all: float
    steady: int


class Features(NamedTuple):
    """`codes`: float32, shape (CODES,), 0..255. `means`: of the tiles, as History.signature has them."""

    codes: Grid
    means: bytes
    moved: Motion


def features_of(signature: bytes, tiles: TileMap, before: bytes = b"", tolerance: float = 0.0) -> Features:
    """A picture of which `signature`, as engine/kernels/signature.py packs it, can be read.

    `before`: `means` of an earlier one, or empty. `tolerance`: in levels.
    """
    codes: Grid = np.empty(CODES, np.float32)
    means = np.empty(2 * TILES, np.uint8)
    moved = _read(signature, before, tolerance, tiles.structure, tiles.acutance, tiles.u, tiles.v, codes, means)
    return Features(codes, means.tobytes(), Motion(*moved))


@numba.njit(nogil=True, cache=CACHED)
def _number(packed: Any, index: int) -> int:
    """One of 16 bits, the low byte first."""
    return int(packed[index]) + 256 * int(packed[index + 1])


@numba.njit(nogil=True, cache=CACHED)
def _encode(structure: Any, acutance: Any, u: Any, v: Any, codes: Any) -> None:
    """All codes but those of the cells."""
    top, nothing = _f32(255.0), _f32(0.0)
    for tile in range(TILES):
        row, column = tile // COLUMNS, tile % COLUMNS
        energy = min(top, np.log2(structure[row, column] + _f32(1.0)) * _f32(STRUCTURE_UNITS))
        codes[STRUCTURE + tile] = codes[SEASON + tile] = energy
        both = nothing
        known = 0
        for direction in range(2):
            ratio = acutance[direction, row, column]
            edges = nothing
            if ratio > _f32(ACUTANCE_LEAST):  # nan is not
                edges = np.log2(ratio / _f32(ACUTANCE_LEAST)) * _f32(ACUTANCE_UNITS)
                known += 1
            codes[ACUTANCE + direction * TILES + tile] = min(top, edges)
            both += edges
        codes[SEASON_ACUTANCE + tile] = min(top, both * _f32(0.5) if known == 2 else both)
        codes[COLOUR_U + tile] = min(top, max(nothing, u[row, column] + _f32(COLOUR_ZERO)))
        codes[COLOUR_V + tile] = min(top, max(nothing, v[row, column] + _f32(COLOUR_ZERO)))


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _read(
    signature: Any, before: Any, tolerance: float, structure: Any, acutance: Any, u: Any, v: Any, codes: Any, means: Any
) -> Any:
    for cell in range(CELLS):
        codes[cell] = min(_f32(255.0), _f32(_number(signature, 1 + 2 * cell)) * _f32(1.0 / LEVEL_UNITS))
    _encode(structure, acutance, u, v, codes)
    moved = np.empty(TILES, np.int64)
    count = steady = 0
    for tile in range(TILES):
        first = 1 + 8 * COLUMNS * (tile // COLUMNS) + 4 * (tile % COLUMNS)
        below = first + 4 * COLUMNS
        mean = _number(signature, first) + _number(signature, first + 2)
        mean = (mean + _number(signature, below) + _number(signature, below + 2)) // 4
        means[2 * tile], means[2 * tile + 1] = _u8(mean & 255), _u8(mean >> 8)
        if len(before) > 0 and LEVEL_MIN * LEVEL_UNITS < mean < LEVEL_MAX * LEVEL_UNITS:
            apart = abs(mean - _number(before, 2 * tile))
            steady += apart <= tolerance * LEVEL_UNITS
            moved[count] = apart
            count += 1
    if count == 0:
        return 0, 0.0, 0.0, 0.0, 0
    middle = nth(moved, count, count // 2) / LEVEL_UNITS
    most = nth(moved, count, int(QUARTILE * (count - 1))) / LEVEL_UNITS
    nearly_all = nth(moved, count, int(NEARLY_ALL * (count - 1))) / LEVEL_UNITS
    return count, middle, most, nearly_all, steady
