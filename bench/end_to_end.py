"""Measures keyframes through the whole engine against bare libavcodec on the same cores.

    python -m bench.end_to_end --data ../shared/data/camera --json

The engine: keyframes are pushed over ZeroMQ into the intake and pass two workers, judge and store, with everything on.
The limit: two processes that only decode the same keyframes with libavcodec's default options, one thread each. Both
run on the same two cores, alternating, for several rounds; all results are medians. `ratio`: engine over limit, for
1080p H.264 at 2 Mbit/s.

`scoring_share`: CPU time of kernels and judge per check, over that of the bare decoder per keyframe; both cores are
busy in either case. `decode_ms`, `kernels_ms`, `judge_ms`: CPU time per check by the engine's own counter
(patrol_stage_cpu_seconds_total), over the same pushes; `bare_ms`: that of the bare decoder per keyframe. Every camera
sends one clip only, and is judged against a baseline learned from it.
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
from engine.client import PatrolClient
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.schema import LogSettings, RecordSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.feed import wire
from engine.feed.camera_url import source_url
from engine.feed.demuxing.pool import fetch_now
from engine.model.camera import Camera
from engine.model.engine_status import MachineStatus
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Poller, Transport
from engine.supervisor.app import Supervisor

CASES = ("1080p_h264_2M", "1080p_h265_2M", "720p_h264_1M", "D1_h264_512k")
HEADLINE = "1080p_h264_2M"
CORES = 2
CAMERAS = 64
"""Cameras per case."""
_NAMES = {Codec.H264: "h264", Codec.H265: "hevc"}


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/camera"))
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of each half of a round")
    arguments = parser.parse_args()
    result = measure(load(arguments.data), arguments.rounds, arguments.seconds)
    if arguments.record:
        append({"bench": "end_to_end", **result})
    if arguments.json:
        print(json.dumps(result))
        return
    for case in result["cases"]:
        print(
            "{codec:5} {size:6} {checks_per_s:7.1f} checks/s, limit {limit_per_s:7.1f}, ratio {ratio:.3f}, "
            "scoring {scoring_share:.3f} of a bare decode".format(**case)
        )
    print(f"ratio {result['ratio']:.3f}")


def load(data: Path) -> dict[str, list[Keyframe]]:
    """Return the first keyframe of every clip, by case. Raises SystemExit if there are no clips."""
    frames: dict[str, list[Keyframe]] = defaultdict(list)
    settings = FeedSettings(schemes=("file",))
    for path in sorted(data.glob("*.mp4")):
        case = next((case for case in CASES if path.stem.endswith(case)), None)
        if case is not None:
            keyframe = fetch_now(source_url(str(path)), settings)
            if isinstance(keyframe, Keyframe):
                frames[case].append(keyframe)
    if not frames:
        raise SystemExit(f"no clips named *_<{'|'.join(CASES)}>.mp4 in {data}; give their folder with --data")
    return frames


def measure(frames: dict[str, list[Keyframe]], rounds: int, seconds: float) -> dict[str, Any]:
    """Measure all cases with one engine."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-bench-")))
        engine = stack.enter_context(Supervisor(_settings(folder)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
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
    rates, limits, bare_ms = [], [], []
    cameras = [f"{case}_{number}" for number in range(CAMERAS)]
    client.import_cameras([Camera(camera, "", push=True, region="130102") for camera in cameras])
    checks_to_learn = _machine(client).checks_total + CAMERAS * (JudgeSettings().baseline_visits_min + 1)
    with _Helpers(keyframes, addresses["intake"], cameras) as helpers:
        helpers.decode(0.5)
        while _machine(client).checks_total < checks_to_learn:
            _push(helpers, client, 1.0)
        before, cpu_before_s = _machine(client).checks_total, _cpu_s(addresses["metrics"])
        for _ in range(rounds):
            limit, cpu_ms = helpers.decode(seconds)
            limits.append(limit)
            bare_ms.append(cpu_ms)
            rates.append(_push(helpers, client, seconds))
        time.sleep(1.0)  # until the keyframes that workers still had when the intake was empty are judged
        checks, cpu_s = _machine(client).checks_total - before, _cpu_s(addresses["metrics"])
    ratios = [rate / limit for rate, limit in zip(rates, limits, strict=True)]
    spent_ms = {stage: 1e3 * (cpu_s[stage] - cpu_before_s[stage]) / checks for stage in cpu_s}
    size, codec, _ = case.split("_")
    bare = statistics.median(bare_ms)
    return {
        "case": case,
        "codec": codec,
        "size": size,
        "clips": len(keyframes),
        "checks_per_s": round(statistics.median(rates), 1),
        "limit_per_s": round(statistics.median(limits), 1),
        "ratio": round(statistics.median(ratios), 3),
        **{f"{stage}_ms": round(stage_ms, 3) for stage, stage_ms in spent_ms.items()},
        "bare_ms": round(bare, 3),
        "scoring_share": round((spent_ms["kernels"] + spent_ms["judge"]) / bare, 3),
    }


def _cpu_s(metrics: str) -> dict[str, float]:
    """Return the CPU seconds spent so far, by stage. `metrics`: address of the engine's metrics."""
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "patrol_stage_cpu_seconds_total"
    }


def _push(helpers: "_Helpers", client: PatrolClient, seconds: float) -> float:
    """Have the gateway push for `seconds`; return the verdicts stored per second."""
    helpers.push(True)
    time.sleep(0.5)
    before, began = _machine(client).checks_total, time.monotonic()
    time.sleep(seconds)
    after, ended = _machine(client).checks_total, time.monotonic()
    helpers.push(False)
    while _machine(client).frames_waiting:
        time.sleep(0.05)
    return (after - before) / (ended - began)


def _machine(client: PatrolClient) -> MachineStatus:
    machine = client.status().machine
    assert machine is not None  # a caller without a token gets the whole status
    return machine


class _Helpers:
    """The processes of the gateway and of the bare decoders; each is idle until it gets a command."""

    def __init__(self, keyframes: Sequence[Keyframe], intake: str, cameras: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection[Any, Any]] = []
        self._processes = []
        targets: list[tuple[Callable[..., None], tuple[Any, ...]]] = [(_gateway, (intake, cameras))]
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

    def push(self, on: bool) -> None:
        """Start or stop the gateway, which pushes as fast as it can."""
        self._pipes[0].send(on)
        self._pipes[0].recv()

    def decode(self, seconds: float) -> tuple[float, float]:
        """Run the bare decoders; return keyframes per second of all together, and CPU milliseconds per keyframe."""
        for pipe in self._pipes[1:]:
            pipe.send(seconds)
        rates, cpu_ms = zip(*[pipe.recv() for pipe in self._pipes[1:]], strict=True)
        return float(sum(rates)), statistics.mean(cpu_ms)


def _gateway(
    keyframes: list[Keyframe], pipe: "Connection[Any, Any]", intake: str, cameras: Sequence[str]
) -> None:  # fmt: skip
    transport = Transport()
    push = transport.connect_push(intake, queue_messages_max=4)
    poller = Poller()
    poller.watch_writable("push", push)
    pipe.send("ready")
    number = 0
    on = False
    while True:
        try:
            while pipe.poll(0 if on else None):
                on = pipe.recv()
                pipe.send(on)
        except EOFError:
            return
        turn = number % len(cameras)
        frame = keyframes[turn % len(keyframes)]
        header = Keyframe(cameras[turn], 0, frame.codec, frame.payload, time.time_ns(), None, FeedKind.GATEWAY)
        if poller.wait(100) and push.send(wire.pack_keyframe(header)):
            number += 1


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
        done, began, began_cpu = 0, time.monotonic(), time.thread_time()
        while time.monotonic() - began < seconds:
            frame = keyframes[done % len(keyframes)]
            context = contexts[frame.codec]
            decoded = context.decode(av.Packet(bytes(frame.payload))) + context.decode(None)
            context.flush_buffers()
            if len(decoded) != 1:
                raise RuntimeError(f"{len(decoded)} pictures from one keyframe")
            done += 1
        pipe.send((done / (time.monotonic() - began), 1e3 * (time.thread_time() - began_cpu) / done))


def _settings(folder: Path) -> Settings:
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0", queue_frames_max=32),
        worker=WorkerSettings(count=CORES, spare=False),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=str(folder / "evidence"),
            quarantine_dir=str(folder / "quarantine"),
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        web=WebSettings(enabled=False),
        log=LogSettings(level="error"),
    )


if __name__ == "__main__":
    main()
