"""The logs of shards on a real PostgreSQL: numbers in order, what each loads, readers that miss none."""

import random
import threading
import time
from dataclasses import replace
from datetime import UTC

import sqlalchemy as sa

from engine.config.schema import RecordSettings
from engine.model.camera import Camera
from engine.model.kpi import CameraFacts, Counts, KpiChanges
from engine.model.verdict import FaultKind
from engine.storage.db.database import write_transaction
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.shards.sequences import SHARD_BITS, shard_of
from engine.storage.db.store import Store, Write
from tests.support.cluster.site import AT_NS, Site, record, refused
from tests.support.ledger.ledgers import LedgerHarness


def test_two_shards_write_at_once_and_each_is_read_in_its_order(site: Site) -> None:
    """Each batch has new cameras and new thresholds, so that both assign short numbers all the time."""
    stores = {number: site.open(site.take(number)) for number in (1, 2)}
    failed: list[BaseException] = []

    def patrol(number: int) -> None:
        try:
            for batch in range(25):
                cameras = (f"{number}-{batch}", f"{number}-{batch + 1}", "both")
                stores[number].write([record(name, 100 * batch + number, limit=float(batch)) for name in cameras])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=patrol, args=(number,)) for number in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for number, store in stores.items():
        log = store.history.after(0, 1000)
        assert len(log) == 75
        assert [logged.seq for logged in log] == sorted({logged.seq for logged in log})
        assert {shard_of(logged.seq) for logged in log} == {number}
        assert store.history.last_seq() == log[-1].seq
        assert [logged.verdict.thresholds["limit"] for logged in log] == [
            batch for batch in range(25) for _ in range(3)
        ]
        later = store.history.after(log[40].seq, 1000)
        assert [logged.seq for logged in later] == [logged.seq for logged in log[41:]]
    with site.engine.connect() as connection:
        for table, column in (("camera_nos", "camera_id"), ("terms", "body")):
            numbers = connection.execute(sa.text(f"SELECT count(*), count(DISTINCT {column}) FROM {table}")).one()
            assert numbers[0] == numbers[1] > 20
    assert len(stores[1].history.of_camera("both", limit=1000)) == 50


def test_a_cameras_verdicts_stay_in_order_when_it_changes_its_shard(site: Site) -> None:
    high, low = site.open(site.take(2)), site.open(site.take(1))
    for visit, store in enumerate((high, low, high, low), 1):
        store.write([record("moved", visit)])
    assert [logged.verdict.visit_id for logged in low.history.of_camera("moved")] == [4, 3, 2, 1]


def test_a_clock_that_is_set_back_does_not_disturb_the_order(site: Site) -> None:
    store = site.open(site.take(1))
    ahead_us = int((time.time() + 3600) * 1_000_000)
    store.write([record("c1", 1)])
    with site.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE verdict_log SET seq = {ahead_us << SHARD_BITS | 1}"))
    (written,) = store.write([record("c1", 2)])
    assert written.seq > ahead_us << SHARD_BITS | 1
    assert shard_of(written.seq) == 1


def test_a_batch_whose_answer_was_lost_is_found_with_its_numbers(site: Site) -> None:
    store, other = site.open(site.take(1)), site.open(site.take(2))
    records = [record("c1", 1), record("c2", 2)]
    written = store.write(records, batch_id="batch-1")
    other.write([record("c3", 3)], batch_id="batch-2")
    assert store.committed("batch-1", records) == written
    assert store.committed("batch-2", records) is None


