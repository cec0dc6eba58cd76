"""Reads the coded picture size from a sequence parameter set. Pure.

Sources: ITU-T H.264 (08/2021) 7.3.2.1.1 and 7.4.2.1.1; ITU-T H.265 (08/2021) 7.3.2.2 and 7.3.3.
"""

from functools import lru_cache

from engine.media.bits import BitReader, unescape
from engine.media.nal import H264, H265
from engine.model.keyframe import Codec

_BYTES_MAX = 4096
_PPS_HEAD_BYTES = 16
"""Holds the first fields of a PPS, whatever its ids."""
_KEPT_BYTES_MAX, _KEPT = 256, 1024
"""Parameter sets of up to this length are read once, and what they say is kept, of this many: cameras of one model send
the same ones with every keyframe."""
_H264_CHROMA_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter set names the chroma format and may carry scaling lists."""


def coded_size(codec: Codec, unit: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels before cropping, from the NAL unit of an H.264 or H.265 SPS.

    Returns (0, 0) if it cannot be read. Reads at most _BYTES_MAX bytes.
    """
    return _kept_size(codec, unit) if len(unit) <= _KEPT_BYTES_MAX else _read_size(codec, unit)


def names_cavlc(unit: bytes) -> bool:
    """Return whether the NAL unit of an H.264 PPS names CAVLC as the coding of slices, not CABAC; true if it cannot be
    read. (ITU-T H.264 (08/2021) 7.3.2.2.)"""
    return _names_cavlc(unit[:_PPS_HEAD_BYTES])


def _read_size(codec: Codec, unit: bytes) -> tuple[int, int]:
    syntax, read_size = (H264, _read_h264_size) if codec is Codec.H264 else (H265, _read_h265_size)
    try:
        return read_size(BitReader(unescape(unit[syntax.header_bytes : _BYTES_MAX])))
    except IndexError:
        return 0, 0


_kept_size = lru_cache(_KEPT)(_read_size)


@lru_cache(_KEPT)
def _names_cavlc(head: bytes) -> bool:
    try:
        bits = BitReader(unescape(head[H264.header_bytes :]))
        bits.read_ue()  # pic_parameter_set_id
        bits.read_ue()  # seq_parameter_set_id
        return bits.read(1) == 0  # entropy_coding_mode_flag
    except IndexError:
        return True


def _read_h264_size(bits: BitReader) -> tuple[int, int]:
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level
    bits.read_ue()  # seq_parameter_set_id
    if profile in _H264_CHROMA_PROFILES:
        _skip_h264_chroma_format(bits)
    bits.read_ue()  # log2_max_frame_num_minus4
    order_type = bits.read_ue()
    if order_type == 0:
        bits.read_ue()
    elif order_type == 1:
        bits.read(1)
        bits.read_ue()
        bits.read_ue()
        for _ in range(min(bits.read_ue(), 255)):
            bits.read_ue()
    bits.read_ue()  # max_num_ref_frames
    bits.read(1)
    width = 16 * (bits.read_ue() + 1)
    height_units = bits.read_ue() + 1
    frame_only = bits.read(1)
    return width, 16 * height_units * (2 - frame_only)


def _skip_h264_chroma_format(bits: BitReader) -> None:
    chroma_format = bits.read_ue()
    if chroma_format == 3:
        bits.read(1)
    bits.read_ue()  # bit depths of luma and chroma
    bits.read_ue()
    bits.read(1)
    if bits.read(1):
        for index in range(8 if chroma_format != 3 else 12):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: BitReader, length: int) -> None:
    last_scale = next_scale = 8
    for _ in range(length):
        if next_scale:
            code = bits.read_ue()
            delta = (code + 1) // 2 if code & 1 else -(code // 2)
            next_scale = (last_scale + delta) % 256
        last_scale = next_scale or last_scale


def _read_h265_size(bits: BitReader) -> tuple[int, int]:
    bits.read(4)  # sps_video_parameter_set_id
    sub_layers = bits.read(3)
    bits.read(1 + 88 + 8)  # nesting flag, general profile and level
    present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    bits.read_ue()  # sps_seq_parameter_set_id
    if bits.read_ue() == 3:  # chroma_format_idc
        bits.read(1)
    return bits.read_ue(), bits.read_ue()
