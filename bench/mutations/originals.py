"""The whole keyframes that are mutated: of the shared clips where they are, else encoded from the demo's pictures."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from PIL import Image

from bench.accuracy.footage import coded_keyframes
from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.decode.render import decode_rgb
from engine.demo.pictures import PHOTOS, Rgb, frame, passing, photo
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels.warmup import warm_up
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import Verdict
from engine.model.visit import FeedKind
from engine.worker.process import measure

SETTINGS = JudgeSettings()
VISIT_NS = 600_000_000_000
LEARNING_VISITS = 12

_CLIPS = ("campus", "canteen", "desk", "lobby", "office180", "road")
_VISITS = 4
_NOISE_LEVELS = 2.0
_SIZES = ((1280, 720), (704, 576), (1920, 1080), (640, 360))
_JPEG_WAYS: tuple[dict[str, Any], ...] = (
    {"quality": 80},
    {"quality": 60, "restart_marker_rows": 1},
    {"quality": 70, "restart_marker_blocks": 11},
    {"quality": 90, "optimize": True, "subsampling": 0},
    {"quality": 75, "progressive": True},
)
_ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265", Codec.MJPEG: "mjpeg"}
_PARAMETERS = {
    Codec.H264: ("qp=28", "qp=24:slices=4", "qp=32:cabac=0", "qp=26:cabac=0:slices=8"),
    Codec.H265: ("qp=28", "qp=26:ctu=16:min-cu-size=8", "qp=34", "qp=32:ctu=32"),
}
_QUIET = "log-level=none:pools=none:frame-threads=1"


@dataclass(frozen=True, slots=True)
class Original:
    """A whole keyframe. `other`: another one of the same camera. `learned`: what it has taught the judge."""

    name: str
    codec: Codec
    payload: bytes
    other: bytes
    learned: JudgeState


def originals(data: Path | None, scenes: int = len(PHOTOS)) -> list[Original]:
    """Return keyframes that are no fault, by themselves and against what their camera usually shows.

    `data`: a directory with camera/*.mp4; None for the demo's pictures, the first `scenes` of them. The same
    directory gives the same list.
    """
    warm_up()
    decoder = Decoder()
    found: list[Original] = []
    for name, codec, payloads in _payloads(data, scenes):
        learned = JudgeState()
        kinds = set(judge(decoder, codec, payloads[0], 0, learned)[0].kinds)
        for visit in range(LEARNING_VISITS):
            verdict, learned = judge(decoder, codec, payloads[-1 - visit % len(payloads)], visit, learned)
            kinds |= set(verdict.kinds)
        if not kinds:
            found.append(Original(name, codec, payloads[0], payloads[1], learned))
    decoder.close()
    return found


def judge(decoder: Decoder, codec: Codec, payload: bytes, visit: int, state: JudgeState) -> tuple[Verdict, JudgeState]:
    """Measure and judge one keyframe in this process. `visit`: its number; visits are ten minutes apart."""
    keyframe = Keyframe("camera", visit, codec, payload, visit * VISIT_NS, None, FeedKind.GATEWAY)
    return judge_measurement(measure(decoder, keyframe), state, SETTINGS)


def _payloads(data: Path | None, scenes: int) -> Iterator[tuple[str, Codec, list[bytes]]]:
    """Yield scene by scene, in each coding, the keyframes that visits bring."""
    for number, (name, visits) in enumerate(islice(_scenes(data), scenes)):
        for codec, ways in _PARAMETERS.items():
            for way in ways[number % 2 :: 2]:
                yield f"{name} {codec} {way}", codec, [_encode(codec, picture, way) for picture in visits]
        for options in _JPEG_WAYS[number % 2 :: 2]:
            yield f"{name} jpeg {options}", Codec.MJPEG, [_jpeg(picture, options) for picture in visits]
        yield f"{name} mjpeg", Codec.MJPEG, [_encode(Codec.MJPEG, picture, "") for picture in visits]
    for path in sorted((data / "camera").glob("*.mp4")) if data is not None else ():
        coded = coded_keyframes(path, count=_VISITS)
        yield path.stem, coded[0].codec, [keyframe.payload for keyframe in coded]


def _scenes(data: Path | None) -> Iterator[tuple[str, list[Rgb]]]:
    """Yield the pictures that visits show, scene by scene."""
    rng = np.random.default_rng(1)
    if data is None:
        for number, (photo_name, size) in enumerate(PHOTOS.items()):
            kitchen = photo(photo_name, *size, shift=0.5)
            yield (
                photo_name,
                [frame(passing(kitchen, n / _VISITS), f"{n:02}", f"{number}", rng) for n in range(_VISITS)],
            )
        return
    for number, name in enumerate(_CLIPS):
        path = data / "camera" / f"{name}_1080p_h264_2M.mp4"
        if path.is_file():
            coded = coded_keyframes(path, count=_VISITS)
            pictures = [Image.fromarray(decode_rgb(keyframe.codec, keyframe.payload)) for keyframe in coded]
            size = _SIZES[number % len(_SIZES)]
            yield name, [_noisy(np.asarray(picture.resize(size)), rng) for picture in pictures]


def _noisy(picture: Rgb, rng: np.random.Generator) -> Rgb:
    noisy = picture + rng.normal(0, _NOISE_LEVELS, picture.shape[:2])[..., None]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _encode(codec: Codec, picture: Rgb, parameters: str) -> bytes:
    context = cast(av.VideoCodecContext, av.CodecContext.create(_ENCODERS[codec], "w"))
    context.height, context.width = picture.shape[:2]
    context.pix_fmt = "yuvj420p" if codec is Codec.MJPEG else "yuv420p"
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    context.gop_size, context.thread_count = 1, 1
    if codec is Codec.H264:
        context.options = {"preset": "veryfast", "x264-params": f"repeat-headers=1:{parameters}"}
    elif codec is Codec.H265:
        context.options = {"preset": "ultrafast", "x265-params": f"repeat-headers=1:keyint=1:{_QUIET}:{parameters}"}
    yuv = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
    yuv.pts = 0
    packets = [*context.encode(yuv), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _jpeg(picture: Rgb, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", **options)
    return out.getvalue()
