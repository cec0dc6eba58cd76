"""Measures what several shards on one machine cost, what a front adds to a call, and how long a lost machine is missed.

    python -m bench.cluster [--rounds 5] [--seconds 4] [--kills 20] [--data ../shared/data/camera] [--json] [--record]

Needs PostgreSQL's programs, and Ray for the kills (0: leaves them out).

`shards`: checks a second of 1, 2 and 4 shards on all cores, keyframes pushed as fast as they are judged, and `ratio` to
one engine alone; they run one after the other, and all are medians. `get_camera_ms`, `page_ms`: p50 and p99 of
GetCamera and of a page of cameras, at the engine itself and through a front, one call after the other in turns.
`failover_s`: from the moment in which all processes of a machine are killed to the first verdict on one of its cameras,
by another machine.
`idle_shard_mb`: memory of the processes of a shard without work (PSS: what they share counts once), and `idle_node_mb`
that of Ray's on a machine without shards.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.end_to_end import HEADLINE, load
from bench.history import append
from bench.pushing import child
from engine.client import PatrolClient
from engine.cluster.shard_settings import shard_settings
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.schema import LogSettings, RecordSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Keyframe
from engine.model.registry import CameraQuery
from engine.model.shard import ShardTask
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support import postgres
from tests.support.cluster.processes import descendants
from tests.support.cluster.province import Province, RunningFront
from tests.support.cluster.ray_cluster import LEASE_S, QUICK_VISITS, RayCluster
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.waiting import wait_until

SHARDS = (1, 2, 4)
CORES = 2
CAMERAS = 128
"""Of all shards together. Each shows one scene, so that after its first visits its verdict stays as it is."""
RATIO_MIN = 0.90
SLOWER_MAX = 2.0
_CALLS = 1500
_PAGE = 50
_LEASE_S = 30.0
_START_S = 120.0
_SETTLE_S = 5.0
_WARM_CHECKS = CAMERAS * (JudgeSettings().baseline_visits_min + 3)
"""Checks until every camera has its baseline, and what was wrong with it before is announced."""
_WARM_S = 120.0
_AHEAD = 128
"""Keyframes before all engines together: some tenths of a second of work."""
_ASK_S = 0.05
"""How often an engine is asked what it has done, divided by how many there are: asking costs them time too."""
_COUNTIES = tuple(f"13010{number}" for number in range(1, 1 + max(SHARDS)))


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/camera"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each side of a round")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of indented ones")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    options = parser.parse_args()
    if reason := postgres.missing():
        raise SystemExit(reason)
    frames = load(options.data)[HEADLINE]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-bench-")))
        server = stack.enter_context(postgres.server())
        result = {
            **_capacity(server, folder, frames, options.rounds, options.seconds),
            **(_failover(server, folder, options.kills) if options.kills else {}),
        }
    result["missed"] = _missed(result)
    if options.record:
        append({"bench": "cluster", **result})
    print(json.dumps(result, indent=None if options.json else 2))


def _missed(result: Mapping[str, Any]) -> dict[str, Any]:
    missed = {f"{row['shards']} shards": row["ratio"] for row in result["shards"] if row["ratio"] < RATIO_MIN}
    for name in ("get_camera_ms", "page_ms"):
        direct, front = result[name]["direct_p99"], result[name]["front_p99"]
        if front > SLOWER_MAX * direct:
            missed[name] = round(front / direct, 2)
    return missed


def _rate(engines: Sequence[Mapping[str, str]], frames: Sequence[Keyframe], seconds: float) -> float:
    """Return the checks a second of engines that share the work, while a gateway pushes to all of them."""
    with ExitStack() as stack:
        clients = [stack.enter_context(PatrolClient(engine["grpc"])) for engine in engines]
        places = [(engine["intake"], engine["grpc"]) for engine in engines]
        stack.enter_context(child(_gateway, list(frames), places, _cameras(len(engines))))
        first = sum(map(_checks, clients))
        wait_until(lambda: sum(map(_checks, clients)) - first > _WARM_CHECKS, _WARM_S, poll_s=0.5)
        before, began_s = sum(map(_checks, clients)), time.monotonic()
        time.sleep(seconds)
        return (sum(map(_checks, clients)) - before) / (time.monotonic() - began_s)


def _checks(client: PatrolClient) -> int:
    machine = client.status().machine
    return 0 if machine is None else machine.checks_total


def _gateway(
    frames: list[Keyframe], places: list[tuple[str, str]], cameras: list[list[str]], pipe: "Connection[Any, Any]"
) -> None:
    """Keep so many keyframes before the engines, until the process is ended: more would replace those that wait, which
    is work too."""
    ahead = min(_AHEAD // len(places), len(cameras[0]))
    transport = Transport()
    channels = [transport.connect_push(intake) for intake, _ in places]
    clients = [PatrolClient(grpc) for _, grpc in places]
    first = [_checks(client) for client in clients]
    sent = [0] * len(channels)
    while not pipe.poll(_ASK_S * len(places)):
        for side, client in enumerate(clients):
            left = ahead - (sent[side] - (_checks(client) - first[side]))
            if left > ahead // 4:
                for _ in range(left):
                    number = sent[side] % len(cameras[side])
                    camera, frame = cameras[side][number], frames[number % len(frames)]
                    keyframe = Keyframe(camera, 0, frame.codec, frame.payload, time.time_ns(), None, FeedKind.GATEWAY)
                    sent[side] += channels[side].send(wire.pack_keyframe(keyframe))


def _capacity(
    server: postgres.PostgresServer, folder: Path, frames: Sequence[Keyframe], rounds: int, seconds: float
) -> dict[str, Any]:
    """Run one engine alone and each number of shards in turns; nothing else runs meanwhile."""
    url_alone = server.database()
    urls = {number: server.database() for number in SHARDS}
    store = Store.open(url_alone)
    store.registry.upsert(_registry(1))
    store.close()
    for number, url in urls.items():
        _assign(url, number)
    rates: dict[int, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        with Supervisor(_settings(url_alone, folder / "alone", CORES)) as alone:
            rates[0].append(_rate([alone.addresses], frames, seconds))
        for number, url in urls.items():
            with ExitStack() as stack:
                engines = _shards(url, folder / f"of-{number}", number, stack)
                rates[number].append(_rate([engine.addresses() for engine in engines], frames, seconds))
        if turn == 0:
            rates.clear()  # compiled code is on the disk from now on
    shards = [
        {
            "shards": number,
            "checks_per_s": round(statistics.median(rates[number]), 1),
            "ratio": round(statistics.median(mine / one for mine, one in zip(rates[number], rates[0], strict=True)), 3),
        }
        for number in SHARDS
    ]
    with ExitStack() as stack:
        engines = _shards(urls[2], folder / "of-2", 2, stack)
        direct = engines[0].addresses()["grpc"]
        time.sleep(_SETTLE_S)
        idle_mb = _pss_mb(engines[0].pids())
        front = stack.enter_context(RunningFront(urls[2], folder / "front"))
        calls = _calls(direct, front.addresses["grpc"])
    return {
        "rounds": rounds,
        "seconds": seconds,
        "alone_per_s": round(statistics.median(rates[0]), 1),
        "shards": shards,
        **calls,
        "idle_shard_mb": round(idle_mb),
    }


def _calls(direct: str, front: str) -> dict[str, Any]:
    """Return how long calls take at the engine and through the front."""
    query = CameraQuery(page_size=_PAGE, region_prefix=_COUNTIES[0])
    calls: dict[str, Callable[[PatrolClient], object]] = {
        "get_camera_ms": lambda client: client.camera(_cameras(2)[0][0]),
        "page_ms": lambda client: client.page(query),
    }
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with PatrolClient(direct) as there, PatrolClient(front) as through:
        for name, call in calls.items():
            for _ in range(_CALLS):
                for side, client in (("direct", there), ("front", through)):
                    began_s = time.perf_counter()
                    call(client)
                    taken[name][side].append(1e3 * (time.perf_counter() - began_s))
    return {
        name: {
            f"{side}_p{share}": round(statistics.quantiles(times, n=100, method="inclusive")[share - 1], 2)
            for side, times in sides.items()
            for share in (50, 99)
        }
        for name, sides in taken.items()
    }


def _failover(server: postgres.PostgresServer, folder: Path, kills: int) -> dict[str, Any]:
    """Kill the second machine again and again; it joins anew each time."""
    times: list[float] = []
    with ExitStack() as stack:
        province = Province(server.database(), folder / "province", stack)
        (folder / "ray").mkdir()
        cluster = RayCluster(province.url, province.leases, folder / "ray", stack, QUICK_VISITS)
        stack.callback(cluster.forget)
        cluster.start("node-1", "up")
        wait_until(lambda: len(cluster.node_of()) == 2, _START_S)
        node_mb = 0.0
        for number in range(kills):
            cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
            if number == 0:
                node_mb = _pss_mb(descendants(cluster.processes["node-2"].pid))
            wait_until(lambda: "node-2" in cluster.node_of().values(), _START_S)
            shard = next(number for number, node in cluster.node_of().items() if node == "node-2")
            county = {1: "130102", 2: "130203"}[shard]
            province.goes_on(county)
            at_ns = time.time_ns()
            cluster.kill("node-2")
            wait_until(partial(_is_visited, province, county, at_ns), _START_S)
            times.append((time.time_ns() - at_ns) / 1e9)
    return {
        "kills": kills,
        "lease_s": LEASE_S,
        "failover_s_p50": round(statistics.median(times), 1),
        "failover_s_p99": round(max(times), 1),
        "idle_node_mb": round(node_mb),
    }


def _is_visited(province: Province, county: str, at_ns: int) -> bool:
    query = sa.text("SELECT 1 FROM latest JOIN cameras USING (camera_id) WHERE region = :county AND at_wall_ns > :at")
    with province.database.connect() as connection:
        return connection.scalar(query, {"county": county, "at": at_ns}) is not None


def _assign(url: str, number: int) -> None:
    """Make a database whose cameras so many shards have."""
    store = Store.open(url)
    store.registry.upsert(_registry(number))
    store.close()
    database = connect(parse_url(url))
    Leases(database).assign({county: shard for shard, county in enumerate(_COUNTIES[:number], 1)})
    database.dispose()


def _shards(url: str, folder: Path, number: int, stack: ExitStack) -> list[ShardEngine]:
    workers = max(1, CORES // number)
    settings = _settings(url, folder, workers)
    return [
        stack.enter_context(
            ShardEngine(shard_settings(settings, shard), ShardTask(shard, "bench", _LEASE_S), folder / str(shard))
        )
        for shard in range(1, number + 1)
    ]


def _cameras(shards: int) -> list[list[str]]:
    """Return the cameras of each shard."""
    return [[f"{HEADLINE}_{shard}_{number}" for number in range(CAMERAS // shards)] for shard in range(shards)]


def _registry(shards: int) -> list[Camera]:
    return [
        Camera(camera, "", push=True, region=county)
        for county, cameras in zip(_COUNTIES, _cameras(shards), strict=False)
        for camera in cameras
    ]


def _settings(url: str, folder: Path, workers: int) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0"),
        worker=WorkerSettings(count=workers, spare=False),
        record=RecordSettings(url=url, evidence_dir=f"{folder}/evidence", quarantine_dir=f"{folder}/quarantine"),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="", address_calls_per_s_max=0),
        web=WebSettings(enabled=False),
        log=LogSettings(level="error"),
    )


def _pss_mb(pids: Sequence[int]) -> float:
    """Return the memory of processes; what they share is divided among them."""
    total_kb = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1024


if __name__ == "__main__":
    main()
