"""Follows the Huffman codes of a JPEG's scan, without making a picture, to find what no encoder writes. Compiled; pure.

FFmpeg decodes what it can: it stops at the last block and never asks whether the data ended there. Where bits are
missing or too many, the blocks after them stand in the wrong place, or their means drift out of the range of samples.
Source: ITU-T T.81 E.1.4, F.2.2, G.1.2.
"""

from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.decode.jpeg_tables import CODE_BITS_MAX, Scan
from engine.runtime.numba_cache import CACHED

MEAN_LIMIT: Final = 1024
"""A block's mean is 128 + coefficient / 8, and lies in 0..255."""
MEAN_TOLERANCE: Final = 128
"""16 levels, beside a step of the quantiser: what encoders that sharpen or round badly may be off."""

WHOLE: Final = 0
CODE_BROKEN: Final = 1
"""A code that no table has, or a block of more than 64 coefficients."""
DATA_SHORT: Final = 2
"""The data end before the last block."""
DATA_LONG: Final = 3
"""Bytes follow the last block. They may be padding."""
RESTART_WRONG: Final = 4
"""A restart marker is missing, out of turn or at the wrong place."""

_TABLES_MAX = 16
"""Sets of Huffman tables that are kept; 0.6 MB each."""
_COMPONENTS_MAX = 4
_SHORT_BITS = 13
_LONG_BITS = CODE_BITS_MAX
_SHORT_MASK = np.uint64((1 << _SHORT_BITS) - 1)
_LONG_MASK = np.uint64((1 << _LONG_BITS) - 1)
_MEAN_BITS_MAX = 11
_ENDS = 1 << 11
"""Layout of a short entry: bits that its symbols take (4 bits), coefficients that they fill (7 bits), end of block."""

_u64 = np.uint64
_i64 = np.int64
_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_numbers = types.Array(types.int64, 1, "C")
_lookups = types.Array(types.uint16, 2, "C")
_means = types.Array(types.int32, 2, "C")
_three: types.Type = types.UniTuple(types.int64, 3)  # type: ignore[no-untyped-call]


@numba.njit(types.void(_lookups, _lookups), nogil=True, cache=CACHED)
def _shorten(lookups: Any, shorts: Any) -> None:
    """Fill `shorts`: for every _SHORT_BITS bits, all the symbols of coefficients that are whole within them."""
    for table in range(lookups.shape[0]):
        for index in range(1 << _SHORT_BITS):
            taken = filled = ends = 0
            while ends == 0:
                rest = (index << (_LONG_BITS - _SHORT_BITS + taken)) & ((1 << _LONG_BITS) - 1)
                length, symbol = lookups[table, rest] & 0xFF, lookups[table, rest] >> 8
                run, extra = symbol >> 4, symbol & 15
                if length == 0 or taken + length + extra > _SHORT_BITS or filled > 63:
                    break
                if extra == 0 and 0 < run < 15:  # the end of several bands
                    break
                taken += length + extra
                if extra == 0 and run == 0:
                    ends = _ENDS
                else:
                    filled += run + 1
            shorts[table, index] = ends | filled << 4 | taken if filled <= 64 else 0


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _refill(data: Any, place: Any, bits: Any, held: Any, padded: Any) -> Any:
    """Return (place, bits, held, padded) with at least 32 bits held; those that the data do not have are `padded`."""
    size = data.shape[0]
    if place + 4 <= size:
        a, b, c, d = data[place], data[place + 1], data[place + 2], data[place + 3]
        if a != 0xFF and b != 0xFF and c != 0xFF and d != 0xFF:
            four = _u64(a) << _u64(24) | _u64(b) << _u64(16) | _u64(c) << _u64(8) | _u64(d)
            return place + 4, bits << _u64(32) | four, held + 32, padded
    while held < 32:
        byte = _u64(0)
        if place < size and data[place] != 0xFF:
            byte = _u64(data[place])
            place += 1
        elif place + 1 < size and data[place + 1] == 0:  # a byte FF is written as FF 00
            byte = _u64(0xFF)
            place += 2
        else:
            padded += 8
        bits = bits << _u64(8) | byte
        held += 8
    return place, bits, held, padded


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _mean_step(lookups: Any, table: Any, bits: Any, held: Any) -> Any:
    """Return (result, held, difference of the block's mean to the one before)."""
    entry = _i64(lookups[table, (bits >> _u64(held - _LONG_BITS)) & _LONG_MASK])
    length, extra = entry & 0xFF, entry >> 8
    if length == 0 or extra > _MEAN_BITS_MAX:
        return CODE_BROKEN, held, 0
    held -= length + extra
    if extra == 0:
        return WHOLE, held, 0
    value = _i64((bits >> _u64(held)) & _u64((1 << extra) - 1))
    return WHOLE, held, value if value >= 1 << (extra - 1) else value - (1 << extra) + 1


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _coefficients(
    data: Any, k: Any, last: Any, lookups: Any, shorts: Any, table: Any, place: Any, bits: Any, held: Any, padded: Any
) -> Any:
    """Follow coefficients `k` to `last` of one block; return (result, place, bits, held, padded, bands that end)."""
    while k <= last:
        if held < 32:
            place, bits, held, padded = _refill(data, place, bits, held, padded)
        several = _i64(shorts[table, (bits >> _u64(held - _SHORT_BITS)) & _SHORT_MASK])
        filled = k + ((several >> 4) & 127)
        if several != 0 and filled <= last:
            held -= several & 15
            if several & _ENDS != 0:
                return WHOLE, place, bits, held, padded, 0
            k = filled
            continue
        entry = _i64(lookups[table, (bits >> _u64(held - _LONG_BITS)) & _LONG_MASK])
        length, symbol = entry & 0xFF, entry >> 8
        run, extra = symbol >> 4, symbol & 15
        if length == 0:
            return CODE_BROKEN, place, bits, held, padded, 0
        held -= length + extra
        if extra == 0 and run < 15:
            held -= run
            more = _i64((bits >> _u64(held)) & _u64((1 << run) - 1))
            return WHOLE, place, bits, held, padded, (1 << run) - 1 + more
        k += run + 1
        if k > last + 1:
            return CODE_BROKEN, place, bits, held, padded, 0
    return WHOLE, place, bits, held, padded, 0


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _pass_restart(data: Any, place: Any, turn: Any, held: Any, padded: Any) -> Any:
    """Return (result, place after the restart marker) at the end of an interval; at most its padding may be left."""
    if held - padded >= 8:
        return RESTART_WRONG, place
    while place + 1 < data.shape[0] and data[place] == 0xFF and data[place + 1] == 0xFF:
        place += 1
    if place + 1 >= data.shape[0] or data[place] != 0xFF:
        return RESTART_WRONG, place
    if data[place + 1] != 0xD0 + turn:
        return RESTART_WRONG, place
    return WHOLE, place + 2


