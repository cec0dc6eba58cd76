"""Engines of two shards on one PostgreSQL: each visits its own counties; a shard goes on where its engine was lost."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.cluster.shard_process import EXIT_LOST
from tests.support.cluster.province import HERE, LEASE_S, THERE, Province
from tests.support.live_engine import scrape
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


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
