"""Writes verdicts off the hot path: one thread, one transaction per batch; maintains the log when it is idle."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.config.schema import RecordSettings
from engine.errors import ErrorReason, StoreError
from engine.model.keyframe import EvidenceKeyframe
from engine.runtime.log import report
from engine.runtime.log_events import KEYFRAME_NOT_STORED
from engine.storage.database_file import DatabaseReplacedError
from engine.storage.db.database import DatabaseUnavailableError
from engine.storage.db.shards.fence import FencedError
from engine.storage.db.store import Store, VisitRecord, Write
from engine.storage.db.writer_lock import WriterLockedError
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.queue import WriteEntry, WriteQueue

_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0
_IDLE_S = 0.05
"""A writer that has been idle for so long does a step of maintenance, while there is more to do."""
_MAINTENANCE_INTERVAL_S = 0.5
"""A writer that is never idle does a step of maintenance this often."""
_MAINTENANCE_REST_S = 10.0
"""When there was nothing to maintain, it looks again after this time."""
_REFUSED_ERRORS = (IntegrityError, ProgrammingError, DataError)
"""Errors that mean that an entry cannot be written."""
_UNAVAILABLE_ERRORS = (
    DatabaseUnavailableError,
    DatabaseReplacedError,
    DBAPIError,
    PoolTimeoutError,
    WriterLockedError,
    FencedError,
    OSError,
)
"""Errors that mean that this process cannot write to the database for now; no entry is to blame."""


class Writer:
    """Writes records in the order they came, in batches, in a thread of its own.

    The thread runs from `start` on. While the database is unavailable entries wait; WriteQueue says what happens when
    there are too many. `dropped` counts, by reason, what was not written; an entry that alone makes a transaction fail
    is dropped as `refused`. `on_error` is called with the kind of each error, `on_batch` with the seconds a batch took.
    Evidence is stored before the verdict that cites it; evidence that cannot be stored is counted and given up, since
    the verdict matters more. `maintain` does a small step of maintenance and returns whether there is more to do.
    """

    def __init__(
        self,
        store: Store,
        evidence: EvidenceStore,
        settings: RecordSettings,
        on_error: Callable[[str], None] = lambda _: None,
        on_batch: Callable[[float], None] = lambda _: None,
        maintain: Callable[[RecordSettings], bool] = lambda _: False,
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._settings = settings
        self._on_error = on_error
        self._on_batch = on_batch
        self._maintain = maintain
        self.dropped: Counter[str] = Counter()
        self._queue = WriteQueue(settings.queue_records_max, settings.queue_bytes_max, self.dropped)
        self._condition = threading.Condition()
        self._unsure: tuple[list[WriteEntry], str] | None = None
        self._closing = False
        self._busy = False
        self._flushes = 0
        self.written_total = 0
        self._reported_written = 0
        self._reported_dropped: Counter[str] = Counter()
        self._on_written: Callable[[Sequence[VisitRecord]], None] = lambda _: None
        self._thread: threading.Thread | None = None

    def start(self, on_written: Callable[[Sequence[VisitRecord]], None]) -> None:
        """Start the thread. `on_written` is called in it with each committed batch of records with their `seq`, an
        empty one if only other writes were committed."""
        self._on_written = on_written
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, record: VisitRecord, evidence: EvidenceKeyframe | None, writes: Sequence[Write] = ()) -> None:
        """Queue a record, the keyframe to store with it, and what to write with it. Never blocks for long."""
        self._enqueue(WriteEntry(record, evidence, tuple(writes)))

    def transact(self, *writes: Write, record: VisitRecord | None = None) -> "Future[VisitRecord | None]":
        """Queue writes; the future completes when they are committed, with the record and its `seq` if there was one.

        Nothing that depends on the commit may be answered before. The future fails with StoreError if the queue is
        full, the database refuses the writes or the writer is closed, and with what a `Write` raises; it is then not
        repeated.
        """
        done: Future[VisitRecord | None] = Future()
        self._enqueue(WriteEntry(record, None, writes, done))
        return done

    def configure(self, settings: RecordSettings) -> None:
        """Use new sizes of batches and queue, from the next batch on."""
        with self._condition:
            self._settings = settings
            self._queue.resize(settings.queue_records_max, settings.queue_bytes_max)

    def drain_counts(self) -> tuple[int, dict[str, int]]:
        """Return how many records were written, and how many were dropped by reason, since the last call."""
        with self._condition:
            written, dropped = self.written_total - self._reported_written, self.dropped - self._reported_dropped
            self._reported_written, self._reported_dropped = self.written_total, Counter(self.dropped)
            return written, dict(dropped)

    @property
    def waiting(self) -> tuple[int, int]:
        """The number of waiting entries, and their bytes."""
        with self._condition:
            return len(self._queue), self._queue.bytes

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written; return False if that takes longer than `timeout_s`."""
        with self._condition:
            self._flushes += 1
            self._condition.notify_all()
            done = self._condition.wait_for(lambda: not self._queue and not self._busy, timeout_s)
            self._flushes -= 1
            return done

    def close(self) -> None:
        """End the thread. What still waits is lost (call `flush` first), and its futures fail with StoreError."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=_RETRY_MAX_S)
        with self._condition:
            unwritten = self._queue.pop(len(self._queue))
            unwritten += self._unsure[0] if self._unsure is not None else []
        for entry in unwritten:
            entry.fail(
                StoreError(
                    "the engine stops, and does not know whether this was written; ask again",
                    reason=ErrorReason.ENGINE_STOPPING,
                )
            )

    def _enqueue(self, entry: WriteEntry) -> None:
        with self._condition:
            refused = self._queue.add(entry)
            # An awaited commit does not wait until the batch is full.
            urgent = entry.done is not None or len(self._queue) >= self._settings.batch_rows_max
            if urgent or len(self._queue) == 1:
                self._condition.notify_all()
        if refused is not None:
            refused.fail(StoreError("the database is unavailable and the queue for it is full; ask again later"))

    def _run(self) -> None:
        retry_s, maintained_s, more = _RETRY_FIRST_S, time.monotonic(), True
        while True:
            batch = self._next_batch(_IDLE_S if more else _MAINTENANCE_REST_S) if self._resolve_unsure() else None
            if batch is None or not (batch == [] or self._write(batch)):
                with self._condition:
                    if self._condition.wait_for(lambda: self._closing, retry_s):
                        return
                retry_s = min(_RETRY_MAX_S, 2 * retry_s)
                continue
            retry_s = _RETRY_FIRST_S
            if not batch or time.monotonic() - maintained_s > (
                _MAINTENANCE_INTERVAL_S if more else _MAINTENANCE_REST_S
            ):
                more, maintained_s = self._maintain_once(), time.monotonic()

    def _resolve_unsure(self) -> bool:
        """Find out whether a batch whose commit failed is committed after all: its answer may have been lost.

        Returns False if that cannot be known yet.
        """
        if self._unsure is None:
            return True
        batch, batch_id = self._unsure
        try:
            records = [entry.record for entry in batch if entry.record is not None]
            stored = self._store.committed(batch_id, records)
        except _UNAVAILABLE_ERRORS as error:
            self._log_unavailable(error, len(batch))
            return False
        self._unsure = None
        if stored is None:
            with self._condition:
                self._queue.requeue(batch)
        else:
            self._complete(batch, stored)
        return True

    def _next_batch(self, idle_s: float) -> list[WriteEntry] | None:
        """Wait for the next batch and remove it from the queue; None when the writer closes.

        A batch is due when it is full, somebody waits for it, or `batch_wait_s` after its first entry. Empty if no
        entry came within `idle_s`.
        """
        limit = self._settings.batch_rows_max
        with self._condition:
            self._busy = False
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: self._queue or self._closing, idle_s):
                return []
            self._condition.wait_for(
                lambda: self._closing or self._flushes or self._queue.has_awaited or len(self._queue) >= limit,
                self._settings.batch_wait_s,
            )
            if self._closing:
                return None
            self._busy = True
            return self._queue.pop(limit)

    def _write(self, batch: list[WriteEntry]) -> bool:
        """Write a batch. Returns False if the database is unavailable: the batch is then in `_unsure` or the queue."""
        self._store_evidence(batch)
        records = [entry.record for entry in batch if entry.record is not None]
        batch_id = uuid.uuid4().hex
        began_s = time.monotonic()
        try:
            stored = self._store.write(records, [write for entry in batch for write in entry.writes], batch_id)
        except _REFUSED_ERRORS as error:
            return self._write_apart(batch, error)
        except _UNAVAILABLE_ERRORS as error:
            self._unsure = batch, batch_id
            self._log_unavailable(error, len(batch))
            return False
        except Exception as error:  # noqa: BLE001 (a bad entry must not end the writer)
            return self._write_apart(batch, error)
        self._on_batch(time.monotonic() - began_s)
        self._complete(batch, stored)
        return True

    def _write_apart(self, batch: list[WriteEntry], error: Exception) -> bool:
        """Find the entry that makes the batch fail by writing halves, and drop it. Returns False as `_write` does."""
        if len(batch) > 1:
            half = len(batch) // 2
            for part, rest in ((batch[:half], batch[half:]), (batch[half:], [])):
                if not self._write(part):
                    with self._condition:
                        self._queue.requeue(rest)
                    return False
            return True
        self._on_error("refused")
        structlog.get_logger().error("entry not stored, and not retried", detail=_short_message(error))
        with self._condition:
            self.dropped["refused"] += 1
        batch[0].fail(
            StoreError(f"the database refuses it: {_short_message(error)}", reason=ErrorReason.DATABASE_REFUSED)
            if isinstance(error, _REFUSED_ERRORS)
            else error
        )
        return True

    def _complete(self, batch: list[WriteEntry], stored: list[VisitRecord]) -> None:
        """Complete the futures of a committed batch and call `on_written`; an error of that is only logged."""
        with self._condition:
            self.written_total += len(stored)
        records = iter(stored)
        for entry in batch:
            entry.succeed(None if entry.record is None else next(records))
        try:
            self._on_written(stored)
        except Exception as error:  # noqa: BLE001 (writing them again would be worse)
            self._on_error("watchers")
            structlog.get_logger().error("verdicts stored, but watchers not notified", detail=_short_message(error))

    def _log_unavailable(self, error: Exception, rows: int) -> None:
        self._on_error("store")
        structlog.get_logger().error("verdicts not stored, trying again", rows=rows, detail=_short_message(error))

    def _store_evidence(self, batch: list[WriteEntry]) -> None:
        """Store a batch's keyframes before the rows that cite them, and only once however often those are retried."""
        for entry in batch:
            evidence, entry.evidence = entry.evidence, None
            if evidence is None or entry.record is None:
                continue
            keyframe = evidence.keyframe
            verdict = entry.record.verdict
            try:
                if entry.record.exhibit:
                    digests = self._evidence.add_exhibit(keyframe, verdict, evidence.sha256)
                    entry.record = replace(entry.record, evidence=digests)
                self._evidence.store(keyframe, verdict)
            except (OSError, StoreError) as error:
                self._evidence_failed(error, keyframe.camera_id, entry.record.region, verdict.visit_id)
        try:
            self._evidence.sync()
        except OSError as error:
            self._evidence_failed(error)

    def _evidence_failed(self, error: Exception, camera_id: str = "", region: str = "", visit_id: int = 0) -> None:
        """Count a keyframe that could not be kept, and log it; a full disk brings one with every visit."""
        with self._condition:
            self.dropped["evidence"] += 1
        self._on_error("evidence")
        report(KEYFRAME_NOT_STORED, camera_id=camera_id, region=region, visit_id=visit_id, detail=str(error))

    def _maintain_once(self) -> bool:
        try:
            return self._maintain(self._settings)
        except Exception as error:  # noqa: BLE001 (old rows can wait, new verdicts cannot)
            self._on_error("upkeep")
            structlog.get_logger().error(
                "maintenance of old verdicts failed, trying again later", detail=_short_message(error)
            )
            return False


def _short_message(error: Exception) -> str:
    """Return the driver's message, without the rows that SQLAlchemy quotes: they are long, and may be private."""
    return str(getattr(error, "orig", error)).strip()