@numba.njit(
    _three(_bytes, _numbers, _numbers, _numbers, _numbers, _numbers, _lookups, _lookups, _means),
    nogil=True,
    cache=CACHED,
)
def _follow(
    data: Any, layout: Any, planes: Any, dc: Any, ac: Any, quantisers: Any, lookups: Any, shorts: Any, out: Any
) -> Any:
    """Return (result, place after the scan, blocks whose mean is out of range). `layout`: as in follow_scan. Fill `out`
    with the mean of each plane's last block of each unit, as coded."""
    place, units, restart, first, last, low, refines = layout
    means = np.zeros(_COMPONENTS_MAX, np.int64)
    bits, held, padded = _u64(0), 0, 0
    beyond = turn = ending = result = 0
    left = restart if restart > 0 else units
    for unit in range(units):
        if left == 0:
            result, place = _pass_restart(data, place, turn, held, padded)
            if result != WHOLE:
                return result, place, beyond
            turn, left, ending = (turn + 1) & 7, restart, 0
            bits, held, padded = _u64(0), 0, 0
            means[:] = 0
        left -= 1
        for block in range(planes.shape[0]):
            if first == 0:
                if held < 32:
                    place, bits, held, padded = _refill(data, place, bits, held, padded)
                if refines:
                    held -= 1
                else:
                    result, held, difference = _mean_step(lookups, dc[block], bits, held)
                    plane = planes[block]
                    means[plane] += difference
                    out[unit, plane] = means[plane]
                    step = quantisers[plane] << low
                    beyond += abs(means[plane] * step) > MEAN_LIMIT + MEAN_TOLERANCE + step
            if last > 0 and result == WHOLE:
                if ending > 0:
                    ending -= 1
                else:
                    result, place, bits, held, padded, ending = _coefficients(
                        data, max(first, 1), last, lookups, shorts, ac[block], place, bits, held, padded
                    )
                    if first == 0:
                        ending = 0
            if held < padded:
                return DATA_SHORT, place, beyond
            if result != WHOLE:
                return result, place, beyond
    if held - padded >= 8:
        return DATA_LONG, place - (held - padded) // 8, beyond
    return WHOLE, place, beyond


class Followed(NamedTuple):
    """`result`: WHOLE or why not. `end`: offset where coded data end. `beyond`: blocks with an impossible mean.
    `levels`, shape (units, planes): the mean of each plane's last block of each unit, in levels; zeros if the scan has
    none."""

    result: int
    end: int
    beyond: int
    levels: npt.NDArray[np.float32]


def follow_scan(payload: bytes, scan: Scan) -> Followed:
    """Follow the codes of a scan."""
    lookups, shorts = _lookups_of(scan.codes)
    layout = (scan.begin, scan.units, scan.restart, scan.first, scan.last, scan.low, int(scan.refines))
    means = np.zeros((scan.units, len(scan.quantisers)), np.int32)
    result, place, beyond = _follow(
        np.frombuffer(payload, np.uint8),
        np.array(layout, np.int64),
        scan.planes,
        scan.dc,
        scan.ac,
        scan.quantisers,
        lookups,
        shorts,
        means,
    )
    scale = (scan.quantisers << scan.low) / 8
    return Followed(int(result), int(place), int(beyond), (means * scale).astype(np.float32))


@lru_cache(maxsize=_TABLES_MAX)
def _lookups_of(codes: tuple[bytes, ...]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return, for every 16 bits that follow, symbol x 256 + length of its code, 0 if no code begins so; and the short
    entries of _shorten. Most cameras use the tables of the standard, so that they are made once."""
    lookups = np.zeros((len(codes), 1 << _LONG_BITS), np.uint16)
    for lookup, code in zip(lookups, codes, strict=True):
        symbols = iter(code[_LONG_BITS:])
        place = 0
        for length, count in enumerate(code[:_LONG_BITS], start=1):
            span = 1 << (_LONG_BITS - length)
            for symbol in islice(symbols, count):
                lookup[place : place + span] = symbol << 8 | length
                place += span
    shorts = np.empty((len(codes), 1 << _SHORT_BITS), np.uint16)
    _shorten(lookups, shorts)
    return lookups, shorts