def test_a_shard_loads_what_hangs_on_its_own_counties(site: Site) -> None:
    first = site.open(site.take(1))
    first.registry.upsert(
        Camera(camera_id, f"rtsp://h/{camera_id}", region=region)
        for camera_id, region in (("a", "130102"), ("b", "130104"), ("c", "130203"), ("d", "130299"))
    )
    first.write([record(camera_id, number) for number, camera_id in enumerate("abcd", 1)])
    harness = LedgerHarness()
    for camera_id, region in (("a", "130102"), ("c", "130203"), ("gone", "130203"), ("c", "130102")):
        harness.observe(FaultKind.BLURRED, at=Camera(camera_id, "rtsp://h/1", region=region))
        harness.observe(at=Camera(camera_id, "rtsp://h/1", region=region))
    entries = [LedgerEntry(event, harness.finding(event.finding_id)) for event in harness.log]
    first.write([], [lambda connection: append(connection, entries, first.findings.sequences)])
    second = site.open(site.take(2))
    loaded = [
        (
            [camera.camera_id for camera in store.registry.cameras()],
            sorted(camera_id for camera_id, _, _ in store.latest()),
            {finding.subject.camera_id for finding in store.findings.open_findings()},
        )
        for store in (first, second)
    ]
    assert loaded == [(["a", "b"], ["a", "b"], {"a"}), (["c"], ["c"], {"c", "gone"})]


def test_a_day_that_one_shard_has_closed_is_still_under_way_for_another(site: Site) -> None:
    first, second = site.open(site.take(1)), site.open(site.take(2))
    first.registry.upsert(
        Camera(camera_id, "rtsp://h/1", region=region) for camera_id, region in (("a", "130102"), ("c", "130203"))
    )
    facts = CameraFacts(True, True, True, True, True, True, 5, 6, 7, 8)
    for store, camera_id in ((first, "a"), (second, "c")):
        with write_transaction(site.engine) as connection:
            store.kpis.write(connection, KpiChanges(cameras={(9, camera_id): facts}), 30, 30)
    canteens = {(9, "130102"): {"s1": Counts(*range(len(Counts._fields)))}}
    with write_transaction(site.engine) as connection:
        first.kpis.write(connection, KpiChanges(canteens=canteens, closed=(9,)), 30, 30)
    assert list(first.kpis.restore(9)) == []
    assert list(second.kpis.restore(9)) == [(9, {"c": facts})]
    with site.engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT camera_id FROM kpi_cameras")).all() == ["c"], "own rows are pruned"


def test_findings_of_two_shards_have_numbers_of_their_own(site: Site) -> None:
    stores = [site.open(site.take(number)) for number in (1, 2)]
    harness = LedgerHarness()
    harness.observe(FaultKind.BLURRED)
    event, finding = harness.log[0], harness.finding()
    for store in stores:
        for _ in range(2):
            number = store.findings.next_id()
            entry = LedgerEntry(replace(event, finding_id=number), replace(finding, finding_id=number), '{"of": 1}')
            store.write([], [lambda connection, entry=entry, store=store: append(  # type: ignore[misc]
                connection, [entry], store.findings.sequences)])  # fmt: skip
    numbers = [[logged.event.finding_id for logged in store.findings.events_after(0)] for store in stores]
    assert [[number & 1023 for number in own] for own in numbers] == [[1, 1], [2, 2]]
    assert len({number for own in numbers for number in own}) == 4
    assert all(number < 10_000 for own in numbers for number in own), "people read them"
    routed = [store.outbox.route(lambda _: ["city"], AT_NS, 10, 100) for store in stores]
    assert routed == [(2, 0), (2, 0)]
    for store, own in zip(stores, numbers, strict=True):
        (head,) = store.outbox.record_and_fetch((), ["city"])
        assert head.notice.finding_id == own[0]
        assert store.outbox.backlogs()["city"].waiting == 2


