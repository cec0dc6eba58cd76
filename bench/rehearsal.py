"""Compares what `patrol simulate` predicts with what the engine does: 200 live RTSP cameras, caps that bind, one table.

    python -m bench.rehearsal --json [--data ../shared/data] [--seconds 120] [--case recorders]

The load server (../shared/tools/rtsp_replay.py) plays a 1080p clip with a keyframe every 2 s as 200 live cameras. First
each of them is visited at moments spread evenly over the interval. This measures how long connecting takes, and whether
the waits for the keyframe are spread evenly too, as the simulation assumes (`kolmogorov_smirnov` is their distance from
that). Then each case runs twice with the same settings and cameras: in the whole engine, and simulated in virtual time
with several seeds. Both report the scheduler's status at the same moments, so that windows and buckets are the same.

`within`: predicted (mean of the seeds) and live differ by 15 % at most. If the seeds themselves differ by more than
that, the figure is shown and not judged. Lags under 20 ms count as none: a turn of the hub takes part of that.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.history import append
from bench.visits import CAMERAS, CLIP, load_server, run_in_process
from engine.client import PatrolClient
from engine.clock import ns
from engine.config import Settings
from engine.config.calendar import Calendar
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.feed.visit import visit
from engine.model.camera import Camera, KeyPoint
from engine.model.keyframe import Keyframe
from engine.model.schedule import SchedulerStatus
from engine.model.visit import FeedKind, VisitOrder
from engine.scheduler.status import scheduler_status
from engine.simulation.faults import PRESETS
from engine.simulation.fleet import fleet_from_registry
from engine.simulation.simulation import Scenario, Simulation
from engine.simulation.world import Interval, World
from engine.supervisor.app import Supervisor

INTERVAL_S = 2.0
WARM_S = 60.0
"""How long queues and stretches may take to settle."""
SAMPLE_S = 0.1
LAGS_EVERY = 100
"""Percentiles are read once in this many samples, in the second half: their windows reach back two minutes."""
SEEDS = 5
BOUND = 0.15
NO_LAG_S = 0.02
VISITS, VISITS_APART = 6, 3
"""Visits of each camera before the cases, and the keyframe intervals between two of them."""
CORES = 2
START_WALL_NS = 1_790_000_000_000_000_000

Sample = tuple[float, SchedulerStatus]


@dataclass(frozen=True, slots=True)
class Case:
    """One set of caps; half of the cameras are key points. `cameras_per_recorder`: how many cameras hang on one."""

    name: str
    cameras_per_recorder: int
    scheduler: Mapping[str, Any]


CASES = (
    Case("recorders", 4, {"key_period_s": 5.3, "ordinary_period_s": 10.6}),
    Case("platform", 1, {"key_period_s": 6.1, "ordinary_period_s": 12.2, "visits_per_host_max": 14}),
    Case("connections", 1, {"key_period_s": 8.3, "ordinary_period_s": 16.6, "host_starts_per_s_max": 12}),
    Case("slots", 1, {"key_period_s": 5.3, "ordinary_period_s": 5.3, "visits_max": 28}),
)
"""No period is a multiple of the keyframe interval: a camera would wait equally long for every keyframe. With periods
of minutes the jitter, many intervals long, prevents that.
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--server", type=Path, default=Path("../shared/tools/rtsp_replay.py"))
    parser.add_argument("--seconds", type=float, default=120.0, help="measured in each case, after a minute")
    parser.add_argument("--case", choices=[case.name for case in CASES], help="only this one")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.case in (None, case.name)]
    with load_server(arguments.server, arguments.data / CLIP) as url:
        visits = run_in_process(_visits, url, VISITS)
        results = [_compare(case, url, visits["connect_s"], arguments.seconds) for case in cases]
    result = {
        "cameras": CAMERAS,
        "clip": CLIP,
        "seconds": arguments.seconds,
        "visits": visits,
        "cases": results,
        "within": all(case["within"] for case in results),
    }
    if arguments.record:
        append({"bench": "rehearsal", **result})
    if arguments.json:
        print(json.dumps(result))
    else:
        _show(result)


