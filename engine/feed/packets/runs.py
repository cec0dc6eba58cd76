"""Passes over runs of packets that need no thought: slices that are no keyframe, and the middle of a keyframe's slices.

Nearly all packets of a visit are in such a run. A run ends before the first packet that is different in any way. The
session (`engine.feed.rtsp.session`) decides on that one: it can take one packet after the other, and is the slow twin
of this code. Compiled; pure. Sources: RFC 2326 10.12 (interleaving); RFC 3550 5.1; RFC 6184 5.8; RFC 7798 4.4.3.
"""

from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.feed.rtsp.packet_runs import Fragments, Octets, PacketRuns
from engine.runtime.numba_cache import CACHED

_MARK = 0x24
_PREFIX = 4
"""Bytes before an interleaved packet: the mark, the channel, two bytes of length."""
_RTP_HEADER = 12
_PLAIN_HEADER = 0x80
"""First byte of a packet of version 2 without padding, extension and contributing sources."""
_SLICE_BYTES_MIN = _RTP_HEADER + 3
"""A packet that is shorter is no slice: the session looks at its first three bytes."""
_H264_SLICE, _H264_FRAGMENT = 1, 28
_H265_SLICES, _H265_FRAGMENT = 10, 49
"""NAL unit types of slices that refer to other pictures are below 10 in H.265."""

_i64 = np.int64
_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_out = types.Array(types.uint8, 1, "C")
_two: types.Type = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]
_three: types.Type = types.UniTuple(types.int64, 3)  # type: ignore[no-untyped-call]


@numba.njit(nogil=True, cache=CACHED, inline="always")
def _packet_end(data: Any, place: Any) -> Any:
    """Return the offset after the interleaved packet at `place`; -1 if no whole one is there."""
    size = data.shape[0]
    if place + _PREFIX > size or data[place] != _MARK:
        return -1
    end = place + _PREFIX + (_i64(data[place + 2]) << 8 | _i64(data[place + 3]))
    return end if end <= size else -1


@numba.njit(_two(_bytes, types.int64, types.int64, types.int64), nogil=True, cache=CACHED)
def _skip_slices(data: Any, place: Any, channel: Any, header_bytes: Any) -> Any:
    """Return (offset after the run, slices passed)."""
    slices = 0
    end = _packet_end(data, place)
    while end >= 0:
        if data[place + 1] == channel:
            head = place + _PREFIX
            if end - head < _SLICE_BYTES_MIN or data[head] != _PLAIN_HEADER:
                break
            first = data[head + _RTP_HEADER]
            if header_bytes == 1:
                kind = first & 0x1F
                if kind == _H264_FRAGMENT:
                    kind = data[head + _RTP_HEADER + 1] & 0x1F
                if kind != _H264_SLICE:
                    break
            else:
                kind = first >> 1 & 0x3F
                if kind == _H265_FRAGMENT:
                    kind = data[head + _RTP_HEADER + 2] & 0x3F
                if kind >= _H265_SLICES:
                    break
            slices += 1
        place = end
        end = _packet_end(data, place)
    return place, slices


@numba.njit(
    _three(
        _bytes,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        _out,
    ),
    nogil=True,
    cache=CACHED,
)
def _take_fragments(
    data: Any,
    place: Any,
    channel: Any,
    header_bytes: Any,
    payload_type: Any,
    sequence: Any,
    timestamp: Any,
    unit_type: Any,
    room: Any,
    out: Any,
) -> Any:
    """Return (offset after the run, packets taken, bytes written to `out`)."""
    packets = written = 0
    end = _packet_end(data, place)
    while end >= 0:
        if data[place + 1] == channel:
            head = place + _PREFIX
            begin = head + _RTP_HEADER
            content = begin + header_bytes + 1
            if content >= end or data[head] != _PLAIN_HEADER or data[head + 1] != payload_type:
                break
            if (_i64(data[head + 2]) << 8 | _i64(data[head + 3])) != sequence:
                break
            stamp = (
                _i64(data[head + 4]) << 24
                | _i64(data[head + 5]) << 16
                | _i64(data[head + 6]) << 8
                | _i64(data[head + 7])
            )
            if stamp != timestamp or data[content - 1] != unit_type:
                break
            if header_bytes == 1:
                is_fragment = data[begin] & 0x1F == _H264_FRAGMENT
            else:
                is_fragment = data[begin] >> 1 & 0x3F == _H265_FRAGMENT
            if not is_fragment or end - begin > room or written + end - content > out.shape[0]:
                break
            source, target = data[content:end], out[written : written + end - content]
            for number in range(
                source.size
            ):  # compiled to a copy of memory; an assignment of slices takes 20 times as long
                target[number] = source[number]
            written += source.size
            room -= end - begin
            packets += 1
            sequence = (sequence + 1) & 0xFFFF
        place = end
        end = _packet_end(data, place)
    return place, packets, written


def skip_slices(data: Octets, place: int, channel: int, header_bytes: int) -> tuple[int, int]:
    """As `PacketRuns.skip_slices`."""
    return cast(tuple[int, int], _skip_slices(np.frombuffer(data, np.uint8), place, channel, header_bytes))


def take_fragments(
    data: Octets, place: int, channel: int, header_bytes: int, payload_type: int, wanted: Fragments
) -> tuple[int, int, bytes]:
    """As `PacketRuns.take_fragments`."""
    out: npt.NDArray[np.uint8] = np.empty(min(len(data) - place, wanted.room), np.uint8)
    end, packets, written = _take_fragments(
        np.frombuffer(data, np.uint8),
        place,
        channel,
        header_bytes,
        payload_type,
        wanted.sequence,
        wanted.timestamp,
        wanted.unit_type,
        wanted.room,
        out,
    )
    return end, packets, out[:written].tobytes()


COMPILED = PacketRuns(skip_slices, take_fragments)