def test_who_reads_up_to_the_floors_misses_nothing_however_commits_overlap(site: Site) -> None:
    """Two shards write, and hold some transactions open; their leases are renewed; a reader goes on by number alone."""
    chance = random.Random(3)
    leases = {number: site.take(number) for number in (1, 2)}
    stores = {number: site.open(lease) for number, lease in leases.items()}
    failed: list[BaseException] = []
    done = threading.Event()

    def hold(pause_s: float) -> Write:
        return lambda _: time.sleep(pause_s)

    def patrol(number: int) -> None:
        try:
            for visit in range(40):
                stores[number].write([record(f"{number}-{visit}", visit)], [hold(chance.choice([0.0, 0.0, 0.03]))])
        except BaseException as error:
            failed.append(error)

    def renew() -> None:
        while not done.wait(0.02):
            for lease in leases.values():
                assert site.leases.renew(lease, 60)

    writers = [threading.Thread(target=patrol, args=(number,)) for number in leases]
    renewing = threading.Thread(target=renew)
    for thread in (*writers, renewing):
        thread.start()
    read: list[int] = []
    reader = Store.open(site.url)
    try:
        while len(read) < 80 and not failed:
            below = site.leases.final_below()
            read += [logged.seq for logged in reader.history.after(read[-1] if read else 0, 1000) if logged.seq < below]
    finally:
        for thread in writers:
            thread.join()
        done.set()
        renewing.join()
        reader.close()
    assert failed == []
    with site.engine.connect() as connection:
        assert read == connection.scalars(sa.text("SELECT seq FROM verdict_log ORDER BY seq")).all()


def test_who_follows_the_registry_hears_of_every_camera_once_it_is_committed(site: Site) -> None:
    lease = site.take(1)
    store = site.open(lease)
    reader = Store.open(site.url)
    try:
        place = reader.changes.place()
        store.registry.upsert(Camera(f"c{n}", f"rtsp://h/{n}", region="130102") for n in range(1200))
        assert reader.changes.after(place).camera_ids == (), "the floor has not risen since"
        site.leases.renew(lease, 60)
        changes = reader.changes.after(place)
        assert changes.camera_ids == tuple(f"c{n}" for n in range(1200))
        assert not changes.lost
        store.registry.upsert([Camera("c0", "rtsp://h/0", region="130102"), Camera("c1", "rtsp://h/other")])
        store.registry.remove(["c2", "nobody"])
        site.leases.renew(lease, 60)
        later = reader.changes.after(changes.place)
        assert later.camera_ids == ("c1", "c2"), "c0 is as it was"
        assert reader.changes.after(later.place).camera_ids == ()
        long_ago = later.place - (4000 * 1_000_000 << SHARD_BITS)
        assert reader.changes.after(long_ago).lost
    finally:
        reader.close()


def test_a_shard_that_nobody_holds_holds_up_no_reader(site: Site) -> None:
    dead, living = site.take(1, ttl_s=0.2), site.take(2)
    zombie, store = site.open(dead), site.open(living)
    time.sleep(0.3)
    (written,) = store.write([record("c1", 1)])
    assert site.leases.renew(living, 60)
    assert site.leases.final_below() > written.seq
    assert refused(zombie, lambda: zombie.write([record("c2", 2)]))
    site.leases.release(living)
    assert site.leases.final_below() > written.seq


def test_one_shard_at_a_time_sums_what_nobody_can_precede_any_more(site: Site) -> None:
    leases = [site.take(number) for number in (1, 2)]
    stores = [site.open(lease) for lease in leases]
    for number, store in enumerate(stores, 1):
        store.write([record(f"c{number}", number, at_ns=time.time_ns())])

    def summed() -> int:
        with site.engine.connect() as connection:
            return int(connection.scalar(sa.text("SELECT count(*) FROM verdict_hours")) or 0)

    for _ in range(8):
        stores[0].maintenance.step(RecordSettings(), time.time_ns(), UTC)
    assert summed() == 0, "a shard may still commit a number below these"
    for lease in leases:
        assert site.leases.renew(lease, 60)
    with write_transaction(site.engine) as busy:
        busy.execute(sa.text(f"SELECT pg_advisory_xact_lock({0x7061_7472_6F6B})"))
        for _ in range(8):
            stores[0].maintenance.step(RecordSettings(), time.time_ns(), UTC)
        assert summed() == 0
    for _ in range(8):
        for store in stores:
            store.maintenance.step(RecordSettings(), time.time_ns(), UTC)
    assert summed() == 2
