"""Makes the lookups by which a JPEG's Huffman codes are followed: what the next bits stand for. Compiled; pure.

Many blocks are so flat that 13 bits hold all of them, mean and coefficients. So there is a lookup for a block's
beginning, one for the symbols after it, and a long one for codes that do not fit.
"""

from functools import lru_cache
from itertools import islice
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.decode.jpeg_tables import CODE_BITS_MAX
from engine.runtime.numba_cache import CACHED

SHORT_BITS: Final = 13
LONG_BITS: Final = CODE_BITS_MAX
MEAN_BITS_MAX: Final = 11
"""Bits of the difference between two blocks' means, at most."""
ENDS: Final = 1 << 11
"""Layout of a short entry: bits that its symbols take (4 bits), coefficients that they fill (7 bits), end of block."""
MEAN_PLACE: Final = 12
MEAN_BIAS: Final = 1 << MEAN_BITS_MAX
"""The entry of a block's beginning has, above a short entry's bits, the difference of its mean plus MEAN_BIAS."""

_TABLES_MAX = 16
"""Sets of Huffman tables that are kept; 0.7 MB each."""
_LONG_MASK = (1 << LONG_BITS) - 1

Long = npt.NDArray[np.uint16]
Short = npt.NDArray[np.uint16]
Begin = npt.NDArray[np.int32]

_long = types.Array(types.uint16, 2, "C")
_begin = types.Array(types.int32, 2, "C")
_numbers = types.Array(types.int64, 1, "C")


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _symbols(long: Any, table: Any, index: Any, taken: Any, filled_max: Any) -> Any:
    """Return (bits taken, coefficients filled, ENDS or 0) of all symbols that are whole in the SHORT_BITS bits `index`,
    after the first `taken` of them."""
    filled = ends = 0
    while ends == 0:
        entry = long[table, (index << (LONG_BITS - SHORT_BITS + taken)) & _LONG_MASK]
        length, symbol = entry & 0xFF, entry >> 8
        run, extra = symbol >> 4, symbol & 15
        if length == 0 or taken + length + extra > SHORT_BITS or filled > filled_max:
            break
        if extra == 0 and 0 < run < 15:  # the end of several bands
            break
        if extra == 0 and run == 0:
            ends = ENDS
        elif filled + run + 1 > filled_max + 1:
            break
        else:
            filled += run + 1
        taken += length + extra
    return taken, filled, ends


@numba.njit(types.void(_long, _long), nogil=True, cache=CACHED)
def _shorten(long: Any, short: Any) -> None:
    """Fill `short`: for every SHORT_BITS bits, all the symbols of coefficients that are whole within them."""
    for table in range(long.shape[0]):
        for index in range(1 << SHORT_BITS):
            taken, filled, ends = _symbols(long, table, index, 0, 63)
            short[table, index] = ends | filled << 4 | taken


@numba.njit(types.void(_long, _numbers, _numbers, _begin), nogil=True, cache=CACHED)
def _join(long: Any, dc: Any, ac: Any, begin: Any) -> None:
    """Fill `begin`: for every SHORT_BITS bits at a block's beginning, its mean and all symbols after it that are whole
    within them; 0 if not even the mean is."""
    for pair in range(dc.shape[0]):
        for index in range(1 << SHORT_BITS):
            entry = long[dc[pair], index << (LONG_BITS - SHORT_BITS)]
            length, extra = entry & 0xFF, entry >> 8
            begin[pair, index] = 0
            if length == 0 or extra > MEAN_BITS_MAX or length + extra > SHORT_BITS:
                continue
            difference = 0
            if extra > 0:
                difference = (index >> (SHORT_BITS - length - extra)) & ((1 << extra) - 1)
                if difference < 1 << (extra - 1):
                    difference -= (1 << extra) - 1
            taken, filled, ends = _symbols(long, ac[pair], index, length + extra, 61)
            begin[pair, index] = (difference + MEAN_BIAS) << MEAN_PLACE | ends | filled << 4 | taken


@lru_cache(maxsize=_TABLES_MAX)
def lookups_of(codes: tuple[bytes, ...]) -> tuple[Long, Short]:
    """Return, for every 16 bits that follow, symbol x 256 + length of its code, 0 if no code begins so; and the short
    entries of _shorten. Most cameras use the tables of the standard, so that they are made once."""
    long = np.zeros((len(codes), 1 << LONG_BITS), np.uint16)
    for lookup, code in zip(long, codes, strict=True):
        symbols = iter(code[LONG_BITS:])
        place = 0
        for length, count in enumerate(code[:LONG_BITS], start=1):
            span = 1 << (LONG_BITS - length)
            for symbol in islice(symbols, count):
                lookup[place : place + span] = symbol << 8 | length
                place += span
    short = np.empty((len(codes), 1 << SHORT_BITS), np.uint16)
    _shorten(long, short)
    return long, short


@lru_cache(maxsize=_TABLES_MAX)
def beginnings_of(codes: tuple[bytes, ...], pairs: tuple[tuple[int, int], ...]) -> Begin:
    """Return the entries of a block's beginning, for each pair of tables: of means and of coefficients."""
    long, _ = lookups_of(codes)
    dc, ac = np.array(pairs, np.int64).T.copy()
    begin = np.empty((len(pairs), 1 << SHORT_BITS), np.int32)
    _join(long, dc, ac, begin)
    return begin
