"""What a session asks of code that passes over many packets at once. Pure.

`engine.feed.packets` is that code. A session does without it, one packet after the other, and both ways give the same.
"""

from collections.abc import Callable
from typing import NamedTuple

Octets = bytes | memoryview
"""Bytes of a connection; a memoryview is read only and contiguous."""


class Fragments(NamedTuple):
    """Which packets go on with a NAL unit that is under way, and do not end it.

    `sequence`: number of the next packet. `timestamp`: that of the picture. `unit_type`: type of the NAL unit. `room`:
    bytes that their RTP payloads may have together.
    """

    sequence: int
    timestamp: int
    unit_type: int
    room: int


class PacketRuns(NamedTuple):
    """Two functions over interleaved packets (RFC 2326 10.12), from an offset on. Both pass over packets of other
    channels, and stop at the first packet that is not whole or not what they look for.

    skip_slices(data, place, channel, header_bytes): packets that hold nothing but a slice of a picture that is no
    keyframe. Returns the offset after the last packet passed, and the number of slices. `header_bytes`: length of a NAL
    unit header, 1 in H.264 and 2 in H.265.

    take_fragments(data, place, channel, header_bytes, payload_type, fragments): packets that go on with a NAL unit.
    Returns the offset after the last packet passed, the number of fragments, and their content, one after the other.
    `payload_type`: 0 to 127.
    """

    skip_slices: Callable[[Octets, int, int, int], tuple[int, int]]
    take_fragments: Callable[[Octets, int, int, int, int, Fragments], tuple[int, int, bytes]]
