"""Follows the Huffman codes of a JPEG's scan, without making a picture, to find what no encoder writes. Compiled; pure.

FFmpeg decodes what it can: it stops at the last block and never asks whether the data ended there. Where bits are
missing or too many, the blocks after them stand in the wrong place, or their means drift out of the range of samples.
A sequential scan is followed by jpeg_sequential, one of a progressive picture here.
Source: ITU-T T.81 E.1.4, F.2.2, G.1.2.
"""

from typing import Any, Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.decode import jpeg_sequential
from engine.decode.jpeg_lookups import ENDS, LONG_BITS, MEAN_BITS_MAX, SHORT_BITS, beginnings_of, lookups_of
from engine.decode.jpeg_results import CODE_BROKEN, DATA_LONG, DATA_SHORT, WHOLE
from engine.decode.jpeg_sequential import pass_restart
from engine.decode.jpeg_tables import Scan
from engine.runtime.numba_cache import CACHED

MEAN_LIMIT: Final = 1024
"""A block's mean is 128 + coefficient / 8, and lies in 0..255."""
MEAN_TOLERANCE: Final = 128
"""16 levels, beside a step of the quantiser: what encoders that sharpen or round badly may be off."""

_COMPONENTS_MAX = 4
_LAST = 63
_SHORT_MASK = np.uint64((1 << SHORT_BITS) - 1)
_LONG_MASK = np.uint64((1 << LONG_BITS) - 1)

_u64 = np.uint64
_i64 = np.int64
_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_numbers = types.Array(types.int64, 1, "C")
_long = types.Array(types.uint16, 2, "C")
_means = types.Array(types.int32, 2, "C")
_three: types.Type = types.UniTuple(types.int64, 3)  # type: ignore[no-untyped-call]


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
    entry = _i64(lookups[table, (bits >> _u64(held - LONG_BITS)) & _LONG_MASK])
    length, extra = entry & 0xFF, entry >> 8
    if length == 0 or extra > MEAN_BITS_MAX:
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
        several = _i64(shorts[table, (bits >> _u64(held - SHORT_BITS)) & _SHORT_MASK])
        filled = k + ((several >> 4) & 127)
        if several != 0 and filled <= last:
            held -= several & 15
            if several & ENDS != 0:
                return WHOLE, place, bits, held, padded, 0
            k = filled
            continue
        entry = _i64(lookups[table, (bits >> _u64(held - LONG_BITS)) & _LONG_MASK])
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


@numba.njit(
    _three(_bytes, _numbers, _numbers, _numbers, _numbers, _numbers, _long, _long, _means),
    nogil=True,
    cache=CACHED,
)
def _follow(
    data: Any, layout: Any, planes: Any, dc: Any, ac: Any, limits: Any, lookups: Any, shorts: Any, out: Any
) -> Any:
    """Return (result, place after the scan, blocks whose mean is out of range).

    A scan of a progressive picture: of means, or of the coefficients of one plane. `layout`, `limits`: as in
    follow_scan. Fill `out`, shape (planes, units), with the mean of each plane's last block of each unit, as coded.
    """
    place, units, restart, first, last, refines = layout
    means = np.zeros(_COMPONENTS_MAX, np.int64)
    bits, held, padded = _u64(0), 0, 0
    beyond = turn = ending = result = 0
    left = restart if restart > 0 else units
    for unit in range(units):
        if left == 0:
            result, place = pass_restart(data, place, turn, held, padded)
            if result != WHOLE:
                return result, place, beyond
            turn, left, ending = (turn + 1) & 7, restart, 0
            bits, held, padded = _u64(0), 0, 0
            means[:] = 0
        left -= 1
        for block in range(planes.shape[0]):
            if first > 0:
                if ending > 0:
                    ending -= 1
                else:
                    result, place, bits, held, padded, ending = _coefficients(
                        data, first, last, lookups, shorts, ac[block], place, bits, held, padded
                    )
            else:
                if held < 32:
                    place, bits, held, padded = _refill(data, place, bits, held, padded)
                if refines:
                    held -= 1
                else:
                    result, held, difference = _mean_step(lookups, dc[block], bits, held)
                    plane = planes[block]
                    means[plane] += difference
                    out[plane, unit] = means[plane]
                    beyond += abs(means[plane]) > limits[plane]
            if held < padded:
                return DATA_SHORT, place, beyond
            if result != WHOLE:
                return result, place, beyond
    if held - padded >= 8:
        return DATA_LONG, place - (held - padded) // 8, beyond
    return WHOLE, place, beyond


class Followed(NamedTuple):
    """`result`: WHOLE or why not. `end`: offset where coded data end. `beyond`: blocks with an impossible mean.
    `levels`, shape (planes, units): the mean of each plane's last block of each unit, in levels; zeros if the scan has
    none."""

    result: int
    end: int
    beyond: int
    levels: npt.NDArray[np.float32]


def follow_scan(payload: bytes, scan: Scan) -> Followed:
    """Follow the codes of a scan."""
    data = np.frombuffer(payload, np.uint8)
    long, short = lookups_of(scan.codes)
    steps = scan.quantisers << scan.low
    limits = (MEAN_LIMIT + MEAN_TOLERANCE + steps) // steps
    means = np.zeros((len(steps), scan.units), np.int32)
    if scan.first == 0 and scan.last == _LAST:
        tables = list(zip(scan.dc.tolist(), scan.ac.tolist(), strict=True))
        distinct = tuple(dict.fromkeys(tables))
        pairs = np.array([distinct.index(pair) for pair in tables], np.int64)
        layout = np.array((scan.begin, scan.units, scan.restart), np.int64)
        result, place, beyond = jpeg_sequential.follow(
            data,
            layout,
            scan.planes,
            pairs,
            scan.dc,
            scan.ac,
            limits,
            beginnings_of(scan.codes, distinct),
            long,
            short,
            means,
        )
    else:
        numbers = (scan.begin, scan.units, scan.restart, scan.first, scan.last, int(scan.refines))
        layout = np.array(numbers, np.int64)
        result, place, beyond = _follow(data, layout, scan.planes, scan.dc, scan.ac, limits, long, short, means)
    return Followed(int(result), int(place), int(beyond), (means * (steps[:, None] / 8)).astype(np.float32))
