"""What the assembler asks of NAL units of H.264 and H.265. Pure. Sources: RFC 6184, RFC 7798, ITU-T H.264 and H.265."""

from dataclasses import dataclass

from engine.model.keyframe import Codec


@dataclass(frozen=True, slots=True)
class Syntax:
    """The numbers in which the two codecs differ. Types are those of NAL units and of RTP payload structures."""

    header_bytes: int
    aggregate: int
    fragment: int
    parameter_sets: tuple[int, ...]
    supplement: frozenset[int]
    random_access: frozenset[int]
    slices: range

    def kind(self, first: int) -> int:
        """The type in the first byte of a NAL unit header."""
        return first & 0x1F if self.header_bytes == 1 else first >> 1 & 0x3F


H264 = Syntax(1, 24, 28, (7, 8), frozenset({6}), frozenset({5}), range(1, 6))
H265 = Syntax(2, 48, 49, (32, 33, 34), frozenset({39}), frozenset(range(16, 22)), range(32))
SYNTAX = {Codec.H264: H264, Codec.H265: H265}

_RECOVERY_POINT = 6


def begins_picture(codec: Codec, unit: bytes) -> bool:
    """Whether a slice is the first of its picture: first_mb_in_slice 0, or first_slice_segment_in_pic_flag."""
    place = 1 if codec is Codec.H264 else 2
    return len(unit) > place and unit[place] & 0x80 != 0


def is_intra_slice(unit: bytes) -> bool:
    """Of H.264: slice_type 2, 4, 7 or 9. Reads two Exp-Golomb codes after the header byte."""
    bits = int.from_bytes(unit[1:9].ljust(8, b"\0"), "big")
    left = 64
    value = 0
    for _ in range(2):
        zeros = left - (bits & ((1 << left) - 1)).bit_length() if left else 0
        left -= 2 * zeros + 1
        if left < 0:
            return False
        value = (bits >> left & ((1 << (zeros + 1)) - 1)) - 1
    return value % 5 in (2, 4)


def has_recovery_point(unit: bytes) -> bool:
    """Of H.264: whether the SEI's messages hold a recovery point (H.264 D.1.8)."""
    place = 1
    while place + 2 <= len(unit) and unit[place] != 0x80:
        kind = 0
        while place < len(unit) and unit[place] == 0xFF:
            kind, place = kind + 255, place + 1
        if place + 1 >= len(unit):
            return False
        kind, place, size = kind + unit[place], place + 1, 0
        while place < len(unit) and unit[place] == 0xFF:
            size, place = size + 255, place + 1
        if place >= len(unit):
            return False
        size, place = size + unit[place], place + 1
        if kind == _RECOVERY_POINT:
            return True
        place += size
    return False
