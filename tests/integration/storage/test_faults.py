"""The writer on disks and databases that fail: nothing acknowledged is lost, memory is bounded, it goes on by itself.

docs/faults.md says what an operator sees of each.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
import pytest

from engine.config.schema import RecordSettings
from engine.model.keyframe import EvidenceKeyframe
from engine.storage.db.store import Store
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer
from tests.integration.storage.test_writer import Heard, keyframe, logged, note, notes, record
from tests.support.disks import FailingDisk, remount
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

FIRST, LATER = range(1, 101), range(101, 401)


@contextmanager
def opened(url: str, folder: Path, **settings: float) -> Iterator[tuple[Store, Heard]]:
    store = Store.open(url)
    store.acquire_writer_lock()
    heard = Heard(store, folder, batch_wait_s=0.02, **settings)
    try:
        yield store, heard
    finally:
        heard.writer.close()
        store.close()


def submit(heard: Heard, visits: range) -> None:
    for visit in visits:
        heard.writer.submit(record(visit), None)


def fill(file: IO[bytes]) -> None:
    while True:
        file.write(bytes(4096))


def wait_for_errors(heard: Heard, part: str = "store") -> None:
    wait_until(lambda: heard.errors[part] > 0, 60, what=f"an error of {part} that is counted")


def test_on_a_full_disk_verdicts_wait_and_are_written_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    with opened(f"sqlite:///{small_disk}/patrol.db", tmp_path) as (store, heard):
        submit(heard, FIRST)
        assert heard.writer.flush(60)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            fill(file)
        submit(heard, LATER)
        awaited = heard.writer.transact(note("a command"))
        wait_for_errors(heard)
        assert not awaited.done()
        assert heard.visits[: len(FIRST)] == list(FIRST)
        filler.unlink()
        assert heard.writer.flush(60)
        assert awaited.result(1) is None
        assert logged(store) == heard.visits == [*FIRST, *LATER]


def test_on_a_disk_that_turns_read_only_nothing_is_acknowledged_that_is_lost(
    failing_disk: FailingDisk, tmp_path: Path
) -> None:
    url = f"sqlite:///{failing_disk.folder}/patrol.db"
    with opened(url, tmp_path) as (_, heard):
        submit(heard, FIRST)
        assert heard.writer.flush(60)
        failing_disk.fail()
        submit(heard, LATER)
        wait_for_errors(heard)
        acknowledged = list(heard.visits)
    assert acknowledged == list(FIRST)
    failing_disk.repair()
    with opened(url, tmp_path) as (store, heard):
        assert logged(store) == acknowledged
        submit(heard, LATER)
        assert heard.writer.flush(60)
        assert logged(store) == [*FIRST, *LATER]


def test_while_the_disk_of_the_keyframes_is_read_only_verdicts_are_stored(
    small_disk: Path, database_url: str, tmp_path: Path
) -> None:
    def kept(visit: int) -> EvidenceKeyframe:
        return EvidenceKeyframe(keyframe(f"c{visit}"))

    store = Store.open(database_url)
    errors: list[str] = []
    evidence = EvidenceStore(small_disk / "ev", 10_000_000)
    writer = Writer(store, evidence, RecordSettings(batch_wait_s=0.02), errors.append)
    writer.start(lambda records: None)
    try:
        writer.submit(record(1, "c1"), kept(1))
        assert writer.flush(30)
        remount(small_disk, "ro")
        writer.submit(record(2, "c2"), kept(2))
        assert writer.flush(30)
        assert logged(store) == [1, 2]
        assert "evidence" in errors
        assert writer.dropped["evidence"] >= 1
        assert evidence.get("c2") is None
        remount(small_disk, "rw")
        writer.submit(record(3, "c3"), kept(3))
        assert writer.flush(30)
        assert evidence.get("c3") is not None
    finally:
        writer.close()
        store.close()


def test_while_a_server_takes_no_writes_everything_waits(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.database()
    with opened(url, tmp_path) as (store, heard):
        submit(heard, FIRST)
        assert heard.writer.flush(60)
        with read_only(postgres_server):
            submit(heard, LATER)
            awaited = heard.writer.transact(note("a command"))
            wait_for_errors(heard)
            assert not awaited.done()
        assert heard.writer.flush(60)
        assert awaited.result(1) is None
        assert logged(store) == heard.visits == [*FIRST, *LATER]
        assert heard.writer.dropped["refused"] == 0


def test_a_slow_database_delays_and_loses_nothing(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.database()
    with opened(url, tmp_path, batch_rows_max=100) as (store, heard):
        with administrator(postgres_server, url.partition("@/")[2].partition("?")[0]) as database:
            database.execute(
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$"
            )
            database.execute("CREATE TRIGGER slow AFTER INSERT ON verdict_log FOR EACH ROW EXECUTE FUNCTION slow()")
        began_s = time.monotonic()
        submit(heard, LATER)
        assert time.monotonic() - began_s < 1  # who submits never waits for the database
        assert heard.writer.flush(60)
        assert time.monotonic() - began_s > 2
        assert logged(store) == heard.visits == list(LATER)
        assert (heard.errors["store"], heard.writer.dropped) == (0, {})


def is_away(postgres_server: PostgresServer, folder: Path, away_s: float, per_s: int, queue_records_max: int) -> None:
    """Take the server away while verdicts come and somebody waits for a command; compare what was told with what is."""
    url = postgres_server.database()
    with opened(url, folder, queue_records_max=queue_records_max) as (store, heard):
        submit(heard, FIRST)
        assert heard.writer.flush(60)
        postgres_server.stop("immediate")
        try:
            awaited = heard.writer.transact(note("a command"))
            stop = threading.Event()
            visits: list[int] = []
            begun_s = time.monotonic()
            while time.monotonic() - begun_s < away_s:
                visits.append(FIRST.stop + len(visits))
                heard.writer.submit(record(visits[-1]), None)
                assert heard.writer.waiting[0] <= queue_records_max
                stop.wait(1 / per_s)
        finally:
            postgres_server.start()
        assert heard.errors["store"] > 0
        assert heard.writer.flush(120)
        assert awaited.result(1) is None
        assert "a command" in notes(url)
        stored = logged(store)
        assert stored == heard.visits
        assert heard.seqs == list(range(1, len(stored) + 1))
        lost = heard.writer.dropped["queue_full"]
        assert len(stored) + lost == len(FIRST) + len(visits)
        assert lost > 0
        assert stored[-queue_records_max // 2 :] == visits[-queue_records_max // 2 :]  # the oldest are dropped


@pytest.mark.long
def test_a_server_that_is_away_for_longer_than_the_queue_lasts(postgres_server: PostgresServer, tmp_path: Path) -> None:
    is_away(postgres_server, tmp_path, away_s=8, per_s=400, queue_records_max=1000)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_server_that_is_away_for_ten_minutes(postgres_server: PostgresServer, tmp_path: Path) -> None:
    is_away(postgres_server, tmp_path, away_s=600, per_s=50, queue_records_max=20_000)


@contextmanager
def administrator(server: PostgresServer, database: str = "postgres") -> Iterator["psycopg.Connection[tuple[object]]"]:
    with psycopg.connect(f"host={server.folder} user=patrol dbname={database}", autocommit=True) as connection:
        yield connection


@contextmanager
def read_only(server: PostgresServer) -> Iterator[None]:
    """Make the server refuse writes, also of connections that are there, as a standby does."""
    _set_read_only(server, "on")
    try:
        yield
    finally:
        _set_read_only(server, "off")


def _set_read_only(server: PostgresServer, value: str) -> None:
    with administrator(server) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_reload_conf()")

    # A server tells the sessions that are there before it takes a new one: once a new one has the value, all have.
    def is_set() -> bool:
        with administrator(server) as connection:
            return connection.execute("SHOW default_transaction_read_only").fetchone() == (value,)

    wait_until(is_set)
