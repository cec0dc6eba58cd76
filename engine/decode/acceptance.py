"""Decides by its headers whether a keyframe is decoded: no codec context opens for what is too large or costs too much.

Sizes and counts come from engine/media; a decoder may read the same bytes otherwise. So MAX_PIXELS bounds FFmpeg as
well, check_size() what it made of the bytes, and the worker's budget of CPU time everything else.
"""

from engine.errors import DecodeError
from engine.media.access_unit import AccessUnit
from engine.model.keyframe import Codec
from engine.model.picture import PICTURE_SIDE_PX_MAX, PICTURE_SIDE_PX_MIN

_SIDE_PX_MAX = PICTURE_SIDE_PX_MAX + 63
"""Coded sizes are rounded up to blocks of at most 64."""
MAX_PIXELS = {"max_pixels": str(_SIDE_PX_MAX**2)}
"""The option of a codec context that refuses larger pictures before memory is allocated for them."""


def check_decodable(codec: Codec, data: bytes, unit: AccessUnit) -> None:
    """Raise DecodeError if the payload cannot give a picture to measure: empty, no_keyframe, too_large, too_costly,
    unsupported or damaged."""
    if not data:
        raise DecodeError("empty", "a payload of 0 bytes")
    check_cost(codec, unit)
    if codec is Codec.MJPEG and unit.slices == 0:
        raise DecodeError("damaged", f"mjpeg: {len(data)} bytes without a JPEG header")
    if not unit.intra:
        raise DecodeError("no_keyframe", f"{codec}: {unit.slices} slices in {len(data)} bytes, not all of them intra")
    if not unit.has_parameters:
        # The context would use those of the previous camera.
        raise DecodeError("damaged", f"{codec}: {len(data)} bytes without parameter sets; put them before the picture")
    check_size(codec, unit.width, unit.height)
    if min(unit.width, unit.height) < PICTURE_SIDE_PX_MIN:
        raise DecodeError("unsupported", _size_text(codec, unit.width, unit.height))


def check_cost(codec: Codec, unit: AccessUnit) -> None:
    """Raise DecodeError `too_costly` if a decoder would go through the picture absurdly often."""
    if unit.excess:
        raise DecodeError("too_costly", f"{codec}: {unit.excess}; not decoded, since it could take minutes")


def check_size(codec: Codec, width: int, height: int) -> None:
    """Raise DecodeError `too_large` if a side, in pixels, is above the bound."""
    if max(width, height) > _SIDE_PX_MAX:
        raise DecodeError("too_large", _size_text(codec, width, height))


def _size_text(codec: Codec, width: int, height: int) -> str:
    return f"{codec}: {width}x{height}; allowed: {PICTURE_SIDE_PX_MIN} to {PICTURE_SIDE_PX_MAX} a side"
