"""Encodes small clips with real codecs."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from engine.model.keyframe import Codec

ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265", Codec.MJPEG: "mjpeg"}
QUIET = "log-level=none:pools=none:frame-threads=1"


def scene(width: int, height: int, seed: int = 1) -> np.ndarray:
    """A picture (height, width, 3) with edges, flat parts and noise."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(30, 220, (height // 16 + 1, width // 16 + 1)), np.ones((16, 16)))[:height, :width]
    noisy = blocks + rng.normal(0, 3, (height, width))
    return np.repeat(np.clip(noisy, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def encode(
    codec: Codec,
    pictures: list[np.ndarray],
    *,
    gop: int = 5,
    pixel_format: str | None = None,
    options: dict[str, str] | None = None,
) -> list[bytes]:
    """Access units (Annex-B with parameter sets before each keyframe, or JPEGs)."""
    height, width = pictures[0].shape[:2]
    context = cast(av.VideoCodecContext, av.CodecContext.create(ENCODERS[codec], "w"))
    context.width, context.height = width, height
    context.pix_fmt = pixel_format or ("yuvj420p" if codec is Codec.MJPEG else "yuv420p")
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    context.gop_size, context.max_b_frames, context.thread_count = gop, 0, 1
    if codec is Codec.H264:
        context.options = {"preset": "ultrafast", "x264-params": "repeat-headers=1:scenecut=0", **(options or {})}
    elif codec is Codec.H265:
        params = (options or {}).get("x265-params", "")
        context.options = {
            "preset": "ultrafast",
            "x265-params": f"repeat-headers=1:scenecut=0:keyint={gop}:{QUIET}:{params}".rstrip(":"),
        }
    units: list[bytes] = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
        frame.pts = index
        units += [bytes(packet) for packet in context.encode(frame)]
    return units + [bytes(packet) for packet in context.encode(None)]


def write_clip(path: Path, codec: Codec, frames: int = 20, size: tuple[int, int] = (320, 240), gop: int = 5) -> Path:
    """A file of moving pictures; the container follows the name."""
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(ENCODERS[codec], rate=10))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec is Codec.MJPEG else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = 0
        stream.codec_context.thread_count = 1
        if codec is Codec.H264:
            stream.options = {"preset": "ultrafast", "x264-params": "scenecut=0"}
        elif codec is Codec.H265:
            stream.options = {"preset": "ultrafast", "x265-params": f"scenecut=0:keyint={gop}:{QUIET}"}
        picture = scene(*size)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * index, axis=1), format="rgb24")
            for packet in stream.encode(frame.reformat(format=stream.pix_fmt)):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def units(payload: bytes | memoryview) -> list[bytes]:
    """NAL units of an Annex-B payload, without their start codes."""
    return [part.rstrip(b"\0") for part in bytes(payload).split(b"\0\0\1")[1:]]


def remux(clip: Path, target: Path, container_format: str) -> Path:
    """Write the same packets into another container; return its file."""
    with av.open(str(clip)) as source, av.open(str(target), "w", format=container_format) as sink:
        stream = source.streams.video[0]
        out = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = out
                sink.mux(packet)
    return target
