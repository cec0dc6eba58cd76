"""Keyframes through the whole engine, against bare libavcodec on the same cores.

    python -m bench.end_to_end --data ../shared/data/camera --json

Ours: keyframes pushed over ZeroMQ into the intake, through two workers, judge and store, with everything on. The limit:
two processes that do nothing but decode the same keyframes with libavcodec's default options, one thread each. Both
run on the same two cores, in turn, several rounds; medians. `ratio` is that of 1080p H.264 at 2 Mbit/s.

`scoring_share`: what a check spends in kernels and judge, by the engine's own stage metrics, over what the bare decoder
spends on a keyframe. Stages are wall time: it is taken at CALM_PER_S keyframes a second, where nobody waits for a core.
"""

import argparse
import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
from prometheus_client.parser import text_string_to_metric_families

from bench.history import append
from engine.app import Engine
from engine.config import Settings
from engine.config.schema import (
    FeedSettings,
    IntakeSettings,
    LogSettings,
    RecordSettings,
    WorkerSettings,
)
from engine.config.serve import ServeSettings
from engine.feed import wire
from engine.feed.demux import fetch_now
from engine.feed.source import source_url
from engine.replies import MachineStatus
from engine.serve.client import PatrolClient
from engine.transport import Poller, Transport
from engine.types import Camera, Codec, FeedKind, Keyframe

CASES = ("1080p_h264_2M", "1080p_h265_2M", "720p_h264_1M", "D1_h264_512k")
HEADLINE = "1080p_h264_2M"
CORES = 2
CAMERAS = 256
CALM_PER_S = 40.0
FULL, OFF = float("inf"), 0.0
_NAMES = {Codec.H264: "h264", Codec.H265: "hevc"}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/camera"))
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each side of a round")
    arguments = parser.parse_args()
    result = measure(load(arguments.data), arguments.rounds, arguments.seconds)
    if arguments.record:
        append({"bench": "end_to_end", **result})
    if arguments.json:
        print(json.dumps(result))
        return
    for case in result["cases"]:
        print(
            "{codec:5} {size:6} {checks_per_s:7.1f} checks/s, limit {limit_per_s:7.1f}, ratio {ratio:.3f}".format(
                **case
            )
        )
    print(f"ratio {result['ratio']:.3f}")


def load(data: Path) -> dict[str, list[Keyframe]]:
    """The first keyframe of every clip, by case."""
    frames: dict[str, list[Keyframe]] = defaultdict(list)
    settings = FeedSettings(schemes=("file",))
    for path in sorted(data.glob("*.mp4")):
        case = next((case for case in CASES if path.stem.endswith(case)), None)
        if case is not None:
            end = fetch_now(source_url(str(path)), settings)
            if isinstance(end, Keyframe):
                frames[case].append(end)
    if not frames:
        raise SystemExit(f"no clips named *_<{'|'.join(CASES)}>.mp4 in {data}; give their folder with --data")
    return frames


