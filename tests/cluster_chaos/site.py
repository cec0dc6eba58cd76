"""The site of a run: machines, database, streams, cluster and front, and what a test asks of them."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from cryptography import x509

from bench.pushing import child
from engine.model.camera import Camera, SiteKind
from engine.storage.db.database import DatabaseUnavailableError, connect, parse_url
from engine.storage.db.shards.leases import Leases, ShardRow
from engine.storage.db.store import Store
from tests.cluster_chaos.streams import CAMERAS_PER_RECORDER, serve
from tests.support.certificates import certificate_files
from tests.support.cluster.machines import Network
from tests.support.cluster.processes import descendants
from tests.support.cluster.province import RunningFront
from tests.support.cluster.ray_cluster import RayCluster
from tests.support.cluster.redis_server import RedisServer
from tests.support.ports import free_port
from tests.support.postgres_pair import PostgresPair
from tests.support.waiting import wait_until

T = TypeVar("T")
CAMERAS = 600
GONE_CAMERAS = 4
"""Cameras of each county where nobody answers: they have findings."""
PUSHED_CAMERAS = 4
"""Cameras of each county whose keyframes a gateway pushes to the front."""
COUNTIES = ("130102", "130203", "130304")
PERIOD_S = 30.0
CAP = 2
"""Visits of a recorder at once."""
NODES = ("node-1", "node-2", "node-3")
SPARE = "node-4"
_TLS_NAME = "patrol"
_VISIT_S = 3.0
_START_S = 180.0
_DATABASE_S = 60.0
_SECTIONS = f"""
[worker]
count = 1
spare = false
[feed]
deadline_s = {_VISIT_S:g}
connect_timeout_s = 1.0
demuxers = 0
[judge]
confirm_n = 1
confirm_m = 1
[ledger]
offline_min_h = 0
[scheduler]
order_timeout_s = 6
key_period_s = {PERIOD_S:g}
ordinary_period_s = {PERIOD_S:g}
suspicious_period_s = {PERIOD_S:g}
visits_per_uplink_max = {CAP}
visits_per_host_max = 1000
outage_cameras_min = 1000
"""


class Site:
    """Everything that runs, until `stack` ends. `cameras`: that stream. `pushed_cameras`: of the gateway, which pushes
    to `intake`. `token`: of an administrator."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.network = Network.make((*NODES, SPARE), stack)
        streams_at, *database_at = self.network.services
        self.database_addresses = tuple(database_at)
        self.database_pair = PostgresPair((database_at[0], database_at[1]), stack)
        self._url = self.database_pair.url
        port = free_port()
        self._streams = stack.enter_context(child(serve, port, CAMERAS, _VISIT_S))
        self.cameras = _cameras(f"{streams_at}:{port}")
        self.pushed_cameras = _pushed_cameras()
        store = Store.open(self._url)
        store.registry.upsert([*self.cameras, *self.pushed_cameras, *_gone_cameras(f"{streams_at}:{free_port()}")])
        store.close()
        self._database = connect(parse_url(self._url))
        stack.callback(self._database.dispose)
        leases = Leases(self._database)
        leases.assign({county: number for number, county in enumerate(COUNTIES, 1)})
        self._leases = leases
        tls = certificate_files(folder, x509.DNSName(_TLS_NAME)) if self.network.has_cuts else ()
        self.intake = f"tcp://127.0.0.1:{free_port()}"
        self._front_sections = f"[intake]\nlisten = '{self.intake}'\n"
        if tls:
            self._front_sections += f"[front]\nshard_tls_ca_file = '{tls[0]}'\nshard_tls_name = '{_TLS_NAME}'\n"
        machines = self.network.machines
        redis = stack.enter_context(RedisServer(folder, streams_at))
        self.cluster = RayCluster(self._url, leases, folder, stack, _SECTIONS, redis.keys, machines=machines, tls=tls)
        stack.callback(self.cluster.forget)
        self.token = self._make_token()
        self.front: RunningFront | None = None
        self._fronts = 0

    def start(self) -> None:
        """Start the cluster and a front, and wait until all cameras were visited."""
        self.cluster.start("node-1", "up")
        for node in NODES[1:]:
            self.cluster.join(node)
        wait_until(lambda: sorted(self.node_of().values()) == sorted(NODES), _START_S)
        self.start_front()
        wait_until(lambda: self.visited_since(0, COUNTIES) == CAMERAS, _START_S, poll_s=0.5)

    def start_front(self) -> None:
        """Start a front, at another address than the last."""
        self._fronts += 1
        folder = self._folder / f"front-{self._fronts}"
        self.front = self._stack.enter_context(RunningFront(self._url, folder, self._front_sections))

    def address(self) -> str:
        """Where the front answers."""
        return "127.0.0.1:1" if self.front is None else self.front.addresses["grpc"]

    def stop(self) -> list[int]:
        """End the cluster; return the most visits at once that each recorder saw."""
        self.cluster.stop_all()
        self._streams.send("stop")
        peaks: list[int] = self._streams.recv()
        return peaks

    def query(self, text: str, **values: object) -> "list[sa.Row[tuple[object, ...]]]":
        """Ask the database; wait while it is away."""

        def ask() -> "list[sa.Row[tuple[object, ...]]]":
            with self._database.connect() as connection:
                return list(connection.execute(sa.text(text), values))

        return _insist(ask)

    def node_of(self) -> dict[int, str]:
        """The node of each shard whose engine answers."""
        return _insist(self.cluster.node_of)

    def counties_of(self, node: str) -> list[str]:
        """The counties that a node visits now."""
        return [COUNTIES[number - 1] for number, name in self.node_of().items() if name == node]

    def engine_of(self, choose: Callable[[Sequence[ShardRow]], ShardRow]) -> tuple[str, list[int]]:
        """Return the county of one engine that runs, and its processes."""
        row = choose([row for row in _insist(self._leases.all) if row.is_held and row.address])
        hub = int(row.owner.partition("-")[0])
        parent = int(Path(f"/proc/{hub}/stat").read_text().rpartition(")")[2].split()[1])
        return COUNTIES[row.shard_no - 1], descendants(parent)

    def visited_since(self, at_ns: int, counties: Sequence[str]) -> int:
        """Return how many streaming cameras of these counties have a verdict from after a moment."""
        found = self.query(
            "SELECT count(*) FROM latest JOIN cameras USING (camera_id)"
            " WHERE region = ANY(:counties) AND at_wall_ns > :at AND camera_id LIKE 'c%'",
            counties=list(counties), at=at_ns,
        )  # fmt: skip
        return int(str(found[0][0]))

    def _make_token(self) -> str:
        order = (
            "token",
            "create",
            "--name",
            "chaos",
            "--role",
            "admin",
            "--config",
            str(self.cluster.config("node-1")),
        )
        return subprocess.check_output([sys.executable, "-m", "engine.cli", *order], text=True).strip()


