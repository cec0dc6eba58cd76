"""Visits to 200 live RTSP cameras: our client, FFmpeg's through PyAV, and the whole engine.

    python -m bench.visits --json [--data ../shared/data] [--seconds 10]

The load server (../shared/tools/rtsp_replay.py) plays a 1080p clip of 2 Mbit/s with a keyframe every 2 s as 200 live
cameras on the same cores. Each camera is visited again as soon as its visit has ended, so every visit waits a whole
group of pictures: the most expensive case. CPU is that of the visiting process, user and system.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import resource
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
from bench.ports import free_port
from engine.client import PatrolClient
from engine.clock import monotonic_ns
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.feed import warmup as feed
from engine.feed.demuxing.pool import DemuxPool
from engine.feed.shared_by_visits import SharedByVisits
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

Outcomes = list[Keyframe | VisitFailure]


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--server", type=Path, default=Path("../shared/tools/rtsp_replay.py"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    with load_server(arguments.server, arguments.data / CLIP) as url:
        result: dict[str, Any] = {
            "cameras": CAMERAS,
            "clip": CLIP,
            **run_in_process(_measure_ours, url, arguments.seconds),
        }
        result["pyav"] = run_in_process(_measure_pyav, url, arguments.seconds)
        result["live"] = measure_live(url, arguments.seconds)
    result["checks_per_s"] = result["live"]["checks_per_s"]
    if arguments.record:
        append({"bench": "visits", **result})
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


@contextlib.contextmanager
def load_server(program: Path, clip: Path) -> Iterator[str]:
    """Run a server with 200 live cameras; yields rtsp://host:port/cam, to be followed by a number.

    Raises SystemExit if the program or the clip is missing, or the server does not start.
    """
    if not program.is_file() or not clip.is_file():
        raise SystemExit(f"needs {program} and {clip}; give their paths with --server and --data")
    port = free_port()
    command = [sys.executable, str(program), "--port", str(port), "--mounts", str(CAMERAS), str(clip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or "READY" not in process.stdout.readline():
                raise SystemExit("the load server did not start")
            yield f"rtsp://127.0.0.1:{port}/cam"
        finally:
            process.kill()


def measure_live(url: str, seconds: float) -> dict[str, Any]:
    """Measure the whole engine, from 200 cameras to stored verdicts, with the load server on the same cores."""
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
    assert status.machine is not None  # shown to callers without a token, which see everything
    return status.machine.checks_total


def run_in_process(measure: Any, url: str, seconds: float) -> dict[str, Any]:
    """Call `measure` in a new process, so that CPU and memory are its own, and return what it sends."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=measure, args=(url, seconds, sender))
    process.start()
    result: dict[str, Any] = receiver.recv()
    process.join()
    return result


def _measure_ours(url: str, seconds: float, pipe: "Connection[Any, Any]") -> None:
    import uvloop

    feed.warm_up()
    from engine.feed.packets.runs import COMPILED

    gc.freeze()  # all of this as a feeder does before it takes orders

    outcomes: Outcomes = []

    async def visit_camera(number: int, until: float, settings: FeedSettings, shared: SharedByVisits) -> None:
        while time.monotonic() < until:
            order = VisitOrder(len(outcomes), f"cam{number}", f"{url}{number}", DEADLINE_NS, FeedKind.RTSP)
            outcomes.append(_without_payload(await visit(order, settings, shared)))

    async def visit_all() -> None:
        until = time.monotonic() + seconds
        settings, shared = FeedSettings(), SharedByVisits(COMPILED)
        await asyncio.gather(*(visit_camera(number, until, settings, shared) for number in range(CAMERAS)))

    cpu, began = time.process_time(), time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(visit_all())
    pipe.send(_summary(outcomes, time.process_time() - cpu, time.monotonic() - began))


def _measure_pyav(url: str, seconds: float, pipe: "Connection[Any, Any]") -> None:
    outcomes: Outcomes = []
    settings = FeedSettings(demux_threads=PYAV_THREADS)
    pool = DemuxPool(settings, lambda outcome: outcomes.append(_without_payload(outcome)))
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
    pipe.send({"threads": PYAV_THREADS, **_summary(outcomes, time.process_time() - cpu, time.monotonic() - began)})


def _summary(outcomes: Outcomes, cpu_s: float, wall_s: float) -> dict[str, Any]:
    keyframes = [outcome for outcome in outcomes if isinstance(outcome, Keyframe)]
    waits = sorted((keyframe.timings.connect_ns + keyframe.timings.keyframe_ns) / 1e9 for keyframe in keyframes)
    return {
        "visits": len(outcomes),
        "failed": len(outcomes) - len(keyframes),
        "visits_per_s": round(len(outcomes) / wall_s, 1),
        "cpu_ms_per_visit": round(1000 * cpu_s / len(outcomes), 3),
        "kb_per_visit": round(_mean([keyframe.timings.received_bytes for keyframe in keyframes]) / 1000, 1),
        "keyframe_kb": round(_mean([keyframe.timings.total_ns for keyframe in keyframes]) / 1000, 1),
        "time_to_keyframe_s_p50": round(statistics.median(waits), 3),
        "time_to_keyframe_s_p99": round(waits[int(0.99 * (len(waits) - 1))], 3),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _without_payload(outcome: Keyframe | VisitFailure) -> Keyframe | VisitFailure:
    """Drop the payload, which a feeder would send on and forget; `total_ns` holds its length instead."""
    if isinstance(outcome, VisitFailure):
        return outcome
    timings = replace(outcome.timings, total_ns=len(outcome.payload))
    return replace(outcome, payload=b"", timings=timings)


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
        web=WebSettings(enabled=False),
        log=LogSettings(level="error"),
    )


if __name__ == "__main__":
    main()
