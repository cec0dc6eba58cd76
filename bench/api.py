"""Measures the API of an engine with a province of cameras and twenty million verdicts: many calls while it writes.

    python -m bench.api --json [--record] [--cameras 131072] [--rows 20000000] [--days 365] [--callers 64]
                        [--watchers 200] [--calls 100] [--checks 100] [--seconds 60] [--dir DIR]

Runs `patrol run` on a generated SQLite file (bench.province; with `--dir` it is kept and reused; `fill_s`: how long it
took to generate). Engine, callers, watchers and gateway share the same cores. During the whole run a gateway pushes
`--checks` keyframes a second, each of another camera, which are decoded, judged and stored as usual (CIF, H.264, since
decoding is not measured here; periods are a day, so that only pushed keyframes are written). `writes_per_s`: rows by
which the log grew. `start_s`: from the start of the program until health reports SERVING.

Callers are a closed loop with pauses: each of `--callers`, on a connection of its own, calls, waits for the reply,
pauses for a time drawn from an exponential distribution with mean callers / calls, and calls again. Together they make
up to `--calls` calls a second, as many at once as chance has it; `calls_per_s`: how many they made. 91 of 100 calls are
GetCamera of any camera, 3 ListCameras in full (`list_page`: the first 1,000 of a city, with all of their latest
verdicts), 3 the same page in the basic view (`list_basic`), 3 QueryKpis (the province by county, latest day). A call's
time goes from the request to the bytes of the reply, in the caller's process. `_bytes`: of the largest reply.

Watchers watch all verdicts from before the first to after the last keyframe, on a connection each. `watch_lost` and
`watch_twice`: verdicts in the log between a watcher's first and last place that it did not receive, or received again.
`watch_cut`: how often a watcher was cut and resumed. `watch_received_per_s`: verdicts received by all watchers.

`hub_cores`, `own_cores`, `others_cores`: how many cores the hub used, all processes of this program, and everything
else on the machine; a run with many `others_cores` is one on a crowded machine.
"""

import argparse
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench import province
from bench.api_callers import SHARES, CallTimes, Load, call
from bench.api_watchers import WatchCounts, watch
from bench.history import append
from bench.ports import free_port
from bench.pushing import child, push

DEMANDS = {
    "get_camera_ms_p99": 10.0, "list_page_ms_p99": 60.0, "list_basic_ms_p99": 35.0, "kpi_ms_p99": 200.0,
    "start_s": 10.0, "watch_lost": 0,
}  # fmt: skip
WARM_S = 5.0
_CALLER_PROCESSES = 2
_CALLS_MIN = 2
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_S = 120.0
_STOP_S = 30.0
_SETTLE_S = 2.0


