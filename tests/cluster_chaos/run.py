"""Starts the cluster and its users, lets things happen by seed, and checks at the end."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.pushing import child
from engine.model.camera import Camera, SiteKind
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store
from tests.cluster_chaos import checks
from tests.cluster_chaos.streams import CAMERAS_PER_RECORDER, serve
from tests.cluster_chaos.users import Caller
from tests.support.cluster.province import RunningFront
from tests.support.cluster.ray_cluster import LEASE_S, RayCluster, descendants, kill_all, signal_all
from tests.support.cluster.watcher import Watcher
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

CAMERAS = 600
COUNTIES = ("130102", "130203", "130304")
PERIOD_S = 30.0
CAP = 2
"""Visits of a recorder at once."""
VISIT_S = 3.0
NODES = ("node-1", "node-2", "node-3")
GAP_S = 45.0
_START_S = 180.0
_WATCH_S = 60.0
_SECTIONS = f"""
[worker]
count = 1
spare = false
[feed]
deadline_s = {VISIT_S:g}
connect_timeout_s = 1.0
demuxers = 0
[scheduler]
order_timeout_s = 6
key_period_s = {PERIOD_S:g}
ordinary_period_s = {PERIOD_S:g}
suspicious_period_s = {PERIOD_S:g}
visits_per_uplink_max = {CAP}
visits_per_host_max = 1000
outage_cameras_min = 1000
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happened. `first_s`, `all_s`: until the first and all cameras concerned were visited again."""

    what: str
    at_s: float
    first_s: float | None = None
    all_s: float | None = None


class Run:
    """One run. `broken`: what did not hold, in sentences. `is_timed`: cameras that are visited again too late
    count; on a machine that has other work they say nothing."""

    def __init__(
        self, folder: Path, server: PostgresServer, seed: int, stack: ExitStack, *, is_timed: bool = True
    ) -> None:
        self.broken: list[str] = []
        self.faults: list[Fault] = []
        self._is_timed = is_timed
        self._random = random.Random(seed)
        self._folder, self._stack = folder, stack
        self._url = server.database()
        port = free_port()
        self._streams = stack.enter_context(child(serve, port, CAMERAS, VISIT_S))
        self._cameras = _cameras(port)
        store = Store.open(self._url)
        store.registry.upsert(self._cameras)
        store.close()
        self._database = connect(parse_url(self._url))
        stack.callback(self._database.dispose)
        self._leases = Leases(self._database)
        self._leases.assign({county: number for number, county in enumerate(COUNTIES, 1)})
        self._cluster = RayCluster(self._url, self._leases, folder, stack, _SECTIONS)
        stack.callback(self._cluster.forget)
        self._front: RunningFront | None = None
        self._fronts = 0
        self._began_s = 0.0

    def execute(self, minutes: float, seed: int, gap_s: float = GAP_S) -> dict[str, Any]:
        """Run it, with something every `gap_s`; return the figures."""
        self._cluster.start("node-1", "up")
        for node in NODES[1:]:
            self._cluster.start(node, "join", f"127.0.0.2:{self._cluster.port}")
        wait_until(lambda: len(self._cluster.node_of()) == len(COUNTIES), _START_S)
        self._start_front()
        wait_until(lambda: self._visited_since(0, COUNTIES) == CAMERAS, _START_S, poll_s=0.5)
        watcher, caller = Watcher(self._address), Caller(self._address, self._cameras, seed)
        self._began_s = time.monotonic()
        deeds: Sequence[Callable[[], None]] = (
            self._lose_machine, self._kill_engine, self._freeze_engine, self._drain, self._kill_front,
        )  # fmt: skip
        order: list[Callable[[], None]] = []
        while time.monotonic() - self._began_s < 60 * minutes:
            order = order or self._random.sample(list(deeds), len(deeds))  # each comes once before any comes again
            next_s = time.monotonic() + gap_s
            order.pop()()
            time.sleep(max(0.0, next_s - time.monotonic()))
        caller.stop()
        self._check(watcher, caller)
        self._cluster.stop_all()
        self._streams.send("stop")
        peaks: list[int] = self._streams.recv()
        self.broken += checks.caps(peaks, CAP)
        return {
            "minutes": minutes,
            "seed": seed,
            "faults": [[fault.what, fault.at_s, fault.first_s, fault.all_s] for fault in self.faults],
            "verdicts": len(checks.log(self._database)),
            "watched": len(watcher.seen),
            "calls": dict(caller.calls),
            "visits_at_once_max": max(peaks),
            "broken": self.broken,
        }

    def _check(self, watcher: Watcher, caller: Caller) -> None:
        rows = checks.log(self._database)  # the patrol goes on; what comes later is not asked for
        first = watcher.seen[0] if watcher.seen else None
        wanted = rows[rows.index(first) :] if first in rows else rows
        watcher.wait(len(wanted), _WATCH_S)
        watcher.stop()
        self.broken += [*checks.verdicts(rows), *checks.watched(rows, watcher.seen)]
        if watcher.failure is not None:
            self.broken.append(f"the watch ended: {watcher.failure}")
        with self._database.connect() as connection:
            names = {
                row.camera_id: row.name for row in connection.execute(sa.text("SELECT camera_id, name FROM cameras"))
            }
        self.broken += [f"acknowledged, and lost: the name of {camera}" for camera in caller.lost(names)]
        if self._is_timed:
            self.broken += checks.late(self.faults, PERIOD_S)

    # What happens.

    def _lose_machine(self) -> None:
        node = self._random.choice(
            [name for name in NODES[1:] if name in self._cluster.node_of().values()] or ["node-2"]
        )
        counties = self._counties_of(node)
        at_ns = time.time_ns()
        self._cluster.kill(node)
        self._watch_recovery("machine lost", at_ns, counties)
        self._cluster.start(node, "join", f"127.0.0.2:{self._cluster.port}")

    def _kill_engine(self) -> None:
        county, pids = self._engine()
        at_ns = time.time_ns()
        kill_all(pids)
        self._watch_recovery("engine killed", at_ns, [county])

    def _freeze_engine(self) -> None:
        county, pids = self._engine()
        at_ns = time.time_ns()
        signal_all(pids, signal.SIGSTOP)
        time.sleep(3 * LEASE_S)
        signal_all(pids, signal.SIGCONT)
        self._watch_recovery("engine frozen for three leases", at_ns, [county])

    def _drain(self) -> None:
        node = self._random.choice(NODES[1:])
        counties = self._counties_of(node)
        at_ns = time.time_ns()
        self._cluster.call("drain", node)
        wait_until(lambda: node not in self._cluster.node_of().values(), 60)
        self._watch_recovery("machine drained", at_ns, counties)
        self._cluster.call("drain", node, "--back")

    def _kill_front(self) -> None:
        at_s = round(time.monotonic() - self._began_s, 1)
        if self._front is not None:
            self._front.process.kill()
            self._front.process.wait()
        began_s = time.monotonic()
        self._start_front()
        self.faults.append(Fault("front killed", at_s, round(time.monotonic() - began_s, 1)))

    # Helpers.

    def _start_front(self) -> None:
        self._fronts += 1
        self._front = self._stack.enter_context(RunningFront(self._url, self._folder / f"front-{self._fronts}"))

    def _address(self) -> str:
        return "127.0.0.1:1" if self._front is None else self._front.addresses["grpc"]

    def _counties_of(self, node: str) -> list[str]:
        return [COUNTIES[number - 1] for number, name in self._cluster.node_of().items() if name == node]

    def _engine(self) -> tuple[str, list[int]]:
        """Return the county of one engine, and its processes."""
        row = self._random.choice([row for row in self._leases.all() if row.is_held and row.address])
        hub = int(row.owner.partition("-")[0])
        parent = int(Path(f"/proc/{hub}/stat").read_text().rpartition(")")[2].split()[1])
        return COUNTIES[row.shard_no - 1], descendants(parent)

    def _watch_recovery(self, what: str, at_ns: int, counties: Sequence[str]) -> None:
        """Wait until all cameras were visited that began after a moment; note when the first and the last were."""
        at_s = round(time.monotonic() - self._began_s, 1)
        if not counties:
            self.faults.append(Fault(what, at_s))
            return
        total = CAMERAS // len(COUNTIES) * len(counties)
        first_s: float | None = None
        while time.time_ns() - at_ns < 4e9 * PERIOD_S:
            seen, since_s = self._visited_since(at_ns, counties), round((time.time_ns() - at_ns) / 1e9, 1)
            first_s = since_s if seen and first_s is None else first_s
            if seen == total:
                self.faults.append(Fault(what, at_s, first_s, since_s))
                return
            time.sleep(0.2)
        self.faults.append(Fault(what, at_s, first_s))

    def _visited_since(self, at_ns: int, counties: Sequence[str]) -> int:
        query = sa.text(
            "SELECT count(*) FROM latest JOIN cameras USING (camera_id)"
            " WHERE region = ANY(:counties) AND at_wall_ns > :at"
        )
        with self._database.connect() as connection:
            return int(connection.scalar(query, {"counties": list(counties), "at": at_ns}) or 0)


def _cameras(port: int) -> list[Camera]:
    blank = Camera("", "", site_kind=SiteKind.PRIMARY)
    share = CAMERAS // len(COUNTIES)
    return [
        replace(
            blank,
            camera_id=f"c{number:03}",
            url=f"rtsp://127.0.0.1:{port}/cam{number}",
            name=f"camera {number}",
            region=COUNTIES[number // share],
            site_id=f"s{number // CAMERAS_PER_RECORDER}",
            uplink=f"u{number // CAMERAS_PER_RECORDER}",
        )
        for number in range(CAMERAS)
    ]
