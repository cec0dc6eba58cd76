"""Tells what a payload holds before it is decoded: parameter sets, slices, the picture's size. Pure."""

from dataclasses import dataclass

from engine.media import nal
from engine.media.jpeg import read_headers
from engine.media.parameter_sets import coded_size
from engine.model.keyframe import Codec


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """What a payload holds. `width` and `height` are coded pixels by its last parameter set, 0 if it names none.

    `slices`: coded slices of the picture. `intra`: there are slices, and all of them decode without another picture.
    `parameters`: the parameter sets, concatenated. `truncated`: the end marker of a JPEG is missing.
    """

    width: int
    height: int
    has_parameters: bool
    slices: int
    intra: bool
    parameters: bytes = b""
    truncated: bool = False


def inspect_payload(codec: Codec, payload: bytes) -> AccessUnit:
    """Return what `payload` holds. Never raises: what cannot be read counts as absent."""
    return _inspect_jpeg(payload) if codec is Codec.MJPEG else _inspect_annex_b(codec, payload)


def _inspect_annex_b(codec: Codec, payload: bytes) -> AccessUnit:
    syntax = nal.SYNTAX[codec]
    slices = 0
    intra = True
    sps = b""
    has_pps = False
    parameter_sets: list[bytes] = []
    for begin, end in nal.unit_spans(payload):
        unit_type = syntax.unit_type(payload[begin])
        if unit_type in syntax.slices:
            slices += 1
            intra = intra and nal.is_intra_slice(codec, payload[begin : min(end, begin + nal.SLICE_HEAD_BYTES)])
        elif unit_type in syntax.parameter_sets:
            unit = payload[begin:end]
            parameter_sets.append(unit)
            sps = unit if unit_type == syntax.sps else sps
            has_pps = has_pps or unit_type == syntax.pps
    width, height = coded_size(codec, sps) if sps else (0, 0)
    return AccessUnit(width, height, bool(sps) and has_pps, slices, intra and slices > 0, b"".join(parameter_sets))


def _inspect_jpeg(payload: bytes) -> AccessUnit:
    headers = read_headers(payload)
    if headers is None:
        return AccessUnit(0, 0, False, 0, False)
    has_frame = headers.has_frame
    return AccessUnit(headers.width, headers.height, has_frame, int(has_frame), has_frame, truncated=headers.truncated)