def main() -> None:
    """Measure and print."""
    options = _options()
    with ExitStack() as stack:
        if options.dir is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-api-")))
        else:
            folder = options.dir
            folder.mkdir(parents=True, exist_ok=True)
        result = {"bench": "api", **measure(folder.absolute(), options)}
    if options.record:
        append(result)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Generate the province unless it is there, start the engine on it, and measure."""
    database = folder / "patrol.db"
    fill_s = province.make(database, options.cameras, options.rows, options.days)
    regions = {camera.camera_id: camera.region for camera in province.pushed(options.cameras)}
    ids, cities = tuple(regions), tuple(sorted({region[:4] for region in regions.values()}))
    with ExitStack() as stack:
        grpc_port, intake_port = free_port(), free_port()
        address = f"127.0.0.1:{grpc_port}"
        start_s, hub = stack.enter_context(_engine(folder, address, f"tcp://127.0.0.1:{intake_port}"))
        watchers = stack.enter_context(child(watch, address, options.watchers, database))
        callers = [stack.enter_context(child(call, load)) for load in _loads(address, ids, cities, options)]
        for pipe in (watchers, *callers):
            pipe.recv()
        gateway = stack.enter_context(child(push, f"tcp://127.0.0.1:{intake_port}", ids, options.checks))
        gateway.recv()
        pushed_s = time.monotonic()
        for pipe in callers:
            pipe.send("go")
        time.sleep(WARM_S)
        before, cpu_s, began_s = _last_seq(database), _cpu(hub), time.monotonic()
        time.sleep(options.seconds)
        after, took_s = _last_seq(database), time.monotonic() - began_s
        cpu_s = {name: spent - cpu_s[name] for name, spent in _cpu(hub).items()}
        call_times: list[CallTimes] = [pipe.recv() for pipe in callers]
        gateway.send("stop")
        gateway.recv()
        pushed_s = time.monotonic() - pushed_s
        time.sleep(_SETTLE_S)
        end_seq = _last_seq(database)
        watchers.send(end_seq)
        watch_counts: WatchCounts = watchers.recv()
    result = {
        "cameras": options.cameras,
        "rows": options.rows,
        "days": options.days,
        "callers": options.callers,
        "watchers": options.watchers,
        "seconds": options.seconds,
        "think_s": round(options.callers / options.calls, 3),
        "shares": SHARES,
        "database_mb": round(database.stat().st_size / 1e6),
        "fill_s": round(fill_s, 1),
        "start_s": round(start_s, 2),
        "writes_per_s": round((after - before) / took_s, 1),
        **{f"{name}_cores": round(spent / took_s, 2) for name, spent in cpu_s.items()},
        **_calls(call_times, options.seconds),
        **_watches(watch_counts, pushed_s),
    }
    missed = {name: result[name] for name, limit in DEMANDS.items() if result[name] > limit}
    return {**result, "missed": missed}


def _calls(call_times: Sequence[CallTimes], seconds: float) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for kind in SHARES:
        taken_ms = [taken for times in call_times for taken in times.taken_ms[kind]]
        if len(taken_ms) < _CALLS_MIN:
            raise SystemExit(f"{len(taken_ms)} calls of {kind} in {seconds:g} s; give more --seconds or --calls")
        cuts = statistics.quantiles(taken_ms, n=100, method="inclusive")
        result |= {
            f"{kind}_ms_p50": round(cuts[49], 2),
            f"{kind}_ms_p99": round(cuts[98], 2),
            f"{kind}_ms_max": round(max(taken_ms), 2),
            f"{kind}_calls": len(taken_ms),
            f"{kind}_bytes": max(times.reply_bytes[kind] for times in call_times),
        }
    errors: dict[str, int] = {}
    for times in call_times:
        for status, number in times.errors.items():
            errors[status] = errors.get(status, 0) + number
    number = sum(len(taken_ms) for times in call_times for taken_ms in times.taken_ms.values())
    return result | {"calls_per_s": round(number / seconds, 1), "call_errors": errors}


def _watches(counts: WatchCounts, pushed_s: float) -> dict[str, Any]:
    return {
        "watch_lost": counts.lost,
        "watch_twice": counts.twice,
        "watch_disordered": counts.disordered,
        "watch_cut": counts.cut,
        "watch_received": counts.received,
        "watch_received_per_s": round(counts.received / pushed_s, 1),
        "watch_messages_per_s": round(counts.messages / pushed_s, 1),
    }


def _loads(address: str, ids: tuple[str, ...], cities: tuple[str, ...], options: argparse.Namespace) -> Iterator[Load]:
    for number in range(_CALLER_PROCESSES):
        callers = options.callers // _CALLER_PROCESSES + (number < options.callers % _CALLER_PROCESSES)
        if callers:
            think_s = options.callers / options.calls
            yield Load(address, callers, think_s, WARM_S, options.seconds, ids, cities, seed=number + 1)


@contextmanager
def _engine(folder: Path, address: str, intake: str) -> Iterator[tuple[float, int]]:
    """Run `patrol run`; yields the seconds it took to be ready, and the process id of its hub."""
    config = folder / "patrol.toml"
    config.write_text(_CONFIG.format(folder=folder, address=address, intake=intake), encoding="utf-8")
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "engine.cli", "run", "--config", str(config)])
    try:
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while not _serves(health):
                if process.poll() is not None or time.monotonic() - began_s > _START_S:
                    raise SystemExit("the engine did not start; its log above says why")
                time.sleep(0.02)
        yield time.monotonic() - began_s, _hub_pid(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)


def _serves(health: Any) -> bool:
    try:
        reply = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def _last_seq(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (last,) = connection.execute("SELECT max(seq) FROM verdict_log").fetchone()
    return int(last)


def _hub_pid(engine_pid: int) -> int:
    """The engine's process that writes and serves."""
    tasks = Path(f"/proc/{engine_pid}/task")
    children = [int(pid) for path in tasks.glob("*/children") for pid in path.read_text(encoding="ascii").split()]
    return next(pid for pid in children if b"\0hub\0" in Path(f"/proc/{pid}/cmdline").read_bytes())


def _cpu(hub: int) -> dict[str, float]:
    """Seconds of CPU so far: of the hub, of this program and its children, of everything else on the machine."""
    parents, spent_s = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(path.parent.name)
        parents[pid], spent_s[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    own = {os.getpid()}
    while children := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= children
    busy = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()
    all_s = sum(map(int, (*busy[1:4], *busy[6:8]))) / _TICKS_PER_S
    own_s = sum(spent_s[pid] for pid in own)
    return {"hub": spent_s[hub], "own": own_s, "others": all_s - own_s}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--cameras", type=int, default=131_072)
    parser.add_argument(
        "--rows", type=int, default=20_000_000, help="verdicts in the log; at least one for each camera"
    )
    parser.add_argument("--days", type=int, default=365, help="days of KPIs")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--calls", type=float, default=100.0, help="calls a second, if replies took no time")
    parser.add_argument("--checks", type=float, default=100.0, help="keyframes pushed a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds that are measured, after 5 s that are not")
    parser.add_argument("--dir", type=Path, help="folder where the database is kept; default: a temporary one")
    return parser.parse_args()


_CONFIG = """
[feed]
demuxers = 0
[intake]
listen = "{intake}"
[scheduler]
key_period_s = 86400
ordinary_period_s = 86400
suspicious_period_s = 86400
offhours_period_s = 86400
[record]
url = "sqlite:///{folder}/patrol.db"
evidence_dir = "{folder}/evidence"
quarantine_dir = "{folder}/quarantine"
[serve]
grpc_listen = "{address}"
address_calls_per_s_max = 0
metrics_listen = ""
[web]
enabled = false
[log]
level = "error"
"""

if __name__ == "__main__":
    main()
