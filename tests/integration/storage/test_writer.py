"""The writer on real databases: what it is given is written once and in order, whatever becomes of the database."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.model.camera import Camera
from engine.model.keyframe import Codec, EvidenceKeyframe, Keyframe
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.queue import WriteEntry, WriteQueue
from engine.storage.writer.writer import Writer
from tests.support.expect import present
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    store.acquire_writer_lock()
    yield store
    store.close()


class Heard:
    """A writer with the ears that a hub lends it."""

    def __init__(self, store: Store, folder: Path, **settings: Any) -> None:
        self.seqs: list[int] = []
        self.visits: list[int] = []
        self.errors: Counter[str] = Counter()
        self.evidence = EvidenceStore(folder / "evidence", 10_000_000)
        self.writer = Writer(store, self.evidence, RecordSettings(**settings), lambda part: self.errors.update([part]))
        self.writer.start(self._written)

    def _written(self, records: Sequence[VisitRecord]) -> None:
        self.seqs += [record.seq for record in records]
        self.visits += [record.verdict.visit_id for record in records]


@pytest.fixture
def heard(store: Store, tmp_path: Path) -> Iterator[Heard]:
    heard = Heard(store, tmp_path)
    yield heard
    heard.writer.close()


def record(visit_id: int, camera_id: str = "c") -> VisitRecord:
    return VisitRecord(Verdict(camera_id, visit_id, 1_700_000_000_000_000_000 + visit_id, State.OK), b"h")


def keyframe(camera_id: str) -> Keyframe:
    return Keyframe(camera_id, 1, Codec.H264, bytes(1000), 7, -3, FeedKind.RTSP)


def logged(store: Store) -> list[int]:
    return [row.verdict.visit_id for row in store.history.after(0, 100_000)]


def note(text: str) -> Callable[[sa.Connection], None]:
    """Something to be written: a row of another table."""

    def write(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO patrol_about (key, value) VALUES (:key, 'x')"), {"key": text})

    return write


def longer_than(visits: Sized, number: int) -> bool:
    return len(visits) > number


def notes(url: str) -> set[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = set(connection.scalars(sa.text("SELECT key FROM patrol_about WHERE value = 'x'")))
    engine.dispose()
    return found


def test_every_verdict_is_a_row_and_told_of_with_its_place(store: Store, heard: Heard) -> None:
    for visit in range(1, 1501):
        heard.writer.submit(record(visit, f"c{visit % 7}"), None)
    assert heard.writer.flush(20)
    assert logged(store) == heard.visits == list(range(1, 1501))
    assert heard.seqs == list(range(1, 1501))
    assert heard.writer.drain_counts() == (1500, {})


def test_the_keyframe_of_a_record_is_kept(store: Store, heard: Heard) -> None:
    store.registry.upsert([Camera(f"c{n}", "rtsp://h/1") for n in range(300)])
    for number in range(300):
        heard.writer.submit(record(number, f"c{number}"), EvidenceKeyframe(keyframe(f"c{number}")))
    assert heard.writer.flush(20)
    assert heard.evidence.get("c299") == keyframe("c299")


def test_a_commit_can_be_waited_for(store: Store, heard: Heard, database_url: str) -> None:
    assert heard.writer.transact(note("ledger")).result(10) is None
    assert notes(database_url) == {"ledger"}
    stored = heard.writer.transact(note("with it"), record=record(5)).result(10)
    assert present(stored).seq == 1
    assert logged(store) == [5]


def test_what_hangs_on_a_record_is_written_with_it(store: Store, heard: Heard, database_url: str) -> None:
    heard.writer.submit(record(1), None, [note("first"), note("second")])
    assert heard.writer.flush(10)
    assert logged(store) == [1]
    assert notes(database_url) == {"first", "second"}


def test_what_the_database_refuses_takes_nothing_with_it(store: Store, heard: Heard, database_url: str) -> None:
    heard.writer.transact(note("there")).result(10)
    refused: list[Future[VisitRecord | None]] = []
    for visit in range(1, 101):
        heard.writer.submit(record(visit), None, [note(f"n{visit}")])
        if visit in (30, 70):
            refused.append(heard.writer.transact(note("there")))
    for future in refused:
        with pytest.raises(StoreError, match="refuses"):
            future.result(20)
    assert heard.writer.flush(10)
    assert logged(store) == list(range(1, 101))
    assert notes(database_url) == {"there", *(f"n{visit}" for visit in range(1, 101))}
    assert heard.writer.drain_counts() == (100, {"refused": 2})
    assert heard.errors == {"refused": 2}


def test_an_error_of_a_command_comes_out_of_its_future(heard: Heard) -> None:
    def conflict(_: sa.Connection) -> None:
        raise LookupError("moved on")

    def full(_: sa.Connection) -> None:
        raise StoreError("no room for more")

    with pytest.raises(LookupError, match="moved on"):
        heard.writer.transact(conflict).result(10)
    with pytest.raises(StoreError, match="no room"):
        heard.writer.transact(full).result(10)
    assert present(heard.writer.transact(record=record(1)).result(10)).seq == 1


def test_a_listener_that_fails_does_not_make_it_write_again(store: Store, tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    writer = Writer(store, EvidenceStore(tmp_path / "ev", 10), RecordSettings())
    writer.start(fail)
    for visit in range(1, 4):
        writer.submit(record(visit), None)
        assert writer.flush(10)
    writer.close()
    assert logged(store) == [1, 2, 3]


def test_while_a_sqlite_file_is_locked_everything_waits_in_order(tmp_path: Path) -> None:
    path = tmp_path / "patrol.db"
    store = Store.open(f"sqlite:///{path}")
    heard = Heard(store, tmp_path, batch_wait_s=0.05)
    lock = sqlite3.connect(path, timeout=0, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    for visit in range(1, 601):
        heard.writer.submit(record(visit), None)
    waited = heard.writer.transact(note("command"))
    assert not heard.writer.flush(0.5)
    assert not waited.done()
    lock.execute("COMMIT")
    assert heard.writer.flush(20)
    assert waited.result(1) is None
    assert logged(store) == heard.visits == list(range(1, 601))
    heard.writer.close()
    store.close()
    lock.close()


def test_a_postgresql_server_that_is_killed_loses_and_doubles_nothing(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgres_server.database()
    store = Store.open(url)
    store.acquire_writer_lock()
    heard = Heard(store, tmp_path, batch_rows_max=20, batch_wait_s=0.01)
    visits = iter(range(1, 100_000))
    stop = threading.Event()

    def patrol() -> None:
        while not stop.is_set():
            heard.writer.submit(record(next(visits)), None)
            time.sleep(0.001)

    thread = threading.Thread(target=patrol)
    thread.start()
    for _ in range(3):
        wait_until(partial(longer_than, heard.visits, len(heard.visits) + 40))
        postgres_server.stop("immediate")
        postgres_server.start()
    stop.set()
    thread.join()
    assert heard.writer.flush(30)
    last = next(visits) - 1
    assert logged(store) == heard.visits == list(range(1, last + 1))
    assert heard.seqs == list(range(1, last + 1))
    assert heard.errors["store"] > 0
    heard.writer.close()
    store.close()


def test_who_reads_while_the_database_is_away_is_told_to_ask_again(postgres_server: PostgresServer) -> None:
    store = Store.open(postgres_server.database())
    store.write([record(1)])
    postgres_server.stop("immediate")
    try:
        with pytest.raises(StoreError, match="the database does not answer"):
            store.history.after(0)
    finally:
        postgres_server.start()
    assert [row.verdict.visit_id for row in store.history.after(0)] == [1]
    store.close()


def test_a_commit_whose_answer_was_lost_is_not_written_again(
    store: Store, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.write
    lost: list[list[VisitRecord]] = []

    def write_and_lose(*arguments: Any) -> list[VisitRecord]:
        stored = write(*arguments)
        if not lost:
            lost.append(stored)
            raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("the server is gone"))
        return stored

    monkeypatch.setattr(store, "write", write_and_lose)
    done = heard.writer.transact(note("once"), record=record(1))
    assert present(done.result(10)).seq == 1
    heard.writer.submit(record(2), None)
    assert heard.writer.flush(10)
    assert logged(store) == [1, 2]
    assert (heard.seqs, heard.visits) == ([1, 2], [1, 2])


def test_a_writer_that_stops_tells_those_who_wait(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    heard = Heard(store, tmp_path)
    lock = sqlite3.connect(tmp_path / "patrol.db", timeout=0, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    done = heard.writer.transact(note("late"))
    time.sleep(0.2)  # the writer waits for the lock, which nothing shows
    threading.Thread(target=heard.writer.close).start()
    with pytest.raises(StoreError, match="stops"):
        done.result(20)
    lock.execute("ROLLBACK")
    lock.close()
    store.close()


def test_of_too_many_that_wait_the_oldest_go_but_nothing_that_others_rest_on() -> None:
    dropped: Counter[str] = Counter()
    queue = WriteQueue(10, 10**9, dropped)
    valuable = [WriteEntry(record(n), writes=(note("n"),)) for n in range(5)]
    for entry in valuable:
        assert queue.add(entry) is None
    for visit in range(100, 120):
        assert queue.add(WriteEntry(record(visit))) is None
    assert len(queue) == 10
    assert dropped == {"queue_full": 15}
    assert [present(entry.record).verdict.visit_id for entry in queue.pop(100)] == [0, 1, 2, 3, 4, *range(115, 120)]
    assert (len(queue), queue.bytes, bool(queue)) == (0, 0, False)


def test_what_others_rest_on_is_refused_rather_than_dropped() -> None:
    dropped: Counter[str] = Counter()
    queue = WriteQueue(10, 10**9, dropped)
    entries = [WriteEntry(record(n), done=Future()) for n in range(25)]
    refused = [entry for entry in entries if queue.add(entry) is not None]
    assert refused == entries[20:]
    assert dropped == {"queue_full_ledger": 5}
    assert queue.pop(100) == entries[:20]


def test_the_queue_is_bounded_in_bytes_too() -> None:
    dropped: Counter[str] = Counter()
    queue = WriteQueue(10**6, 100_000, dropped)
    for visit in range(50):
        queue.add(WriteEntry(VisitRecord(Verdict("c", visit, 1, State.OK), bytes(5_000))))
    assert queue.bytes <= 100_000
    assert len(queue) == 10
    assert dropped == {"queue_full": 40}


def test_entries_that_were_put_back_are_the_first_again() -> None:
    queue = WriteQueue(100, 10**9, Counter())
    for visit in range(6):
        queue.add(WriteEntry(record(visit)))
    taken = queue.pop(3)
    queue.requeue(taken)
    assert [present(entry.record).verdict.visit_id for entry in queue.pop(10)] == list(range(6))