def measure(frames: dict[str, list[Keyframe]], rounds: int, seconds: float) -> dict[str, Any]:
    """All cases; one engine serves them all."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-bench-")))
        engine = stack.enter_context(Engine(_settings(folder)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([Camera(f"cam{n}", "", push=True, region="130102") for n in range(CAMERAS)])
        cases = [
            _case(case, frames[case], engine.addresses, client, rounds, seconds) for case in CASES if case in frames
        ]
    headline = next((case["ratio"] for case in cases if case["case"] == HEADLINE), None)
    return {"cases": cases, "ratio": headline, "cores": CORES, "rounds": rounds, "seconds": seconds}


def _case(
    case: str,
    keyframes: Sequence[Keyframe],
    addresses: Mapping[str, str],
    client: PatrolClient,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    ours, limits = [], []
    with _Helpers(keyframes, addresses["intake"]) as helpers:
        helpers.decode(0.5)
        _push(helpers, client, 1.0)
        before_s, before = _scoring_s(addresses["metrics"]), _machine(client).checks_total
        _push(helpers, client, seconds, CALM_PER_S)
        time.sleep(1.0)  # the last of them are counted
        scoring_s = (_scoring_s(addresses["metrics"]) - before_s) / (_machine(client).checks_total - before)
        for _ in range(rounds):
            limits.append(helpers.decode(seconds))
            ours.append(_push(helpers, client, seconds))
    ratios = [mine / limit for mine, limit in zip(ours, limits, strict=True)]
    size, codec, _ = case.split("_")
    return {
        "case": case,
        "codec": codec,
        "size": size,
        "clips": len(keyframes),
        "checks_per_s": round(statistics.median(ours), 1),
        "limit_per_s": round(statistics.median(limits), 1),
        "ratio": round(statistics.median(ratios), 3),
        "scoring_share": round(scoring_s * statistics.median(limits) / CORES, 3),
    }


def _scoring_s(metrics: str) -> float:
    """Seconds spent in kernels and judge so far."""
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "patrol_stage_seconds_sum" and sample.labels["stage"] in ("kernels", "judge")
    )


def _push(helpers: "_Helpers", client: PatrolClient, seconds: float, per_s: float = FULL) -> float:
    """Verdicts a second while the gateway pushes; counted from the first that is stored to the last."""
    helpers.push(per_s)
    time.sleep(0.5)
    before, began = _machine(client).checks_total, time.monotonic()
    time.sleep(seconds)
    after, ended = _machine(client).checks_total, time.monotonic()
    helpers.push(OFF)
    while _machine(client).frames_waiting:
        time.sleep(0.05)
    return (after - before) / (ended - began)


def _machine(client: PatrolClient) -> MachineStatus:
    machine = client.status().machine
    assert machine is not None  # without a token all of it is told
    return machine


class _Helpers:
    """The gateway's process and the bare decoders', idle until asked."""

    def __init__(self, keyframes: Sequence[Keyframe], intake: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection[Any, Any]] = []
        self._processes = []
        targets: list[tuple[Callable[..., None], tuple[str, ...]]] = [(_gateway, (intake,))]
        for target, extra in targets + [(_bare_decoder, ())] * CORES:
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(list(keyframes), theirs, *extra), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> "_Helpers":
        for pipe in self._pipes:
            pipe.recv()  # imported and ready
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.terminate()
            process.join()

    def push(self, per_s: float) -> None:
        """Have the gateway push so many keyframes a second, FULL or OFF."""
        self._pipes[0].send(per_s)
        self._pipes[0].recv()

    def decode(self, seconds: float) -> float:
        """Keyframes a second that the bare decoders decode together."""
        for pipe in self._pipes[1:]:
            pipe.send(seconds)
        return float(sum(pipe.recv() for pipe in self._pipes[1:]))


def _gateway(keyframes: list[Keyframe], pipe: "Connection[Any, Any]", intake: str) -> None:
    transport = Transport()
    push = transport.connect_push(intake, queue_messages_max=4)
    poller = Poller()
    poller.watch_writable("push", push)
    pipe.send("ready")
    number = 0
    per_s = OFF
    while True:
        try:
            while pipe.poll(0 if per_s else None):
                per_s = pipe.recv()
                pipe.send(per_s)
        except EOFError:
            return
        frame = keyframes[number % len(keyframes)]
        header = Keyframe(
            f"cam{number % CAMERAS}", 0, frame.codec, frame.payload, time.time_ns(), None, FeedKind.GATEWAY
        )
        if poller.wait(100) and push.send(wire.pack_keyframe(header)):
            number += 1
            if per_s != FULL:
                time.sleep(1 / per_s)


def _bare_decoder(keyframes: list[Keyframe], pipe: "Connection[Any, Any]") -> None:
    contexts: dict[Codec, Any] = {f.codec: av.CodecContext.create(_NAMES[f.codec], "r") for f in keyframes}
    for opened in contexts.values():
        opened.thread_count = 1
    pipe.send("ready")
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        done, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            frame = keyframes[done % len(keyframes)]
            context = contexts[frame.codec]
            decoded = context.decode(av.Packet(bytes(frame.payload))) + context.decode(None)
            context.flush_buffers()
            if len(decoded) != 1:
                raise RuntimeError(f"{len(decoded)} pictures from one keyframe")
            done += 1
        pipe.send(done / (time.monotonic() - began))


def _settings(folder: Path) -> Settings:
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0", queue_frames_max=32),
        worker=WorkerSettings(count=CORES),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=str(folder / "evidence"),
            quarantine_dir=str(folder / "quarantine"),
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        log=LogSettings(level="error"),
    )


if __name__ == "__main__":
    main()
