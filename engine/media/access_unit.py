"""What can be told of a keyframe before decoding it: its NAL units, its size, whether a picture is in it. Pure.

Sources: ITU-T H.264 (08/2021) 7.3.2.1.1 and 7.4.1; ITU-T H.265 (08/2021) 7.3.2.2, 7.3.3 and 7.4.2.2; ITU-T T.81 B.2.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.media.bits import BitReader, unescape
from engine.model.keyframe import Codec

_NALS_MAX = 4096
_PARAMETER_BYTES_MAX = 4096

_H264_SLICE, _H264_IDR, _H264_SPS, _H264_PPS = 1, 5, 7, 8
_H265_VCL_END, _H265_IRAP = 32, range(16, 24)
_H265_SPS, _H265_PPS = 33, 34
_H264_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """A look at a payload. `width` and `height` are coded pixels, 0 where it names none.

    `slices`: coded pieces of the picture. `intra`: every one of them stands by itself, without an earlier picture.
    `parameters`: the parameter sets, one after the other.
    """

    width: int
    height: int
    has_parameters: bool
    slices: int
    intra: bool
    parameters: bytes = b""
    truncated: bool = False
    """Of a JPEG: the end marker is missing."""


def look(codec: Codec, payload: bytes) -> AccessUnit:
    """Never raises: what cannot be read counts as absent."""
    if codec is Codec.MJPEG:
        return _look_at_jpeg(payload)
    return _look_at_h264(payload) if codec is Codec.H264 else _look_at_h265(payload)


def nal_units(payload: bytes) -> Iterator[tuple[int, int]]:
    """Offsets (begin, end) of the NAL units of an Annex-B payload, at most _NALS_MAX of them."""
    begin = payload.find(b"\0\0\1")
    for _ in range(_NALS_MAX):
        if begin < 0:
            return
        begin += 3
        end = payload.find(b"\0\0\1", begin)
        yield begin, len(payload) if end < 0 else end
        begin = end


def _look_at_h264(payload: bytes) -> AccessUnit:
    width = height = slices = 0
    parameters = b""
    has_sps = has_pps = False
    intra = True
    for begin, end in nal_units(payload):
        if begin >= end:
            continue
        kind = payload[begin] & 0x1F
        if kind in (_H264_SLICE, _H264_IDR):
            slices += 1
            intra = intra and _is_intra_slice(payload[begin + 1 : begin + 12])
        elif kind == _H264_SPS:
            has_sps = True
            parameters += payload[begin:end]
            width, height = _size(_h264_size, payload[begin + 1 : min(end, begin + _PARAMETER_BYTES_MAX)])
        elif kind == _H264_PPS:
            has_pps = True
            parameters += payload[begin:end]
    return AccessUnit(width, height, has_sps and has_pps, slices, intra and slices > 0, parameters)


def _is_intra_slice(head: bytes) -> bool:
    """slice_type 2, 4, 7, 9 are I and SI (7.4.3)."""
    bits = BitReader(unescape(head))
    try:
        bits.golomb()
        return bits.golomb() % 5 in (2, 4)
    except IndexError:
        return False


def _look_at_h265(payload: bytes) -> AccessUnit:
    width = height = slices = 0
    has_sps = has_pps = False
    intra = True
    for begin, end in nal_units(payload):
        if begin >= end:
            continue
        kind = payload[begin] >> 1 & 0x3F
        if kind < _H265_VCL_END:
            slices += 1
            intra = intra and kind in _H265_IRAP
        elif kind == _H265_SPS:
            has_sps = True
            width, height = _size(_h265_size, payload[begin + 2 : min(end, begin + _PARAMETER_BYTES_MAX)])
        elif kind == _H265_PPS:
            has_pps = True
    return AccessUnit(width, height, has_sps and has_pps, slices, intra and slices > 0)


def _look_at_jpeg(payload: bytes) -> AccessUnit:
    if payload[:2] != b"\xff\xd8":
        return AccessUnit(0, 0, False, 0, False)
    truncated = b"\xff\xd9" not in payload[-512:]  # some cameras pad after the end
    place = 2
    while place + 9 <= len(payload):
        if payload[place] != 0xFF:
            break
        marker = payload[place + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 1:
            place += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(payload[place + 5 : place + 7], "big")
            width = int.from_bytes(payload[place + 7 : place + 9], "big")
            return AccessUnit(width, height, True, 1, True, truncated=truncated)
        place += 2 + int.from_bytes(payload[place + 2 : place + 4], "big")
    return AccessUnit(0, 0, False, 0, False, truncated=truncated)


def _size(read: Callable[[BitReader], tuple[int, int]], raw: bytes) -> tuple[int, int]:
    try:
        return read(BitReader(unescape(raw)))
    except IndexError:
        return 0, 0


def _h264_size(bits: BitReader) -> tuple[int, int]:
    """Coded size in pixels, before cropping."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma_format = 1
    if profile in _H264_HIGH_PROFILES:
        chroma_format = bits.golomb()
        if chroma_format == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for index in range(8 if chroma_format != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    width = 16 * (bits.golomb() + 1)
    height_units = bits.golomb() + 1
    frame_only = bits.take(1)
    return width, 16 * height_units * (2 - frame_only)


def _skip_scaling_list(bits: BitReader, length: int) -> None:
    last = following = 8
    for _ in range(length):
        if following:
            code = bits.golomb()
            delta = (code + 1) // 2 if code & 1 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


def _h265_size(bits: BitReader) -> tuple[int, int]:
    """Coded size in pixels, before cropping."""
    bits.take(4)
    sub_layers = bits.take(3)
    bits.take(1 + 88 + 8)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()
