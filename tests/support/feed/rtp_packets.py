"""Packs access units into RTP packets, as a camera does (RFC 6184, RFC 7798)."""

from engine.model.keyframe import Codec
from tests.support.feed.clips import units


def payloads(codec: Codec, unit: bytes, mtu: int) -> list[bytes]:
    """RTP payloads of one NAL unit."""
    if len(unit) <= mtu:
        return [unit]
    if codec is Codec.H264:
        header, kind, body = bytes([unit[0] & 0xE0 | 28]), unit[0] & 0x1F, unit[1:]
    else:
        header, kind, body = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[0] >> 1 & 0x3F, unit[2:]
    room = mtu - len(header) - 1
    pieces = [body[at : at + room] for at in range(0, len(body), room)]
    return [
        header + bytes([(0x80 if n == 0 else 0) | (0x40 if n == len(pieces) - 1 else 0) | kind]) + piece
        for n, piece in enumerate(pieces)
    ]


def aggregate(codec: Codec, several: list[bytes]) -> bytes:
    """A STAP-A or AP of NAL units."""
    header = bytes([24]) if codec is Codec.H264 else bytes([48 << 1, 1])
    return header + b"".join(len(unit).to_bytes(2, "big") + unit for unit in several)


def rtp(payload: bytes, sequence: int, stamp: int, marker: bool, payload_type: int = 96) -> bytes:
    """One packet."""
    head = bytes([0x80, payload_type | (0x80 if marker else 0)])
    return head + (sequence & 0xFFFF).to_bytes(2, "big") + stamp.to_bytes(4, "big") + b"\0\0\0\1" + payload


def stream(
    codec: Codec, access_units: list[bytes], *, mtu: int = 600, sequence: int = 65_500, markers: bool = True
) -> list[bytes]:
    """Packets of pictures; sequence numbers wrap on the way."""
    packets = []
    for number, access_unit in enumerate(access_units):
        parts = [piece for unit in units(access_unit) for piece in payloads(codec, unit, mtu)]
        for index, part in enumerate(parts):
            last = markers and index == len(parts) - 1
            packets.append(rtp(part, sequence, 9000 * (number + 1), last))
            sequence += 1
    return packets


def interleave(packets: list[bytes], channel: int = 0) -> bytes:
    """As they go through the RTSP connection."""
    return b"".join(b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet for packet in packets)
