"""Turns a decoder's frame into planes, without a copy where its layout allows."""

import av
import numpy as np
import numpy.typing as npt

from engine.model.keyframe import Codec
from engine.model.picture import LumaPlane, Picture

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


def picture_of(frame: av.VideoFrame, codec: Codec) -> Picture:
    """Return the planes of `frame`; of an interlaced frame one field. Converts what is not planar YUV or grey."""
    full_range = _is_full_range(frame, codec)
    name = frame.format.name
    if not _is_planar_yuv(frame):
        frame = frame.reformat(format="yuv444p")
        full_range = False
    depth = frame.format.components[0].bits
    luma = _plane(frame, 0, frame.width, frame.height, depth)
    chroma = _chroma(frame, depth)
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


def _is_full_range(frame: av.VideoFrame, codec: Codec) -> bool:
    if frame.format.name.startswith("yuvj") or frame.color_range == _FULL_RANGE:
        return True
    return codec is Codec.MJPEG and frame.color_range != _LIMITED_RANGE


def _is_planar_yuv(frame: av.VideoFrame) -> bool:
    name = frame.format.name
    return name.startswith(("yuv4", "yuvj4", "gray")) or name in ("nv12", "nv16")


def _chroma(frame: av.VideoFrame, depth: int) -> tuple[LumaPlane, LumaPlane] | None:
    planes = len(frame.planes)
    if planes < 2:
        return None
    width, height = frame.planes[1].width, frame.planes[1].height
    if planes == 2:
        both = _plane(frame, 1, 2 * width, height, depth)
        return both[:, 0::2], both[:, 1::2]
    return _plane(frame, 1, width, height, depth), _plane(frame, 2, width, height, depth)


def _plane(frame: av.VideoFrame, index: int, width: int, height: int, depth: int) -> LumaPlane:
    """Return plane `index` as (height, width) samples without padding. The array keeps the frame alive."""
    plane = frame.planes[index]
    dtype: npt.DTypeLike = np.uint8 if depth <= 8 else np.dtype("<u2")
    samples: LumaPlane = np.frombuffer(memoryview(plane), dtype=dtype)
    row = plane.line_size // samples.itemsize
    return samples[: row * height].reshape(height, row)[:, :width]
