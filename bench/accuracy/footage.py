"""Files of a data directory as keyframes and pictures."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from PIL import Image

from bench.accuracy.engine_path import taken_keyframe
from bench.accuracy.light import Rgb
from engine.model.keyframe import Codec

PHOTO_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_CODECS: Final = {"h264": Codec.H264, "hevc": Codec.H265}
_TO_ANNEX_B: Final = {Codec.H264: "h264_mp4toannexb", Codec.H265: "hevc_mp4toannexb"}
_JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Coded:
    """One keyframe as a camera sends it. `time_ns`: its place in the file; None: it has none."""

    codec: Codec
    payload: bytes
    time_ns: int | None


def is_photo(path: Path) -> bool:
    """A picture, not a film."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def coded_keyframes(path: Path, first: int | None = None, last: int | None = None, count: int = 1_000) -> list[Coded]:
    """The first `count` keyframes of frames `first` to `last`, those that a feeder would take, as they are in the file.

    A JPEG is its own keyframe. Pictures and films that no camera sends (PNG, MPEG-4 part 2) are coded anew as JPEG of
    quality 95. Raises OSError, av.FFmpegError or ValueError for what cannot be read.
    """
    if is_photo(path):
        if path.suffix.lower() in (".jpg", ".jpeg"):
            return [Coded(Codec.MJPEG, path.read_bytes(), None)]
        return [Coded(Codec.MJPEG, jpeg(photo(path)), None)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = _CODECS.get(stream.codec_context.name)
        if codec is None:
            return [Coded(Codec.MJPEG, jpeg(rgb), time_ns) for rgb, time_ns in _decoded(path, first, last, count)]
        convert = av.BitStreamFilterContext(_TO_ANNEX_B[codec], stream)
        extradata = bytes(stream.codec_context.extradata or b"")
        found: list[Coded] = []
        number = -1
        for packet in container.demux(stream):
            for whole in convert.filter(packet) if packet.size else []:
                number += 1
                if not whole.is_keyframe or number < (first or 0) or (last is not None and number > last):
                    continue
                payload = taken_keyframe(codec, bytes(whole), extradata)
                if payload is None:
                    continue
                time_ns = None if whole.pts is None else round(whole.pts * whole.time_base * 1_000_000_000)
                found.append(Coded(codec, payload, time_ns))
                if len(found) >= count:
                    return found
        return found


def pictures(path: Path, first: int | None, last: int | None, count: int) -> list[Rgb]:
    """The pictures of a photo, or of the first `count` keyframes of a film between two frames."""
    return [photo(path)] if is_photo(path) else [rgb for rgb, _ in _decoded(path, first, last, count)]


def photo(path: Path) -> Rgb:
    """A photo as RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def jpeg(rgb: Rgb) -> bytes:
    """What a snapshot page would send of it."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def _decoded(path: Path, first: int | None, last: int | None, count: int) -> list[tuple[Rgb, int | None]]:
    found: list[tuple[Rgb, int | None]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "DEFAULT" if first else "NONKEY"
        rate = float(stream.average_rate or 25)
        for number, frame in enumerate(container.decode(stream)):
            place = number if first else round(float(frame.time or 0.0) * rate)
            if place < (first or 0) or not frame.key_frame:
                continue
            if last is not None and place > last:
                break
            time_ns = None if frame.time is None else round(frame.time * 1_000_000_000)
            found.append((np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), time_ns))
            if len(found) >= count:
                break
    return found
