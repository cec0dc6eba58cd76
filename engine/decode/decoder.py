"""Decodes one keyframe to one picture, for scoring. The behaviour described here is that of FFmpeg's libavcodec."""

import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import av
import numpy as np

from engine.decode.acceptance import MAX_PIXELS, check_decodable, check_size
from engine.decode.damage import missing_area
from engine.decode.grid_steps import grid_excess
from engine.decode.jpeg_check import jpeg_damage
from engine.decode.planes import picture_of
from engine.decode.slice_check import with_tails, without_slice_end, zero_hole
from engine.errors import DecodeError
from engine.media.access_unit import AccessUnit, inspect_payload
from engine.model.keyframe import Codec
from engine.model.picture import PICTURE_SIDE_PX_MAX, PICTURE_SIDE_PX_MIN, Picture

av.logging.set_level(av.logging.PANIC)  # we report broken streams ourselves, once, with the camera

_ALLOWED = f"allowed: {PICTURE_SIDE_PX_MIN} to {PICTURE_SIDE_PX_MAX} a side"

DECODER_NAMES = {Codec.H264: "h264", Codec.H265: "hevc", Codec.MJPEG: "mjpeg"}

_EXPLODES = {Codec.H265, Codec.MJPEG}
"""Codecs for which FFmpeg marks no damage in the frame, so it is made to fail instead. H.264 sets `is_corrupt`."""

_TAIL = b"\xff" * 8192
"""Put after every slice of H.265, in place of zeros there. A whole picture never reads it. One that was cut off or
lost synchronisation reads on into it: all ones end the slice at the next block (H.265 9.3.4.3.5, the terminating bin),
and what was not decoded stays as it was allocated, which missing_area() detects. Without it FFmpeg reads zeros there
and goes on painting."""

_GRID_EXCESS_MAX = 7.0
_GRID_EXCESS_SMALL_MAX = 1.8
"""Above this, an H.265 picture is decoded a second time (engine/decode/grid_steps.py); a small one sooner, as that is
cheap, and a few blocks are more of it."""
_SMALL_PIXELS = 640 * 480

_ASPECT_MAX = 4
"""A picture that is longer than that many times its other side is decoded a second time."""

_CACHED_PIXELS_MAX = 16 * 1920 * 1088
"""Bound of the cache of contexts: the sum of their pictures' pixels."""
_CACHED_CONTEXTS_MAX = 32
"""Bound of their number: a context takes a megabyte even where its picture is small."""


