"""One keyframe in, one picture out, for scoring. Source of the habits: FFmpeg's libavcodec, through PyAV."""

from collections import OrderedDict
from dataclasses import replace
from typing import cast

import av

from engine.decode.damage import missing_area
from engine.decode.planes import picture_of
from engine.errors import DecodeError
from engine.media.access_unit import AccessUnit, inspect_payload
from engine.model.keyframe import Codec
from engine.model.picture import PICTURE_SIDE_PX_MAX, PICTURE_SIDE_PX_MIN, Picture

av.logging.set_level(av.logging.PANIC)  # what FFmpeg says of broken streams we say ourselves, once, with the camera

DECODER_NAMES = {Codec.H264: "h264", Codec.H265: "hevc", Codec.MJPEG: "mjpeg"}

_EXPLODES = {Codec.H265, Codec.MJPEG}
"""Of these FFmpeg marks no damage in the frame; it must be made to fail instead. H.264 marks it (`is_corrupt`)."""

_TAIL = b"\xff" * 8192
"""Put after an H.265 picture. A whole one never reads it. One that was cut, or lost its step, reads on into it: all
ones end the slice at the next block (9.3.4.3.5, the terminating bin), and what was not decoded stays as its buffer was
made, which missing_area() sees. FFmpeg itself reads zeros there and goes on painting."""

_KEPT_PIXELS_MAX = 16 * 1920 * 1088
"""Pictures' worth of contexts that are kept."""


class Decoder:
    """Contexts of one thread, bounded in number however many cameras pass. Not for use by two threads.

    `skip_loop_filter`: leave the deblocking out; saves 15 to 30 % of the CPU and moves the figures little.
    """

    def __init__(self, *, skip_loop_filter: bool = True) -> None:
        self._skip_loop_filter = skip_loop_filter
        self._kept: OrderedDict[bytes, tuple[av.VideoCodecContext, int]] = OrderedDict()
        self._kept_pixels = 0

    def decode(self, codec: Codec, payload: bytes | memoryview) -> Picture:
        """The picture in `payload`. Its planes are good until the next call.

        Raises DecodeError: empty, no_keyframe, too_large, unsupported, damaged. Damage that leaves
        a picture to measure is named in Picture.damage instead.
        """
        data = bytes(payload)
        unit = inspect_payload(codec, data)
        _check(codec, data, unit)
        frame, count = self._decode(codec, data, unit)
        picture = picture_of(frame, codec)
        damage = list(picture.damage)
        if frame.is_corrupt:
            damage.append("corrupt_flag")
        if count > 1:
            damage.append("several_pictures")
        if unit.truncated:
            damage.append("truncated")
        if missing_area(picture):
            damage.append("missing_area")
        return replace(picture, damage=tuple(damage)) if damage else picture

    def close(self) -> None:
        """Give the contexts back."""
        self._kept.clear()
        self._kept_pixels = 0

    def _decode(self, codec: Codec, data: bytes, unit: AccessUnit) -> tuple[av.VideoFrame, int]:
        context = self._take(codec, unit)
        try:
            frames = context.decode(av.Packet(data + _TAIL if codec is Codec.H265 else data))
            frames += context.decode(None)
            context.flush_buffers()
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError("damaged", f"{codec}: {getattr(error, 'strerror', None) or error}") from error
        if not frames:
            raise DecodeError("damaged", f"{codec}: {len(data)} bytes with {unit.slices} slices gave no picture")
        if codec is Codec.H264 and len(frames) == 1 and not frames[0].is_corrupt:
            self._keep(context, unit)
        return frames[-1], len(frames)

    def _take(self, codec: Codec, unit: AccessUnit) -> av.VideoCodecContext:
        """A context for this picture.

        One that decoded another camera's picture may hold on to its colour range, its Huffman tables, or its picture
        where this one has a hole. So only H.264, which reports its holes, gets a used one, and only one that knows the
        very same parameter sets and never saw damage.
        """
        kept = self._kept.pop(unit.parameters, None) if codec is Codec.H264 else None
        if kept is None:
            return self._open(codec)
        context, pixels = kept
        self._kept_pixels -= pixels
        return context

    def _keep(self, context: av.VideoCodecContext, unit: AccessUnit) -> None:
        pixels = unit.width * unit.height
        while self._kept and self._kept_pixels + pixels > _KEPT_PIXELS_MAX:
            _, (_, freed) = self._kept.popitem(last=False)
            self._kept_pixels -= freed
        self._kept[unit.parameters] = (context, pixels)
        self._kept_pixels += pixels

    def _open(self, codec: Codec) -> av.VideoCodecContext:
        context = cast(av.VideoCodecContext, av.CodecContext.create(DECODER_NAMES[codec], "r"))
        context.thread_count = 1
        context.options = {"err_detect": "explode"} if codec in _EXPLODES else {}
        if self._skip_loop_filter:
            context.options = {**context.options, "skip_loop_filter": "all"}
        return context


def _check(codec: Codec, data: bytes, unit: AccessUnit) -> None:
    if not data:
        raise DecodeError("empty", "a payload of 0 bytes")
    if codec is Codec.MJPEG and unit.slices == 0:
        raise DecodeError("damaged", f"mjpeg: {len(data)} bytes without a JPEG header")
    if not unit.intra:
        raise DecodeError("no_keyframe", f"{codec}: {unit.slices} slices in {len(data)} bytes, not all of them intra")
    if not unit.has_parameters:
        # The context would take those of the camera before.
        raise DecodeError("damaged", f"{codec}: {len(data)} bytes without parameter sets; put them before the picture")
    if not _fits(unit.width, unit.height):
        raise DecodeError(
            "too_large" if max(unit.width, unit.height) > PICTURE_SIDE_PX_MAX + 63 else "unsupported",
            f"{codec}: {unit.width}x{unit.height}; allowed: {PICTURE_SIDE_PX_MIN} to {PICTURE_SIDE_PX_MAX} a side",
        )


def _fits(width: int, height: int) -> bool:
    """Coded sizes are rounded up to blocks of at most 64."""
    return all(PICTURE_SIDE_PX_MIN <= side <= PICTURE_SIDE_PX_MAX + 63 for side in (width, height))
