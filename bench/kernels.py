"""CPU of scoring and judging one 1080p 8-bit picture, beside decoding it and beside OpenCV on one thread.

    python -m bench.kernels [--json] [--record] [--rounds N] [--data DIR]

`fused_ms`: every figure, score, the tile map and the signature, of a picture that was decoded just before, as a worker
has it. `luma_ms`, `edges_ms`, ...: the passes alone, each with the shrinking to the analysis plane before it.
`judge_ms`: a measurement against a learned baseline, to a verdict and the new memory in bytes; GATHERED cameras in a
row, a picture decoded before them, as a hub beside its workers judges them at 200 a second
(engine/hub/micro_batch.py);
`judge_alone_ms`: the first of them, which comes back into caches that the decoder took.
`decode_ms`: bare libavcodec with its default options and one thread, its context kept. `decode_share` = (fused_ms +
judge_ms) / decode_ms. `opencv_ms`: `cv2.Laplacian(y, cv2.CV_64F).var()` and `cv2.calcHist`; `ratio` = fused_ms /
opencv_ms. The picture is the first keyframe of a clip in DIR (camera/canteen_1080p_h264_2M.mp4) where there is one,
else a generated one.
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
GATHERED = 4
_CAMERAS, _LEARNED_VISITS = 64, 8
_NS_PER_H = 3_600_000_000_000


def main() -> None:
    """Measure and print."""
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
    """Medians over `rounds` interleaved rounds, CPU milliseconds a picture."""
    cv2.setNumThreads(1)
    warm_up()
    decoder = Decoder()
    keyframe = Keyframe("bench", 1, Codec.H264, payload, 0, None, FeedKind.RTSP)
    measurement = measure_keyframe(decoder, keyframe)
    picture = decoder.decode(Codec.H264, payload)
    settings = JudgeSettings()
    judges = [_judging(measurement, camera, settings) for camera in range(_CAMERAS)]
    packed = np.ascontiguousarray(picture.luma, np.uint8)

    def opencv() -> None:
        cv2.Laplacian(packed, cv2.CV_64F).var()
        cv2.calcHist([packed], [0], None, [256], [0, 256])

    decoding = _decoding(payload)
    rivals: dict[str, Callable[[], object]] = {
        "decode_ms": decoding,
        "opencv_ms": opencv,
        **{f"{kernel.name}_ms": partial(kernel.fast, picture) for kernel in KERNELS},
    }
    medians = interleaved_medians_ms(rivals, rounds=rounds, calls=2)
    medians |= _cold_ms(payload, judges, rounds)
    return {
        **medians,
        "decode_share": (medians["fused_ms"] + medians["judge_ms"]) / medians["decode_ms"],
        "ratio": medians["fused_ms"] / medians["opencv_ms"],
        "rounds": float(rounds),
    }


def _cold_ms(payload: bytes, judges: Sequence[Callable[[], object]], rounds: int) -> dict[str, float]:
    """Each after a decode, which takes the caches."""
    decoder = Decoder()
    scored, judged, alone = [], [], []
    turn = cycle(judges)
    for _ in range(4 * rounds):
        picture = decoder.decode(Codec.H264, payload)
        scored.append(_cpu_ms(partial(score, picture)))
        decoder.decode(Codec.H264, payload)
        took = [_cpu_ms(judge) for judge in islice(turn, GATHERED)]
        judged.append(statistics.fmean(took))
        alone.append(took[0])
    return {
        "fused_ms": statistics.median(scored),
        "judge_ms": statistics.median(judged),
        "judge_alone_ms": statistics.median(alone),
    }


def _cpu_ms(run: Callable[[], object]) -> float:
    began_ns = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - began_ns) / 1e6


def _judging(measurement: Measurement, camera: int, settings: JudgeSettings) -> Callable[[], object]:
    """One more visit to a camera whose baseline is learned; its picture differs from the last, as a live one does."""
    history = JudgeState()
    for visit in range(_LEARNED_VISITS):
        _, history = judge_measurement(_nudged(measurement, visit, camera), history, settings)
    latest = _nudged(measurement, _LEARNED_VISITS, camera)

    def run() -> bytes:
        _, after = judge_measurement(latest, history, settings)
        return after.to_bytes()

    return run


def _nudged(measurement: Measurement, visit: int, camera: int) -> Measurement:
    means = np.frombuffer(measurement.signature, "<u2", offset=1) + np.random.default_rng([camera, visit]).integers(
        0, 64, 576
    )
    signature = measurement.signature[:1] + means.astype("<u2").tobytes()
    return replace(measurement, arrival_wall_ns=visit * _NS_PER_H, signature=signature)


def _decoding(payload: bytes) -> Callable[[], object]:
    context = cast(Any, av.CodecContext.create("h264", "r"))
    context.thread_count = 1

    def run() -> int:
        frames = context.decode(av.Packet(payload)) + context.decode(None)
        context.flush_buffers()
        return len(frames)

    return run


def _payload(data: Path) -> tuple[bytes, str]:
    clip = data / CLIP
    if clip.is_file():
        return _first_keyframe(clip), CLIP
    return _coded(_generated()), "generated"


def _first_keyframe(clip: Path) -> bytes:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        return next(bytes(whole) for packet in container.demux(stream) for whole in convert.filter(packet))


def _coded(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    encoder = cast(Any, av.CodecContext.create("libx264", "w"))
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = COLUMNS, ROWS, "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "superfast", "tune": "zerolatency", "qp": "30"}
    frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _generated() -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(1)
    blocks = np.kron(rng.integers(30, 220, (36, 64)), np.ones((30, 30)))
    return np.clip(np.rint(blocks + rng.normal(0, 2, (ROWS, COLUMNS))), 0, 255).astype(np.uint8)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU of scoring and judging beside decoding.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds")
    parser.add_argument("--data", type=Path, default=DATA, help="directory of clips")
    return parser.parse_args()


if __name__ == "__main__":
    main()