class Decoder:
    """Decodes for one thread, with a bounded cache of contexts. Not thread-safe.

    `skip_loop_filter`: skip deblocking; saves 15 to 30 % of the CPU and changes the figures little. `before_decode`: is
    called with width and height before a picture is decoded, to allow as much time as a picture of that size may take.
    """

    def __init__(
        self, *, skip_loop_filter: bool = True, before_decode: Callable[[int, int], None] = lambda _width, _height: None
    ) -> None:
        self._skip_loop_filter = skip_loop_filter
        self._before_decode = before_decode
        self._contexts: OrderedDict[bytes, tuple[av.VideoCodecContext, int]] = OrderedDict()
        self._cached_pixels = 0

    def decode(self, codec: Codec, payload: bytes | memoryview) -> Picture:
        """Return the picture in `payload`. Its planes are valid until the next call.

        Raises DecodeError with a reason: empty, no_keyframe, too_large, too_costly, unsupported, damaged. Damage that
        leaves a picture to measure is named in Picture.damage instead.
        """
        data = bytes(payload)
        unit = inspect_payload(codec, data)
        check_decodable(codec, data, unit)
        self._before_decode(unit.width, unit.height)
        frame, frame_count = self._decode(codec, data, unit)
        picture = picture_of(frame, codec)
        if min(picture.width, picture.height) < PICTURE_SIDE_PX_MIN:
            raise DecodeError("unsupported", f"{codec}: {picture.width}x{picture.height} after cropping; {_ALLOWED}")
        damage = list(_coded_damage(picture, data))
        if frame.is_corrupt:
            damage.append("corrupt_flag")
        if frame_count > 1:
            damage.append("several_pictures")
        if unit.truncated:
            damage.append("truncated")
        if missing_area(picture):
            damage.append("missing_area")
        if codec is not Codec.MJPEG and not damage and self._is_left_over(data, unit, picture):
            damage.append("slice_length")
        fragile = codec is not Codec.H264 or unit.cavlc
        return replace(picture, damage=tuple(damage), headers=zlib.crc32(unit.parameters), fragile=fragile)

    def close(self) -> None:
        """Release the contexts."""
        self._contexts.clear()
        self._cached_pixels = 0

    def _decode(self, codec: Codec, data: bytes, unit: AccessUnit) -> tuple[av.VideoFrame, int]:
        context = self._acquire_context(codec, unit)
        try:
            frames = context.decode(av.Packet(with_tails(codec, data, _TAIL) if codec is Codec.H265 else data))
            frames += context.decode(None)
            context.flush_buffers()
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError("damaged", f"{codec}: {getattr(error, 'strerror', None) or error}") from error
        if not frames:
            raise DecodeError("damaged", f"{codec}: {len(data)} bytes with {unit.slices} slices gave no picture")
        check_size(codec, frames[-1].width, frames[-1].height)
        if codec is Codec.H264 and len(frames) == 1 and not frames[0].is_corrupt:
            self._cache_context(context, unit)
        return frames[-1], len(frames)

    def _is_left_over(self, data: bytes, unit: AccessUnit, picture: Picture) -> bool:
        """Whether the last slice's data go on after the picture's last block, as they do after lost synchronisation.

        libavcodec does not say so; but then a second decode without the end of the data gives the same picture. It is
        done only for what few whole pictures have: blocks that do not fit together (H.265; libavcodec notices most
        of them in H.264), or a shape that a wrong height gives. The last bytes of a whole picture may hold nothing but
        the last block's colour, so that is compared too.
        """
        narrow, wide = sorted((picture.width, picture.height))
        excess_max = _GRID_EXCESS_SMALL_MAX if picture.width * picture.height <= _SMALL_PIXELS else _GRID_EXCESS_MAX
        unfit = picture.codec is Codec.H265 and grid_excess(picture) > excess_max
        if not unfit and wide <= _ASPECT_MAX * narrow:
            return False
        shortened = without_slice_end(picture.codec, data)
        if shortened is None:
            return False
        try:
            frame, _ = self._decode(picture.codec, shortened, unit)
        except DecodeError:
            return False
        again = picture_of(frame, picture.codec)
        planes = zip((again.luma, *(again.chroma or ())), (picture.luma, *(picture.chroma or ())), strict=False)
        return all(np.array_equal(new, old) for new, old in planes)

    def _acquire_context(self, codec: Codec, unit: AccessUnit) -> av.VideoCodecContext:
        """Return a context for this picture: a cached one where that is safe, else a new one.

        A context that decoded another camera's picture may retain its colour range, its Huffman tables, or its picture
        where this one has a hole. So only H.264, which reports holes, gets a used one, and only one that has decoded
        the same parameter sets and has met no damage.
        """
        cached = self._contexts.pop(unit.parameters, None) if codec is Codec.H264 else None
        if cached is None:
            return self._open_context(codec)
        context, pixels = cached
        self._cached_pixels -= pixels
        return context

    def _cache_context(self, context: av.VideoCodecContext, unit: AccessUnit) -> None:
        pixels = unit.width * unit.height
        while self._contexts and (
            self._cached_pixels + pixels > _CACHED_PIXELS_MAX or len(self._contexts) >= _CACHED_CONTEXTS_MAX
        ):
            _, (_, freed) = self._contexts.popitem(last=False)
            self._cached_pixels -= freed
        self._contexts[unit.parameters] = (context, pixels)
        self._cached_pixels += pixels

    def _open_context(self, codec: Codec) -> av.VideoCodecContext:
        context = cast(av.VideoCodecContext, av.CodecContext.create(DECODER_NAMES[codec], "r"))
        context.thread_count = 1
        options = dict(MAX_PIXELS)
        if codec in _EXPLODES:
            options["err_detect"] = "explode"
        if self._skip_loop_filter:
            options["skip_loop_filter"] = "all"
        context.options = options
        return context


def _coded_damage(picture: Picture, data: bytes) -> tuple[str, ...]:
    """Return the damage that the coded data show by themselves, and libavcodec does not report."""
    if picture.codec is Codec.MJPEG:
        word = jpeg_damage(data, picture)
        return () if word is None else (word,)
    return ("zero_hole",) if zero_hole(picture.codec, data) else ()
