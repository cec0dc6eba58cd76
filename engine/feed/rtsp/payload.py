"""RTP payload structures of H.264 and H.265: how NAL units are packed in packets. Pure.

A payload is one NAL unit, an aggregate of several (STAP-A, AP), or a fragment of one (FU-A, FU); the type field of its
NAL unit header tells which. Sources: RFC 6184, 5.2 to 5.8; RFC 7798, 4.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.media.nal import H264, H265, NalSyntax
from engine.model.keyframe import Codec

H264_FRAGMENT, H265_FRAGMENT = 28, 49
FRAGMENT_START, FRAGMENT_END = 0x80, 0x40
"""Bits of the byte after a fragment's NAL unit header; the NAL unit's type fills the low bits."""


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """The numbers of one codec: NAL unit syntax, type of an aggregate and of a fragment, mask of a fragment's type."""

    syntax: NalSyntax
    aggregate: int
    fragment: int
    fragment_type_mask: int

    def split_aggregate(self, payload: bytes) -> Iterator[bytes]:
        """Yield the NAL units of an aggregate. One that is cut off, or no longer than its header, is left out."""
        header_bytes = self.syntax.header_bytes
        place = header_bytes
        while place + 2 < len(payload):
            size = int.from_bytes(payload[place : place + 2], "big")
            unit = payload[place + 2 : place + 2 + size]
            if len(unit) == size and size > header_bytes:
                yield unit
            place += 2 + size

    def unit_header(self, payload: bytes, unit_type: int) -> bytes:
        """Return the NAL unit header that the fragments of a unit of this type replace by their own."""
        if self.syntax.header_bytes == 1:
            return bytes([payload[0] & 0xE0 | unit_type])
        return bytes([payload[0] & 0x81 | unit_type << 1, payload[1]])


PAYLOAD_FORMATS = {
    Codec.H264: PayloadFormat(H264, aggregate=24, fragment=H264_FRAGMENT, fragment_type_mask=0x1F),
    Codec.H265: PayloadFormat(H265, aggregate=48, fragment=H265_FRAGMENT, fragment_type_mask=0x3F),
}
