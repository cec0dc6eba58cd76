"""Parses the header of an RTP packet. Pure. Source: RFC 3550, 5.1."""

from typing import NamedTuple


class Packet(NamedTuple):
    """What the assembler needs of a packet; `payload` is a copy."""

    sequence: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """Return the packet in `data`; None if it is malformed or has no payload."""
    size = len(data)
    if size < 13 or data[0] & 0xC0 != 0x80:
        return None
    first, second = data[0], data[1]
    begin, end = 12, size
    if first != 0x80:
        begin += 4 * (first & 0x0F)
        if first & 0x10:
            if begin + 4 > size:
                return None
            begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
        if first & 0x20:
            end -= data[-1]
    if begin >= end:
        return None
    return Packet(
        int.from_bytes(data[2:4], "big"),
        int.from_bytes(data[4:8], "big"),
        second >= 0x80,
        second & 0x7F,
        data[begin:end],
    )
