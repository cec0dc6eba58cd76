"""What a sub-stream costs beside its main stream, and whether it is judged alike.

    python -m bench.sub_stream --data ../shared/data/camera --json

Each 1080p clip is coded a second time as a recorder codes its sub-stream: 640 x 360, 256 kbit/s, a keyframe every 2 s.
`bitrate_ratio`, `keyframe_bytes_ratio`, `cpu_ratio`: sub-stream / main stream, medians over the clips; `cpu_ms_main`,
`cpu_ms_sub`: decoding and scoring of one keyframe. `judged_alike`: share of the clips whose visits end with the same
announced state on both. `defocus_found`: of the clips out of focus, which follow their sharp ones, the share of visits
that are `blurred`, by stream.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import av

from bench.accuracy.footage import coded_keyframes
from bench.history import append
from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels.warmup import warm_up
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import FaultKind, Verdict
from engine.model.visit import FeedKind
from engine.worker.process import measure

CLIPS = ("canteen", "office180", "lobby", "desk", "campus", "road")
OUT_OF_FOCUS = ("canteen", "office180")
SUB_SIZE = (640, 360)
SUB_BIT_S = 256_000
SUB_GOP_S = 2
VISITS_MAX = 12
_VISIT_NS = 900 * 1_000_000_000
_BEGIN_NS = 10**18


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the shared clips")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    result = run(arguments.data)
    if arguments.record:
        append({"bench": "sub_stream", **result})
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


def run(folder: Path) -> dict[str, Any]:
    """Measure both streams of each clip and return the figures."""
    warm_up()
    decoder = Decoder()
    ratios: dict[str, list[float]] = {"bitrate": [], "keyframe_bytes": [], "cpu": []}
    cpu_ms: dict[str, list[float]] = {"main": [], "sub": []}
    blurred: dict[str, list[bool]] = {"main": [], "sub": []}
    alike: list[bool] = []
    for name in CLIPS:
        path = folder / f"{name}_1080p_h264_2M.mp4"
        streams = {"main": _main_stream(path), "sub": _sub_stream(path)}
        announced = []
        figures: dict[str, tuple[float, float, float]] = {}
        for kind, (payloads, bit_s) in streams.items():
            measurements, took_ms = _measured(decoder, payloads)
            verdicts, state = _judged(measurements, JudgeState())
            announced.append(verdicts[-1].announced)
            cpu_ms[kind].append(took_ms)
            figures[kind] = bit_s, median(map(len, payloads)), took_ms
            if name in OUT_OF_FOCUS:
                soft = folder / f"{name}_defocus_1080p_h264_2M.mp4"
                later, _ = _main_stream(soft) if kind == "main" else _sub_stream(soft)
                verdicts, _ = _judged(_measured(decoder, later)[0], state)
                blurred[kind] += [FaultKind.BLURRED in verdict.kinds for verdict in verdicts]
        alike.append(announced[0] == announced[1])
        for ratio, of_main, of_sub in zip(ratios.values(), figures["main"], figures["sub"], strict=True):
            ratio.append(of_sub / of_main)
    return {
        "clips": len(CLIPS),
        **{f"{name}_ratio": round(median(values), 3) for name, values in ratios.items()},
        **{f"cpu_ms_{kind}": round(median(values), 2) for kind, values in cpu_ms.items()},
        "judged_alike": sum(alike) / len(alike),
        "defocus_found": {kind: round(sum(found) / len(found), 3) for kind, found in blurred.items()},
    }


def _main_stream(path: Path) -> tuple[list[bytes], float]:
    """Return the keyframes of a clip, and its bits a second."""
    found = [keyframe.payload for keyframe in coded_keyframes(path, count=VISITS_MAX)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        bytes_in_all = sum(packet.size for packet in container.demux(stream))
        return found, 8 * bytes_in_all / float(stream.duration * stream.time_base)


def _sub_stream(path: Path) -> tuple[list[bytes], float]:
    """Code a clip as its sub-stream; return the keyframes, and the bits a second."""
    found: list[bytes] = []
    size = frames = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        assert rate is not None
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *SUB_SIZE, "yuv420p"
        encoder.framerate, encoder.time_base, encoder.bit_rate = rate, 1 / rate, SUB_BIT_S
        encoder.gop_size = round(SUB_GOP_S * rate)
        kbit_s = SUB_BIT_S // 1000
        limits = f"repeat-headers=1:scenecut=0:vbv-maxrate={kbit_s}:vbv-bufsize={SUB_GOP_S * kbit_s}"
        encoder.options = {"preset": "veryfast", "x264-params": limits}
        for frame in container.decode(stream):
            small = frame.reformat(*SUB_SIZE, format="yuv420p")
            small.pts, small.time_base, small.pict_type = frames, 1 / rate, 0
            frames += 1
            for packet in encoder.encode(small):
                size += packet.size
                found += [bytes(packet)] if packet.is_keyframe else []
            if len(found) >= VISITS_MAX:
                break
    return found, 8 * size * float(rate) / frames


def _measured(decoder: Decoder, payloads: Sequence[bytes]) -> tuple[list[Measurement], float]:
    """Decode and score keyframes as visits of a camera; return what was measured, and the median CPU time in ms."""
    found: list[Measurement] = []
    took_ms: list[float] = []
    for number, payload in enumerate(payloads):
        at_ns = _BEGIN_NS + number * _VISIT_NS
        keyframe = Keyframe("c", number + 1, Codec.H264, payload, at_ns, None, FeedKind.RTSP)
        measure(decoder, keyframe)
        began_ns = time.process_time_ns()
        found.append(measure(decoder, keyframe))
        took_ms.append((time.process_time_ns() - began_ns) / 1e6)
    return found, median(took_ms)


def _judged(measurements: Sequence[Measurement], state: JudgeState) -> tuple[list[Verdict], JudgeState]:
    verdicts: list[Verdict] = []
    for measurement in measurements:
        verdict, state = judge_measurement(measurement, state, JudgeSettings())
        verdicts.append(verdict)
    return verdicts, state


if __name__ == "__main__":
    main()
