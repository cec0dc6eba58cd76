"""Tells what a payload holds before it is decoded: parameter sets, slices, the picture's size. Pure."""

from dataclasses import dataclass

from engine.media import limits, nal
from engine.media.jpeg import read_headers
from engine.media.parameter_sets import coded_size, names_cavlc
from engine.model.keyframe import Codec


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """What a payload holds. `width` and `height` are coded pixels, the largest that a parameter set names, or those of
    the frame header; 0 without one.

    `slices`: coded slices of the picture. `intra`: there are slices, and all of them decode without another picture.
    `parameters`: the parameter sets, concatenated. `cavlc`: a PPS of H.264 names CAVLC, not CABAC. `truncated`: the end
    marker of a JPEG is missing. `excess`: what there is absurdly much of, in words (engine/media/limits.py); empty if
    nothing.
    """

    width: int
    height: int
    has_parameters: bool
    slices: int
    intra: bool
    parameters: bytes = b""
    cavlc: bool = False
    truncated: bool = False
    excess: str = ""


def inspect_payload(codec: Codec, payload: bytes) -> AccessUnit:
    """Return what `payload` holds. Never raises: what cannot be read counts as absent."""
    return _inspect_jpeg(payload) if codec is Codec.MJPEG else _inspect_annex_b(codec, payload)


def _inspect_annex_b(codec: Codec, payload: bytes) -> AccessUnit:
    syntax = nal.SYNTAX[codec]
    slices = pictures = end = 0
    intra = True
    width = height = 0
    cavlc = False
    types: set[int] = set()
    parameter_sets: list[bytes] = []
    for begin, end in nal.unit_spans(payload):
        unit_type = syntax.unit_type(payload[begin])
        if unit_type in syntax.slices:
            slices += 1
            head = payload[begin : min(end, begin + nal.SLICE_HEAD_BYTES)]
            pictures += nal.is_first_slice(codec, head)
            intra = intra and nal.is_intra_slice(codec, head)
        elif unit_type in syntax.parameter_sets:
            unit = payload[begin:end]
            parameter_sets.append(unit)
            types.add(unit_type)
            cavlc = cavlc or (codec is Codec.H264 and unit_type == syntax.pps and names_cavlc(unit))
            if unit_type == syntax.sps and len(parameter_sets) <= limits.PARAMETER_SETS_MAX:
                # A slice may use any of them, so the largest counts.
                width, height = map(max, zip((width, height), coded_size(codec, unit), strict=True))
    uninspected = payload.find(nal.START_CODE_PREFIX, end) >= 0  # rare, and counting takes time
    excess = limits.excess(
        {
            "NAL units": (payload.count(nal.START_CODE_PREFIX) if uninspected else 0, limits.UNITS_MAX),
            "slices": (slices, limits.SLICES_MAX),
            "pictures": (pictures, limits.PICTURES_MAX),
            "parameter sets": (len(parameter_sets), limits.PARAMETER_SETS_MAX),
            "bytes in a parameter set": (max(map(len, parameter_sets), default=0), limits.PARAMETER_SET_BYTES_MAX),
        }
    )
    complete = {syntax.sps, syntax.pps} <= types
    parameters = b"".join(parameter_sets)
    intra = intra and slices > 0
    return AccessUnit(width, height, complete, slices, intra, parameters, cavlc=cavlc, excess=excess)


def _inspect_jpeg(payload: bytes) -> AccessUnit:
    headers = read_headers(payload)
    if headers is None:
        return AccessUnit(0, 0, False, 0, False)
    has_frame = headers.has_frame
    excess = limits.excess(
        {"scans": (headers.scans, limits.SCANS_MAX), "frame headers": (headers.frames, limits.SCANS_MAX)}
    )
    return AccessUnit(
        headers.width, headers.height, has_frame, int(has_frame), has_frame, truncated=headers.truncated, excess=excess
    )
