"""Writes verdicts until it is killed, and prints what the writer reported as committed.

    python -m tests.support.storage_crash URL FOLDER FIRST_VISIT

Prints `SEQ VISIT` for each record and `note VISIT` for each transaction that was answered.
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from engine.clock import wall_ns
from engine.config.schema import RecordSettings
from engine.model.verdict import State, Verdict
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer


def main(url: str, folder: str, first_visit: int) -> None:
    store = Store.open(url)
    store.acquire_writer_lock()
    lock = threading.Lock()

    def say(lines: str) -> None:
        with lock:
            sys.stdout.write(lines)
            sys.stdout.flush()

    def said(visit: int, done: "Future[None]") -> None:
        say(f"note {visit}\n")

    writer = Writer(
        store, EvidenceStore(Path(folder), 10**6), RecordSettings(batch_rows_max=50, batch_wait_s=0.01),
        maintain=lambda record: store.maintenance.step(record, wall_ns(), UTC),
    )  # fmt: skip
    writer.start(lambda records: say("".join(f"{record.seq} {record.verdict.visit_id}\n" for record in records)))
    for visit in itertools.count(first_visit):
        verdict = Verdict(f"c{visit % 100}", visit, wall_ns(), State.OK, figures={"visit": float(visit)})
        writer.submit(VisitRecord(verdict, bytes(500)), None)
        if visit % 40 == 0:
            done = writer.transact(note(visit))
            done.add_done_callback(partial(said, visit))
        time.sleep(0.0003)


def note(visit: int) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO patrol_about VALUES (:key, 'note')"), {"key": f"note {visit}"})

    return write


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
