"""Keyframes as a camera's encoder makes them: real H.264 and H.265 at the quality that a bit rate leaves.

A camera with a group of pictures of 2 s has, at 2 Mbit/s, 500 KB for a keyframe and 49 small frames. How much of it the
keyframe gets depends on what moves: in the 16 clips of the shared data, made with real rate control, it is 0.11 to 0.15
where much moves, 0.21 to 0.40 where little does. Encoding 50 frames for every picture that is measured would take
hours, so the rate control is solved instead: the quantiser is moved until the keyframe takes its share. That is a
keyframe of an encoder that has settled; the first one of a stream, made before that, is not imitated.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

import av

from bench.accuracy.light import Rgb
from engine.model.keyframe import Codec

GOP_S: Final = 2.0
FRAMES_PER_S: Final = 25
_GOP_FRAMES: Final = round(GOP_S * FRAMES_PER_S)
QP_MIN, QP_MAX = 18, 50
"""Cameras' encoders do not go beyond; with the last the stream takes more than its bit rate."""

_ENCODERS: Final = {Codec.H264: "libx264", Codec.H265: "libx265"}
_CLOSE_OCTAVES: Final = 0.2
"""A keyframe may be off by that much in size: 15 %, a little more than one step of the quantiser."""
_QP_PER_OCTAVE: Final = 6.0
_QUIET: Final = "log-level=none:pools=none:frame-threads=1"


@dataclass(frozen=True, slots=True)
class Coding:
    """How a camera is set, and how much moves before it. `share`: the keyframe's of a group of pictures, 0..1."""

    codec: Codec
    kbps: int
    share: float

    @property
    def keyframe_bytes(self) -> float:
        """What a keyframe may take."""
        return self.kbps * 1000 / 8 * GOP_S * self.share


def keyframe(coding: Coding, picture: Rgb, qp: int, probes: int) -> tuple[bytes, int]:
    """`picture` as a keyframe (Annex-B with parameter sets) that takes its share of the bit rate, and its quantiser.

    `qp`: where to begin; `probes`: how often it is encoded at most. Sides of the picture must be even.
    """
    low, high = QP_MIN, QP_MAX
    qp = min(max(qp, low), high)
    for left in reversed(range(probes)):
        payload = _encoded(coding.codec, picture, qp)
        octaves = math.log2(len(payload) / coding.keyframe_bytes)
        low, high = (qp, high) if octaves > 0 else (low, qp)
        moved = int(min(max(qp + round(octaves * _QP_PER_OCTAVE), low), high))
        if not left or abs(octaves) < _CLOSE_OCTAVES or moved == qp:
            break
        qp = moved
    return payload, qp


def _encoded(codec: Codec, picture: Rgb, qp: int) -> bytes:
    rows, columns = picture.shape[:2]
    context = cast(Any, av.CodecContext.create(_ENCODERS[codec], "w"))
    context.width, context.height, context.pix_fmt = columns, rows, "yuv420p"
    context.framerate, context.time_base = Fraction(FRAMES_PER_S), Fraction(1, FRAMES_PER_S)
    context.gop_size, context.max_b_frames, context.thread_count = _GOP_FRAMES, 0, 1
    context.options = _options(codec, qp)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _options(codec: Codec, qp: int) -> dict[str, str]:
    """Presets near what a camera's encoder on a chip does: no B-frames, no look-ahead, little search."""
    if codec is Codec.H264:
        params = f"qp={qp}:repeat-headers=1:scenecut=0"
        return {"preset": "superfast", "tune": "zerolatency", "x264-params": params}
    params = f"qp={qp}:repeat-headers=1:scenecut=0:keyint={_GOP_FRAMES}:{_QUIET}"
    return {"preset": "ultrafast", "tune": "zerolatency", "x265-params": params}
