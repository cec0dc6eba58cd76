"""Engines of two shards on one PostgreSQL: each visits its own counties; a shard goes on where its engine was lost."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.client import PatrolClient
from engine.config.schema import LogSettings, RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.model.shard import ShardTask
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases, ShardRow
from engine.storage.db.store import Store
from tests.support.cluster.shard_engine import EXIT_LOST, ShardEngine
from tests.support.live_engine import refusing_cameras, refusing_settings, scrape
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
LEASE_S = 3.0
HERE, THERE = "130102", "130203"


class Province:
    """A database with two shards of one county each, and engines that run them."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.url, self._folder, self._stack = url, folder, stack
        store = Store.open(url)
        store.registry.upsert(
            replace(camera, url=camera.url.replace("u:p@", "")) for camera in refusing_cameras(free_port())
        )
        store.close()
        self.database = connect(parse_url(url))
        stack.callback(self.database.dispose)
        self.leases = Leases(self.database)
        self.leases.assign({HERE: 1, THERE: 2})
        self._engines = 0

    def start(self, shard_no: int, node: str) -> ShardEngine:
        self._engines += 1
        folder = self._folder / f"engine-{self._engines}"
        record = RecordSettings(url=self.url, evidence_dir=f"{folder}/ev")
        changes = {
            "record": record,
            "log": LogSettings(level="info", format="json"),
            "serve": ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        }
        settings: Settings = refusing_settings(folder, 0).model_copy(update=changes)
        task = ShardTask(shard_no, node, LEASE_S)
        return self._stack.enter_context(ShardEngine(settings, task, folder))

    def shard(self, number: int) -> ShardRow:
        return next(row for row in self.leases.all() if row.shard_no == number)

    def verdicts(self, region: str) -> list[tuple[int, str]]:
        """The numbers and cameras of all verdicts on a county, in the order of the log."""
        query = sa.text(
            "SELECT v.seq, n.camera_id FROM verdict_log v JOIN camera_nos n USING (camera_no)"
            " JOIN cameras c ON c.camera_id = n.camera_id WHERE c.region = :region ORDER BY v.seq"
        )
        with self.database.connect() as connection:
            return [(row.seq, row.camera_id) for row in connection.execute(query, {"region": region})]

    def goes_on(self, region: str) -> None:
        """Wait until each camera of a county has a verdict that it did not have."""
        before = len(self.verdicts(region))
        with self.database.connect() as connection:
            of_region = sa.text("SELECT camera_id FROM cameras WHERE region = :region")
            cameras = set(connection.scalars(of_region, {"region": region}))
        wait_until(lambda: {camera_id for _, camera_id in self.verdicts(region)[before:]} == cameras, 60, poll_s=0.2)


@pytest.fixture
def province(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Province]:
    with ExitStack() as stack:
        yield Province(postgres_server.database(), tmp_path, stack)


def is_held_by(province: Province, number: int, node: str) -> bool:
    row = province.shard(number)
    return row.is_held and row.node == node and bool(row.address)


def test_each_shard_visits_its_own_counties_and_a_stop_hands_it_over_at_once(province: Province) -> None:
    engines = {number: province.start(number, f"node-{number}") for number in (1, 2)}
    listeners = {number: engine.addresses() for number, engine in engines.items()}
    addresses = {number: listeners[number]["grpc"] for number in engines}
    for number, region in ((1, HERE), (2, THERE)):
        wait_until(lambda number=number: is_held_by(province, number, f"node-{number}"))  # type: ignore[misc]
        assert province.shard(number).address == addresses[number]
        province.goes_on(region)
        with PatrolClient(addresses[number]) as client:
            assert {camera.camera.region for camera in client.cameras()} == {region}
        samples = scrape(listeners[number]["metrics"])
        assert 0 < samples["patrol_shard_lease_seconds", ()] <= LEASE_S
        assert samples["patrol_writes_fenced_total", ()] == 0
    standby = province.start(1, "node-3")
    time.sleep(2 * LEASE_S)
    assert province.shard(1).node == "node-1", "it is renewed as long as its engine runs"
    engines[1].__exit__(None, None, None)
    assert engines[1].process.returncode == 0
    wait_until(lambda: province.shard(1).node == "node-3", LEASE_S, poll_s=0.05)
    standby.addresses()
    province.goes_on(HERE)
    province.goes_on(THERE)


@pytest.mark.long
def test_a_shard_whose_engine_is_killed_goes_on_elsewhere(province: Province) -> None:
    first = province.start(1, "node-1")
    first.addresses()
    province.goes_on(HERE)
    second = province.start(1, "node-2")
    wait_until(lambda: "waiting for the shard" in second.log.read_text(), 30)
    first.send_all(signal.SIGKILL)
    began_s = time.monotonic()
    wait_until(lambda: province.shard(1).node == "node-2", 30, poll_s=0.05)
    assert time.monotonic() - began_s < LEASE_S + 1
    second.addresses()
    province.goes_on(HERE)


def test_an_engine_that_was_frozen_meanwhile_writes_nothing_and_ends(province: Province) -> None:
    frozen = province.start(1, "node-1")
    frozen.addresses()
    province.goes_on(HERE)
    second = province.start(1, "node-2")
    wait_until(lambda: "waiting for the shard" in second.log.read_text(), 30)
    frozen.send_all(signal.SIGSTOP)
    wait_until(lambda: province.shard(1).node == "node-2", 30, poll_s=0.05)
    second.addresses()
    province.goes_on(HERE)
    epoch = province.shard(1).epoch
    frozen.send_all(signal.SIGCONT)
    frozen.process.wait(20)
    assert frozen.process.returncode == EXIT_LOST
    assert "the shard is another process's now" in frozen.log.read_text()
    province.goes_on(HERE)
    assert (province.shard(1).epoch, province.shard(1).node) == (epoch, "node-2")
    numbers = [number for number, _ in province.verdicts(HERE)]
    assert numbers == sorted(set(numbers))


@pytest.mark.long
def test_an_engine_that_is_cut_off_from_the_database_stops_before_another_may_begin(
    province: Province, postgres_server: PostgresServer
) -> None:
    engine = province.start(1, "node-1")
    engine.addresses()
    province.goes_on(HERE)
    postgres_server.stop("immediate")
    began_s = time.monotonic()
    try:
        engine.process.wait(30)
        assert time.monotonic() - began_s < LEASE_S, "by its own clock, before the lease ends"
        assert engine.process.returncode == EXIT_LOST
        assert "the database did not renew it in time" in engine.log.read_text()
    finally:
        postgres_server.start()
    province.start(1, "node-2").addresses()
    province.goes_on(HERE)
