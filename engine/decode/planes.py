"""Turns a decoder's frame into planes, without a copy where its layout allows."""

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane

from engine.model.keyframe import Codec
from engine.model.picture import LumaPlane, Picture

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG
_WIDE = np.dtype("<u2")
_DEPTHS: dict[str, int] = {}
"""Bits of a sample by pixel format; FFmpeg has some 200."""


def picture_of(frame: av.VideoFrame, codec: Codec) -> Picture:
    """Return the planes of `frame`; of an interlaced frame one field. Converts what is not planar YUV or grey."""
    name = frame.format.name
    full_range = _is_full_range(frame, name, codec)
    if not _is_planar_yuv(name):
        frame = frame.reformat(format="yuv444p")
        full_range = False
    depth = _depth(frame.format)
    planes = frame.planes
    luma = _plane(planes[0], frame.width, frame.height, depth)
    chroma = _chroma(planes, depth)
    interlaced = bool(frame.interlaced_frame)
    if interlaced:
        luma = luma[::2]
        chroma = None if chroma is None else (chroma[0][::2], chroma[1][::2])
    return Picture(
        luma=luma,
        chroma=chroma,
        width=frame.width,
        height=frame.height,
        codec=codec,
        pixel_format=name,
        bit_depth=depth,
        full_range=full_range,
        interlaced=interlaced,
    )


def _is_full_range(frame: av.VideoFrame, name: str, codec: Codec) -> bool:
    if name.startswith("yuvj") or frame.color_range == _FULL_RANGE:
        return True
    return codec is Codec.MJPEG and frame.color_range != _LIMITED_RANGE


def _is_planar_yuv(name: str) -> bool:
    return name.startswith(("yuv4", "yuvj4", "gray")) or name in ("nv12", "nv16")


def _depth(pixel_format: av.VideoFormat) -> int:
    """Return the bits of a sample. Kept by name: PyAV makes new objects for each answer."""
    name = pixel_format.name
    depth = _DEPTHS.get(name)
    if depth is None:
        depth = _DEPTHS[name] = pixel_format.components[0].bits
    return depth


def _chroma(planes: tuple[VideoPlane, ...], depth: int) -> tuple[LumaPlane, LumaPlane] | None:
    if len(planes) < 2:
        return None
    width, height = planes[1].width, planes[1].height
    if len(planes) == 2:
        both = _plane(planes[1], 2 * width, height, depth)
        return both[:, 0::2], both[:, 1::2]
    return _plane(planes[1], width, height, depth), _plane(planes[2], width, height, depth)


def _plane(plane: VideoPlane, width: int, height: int, depth: int) -> LumaPlane:
    """Return a plane as (height, width) samples without padding. The array keeps the frame alive."""
    dtype: npt.DTypeLike = np.uint8 if depth <= 8 else _WIDE
    samples: LumaPlane = np.frombuffer(memoryview(plane), dtype=dtype)
    row = plane.line_size // samples.itemsize
    return samples[: row * height].reshape(height, row)[:, :width]