def _compare(case: Case, url: str, connect_s: float, seconds: float) -> dict[str, Any]:
    cameras = cameras_of(case, url)
    with tempfile.TemporaryDirectory(prefix="patrol-bench-") as folder:
        settings = settings_of(case, folder)
        live = measure(_live(settings, cameras), seconds)
    predicted = [measure(simulated(settings, cameras, connect_s, seed), seconds) for seed in range(SEEDS)]
    rows = [compared(name, [figures[name] for figures in predicted], value) for name, value in live.items()]
    return {
        "case": case.name,
        "settings": dict(case.scheduler),
        "figures": rows,
        "within": all(row["within"] is not False for row in rows),
    }


def cameras_of(case: Case, url: str) -> list[Camera]:
    """Return the load server's cameras, every second one a key point. Neighbours on a recorder are not neighbours on
    the server, which sends the keyframes of its cameras in turn.
    """
    mounts = random.Random(1).sample(range(CAMERAS), CAMERAS)
    return [
        Camera(
            f"cam{n}",
            f"{url}{mounts[n]}",
            uplink=f"recorder-{n // case.cameras_per_recorder}",
            key_point=KeyPoint.OTHER if n % 2 else KeyPoint.COOKING,
        )
        for n in range(CAMERAS)
    ]


def compared(name: str, predicted: Sequence[float], live: float) -> dict[str, Any]:
    """Return one row of the table. `within`: None if the seeds themselves differ by more than the bound."""
    mean = statistics.mean(predicted)
    is_no_lag = name.startswith("lag") and max(mean, live) < NO_LAG_S
    ratio = 1.0 if is_no_lag or live == mean else live / mean if mean else float("inf")
    spread = 0.0 if is_no_lag or not mean else (max(predicted) - min(predicted)) / mean
    within = None if spread > BOUND else 1 / (1 + BOUND) <= ratio <= 1 + BOUND
    return {
        "figure": name,
        "predicted": round(mean, 3),
        "live": round(live, 3),
        "ratio": round(ratio, 3),
        "spread": round(spread, 3),
        "within": within,
    }


def measure(samples: Iterator[Sample], seconds: float) -> dict[str, float]:
    """Return the figures of one patrol, measured for `seconds` after it has settled. `samples`: its status every
    SAMPLE_S, with the time.
    """
    for _ in range(round(WARM_S / SAMPLE_S)):
        from_s, before = next(samples)
    in_flight: list[int] = []
    waiting: list[int] = []
    lags: dict[str, list[float]] = {}
    for number in range(1, round(seconds / SAMPLE_S) + 1):
        until_s, status = next(samples)
        in_flight.append(status.in_flight)
        waiting.append(status.ready + status.waiting_uplink + status.waiting_host)
        if number * SAMPLE_S > seconds / 2 and number % LAGS_EVERY == 0:
            for class_ in status.classes[:2]:
                lags.setdefault(f"lag_s_p50 {class_.name}", []).append(class_.lag_p50_s)
                lags.setdefault(f"lag_s_p99 {class_.name}", []).append(class_.lag_p99_s)
    disturbances = sum(class_.looks_total for class_ in status.classes[2:])
    if disturbances:
        raise SystemExit(f"{disturbances} visits to suspicious or offline cameras: the comparison is disturbed")
    span_s = until_s - from_s
    per_s = (status.started_total - before.started_total) / span_s
    return {
        "visits_per_s": per_s,
        "in_flight_max": max(in_flight),
        "in_flight_mean": statistics.mean(in_flight),
        "periods_missed_per_s": (sum(status.shed.values()) - sum(before.shed.values())) / span_s,
        **{
            f"achieved_period_s {now.name}": now.cameras * span_s / (now.looks_total - then.looks_total)
            for then, now in list(zip(before.classes, status.classes, strict=True))[:2]
        },
        "lag_s_mean": statistics.mean(waiting) / per_s,  # Little's law
        **{name: statistics.mean(values) for name, values in lags.items()},
    }


def _live(settings: Settings, cameras: Sequence[Camera]) -> Iterator[Sample]:
    with Supervisor(settings) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        client.import_cameras(cameras)
        at_s = time.monotonic()
        while True:
            at_s += SAMPLE_S
            time.sleep(max(0.0, at_s - time.monotonic()))
            status = client.schedule()
            yield time.monotonic(), status


