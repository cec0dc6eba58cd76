"""Memory of one worker over 10,000 keyframes of mixed size, codec and damage, through decoder and kernels.

    python -m bench.decode_memory --json

`rss_mb_1000` and `rss_mb_10000`: resident memory after 1,000 and 10,000; `growth`: their ratio less one (at most 0.10).
"""

import argparse
import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench.history import append
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.kernels.warmup import warm_up
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.memory import keep_freed_memory
from engine.worker.process import measure

SIZES = ((1920, 1080), (1280, 720), (704, 576), (640, 360), (352, 288), (322, 242), (960, 540), (720, 480))
ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265", Codec.MJPEG: "mjpeg"}


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    result = run(arguments.frames)
    if arguments.record:
        append({"bench": "decode_memory", **result})
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


def run(frames: int) -> dict[str, Any]:
    """Decode and score `frames` keyframes, one in five of them damaged, and return the figures."""
    keep_freed_memory()
    warm_up()
    rng = random.Random(1)
    pool = [(codec, _encode(codec, *size)) for codec in ENCODERS for size in SIZES]
    decoder = Decoder()
    rss_mb_after: dict[int, float] = {}
    refused = 0
    for number in range(1, frames + 1):
        # Small pictures more often than large ones: 10,000 of 1080p would only make the run longer.
        codec, payload = rng.choice(pool) if number % 10 == 0 else pool[rng.choice([3, 4, 5, 7]) + 8 * rng.randrange(3)]
        if rng.random() < 0.2:
            payload = _damaged(payload, rng)
        try:
            measure(decoder, Keyframe(f"c{number}", number, codec, payload, 0, None, FeedKind.GATEWAY))
        except DecodeError:
            refused += 1
        if number in (frames // 10, frames):
            rss_mb_after[number] = _rss_mb()
    early, late = rss_mb_after[frames // 10], rss_mb_after[frames]
    return {
        "frames": frames,
        "refused": refused,
        f"rss_mb_{frames // 10}": round(early, 1),
        f"rss_mb_{frames}": round(late, 1),
        "growth": round(late / early - 1, 4),
    }


def _encode(codec: Codec, width: int, height: int) -> bytes:
    rng = np.random.default_rng(width)
    blocks = np.kron(rng.integers(30, 220, (height // 16 + 1, width // 16 + 1)), np.ones((16, 16)))[:height, :width]
    picture = np.repeat(np.clip(blocks + rng.normal(0, 2, blocks.shape), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    context: Any = av.CodecContext.create(ENCODERS[codec], "w")
    context.width, context.height, context.thread_count = width, height, 1
    context.pix_fmt = "yuvj420p" if codec is Codec.MJPEG else "yuv420p"
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    if codec is Codec.H265:
        context.options = {"preset": "ultrafast", "x265-params": "repeat-headers=1:log-level=none:pools=none"}
    elif codec is Codec.H264:
        context.options = {"preset": "ultrafast", "x264-params": "repeat-headers=1"}
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _damaged(payload: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return payload[: rng.randrange(1, len(payload))]
    broken = bytearray(payload)
    for _ in range(8):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
