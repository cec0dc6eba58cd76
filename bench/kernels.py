"""Measures the CPU time of scoring and judging one 1080p 8-bit picture, next to decoding it and to OpenCV on one
thread.

    python -m bench.kernels [--json] [--record] [--rounds N] [--data DIR]

`fused_ms`: every figure, score, the tile map and the signature of a picture that was decoded just before, as in a
worker. `luma_ms`, `edges_ms`, ...: the single passes, each including the shrinking to the analysis plane. `judge_ms`: a
measurement against a learned baseline, to a verdict and the new judge state in bytes; BATCH cameras in a row after
decoding a picture, as a hub next to its workers judges them at 200 per second (engine/hub/keyframes/micro_batch.py).
`judge_alone_ms`: the first of them, whose code the decoder has evicted from the CPU caches. `decode_ms`: bare
libavcodec with its default options and one thread, its context kept. `decode_share` = (fused_ms + judge_ms) /
decode_ms. `opencv_ms`: `cv2.Laplacian(y, cv2.CV_64F).var()` and `cv2.calcHist`; `ratio` = fused_ms / opencv_ms.
`start_cpu_s`: CPU seconds of a worker's start, until it takes work (bench/worker_start.py). The picture is the
first keyframe of a clip in DIR (camera/canteen_1080p_h264_2M.mp4) if it exists, else a generated one.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np

from bench.history import append
from bench.timing import interleaved_medians_ms
from bench.worker_start import start_cpu_s
from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels.registry import KERNELS
from engine.kernels.score import score
from engine.kernels.warmup import warm_up
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.visit import FeedKind
from engine.worker.process import measure as measure_keyframe

ROWS, COLUMNS = 1080, 1920
CLIP = "camera/canteen_1080p_h264_2M.mp4"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BATCH = 4
_CAMERAS, _LEARNED_VISITS = 64, 8
_NS_PER_H = 3_600_000_000_000


def main() -> None:
    """Measure and print the result."""
    options = _options()
    payload, source = _payload(options.data)
    result = {"bench": "kernels", "picture": source, "payload_bytes": len(payload), **measure(payload, options.rounds)}
    if options.record:
        append(result)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:14} {value:.3f}" if isinstance(value, float) else f"{name:14} {value}")


def measure(payload: bytes, rounds: int) -> dict[str, float]:
    """Return medians over `rounds` interleaved rounds, in CPU milliseconds per picture."""
    cv2.setNumThreads(1)
    warm_up()
    decoder = Decoder()
    keyframe = Keyframe("bench", 1, Codec.H264, payload, 0, None, FeedKind.RTSP)
    measurement = measure_keyframe(decoder, keyframe)
    picture = decoder.decode(Codec.H264, payload)
    settings = JudgeSettings()
    judges = [_judge_call(measurement, camera, settings) for camera in range(_CAMERAS)]
    luma = np.ascontiguousarray(picture.luma, np.uint8)

    def opencv() -> None:
        cv2.Laplacian(luma, cv2.CV_64F).var()
        cv2.calcHist([luma], [0], None, [256], [0, 256])

    calls: dict[str, Callable[[], object]] = {
        "decode_ms": _decode_call(payload),
        "opencv_ms": opencv,
        **{f"{kernel.name}_ms": partial(kernel.fast, picture) for kernel in KERNELS},
    }
    medians = interleaved_medians_ms(calls, rounds=rounds, calls=2)
    medians |= _cold_ms(payload, judges, rounds)
    return {
        **medians,
        "decode_share": (medians["fused_ms"] + medians["judge_ms"]) / medians["decode_ms"],
        "ratio": medians["fused_ms"] / medians["opencv_ms"],
        "start_cpu_s": start_cpu_s(),
        "rounds": float(rounds),
    }


def _cold_ms(payload: bytes, judges: Sequence[Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the CPU times of scoring and judging, each after a decode, which fills the CPU caches."""
    decoder = Decoder()
    score_ms, judge_ms, judge_alone_ms = [], [], []
    next_judges = cycle(judges)
    for _ in range(4 * rounds):
        picture = decoder.decode(Codec.H264, payload)
        score_ms.append(_cpu_ms(partial(score, picture)))
        decoder.decode(Codec.H264, payload)
        batch_ms = [_cpu_ms(judge) for judge in islice(next_judges, BATCH)]
        judge_ms.append(statistics.fmean(batch_ms))
        judge_alone_ms.append(batch_ms[0])
    return {
        "fused_ms": statistics.median(score_ms),
        "judge_ms": statistics.median(judge_ms),
        "judge_alone_ms": statistics.median(judge_alone_ms),
    }


def _cpu_ms(run: Callable[[], object]) -> float:
    began_ns = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - began_ns) / 1e6


def _judge_call(measurement: Measurement, camera: int, settings: JudgeSettings) -> Callable[[], object]:
    """Return a function that judges one more visit to a camera with a learned baseline.

    The picture differs from the one before, as a live one does.
    """
    judge_state = JudgeState()
    for visit in range(_LEARNED_VISITS):
        _, judge_state = judge_measurement(_with_noise(measurement, visit, camera), judge_state, settings)
    latest = _with_noise(measurement, _LEARNED_VISITS, camera)

    def run() -> bytes:
        _, after = judge_measurement(latest, judge_state, settings)
        return after.to_bytes()

    return run


def _with_noise(measurement: Measurement, visit: int, camera: int) -> Measurement:
    """Return the measurement at the time of `visit`, with noise of its own in the signature."""
    means = np.frombuffer(measurement.signature, "<u2", offset=1) + np.random.default_rng([camera, visit]).integers(
        0, 64, 576
    )
    signature = measurement.signature[:1] + means.astype("<u2").tobytes()
    return replace(measurement, arrival_wall_ns=visit * _NS_PER_H, signature=signature)


def _decode_call(payload: bytes) -> Callable[[], object]:
    """Return a function that decodes the keyframe with bare libavcodec."""
    context = cast(Any, av.CodecContext.create("h264", "r"))
    context.thread_count = 1

    def run() -> int:
        frames = context.decode(av.Packet(payload)) + context.decode(None)
        context.flush_buffers()
        return len(frames)

    return run


def _payload(data: Path) -> tuple[bytes, str]:
    """Return the keyframe, and the name of the clip it is from or "generated"."""
    clip = data / CLIP
    if clip.is_file():
        return _first_keyframe(clip), CLIP
    return _encode(_generated_picture()), "generated"


def _first_keyframe(clip: Path) -> bytes:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        return next(bytes(unit) for packet in container.demux(stream) for unit in convert.filter(packet))


def _encode(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    encoder = cast(Any, av.CodecContext.create("libx264", "w"))
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = COLUMNS, ROWS, "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "superfast", "tune": "zerolatency", "qp": "30"}
    frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _generated_picture() -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(1)
    blocks = np.kron(rng.integers(30, 220, (36, 64)), np.ones((30, 30)))
    return np.clip(np.rint(blocks + rng.normal(0, 2, (ROWS, COLUMNS))), 0, 255).astype(np.uint8)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the CPU time of scoring and judging next to decoding.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    parser.add_argument("--rounds", type=int, default=60, help="number of interleaved rounds")
    parser.add_argument("--data", type=Path, default=DATA, help="directory of clips")
    return parser.parse_args()


if __name__ == "__main__":
    main()
