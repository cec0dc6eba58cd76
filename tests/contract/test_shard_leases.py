"""Leases of shards on a real PostgreSQL: one owner each, and who has lost its shard writes nothing any more."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.config.schema import RecordSettings
from engine.errors import StateError, StoreError
from engine.model.camera import Camera
from engine.model.notice import Notice
from engine.model.shard import ShardNews
from engine.storage.db import writer_lock
from engine.storage.db.database import DatabaseUnavailableError, connect, parse_url
from engine.storage.db.shards.drained_nodes import DrainedNodes
from engine.storage.db.shards.leases import Lease, Leases
from engine.storage.db.store import Store
from engine.storage.db.writer_lock import WriterLockedError
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer
from tests.support.cluster.site import AT_NS, COUNTIES, Site, record, refused
from tests.support.waiting import wait_until


def notice(number: int) -> Notice:
    return Notice(0, "finding.opened", number, 1, AT_NS, "130102", "{}")


def test_a_shard_has_one_owner_until_its_lease_ends(site: Site) -> None:
    first = site.take(1, "a", ttl_s=0.4)
    assert site.leases.acquire(1, "b", "node-2", 60) is None
    assert site.leases.renew(first, 0.4, ShardNews("127.0.0.1:1", "127.0.0.1:2", 5.5, 0.5))
    (row, other) = site.leases.all()
    assert (row.owner, row.epoch, row.counties) == ("a", 1, ("130102", "130104"))
    assert (row.address, row.metrics_address) == ("127.0.0.1:1", "127.0.0.1:2")
    assert (row.checks_per_s, row.lag_s) == (5.5, 0.5)
    assert row.is_held
    assert not other.is_held
    assert 0 < row.expires_in_s <= 0.4
    time.sleep(0.5)
    second = site.leases.acquire(1, "b", "node-2", 60)
    assert second == Lease(1, "b", 2)
    row = site.leases.all()[0]
    assert (row.address, row.metrics_address, row.checks_per_s, row.lag_s) == ("", "", 0.0, 0.0)
    assert not site.leases.renew(first, 60)
    assert not site.leases.release(first)
    assert site.leases.release(second)
    third = site.take(1, "d", ttl_s=0.2)
    time.sleep(0.3)
    assert not site.leases.renew(third, 60), "others may have what it had of a platform's cap"
    assert site.take(1, "c") == Lease(1, "c", 4)
    assert site.leases.acquire(9, "a", "node", 60) is None, "there is no such shard"


def test_drained_machines_are_known_to_who_starts_anew(site: Site) -> None:
    engine = connect(parse_url(site.url))
    try:
        nodes = DrainedNodes(engine)
        for node in ("b", "b", "c"):
            nodes.add(node, AT_NS)
        nodes.remove("c")
        assert DrainedNodes(engine).all() == {"b"}
    finally:
        engine.dispose()


def test_counties_change_their_shard_only_while_nobody_runs_it(site: Site) -> None:
    lease = site.take(1)
    before = [row.counties for row in site.leases.all()]
    for change in ({"130104": 2}, {"130105": 1}, {"130105": 3, "130102": 3}):
        with pytest.raises(StateError, match=r"the counties of shards \[1\] would change while engines run them"):
            site.leases.assign({**COUNTIES, **change})
    with pytest.raises(StateError, match=r"shards \[1\]"):
        site.leases.assign({"130203": 2})
    assert [row.counties for row in site.leases.all()] == before
    site.leases.assign({**COUNTIES, "130300": 4})
    site.leases.release(lease)
    site.leases.assign({**COUNTIES, "130104": 2})
    assert [row.counties for row in site.leases.all()] == [("130102",), ("130104", "130203"), ()]


def test_of_many_who_ask_at_once_one_gets_it(site: Site) -> None:
    got: list[Lease | None] = []
    begin = threading.Barrier(8)

    def ask(number: int) -> None:
        begin.wait()
        got.append(site.leases.acquire(2, f"owner-{number}", "node", 60))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in got if lease is not None]) == 1


def test_who_has_lost_its_shard_writes_nothing_any_more(site: Site) -> None:
    zombie = site.open(site.take(1, "a", ttl_s=0.1))
    zombie.registry.upsert([Camera("c1", "rtsp://h/1", region="130102")])
    zombie.write([record("c1", 1)])
    time.sleep(0.2)
    zombie.write([record("c1", 2)])  # the lease has ended, but nobody has taken the shard: no harm is done
    owner = site.open(site.take(1, "b"))
    assert refused(zombie, lambda: zombie.write([record("c1", 3)]))
    assert refused(zombie, lambda: zombie.registry.upsert([Camera("c2", "rtsp://h/2")]))
    assert refused(zombie, lambda: zombie.registry.remove(["c1"]))
    assert refused(zombie, lambda: zombie.outbox.add([notice(1)]))
    assert refused(zombie, lambda: zombie.committed("batch", []))
    assert [logged.verdict.visit_id for logged in owner.history.of_camera("c1")] == [2, 1]
    owner.write([record("c1", 4)])
    assert [camera.camera_id for camera in zombie.registry.cameras()] == ["c1"], "it may read"


def test_who_freezes_within_a_transaction_holds_up_nobody_for_long(site: Site) -> None:
    lease = site.take(1, "a", ttl_s=0.1)
    zombie = site.open(lease)
    frozen, woken = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def write(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO patrol_about VALUES ('zombie', 'was here')"))
        frozen.set()
        woken.wait(20)

    def freeze() -> None:
        try:
            zombie.write([], [write])
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=freeze)
    thread.start()
    assert frozen.wait(10)
    began_s = time.monotonic()
    taken = None
    while taken is None and time.monotonic() < began_s + 15:
        try:
            taken = site.leases.acquire(1, "b", "node-2", 60)
        except DatabaseUnavailableError:
            continue  # the row is held: ask again
    assert taken is not None
    woken.set()
    thread.join()
    assert len(outcome) == 1, "what was open when the shard was taken over is not committed"
    with site.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM patrol_about WHERE key = 'zombie'")) == 0


def test_an_engine_alone_and_shards_keep_each_other_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "_WAIT_S", 0.3)
    alone = Store.open(site.url)
    alone.acquire_writer_lock()
    shard = Store.open_shard(site.url, site.take(1))
    try:
        with pytest.raises(WriterLockedError, match="another process writes to it"):
            shard.acquire_writer_lock()
        alone.close()
        shard.acquire_writer_lock()
        site.open(site.take(2)).write([record("c1", 1)])
        shard.write([record("c2", 1)])
        with pytest.raises(WriterLockedError, match="another process writes to it"):
            alone.acquire_writer_lock()
        with pytest.raises(WriterLockedError), writer_lock.exclusively(site.url):
            pass
    finally:
        alone.close()
        shard.close()


def test_a_writer_that_is_fenced_blames_no_entry_and_drops_none(site: Site, tmp_path: Path) -> None:
    zombie = site.open(site.take(1, "a", ttl_s=0.1))
    time.sleep(0.2)
    site.take(1, "b")
    writer = Writer(zombie, EvidenceStore(tmp_path / "ev", 1_000_000), RecordSettings())
    writer.start(lambda _: None)
    waiting = writer.transact(lambda _: None)
    for visit in range(20):
        writer.submit(record("c1", visit), None)
    wait_until(lambda: zombie.writes_fenced >= 3)
    assert dict(writer.dropped) == {}
    assert not waiting.done()
    writer.close()
    with pytest.raises(StoreError, match="does not know whether this was written"):
        waiting.result(1)


def test_shards_need_a_database_that_several_machines_reach(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="several machines share a PostgreSQL database"):
        Leases(connect(parse_url(f"sqlite:///{tmp_path}/patrol.db")))
