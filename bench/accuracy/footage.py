"""Reads files of a data directory as keyframes and pictures."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from PIL import Image

from bench.accuracy.engine_path import keyframe_payload
from bench.accuracy.imaging.light import Rgb
from engine.model.keyframe import Codec

PHOTO_SUFFIXES: Final = (".jpg", ".jpeg", ".mpo", ".png", ".bmp", ".tif", ".tiff", ".webp")
_CODECS: Final = {"h264": Codec.H264, "hevc": Codec.H265}
_TO_ANNEX_B: Final = {Codec.H264: "h264_mp4toannexb", Codec.H265: "hevc_mp4toannexb"}
_JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class CodedKeyframe:
    """One keyframe as a camera sends it. `time_ns`: its presentation time in the file; None if it has none."""

    codec: Codec
    payload: bytes
    time_ns: int | None


def is_photo(path: Path) -> bool:
    """Return whether the file is a picture and not a film."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def coded_keyframes(
    path: Path, first: int | None = None, last: int | None = None, count: int = 1_000
) -> list[CodedKeyframe]:
    """Return the first `count` keyframes of frames `first` to `last` that a feeder would accept, as stored in the file.

    A JPEG is its own keyframe. Pictures and films that no camera sends (PNG, MPEG-4 part 2) are coded anew as JPEG of
    quality 95. Raises OSError, av.FFmpegError or ValueError if the file cannot be read.
    """
    if is_photo(path):
        if path.suffix.lower() in (".jpg", ".jpeg"):
            return [CodedKeyframe(Codec.MJPEG, path.read_bytes(), None)]
        return [CodedKeyframe(Codec.MJPEG, jpeg(photo(path)), None)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = _CODECS.get(stream.codec_context.name)
        if codec is None:
            decoded = _decode_keyframes(path, first, last, count)
            return [CodedKeyframe(Codec.MJPEG, jpeg(rgb), time_ns) for rgb, time_ns in decoded]
        convert = av.BitStreamFilterContext(_TO_ANNEX_B[codec], stream)
        extradata = bytes(stream.codec_context.extradata or b"")
        keyframes: list[CodedKeyframe] = []
        number = -1
        for packet in container.demux(stream):
            for unit in convert.filter(packet) if packet.size else []:
                number += 1
                if not unit.is_keyframe or number < (first or 0) or (last is not None and number > last):
                    continue
                payload = keyframe_payload(codec, bytes(unit), extradata)
                if payload is None:
                    continue
                time_ns = None if unit.pts is None else round(unit.pts * unit.time_base * 1_000_000_000)
                keyframes.append(CodedKeyframe(codec, payload, time_ns))
                if len(keyframes) >= count:
                    return keyframes
        return keyframes


def pictures(path: Path, first: int | None, last: int | None, count: int) -> list[Rgb]:
    """Return the picture of a photo, or those of the first `count` keyframes of a film from frame `first` to `last`."""
    return [photo(path)] if is_photo(path) else [rgb for rgb, _ in _decode_keyframes(path, first, last, count)]


def photo(path: Path) -> Rgb:
    """Return a photo as RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def jpeg(rgb: Rgb) -> bytes:
    """Encode a picture as the snapshot page of a camera would send it."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def _decode_keyframes(path: Path, first: int | None, last: int | None, count: int) -> list[tuple[Rgb, int | None]]:
    """Return pictures with their presentation time."""
    decoded: list[tuple[Rgb, int | None]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "DEFAULT" if first else "NONKEY"
        rate = float(stream.average_rate or 25)
        for number, frame in enumerate(container.decode(stream)):
            index = number if first else round(float(frame.time or 0.0) * rate)
            if index < (first or 0) or not frame.key_frame:
                continue
            if last is not None and index > last:
                break
            time_ns = None if frame.time is None else round(frame.time * 1_000_000_000)
            decoded.append((np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), time_ns))
            if len(decoded) >= count:
                break
    return decoded