def simulated(settings: Settings, cameras: Sequence[Camera], connect_s: float, seed: int) -> Iterator[Sample]:
    """Yield the status of the same patrol in virtual time, without end."""
    world = World(
        connect_s_min=connect_s,
        connect_s_max=connect_s,
        streams=World().streams[:1],
        intervals=(Interval(seconds=INTERVAL_S, share=1),),
    )
    scenario = Scenario(
        settings=settings,
        calendar=Calendar(),
        fleet=fleet_from_registry(cameras, world, settings.scheduler, seed),
        world=world,
        faults=PRESETS["none"],
        cores=CORES,
        span_ns=ns(86_400),
        seed=seed,
        wall_ns=START_WALL_NS,
    )
    simulation = Simulation(scenario)
    number = 0
    while True:
        number += 1
        now_ns = ns(number * SAMPLE_S)
        simulation.advance(now_ns)
        if simulation.oracle.broken:
            raise SystemExit(f"a promise is broken: {simulation.oracle.broken[0]}")
        yield number * SAMPLE_S, scheduler_status(simulation.scheduler, now_ns)


def _visits(url: str, times: int, pipe: "Connection[Any, Any]") -> None:
    """Visit every camera `times` times, at moments spread evenly over its interval; send how long the visits last."""
    import uvloop

    rng = random.Random(0)
    ends: list[Keyframe] = []

    async def visit_camera(camera: int) -> None:
        began_s = time.monotonic() + rng.random() * INTERVAL_S
        for number in range(times):
            await asyncio.sleep(began_s + number * (VISITS_APART + 1 / times) * INTERVAL_S - time.monotonic())
            order = VisitOrder(camera, f"cam{camera}", f"{url}{camera}", ns(12), FeedKind.RTSP)
            end = await visit(order, FeedSettings())
            if isinstance(end, Keyframe):
                ends.append(replace(end, payload=b""))

    async def visit_all() -> None:
        await asyncio.gather(*map(visit_camera, range(CAMERAS)))

    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(visit_all())
    durations_s = sorted(end.timings.total_ns / 1e9 for end in ends)
    connect_s = statistics.mean(durations_s) - INTERVAL_S / 2
    waits = [(duration_s - connect_s) / INTERVAL_S for duration_s in durations_s]
    distance = max(max(abs(wait - n / len(waits)), abs(wait - (n + 1) / len(waits))) for n, wait in enumerate(waits))
    pipe.send(
        {
            "visits": len(durations_s),
            "failed": times * CAMERAS - len(durations_s),
            "lasted_s": {
                name: round(durations_s[int(share * (len(durations_s) - 1))], 3)
                for name, share in (("min", 0), ("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("max", 1))
            },
            "connect_s": round(max(0.0, connect_s), 4),
            "kolmogorov_smirnov": round(distance, 4),
        }
    )


def settings_of(case: Case, folder: str) -> Settings:
    """Return settings in which nothing binds but the caps of the case."""
    loose = {"starts_per_s_max": 1000, "host_starts_per_s_max": 1000, "visits_per_host_max": 1000}
    return Settings(
        feed=FeedSettings(demuxers=0),
        judge=JudgeSettings(frozen_visits=100),  # the clip repeats every ten seconds, which is no fault
        intake=IntakeSettings(listen=""),
        scheduler=SchedulerSettings(**{**loose, **case.scheduler}),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=f"{folder}/evidence",
            quarantine_dir=f"{folder}/quarantine",
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        web=WebSettings(enabled=False),
        log=LogSettings(level="error"),
    )


def _show(result: dict[str, Any]) -> None:
    console = Console()
    console.print(result["visits"])
    for case in result["cases"]:
        table = Table("figure", "predicted", "live", "ratio", "seeds differ by", "within 15 %", title=case["case"])
        for row in case["figures"]:
            verdict = {True: "yes", False: "NO", None: "not judged"}[row["within"]]
            table.add_row(
                row["figure"],
                *(f"{row[column]:.3f}" for column in ("predicted", "live", "ratio")),
                f"{row['spread']:.1%}",
                verdict,
            )
        console.print(table)
    console.print(f"within: {result['within']}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
