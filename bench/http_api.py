"""Measures the API over HTTP: pages of 1,000 cameras and single cameras as JSON, through the gateway of a real engine.

    python -m bench.http_api --json [--record] [--cameras 131072] [--rows 200000] [--callers 8] [--calls 30]
                             [--seconds 120] [--query QUERY] [--dir DIR]

Runs an engine on a generated SQLite file (bench.province; with `--dir` it is kept and reused). Engine, gateway and
callers share the same cores. Callers are threads of another process, each with a connection of its own: each calls,
reads the whole reply, pauses for a time drawn from an exponential distribution, and calls again; together they make up
to `--calls` calls a second. 80 of 100 calls are GetCamera of any camera, 10 ListCameras (the first 1,000 of a city),
10 the same with gzip. `--query`: what the pages ask for besides. A call's time goes from the request to the last byte
of the reply. No camera is visited meanwhile: the gateway has written most rows of a page before. `web_cores`: how many
cores the gateway used; `web_mb`: its memory at the end.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import province
from bench.history import append
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import LogSettings, RecordSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.supervisor.app import Supervisor

DEMANDS = {"page_ms_p99": 60.0, "page_gzip_ms_p99": 60.0}
SHARES = {"get_camera": 0.8, "page": 0.1, "page_gzip": 0.1}
PAGE_ROWS = 1000
WARM_S = 3.0
_CALL_S = 30.0
_DAYS = 2
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What callers do. `think_s`: the mean of the pause after each reply."""

    address: str
    callers: int
    think_s: float
    seconds: float
    query: str
    camera_ids: tuple[str, ...]
    cities: tuple[str, ...]


def main() -> None:
    """Measure and print."""
    options = _options()
    with ExitStack() as stack:
        folder = options.dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-web-")))
        folder.mkdir(parents=True, exist_ok=True)
        result = {"bench": "http_api", **measure(folder.absolute(), options)}
    if options.record:
        append(result)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Generate the province unless it is there, start the engine on it, and measure."""
    database = folder / "patrol.db"
    province.make(database, options.cameras, options.rows, _DAYS)
    regions = {camera.camera_id: camera.region for camera in province.pushed(options.cameras)}
    cities = tuple(sorted({region[:4] for region in regions.values()}))
    with Supervisor(_settings(folder)) as engine:
        think_s = options.callers / options.calls
        load = Load(
            engine.addresses["web"], options.callers, think_s, options.seconds, options.query, tuple(regions), cities
        )
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        callers = context.Process(target=call, args=(load, theirs), daemon=True)
        callers.start()
        ours.recv()
        pid = engine.pids()["web"]
        before_s, began_s = _cpu_s(pid), time.monotonic()
        taken_ms, sizes, errors = ours.recv()
        web_cores = (_cpu_s(pid) - before_s) / (time.monotonic() - began_s)
        web_mb = _memory_mb(pid)
        callers.join()
    result: dict[str, Any] = {
        "cameras": options.cameras,
        "callers": options.callers,
        "seconds": options.seconds,
        "query": options.query,
        "calls_per_s": round(sum(map(len, taken_ms.values())) / options.seconds, 1),
    }
    for kind, times in taken_ms.items():
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        result[f"{kind}_ms_p50"], result[f"{kind}_ms_p99"] = round(cuts[49], 2), round(cuts[98], 2)
        result[f"{kind}_calls"], result[f"{kind}_kb"] = len(times), round(sizes[kind] / 1000)
    result |= {"web_cores": round(web_cores, 3), "web_mb": round(web_mb), "errors": errors}
    return {**result, "missed": {name: result[name] for name, limit in DEMANDS.items() if result[name] > limit}}


def call(load: Load, pipe: "Connection[Any, Any]") -> None:
    """Call for so long; send the milliseconds by kind, the bytes of a reply by kind, and errors by status."""
    taken_ms: dict[str, list[float]] = {kind: [] for kind in SHARES}
    sizes: dict[str, int] = {}
    errors: dict[str, int] = {}
    counted_s = time.perf_counter() + WARM_S
    pipe.send("ready")
    threads = [
        threading.Thread(target=_one, args=(load, number, counted_s, taken_ms, sizes, errors))
        for number in range(load.callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send((taken_ms, sizes, errors))


def _one(
    load: Load,
    number: int,
    counted_s: float,
    taken_ms: dict[str, list[float]],
    sizes: dict[str, int],
    errors: dict[str, int],
) -> None:
    chance = random.Random(number)
    connection = http.client.HTTPConnection(load.address, timeout=_CALL_S)
    while (began_s := time.perf_counter()) < counted_s + load.seconds:
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        headers = {"Accept-Encoding": "gzip"} if kind == "page_gzip" else {}
        connection.request("GET", _path(load, kind, chance), headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            errors[str(reply.status)] = errors.get(str(reply.status), 0) + 1
        elif began_s >= counted_s:
            taken_ms[kind].append(1e3 * (time.perf_counter() - began_s))
            sizes[kind] = len(body)
        time.sleep(chance.expovariate(1 / load.think_s))


def _path(load: Load, kind: str, chance: random.Random) -> str:
    if kind == "get_camera":
        return f"/v1/cameras/{quote(chance.choice(load.camera_ids), safe='')}"
    more = f"&{load.query}" if load.query else ""
    return f"/v1/cameras?pageSize={PAGE_ROWS}&filter.regionPrefix={chance.choice(load.cities)}{more}"


def _settings(folder: Path) -> Settings:
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1, spare=False),
        record=RecordSettings(url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/evidence"),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="", address_calls_per_s_max=0),
        web=WebSettings(listen="127.0.0.1:0"),
        log=LogSettings(level="error"),
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--cameras", type=int, default=131_072)
    parser.add_argument("--rows", type=int, default=200_000, help="verdicts in the log; at least one for each camera")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--calls", type=float, default=30.0, help="calls a second, if replies took no time")
    parser.add_argument("--seconds", type=float, default=120.0, help="seconds that are measured")
    parser.add_argument("--query", default="", help="more of the query of pages, such as view=VIEW_FULL")
    parser.add_argument("--dir", type=Path, help="folder where the database is kept; default: a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
