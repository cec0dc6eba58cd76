"""Encodes keyframes as a camera's encoder does: real H.264 and H.265 at the quality that a bit rate allows.

At 2 Mbit/s, a camera with a group of pictures of 2 s has 500 KB for a keyframe and 49 small frames. The keyframe's
share of them depends on the motion: in the 16 clips of the shared data, made with real rate control, it is 0.11 to 0.15
with much motion and 0.21 to 0.40 with little. Encoding 50 frames for every measured picture would take hours, so the
rate control is solved instead: the quantiser is changed until the keyframe takes its share. The result is a keyframe of
an encoder that has settled; the first keyframe of a stream, made before that, is not imitated.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

import av

from bench.accuracy.imaging.light import Rgb
from engine.model.keyframe import Codec

GOP_S: Final = 2.0
FRAMES_PER_S: Final = 25
_GOP_FRAMES: Final = round(GOP_S * FRAMES_PER_S)
QP_MIN, QP_MAX = 18, 50
"""Limits of cameras' encoders. At QP_MAX the stream may exceed its bit rate."""

_ENCODERS: Final = {Codec.H264: "libx264", Codec.H265: "libx265"}
_TOLERANCE_OCTAVES: Final = 0.2
"""Tolerated error of a keyframe's size: 15 %, a little more than one step of the quantiser."""
_QP_PER_OCTAVE: Final = 6.0
_X265_QUIET: Final = "log-level=none:pools=none:frame-threads=1"


@dataclass(frozen=True, slots=True)
class Coding:
    """A camera's encoder settings. `share`: share of a group of pictures that its keyframe takes, 0..1; less with more
    motion."""

    codec: Codec
    kbps: int
    share: float

    @property
    def keyframe_bytes(self) -> float:
        """Size of a keyframe at this bit rate and share."""
        return self.kbps * 1000 / 8 * GOP_S * self.share


def keyframe(coding: Coding, picture: Rgb, qp: int, probes: int) -> tuple[bytes, int]:
    """Encode `picture` as a keyframe (Annex-B with parameter sets) that takes its share of the bit rate.

    Returns the keyframe and its quantiser. `qp`: the first quantiser to try; `probes`: largest number of encodings. The
    sides of the picture must be even. Noise and snow vanish at once where the quantiser's step passes them, so between
    a quantiser that is too fine and one that is too coarse the next is interpolated.
    """
    too_large, too_small = QP_MIN - 1, QP_MAX + 1
    excess: dict[int, float] = {}
    qp = min(max(qp, QP_MIN), QP_MAX)
    for left in reversed(range(probes)):
        payload = _encode(coding.codec, picture, qp)
        octaves = excess[qp] = math.log2(len(payload) / coding.keyframe_bytes)
        too_large, too_small = (qp, too_small) if octaves > 0 else (too_large, qp)
        if not left or abs(octaves) < _TOLERANCE_OCTAVES or too_small - too_large <= 1:
            break
        if too_large in excess and too_small in excess:
            share = excess[too_large] / (excess[too_large] - excess[too_small])
            guess = too_large + round(share * (too_small - too_large))
        else:
            guess = qp + round(octaves * _QP_PER_OCTAVE)
        qp = min(max(guess, too_large + 1), too_small - 1)
    return payload, qp


def _encode(codec: Codec, picture: Rgb, qp: int) -> bytes:
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
    """Return presets close to a camera's hardware encoder: no B-frames, no look-ahead, little search."""
    if codec is Codec.H264:
        params = f"qp={qp}:repeat-headers=1:scenecut=0"
        return {"preset": "superfast", "tune": "zerolatency", "x264-params": params}
    params = f"qp={qp}:repeat-headers=1:scenecut=0:keyint={_GOP_FRAMES}:{_X265_QUIET}"
    return {"preset": "ultrafast", "tune": "zerolatency", "x265-params": params}
