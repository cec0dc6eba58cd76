"""Follows the codes of a sequential JPEG's scan, as nearly all cameras send it: block by block, as fast as can be.
Compiled; pure.

The next bit is always the highest of a register, so that a lookup needs one shift. Source: ITU-T T.81 F.2.2.
"""

from typing import Any, Final

import numba
import numpy as np
from numba import types

from engine.decode.jpeg_lookups import ENDS, LONG_BITS, MEAN_BIAS, MEAN_BITS_MAX, MEAN_PLACE, SHORT_BITS
from engine.decode.jpeg_results import CODE_BROKEN, DATA_LONG, DATA_SHORT, RESTART_WRONG, WHOLE
from engine.runtime.numba_cache import CACHED

_COMPONENTS_MAX: Final = 4
_LAST = 63
_SHORT_SHIFT = np.uint64(64 - SHORT_BITS)
_LONG_SHIFT = np.uint64(64 - LONG_BITS)
_ALL_ONES = np.uint64(0xFFFFFFFF)
_LOWEST_BITS = np.uint64(0x01010101)
_HIGHEST_BITS = np.uint64(0x80808080)

_u64 = np.uint64
_i64 = np.int64
_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_numbers = types.Array(types.int64, 1, "C")
_long = types.Array(types.uint16, 2, "C")
_begin = types.Array(types.int32, 2, "C")
_three: types.Type = types.UniTuple(types.int64, 3)  # type: ignore[no-untyped-call]


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _refill(data: Any, place: Any, bits: Any, held: Any, padded: Any) -> Any:
    """Return (place, bits, held, padded) with at least 32 bits held; those that the data do not have are `padded`."""
    size = data.shape[0]
    if place + 4 <= size:
        a, b, c, d = data[place], data[place + 1], data[place + 2], data[place + 3]
        four = _u64(a) << _u64(24) | _u64(b) << _u64(16) | _u64(c) << _u64(8) | _u64(d)
        # no byte is FF: none of the complement is zero
        if ((four ^ _ALL_ONES) - _LOWEST_BITS) & four & _HIGHEST_BITS == _u64(0):
            return place + 4, bits | four << _u64(32 - held), held + 32, padded
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
        bits |= byte << _u64(56 - held)
        held += 8
    return place, bits, held, padded


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _mean(long: Any, table: Any, bits: Any, held: Any) -> Any:
    """Return (result, bits, held, difference of the block's mean to the one before), of a code of any length."""
    entry = _i64(long[table, bits >> _LONG_SHIFT])
    length, extra = entry & 0xFF, entry >> 8
    if length == 0 or extra > MEAN_BITS_MAX:
        return CODE_BROKEN, bits, held, 0
    bits <<= _u64(length)
    held -= length + extra
    if extra == 0:
        return WHOLE, bits, held, 0
    value = _i64(bits >> _u64(64 - extra))
    return WHOLE, bits << _u64(extra), held, value if value >= 1 << (extra - 1) else value - (1 << extra) + 1


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _coefficients(
    data: Any, k: Any, long: Any, short: Any, table: Any, place: Any, bits: Any, held: Any, padded: Any
) -> Any:
    """Follow the coefficients of one block from `k` on; return (result, place, bits, held, padded)."""
    while k <= _LAST:
        if held < 32:
            place, bits, held, padded = _refill(data, place, bits, held, padded)
        several = _i64(short[table, bits >> _SHORT_SHIFT])
        filled = k + ((several >> 4) & 127)
        if several != 0 and filled <= _LAST:
            taken = several & 15
            bits <<= _u64(taken)
            held -= taken
            if several & ENDS != 0:
                return WHOLE, place, bits, held, padded
            k = filled
            continue
        entry = _i64(long[table, bits >> _LONG_SHIFT])
        length, symbol = entry & 0xFF, entry >> 8
        run, extra = symbol >> 4, symbol & 15
        if length == 0 or (extra == 0 and 0 < run < 15):
            return CODE_BROKEN, place, bits, held, padded
        bits <<= _u64(length + extra)
        held -= length + extra
        if symbol == 0:
            return WHOLE, place, bits, held, padded
        k += run + 1
        if k > _LAST + 1:
            return CODE_BROKEN, place, bits, held, padded
    return WHOLE, place, bits, held, padded


@numba.njit(nogil=True, cache=CACHED, inline="always")
def pass_restart(data: Any, place: Any, turn: Any, held: Any, padded: Any) -> Any:
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
    _three(_bytes, _numbers, _numbers, _numbers, _numbers, _numbers, _numbers, _begin, _long, _long, _begin),
    nogil=True,
    cache=CACHED,
)
def follow(
    data: Any,
    layout: Any,
    planes: Any,
    pairs: Any,
    dc: Any,
    ac: Any,
    limits: Any,
    begin: Any,
    long: Any,
    short: Any,
    out: Any,
) -> Any:
    """Return (result, place after the scan, blocks whose mean is out of range).

    `layout`: offset of the coded data, units, units between restart markers or 0. Of each block of a unit: `planes`,
    its plane; `pairs`, `dc`, `ac`: its rows in `begin` and `long`. `limits`: of each plane, the greatest mean, as
    coded. Fill `out`, shape (planes, units), with the mean of each plane's last block of each unit, as coded.
    """
    place, units, restart = layout
    means = np.zeros(_COMPONENTS_MAX, np.int64)
    bits, held, padded = _u64(0), 0, 0
    beyond = turn = 0
    left = restart if restart > 0 else units
    for unit in range(units):
        if left == 0:
            result, place = pass_restart(data, place, turn, held, padded)
            if result != WHOLE:
                return result, place, beyond
            turn, left = (turn + 1) & 7, restart
            bits, held, padded = _u64(0), 0, 0
            means[:] = 0
        left -= 1
        for block in range(planes.shape[0]):
            if held < 32:
                place, bits, held, padded = _refill(data, place, bits, held, padded)
            result, k, ended = WHOLE, 1, 0
            entry: Any = _i64(begin[pairs[block], bits >> _SHORT_SHIFT])
            if entry != 0:
                taken = entry & 15
                bits <<= _u64(taken)
                held -= taken
                k += (entry >> 4) & 127
                ended = entry & ENDS
                difference = (entry >> MEAN_PLACE) - MEAN_BIAS
            else:
                result, bits, held, difference = _mean(long, dc[block], bits, held)
            plane = planes[block]
            mean = means[plane] + difference
            means[plane] = mean
            out[plane, unit] = mean
            beyond += abs(mean) > limits[plane]
            if ended == 0 and result == WHOLE:
                result, place, bits, held, padded = _coefficients(
                    data, k, long, short, ac[block], place, bits, held, padded
                )
            if held < padded:
                return DATA_SHORT, place, beyond
            if result != WHOLE:
                return result, place, beyond
    if held - padded >= 8:
        return DATA_LONG, place - (held - padded) // 8, beyond
    return WHOLE, place, beyond
