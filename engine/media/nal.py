"""NAL units of H.264 and H.265: types, places in an Annex-B payload, and what their first fields say. Pure.

Sources: ITU-T H.264 (08/2021) 7.3.1, 7.3.2.3, 7.3.3, 7.4.1, 7.4.3, D.1.8, Annex B; ITU-T H.265 (08/2021) 7.3.1.1,
7.3.6.1, 7.4.2.2, Annex B.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.media.bits import BitReader, unescape
from engine.media.limits import UNITS_MAX
from engine.model.keyframe import Codec

START_CODE = b"\0\0\0\1"
START_CODE_PREFIX = b"\0\0\1"
SLICE_HEAD_BYTES = 26
"""Enough of a slice's NAL unit for is_intra_slice: the header, two Exp-Golomb codes of at most 63 bits each, and an
emulation prevention byte after every two bytes of them."""

_SEI_BYTES_MAX = 65_536
_SEI_RECOVERY_POINT = 6
_H264_CODED_SLICES = (1, 5)
_H264_INTRA_SLICE_TYPES = (2, 4, 7, 9)  # I and SI


@dataclass(frozen=True, slots=True)
class NalSyntax:
    """The numbers in which the two codecs differ: the header's length, and NAL unit types.

    `parameter_sets`: in the order in which they refer to each other, the picture parameter set last. `slices` includes
    data partitions (H.264) and reserved types (H.265). `random_access`: slices of a picture that decodes by itself.
    """

    header_bytes: int
    parameter_sets: tuple[int, ...]
    sps: int
    pps: int
    sei: int
    random_access: frozenset[int]
    slices: range

    def unit_type(self, first_byte: int) -> int:
        """Return the type in the first byte of a NAL unit header."""
        return first_byte & 0x1F if self.header_bytes == 1 else first_byte >> 1 & 0x3F


H264 = NalSyntax(1, (7, 8), sps=7, pps=8, sei=6, random_access=frozenset({5}), slices=range(1, 6))
H265 = NalSyntax(2, (32, 33, 34), sps=33, pps=34, sei=39, random_access=frozenset(range(16, 22)), slices=range(32))
SYNTAX = {Codec.H264: H264, Codec.H265: H265}


def unit_spans(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield the offsets (begin, end) of the NAL units of an Annex-B payload, without start codes and trailing zeros.

    Empty units are left out; after UNITS_MAX start codes it stops.
    """
    begin = payload.find(START_CODE_PREFIX)
    for _ in range(UNITS_MAX):
        if begin < 0:
            return
        begin += 3
        next_begin = payload.find(START_CODE_PREFIX, begin)
        end = len(payload) if next_begin < 0 else next_begin
        if end > begin and payload[end - 1] == 0:
            end = begin + len(payload[begin:end].rstrip(b"\0"))
        if end > begin:
            yield begin, end
        begin = next_begin


def is_first_slice(codec: Codec, unit: bytes) -> bool:
    """Whether a slice is the first of its picture: first_mb_in_slice 0, or first_slice_segment_in_pic_flag."""
    place = 1 if codec is Codec.H264 else 2
    return len(unit) > place and unit[place] & 0x80 != 0


def is_intra_slice(codec: Codec, unit: bytes) -> bool:
    """Whether a slice is decoded without another picture; its first SLICE_HEAD_BYTES are enough to tell.

    H.264: slice_type I or SI. Data partitions never count: FFmpeg does not decode them. H.265: a random access type.
    """
    if not unit:
        return False
    unit_type = SYNTAX[codec].unit_type(unit[0])
    if codec is Codec.H265:
        return unit_type in H265.random_access
    if unit_type not in _H264_CODED_SLICES:
        return False
    bits = BitReader(unescape(unit[1:SLICE_HEAD_BYTES]))
    try:
        bits.read_ue()  # first_mb_in_slice
        return bits.read_ue() in _H264_INTRA_SLICE_TYPES
    except IndexError:
        return False


def has_recovery_point(codec: Codec, unit: bytes) -> bool:
    """Whether an H.264 SEI unit holds a recovery point message in its first 64 KiB. False for H.265.

    An H.265 picture that decodes by itself shows it by its NAL unit type.
    """
    if codec is not Codec.H264:
        return False
    messages = unescape(unit[1:_SEI_BYTES_MAX])
    place, end = 0, len(messages)
    while place + 2 <= end:  # the trailing bits are one byte
        payload_type, place = _read_sei_number(messages, place)
        payload_size, place = _read_sei_number(messages, place)
        if place > end:
            return False
        if payload_type == _SEI_RECOVERY_POINT:
            return True
        place += payload_size
    return False


def _read_sei_number(messages: bytes, place: int) -> tuple[int, int]:
    """Return the payload type or size at `place` and the offset after it, which is past the end if it was cut off."""
    number, end = 0, len(messages)
    while place < end and messages[place] == 0xFF:
        number, place = number + 0xFF, place + 1
    return (number + messages[place] if place < end else number), place + 1