def _insist(ask: Callable[[], T]) -> T:
    give_up_s = time.monotonic() + _DATABASE_S
    while True:
        try:
            return ask()
        except DatabaseUnavailableError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.1)


def _cameras(address: str) -> list[Camera]:
    blank = Camera("", "", site_kind=SiteKind.PRIMARY)
    share = CAMERAS // len(COUNTIES)
    return [
        replace(
            blank,
            camera_id=f"c{number:03}",
            url=f"rtsp://{address}/cam{number}",
            name=f"camera {number}",
            region=COUNTIES[number // share],
            site_id=f"s{number // CAMERAS_PER_RECORDER}",
            uplink=f"u{number // CAMERAS_PER_RECORDER}",
        )
        for number in range(CAMERAS)
    ]


def _pushed_cameras() -> list[Camera]:
    return [
        Camera(f"p-{county}-{number}", "", region=county, push=True)
        for county in COUNTIES
        for number in range(PUSHED_CAMERAS)
    ]


def _gone_cameras(address: str) -> list[Camera]:
    return [
        Camera(f"gone-{county}-{number}", f"rtsp://{address}/{number}", f"gone {number}", f"s{county}-{number}",
               region=county, uplink=f"gone-{county}-{number}")
        for county in COUNTIES
        for number in range(GONE_CAMERAS)
    ]  # fmt: skip
