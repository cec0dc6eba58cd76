"""Renders a keyframe for people: full quality, true colours, JPEG. Opens a decoder each time; this is no hot path."""

import io
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.decode.acceptance import MAX_PIXELS, check_cost, check_size
from engine.decode.decoder import DECODER_NAMES
from engine.errors import DecodeError
from engine.media.access_unit import inspect_payload
from engine.model.keyframe import Codec
from engine.model.picture import RenderedPicture

QUALITY = 90
SMALL_QUALITY = 75
"""Of pictures of SMALL_PX and less: a wall shows hundreds of them, and nobody looks at one closely."""
SMALL_PX = 320


def render_jpeg(codec: Codec, payload: bytes, *, side_px_max: int = 0, quality: int = 0) -> RenderedPicture:
    """Return the picture as JPEG, at most `side_px_max` pixels a side (0: unchanged). `quality`: 1 to 95; 0: as usual
    for the size.

    Raises DecodeError as decode_rgb does.
    """
    quality = quality or (SMALL_QUALITY if 0 < side_px_max <= SMALL_PX else QUALITY)
    return jpeg_of(Image.fromarray(decode_rgb(codec, payload, side_px_max)), quality=quality)


def jpeg_of(image: Image.Image, *, side_px_max: int = 0, quality: int = QUALITY) -> RenderedPicture:
    """Return `image` as JPEG, at most `side_px_max` pixels a side (0: unchanged)."""
    if side_px_max and max(image.size) > side_px_max:
        image.thumbnail((side_px_max, side_px_max))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return RenderedPicture(out.getvalue(), image.width, image.height)


def decode_rgb(codec: Codec, payload: bytes, side_px_max: int = 0) -> npt.NDArray[np.uint8]:
    """Return the picture as (rows, columns, 3) uint8 RGB, damage included. Raises DecodeError if there is none, or if
    it is too_large or too_costly."""
    unit = inspect_payload(codec, payload)
    check_cost(codec, unit)
    check_size(codec, unit.width, unit.height)
    context = cast(av.VideoCodecContext, av.CodecContext.create(DECODER_NAMES[codec], "r"))
    context.thread_count = 1
    context.options = dict(MAX_PIXELS)
    frames: list[av.VideoFrame] = []
    try:
        frames += context.decode(av.Packet(payload))
        frames += context.decode(None)
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError("damaged", f"{codec}: {getattr(error, 'strerror', None) or error}") from error
    if not frames:
        raise DecodeError("damaged", f"{codec}: {len(payload)} bytes gave no picture")
    frame = frames[-1]
    width, height = _within(frame.width, frame.height, side_px_max)
    if (width, height) != (frame.width, frame.height):
        # Made smaller before the colours are converted, not after: that takes a tenth of the time.
        frame = frame.reformat(width, height, format="rgb24", interpolation="AREA")
    rgb: npt.NDArray[np.uint8] = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return rgb


def _within(width: int, height: int, side_px_max: int) -> tuple[int, int]:
    """Return the size of a picture whose longer side is at most `side_px_max`; 0: its own."""
    longest = max(width, height)
    if not side_px_max or longest <= side_px_max:
        return width, height
    return max(1, round(width * side_px_max / longest)), max(1, round(height * side_px_max / longest))
