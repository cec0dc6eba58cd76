"""One keyframe in, one picture out, for scoring. Source of the habits: FFmpeg's libavcodec, through PyAV."""

from dataclasses import replace
from typing import cast

import av

from engine.decode.access_unit import AccessUnit, look
from engine.decode.damage import missing_area
from engine.decode.planes import picture_of
from engine.errors import DecodeError
from engine.types import PICTURE_SIDE_PX_MAX, PICTURE_SIDE_PX_MIN, Codec, Picture

av.logging.set_level(av.logging.PANIC)  # what FFmpeg says of broken streams we say ourselves, once, with the camera

DECODER_NAMES = {Codec.H264: "h264", Codec.H265: "hevc", Codec.MJPEG: "mjpeg"}

_EXPLODES = {Codec.H265, Codec.MJPEG}
"""Of these FFmpeg marks no damage in the frame; it must be made to fail instead. H.264 marks it (`is_corrupt`)."""


class Decoder:
    """Contexts of one thread, reused from keyframe to keyframe whatever the camera. Not for use by two threads.

    `skip_loop_filter`: leave the deblocking out; saves 15 to 30 % of the CPU and moves the figures little.
    """

    def __init__(self, *, skip_loop_filter: bool = True) -> None:
        self._skip_loop_filter = skip_loop_filter
        self._contexts: dict[Codec, av.VideoCodecContext] = {}

    def decode(self, codec: Codec, payload: bytes | memoryview) -> Picture:
        """The picture in `payload`. Its planes are good until the next call.

        Raises DecodeError: empty, no_keyframe, too_large, unsupported, damaged. Damage that leaves a picture to look
        at is named in Picture.damage instead.
        """
        data = bytes(payload)
        unit = look(codec, data)
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
        self._contexts.clear()

    def _decode(self, codec: Codec, data: bytes, unit: AccessUnit) -> tuple[av.VideoFrame, int]:
        if codec is Codec.H265 and unit.slices > 1:
            # A lost slice leaves its area as the buffer was: in a fresh one that is green, and is seen; in a used one
            # it would be another camera's picture.
            self._contexts.pop(codec, None)
        context = self._contexts.get(codec)
        if context is None:
            context = self._contexts[codec] = self._open(codec)
        try:
            frames = context.decode(av.Packet(data))
            frames += context.decode(None)
            context.flush_buffers()
        except (av.FFmpegError, ValueError) as error:
            # A frame can survive in the context and come out as the next camera's: never use it again.
            del self._contexts[codec]
            raise DecodeError("damaged", f"{codec}: {getattr(error, 'strerror', None) or error}") from error
        if not frames:
            self._contexts.pop(codec, None)
            raise DecodeError("damaged", f"{codec}: {len(data)} bytes with {unit.slices} slices gave no picture")
        return frames[-1], len(frames)

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
