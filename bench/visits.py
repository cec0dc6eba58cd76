"""Visits to 200 live RTSP cameras: our client, FFmpeg's through PyAV, and the whole engine.

    python -m bench.visits --json [--data ../shared/data] [--seconds 10]

The load server (../shared/tools/rtsp_replay.py) plays a 1080p clip of 2 Mbit/s with a keyframe every 2 s as 200 live
cameras on the same cores. Each camera is visited again as soon as its visit has ended, so every visit waits a whole
group of pictures: the dearest case. CPU is that of the visiting process, user and system.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.history import append
from engine.client import PatrolClient
from engine.clock import monotonic_ns
from engine.config import Settings
from engine.config.schema import (
    FeedSettings,
    IntakeSettings,
    LogSettings,
    RecordSettings,
    SchedulerSettings,
)
from engine.config.serve import ServeSettings
from engine.feed.demux import DemuxPool
from engine.feed.visit import visit
from engine.model.camera import Camera
from engine.model.engine_status import EngineStatus
from engine.model.keyframe import Keyframe
from engine.model.visit import FeedKind, VisitFailure, VisitOrder
from engine.supervisor.app import Supervisor

CAMERAS = 200
CLIP = "camera/canteen_1080p_h264_2M.mp4"
DEADLINE_NS = 12_000_000_000
PYAV_THREADS = 50

Ends = list[Keyframe | VisitFailure]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--server", type=Path, default=Path("../shared/tools/rtsp_replay.py"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    with load_server(arguments.server, arguments.data / CLIP) as url:
        result: dict[str, Any] = {"cameras": CAMERAS, "clip": CLIP, **apart(_ours, url, arguments.seconds)}
        result["pyav"] = apart(_pyav, url, arguments.seconds)
        result["live"] = live(url, arguments.seconds)
    result["checks_per_s"] = result["live"]["checks_per_s"]
    if arguments.record:
        append({"bench": "visits", **result})
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


@contextlib.contextmanager
def load_server(program: Path, clip: Path) -> Iterator[str]:
    """200 live cameras; gives rtsp://host:port/cam, to which a number is added."""
    if not program.is_file() or not clip.is_file():
        raise SystemExit(f"needs {program} and {clip}; give their places with --server and --data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(program), "--port", str(port), "--mounts", str(CAMERAS), str(clip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or "READY" not in process.stdout.readline():
                raise SystemExit("the load server did not start")
            yield f"rtsp://127.0.0.1:{port}/cam"
        finally:
            process.kill()


def live(url: str, seconds: float) -> dict[str, Any]:
    """From 200 cameras to stored verdicts, with the load server on the same cores."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-bench-"))
        engine = stack.enter_context(Supervisor(_settings(folder)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([Camera(f"cam{n}", f"{url}{n}", uplink=f"u{n}") for n in range(CAMERAS)])
        time.sleep(3)
        before, began = client.status(), time.monotonic()
        time.sleep(seconds)
        after, ended = client.status(), time.monotonic()
    return {
        "checks_per_s": round((_checks(after) - _checks(before)) / (ended - began), 1),
        "states": dict(after.cameras_by_state),
    }


def _checks(status: EngineStatus) -> int:
    assert status.machine is not None  # without a token all of it is told
    return status.machine.checks_total


def apart(measure: Any, url: str, seconds: float) -> dict[str, Any]:
    """Run in a process of its own, so that CPU and memory are its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measure, args=(url, seconds, theirs))
    process.start()
    result: dict[str, Any] = ours.recv()
    process.join()
    return result


def _ours(url: str, seconds: float, pipe: "Connection[Any, Any]") -> None:
    import uvloop

    ends: Ends = []

    async def camera(number: int, until: float, settings: FeedSettings) -> None:
        while time.monotonic() < until:
            order = VisitOrder(len(ends), f"cam{number}", f"{url}{number}", DEADLINE_NS, FeedKind.RTSP)
            ends.append(_light(await visit(order, settings)))

    async def everybody() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(camera(number, until, FeedSettings()) for number in range(CAMERAS)))

    cpu, began = time.process_time(), time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(everybody())
    pipe.send(_summary(ends, time.process_time() - cpu, time.monotonic() - began))


def _pyav(url: str, seconds: float, pipe: "Connection[Any, Any]") -> None:
    ends: Ends = []
    settings = FeedSettings(demux_threads=PYAV_THREADS)
    pool = DemuxPool(settings, lambda end: ends.append(_light(end)))
    cpu, began = time.process_time(), time.monotonic()
    number = 0
    while time.monotonic() - began < seconds or pool.in_flight:
        if time.monotonic() - began < seconds:
            order = VisitOrder(
                number, f"cam{number % CAMERAS}", f"{url}{number % CAMERAS}", DEADLINE_NS, FeedKind.DEMUX
            )
            if pool.submit(order):
                number += 1
                continue
        pool.tick(monotonic_ns())
        time.sleep(0.002)
    pipe.send({"threads": PYAV_THREADS, **_summary(ends, time.process_time() - cpu, time.monotonic() - began)})


def _summary(ends: Ends, cpu_s: float, wall_s: float) -> dict[str, Any]:
    frames = [end for end in ends if isinstance(end, Keyframe)]
    failures = [end for end in ends if isinstance(end, VisitFailure)]
    waits = sorted((end.timings.connect_ns + end.timings.keyframe_ns) / 1e9 for end in frames)
    return {
        "visits": len(ends),
        "failed": len(failures),
        "visits_per_s": round(len(ends) / wall_s, 1),
        "cpu_ms_per_visit": round(1000 * cpu_s / len(ends), 3),
        "kb_per_visit": round(_mean([end.timings.received_bytes for end in frames]) / 1000, 1),
        "keyframe_kb": round(_mean([end.timings.total_ns for end in frames]) / 1000, 1),
        "time_to_keyframe_s_p50": round(statistics.median(waits), 3),
        "time_to_keyframe_s_p99": round(waits[int(0.99 * (len(waits) - 1))], 3),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _light(end: Keyframe | VisitFailure) -> Keyframe | VisitFailure:
    """The end of a visit with its payload cut to nothing but its length: a feeder sends it on and forgets it."""
    if isinstance(end, VisitFailure):
        return end
    timings = replace(end.timings, total_ns=len(end.payload))
    return replace(end, payload=b"", timings=timings)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / max(1, len(values))


def _settings(folder: str) -> Settings:
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen=""),
        scheduler=SchedulerSettings(
            key_period_s=1.0,
            ordinary_period_s=1.0,
            jitter=0.0,
            starts_per_s_max=1000,
            host_starts_per_s_max=1000,
            visits_per_host_max=1000,
        ),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=f"{folder}/evidence",
            quarantine_dir=f"{folder}/quarantine",
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        log=LogSettings(level="error"),
    )


if __name__ == "__main__":
    main()
