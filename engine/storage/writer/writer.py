"""Writes off the hot path: one thread, one transaction a batch, keyframes beside it; tends the log when it is idle."""

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
from engine.errors import StoreError
from engine.model.keyframe import EvidenceKeyframe
from engine.storage.db.database import AwayError
from engine.storage.db.store import Store, VisitRecord, Write
from engine.storage.db.writer_lock import TakenError
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.queue import Entry, WriteQueue

_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0
_TEND_REST_S = 0.05
"""A writer that has been idle for so long does a step of the log's upkeep, while there is more to do."""
_TEND_BUSY_S = 0.5
"""One that is never idle does one all the same, this often."""
_TEND_AGAIN_S = 10.0
"""How long after there was nothing more to do it looks again."""
_REFUSED = (IntegrityError, ProgrammingError, DataError)
"""What the database says of an entry rather than of itself."""
_AWAY = (AwayError, DBAPIError, PoolTimeoutError, TakenError, OSError)
"""What it says when it cannot be written to at all, for now."""


class Writer:
    """Takes records, and writes them all in the order they came; hands them to `on_written`, each with its `seq`, once
    they are committed, in the writer's thread; none where other things alone were written.

    While the store refuses, they wait; what becomes of them when they are too many, WriteQueue says, and `dropped`
    counts. An entry that alone makes a transaction fail is dropped too, as `refused`. `on_batch` hears the seconds a
    batch took. Evidence is written before the verdict that refers to it; what cannot be is counted and gone: the
    verdict matters more. `tend` does a small step of upkeep and says whether there is more to do.
    """

    def __init__(
        self,
        store: Store,
        evidence: EvidenceStore,
        settings: RecordSettings,
        on_error: Callable[[str], None] = lambda _: None,
        on_batch: Callable[[float], None] = lambda _: None,
        tend: Callable[[RecordSettings], bool] = lambda _: False,
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._settings = settings
        self._on_error = on_error
        self._on_batch = on_batch
        self._tend = tend
        self.dropped: Counter[str] = Counter()
        self._queue = WriteQueue(settings.queue_records_max, settings.queue_bytes_max, self.dropped)
        self._news = threading.Condition()
        self._unsure: tuple[list[Entry], str] | None = None
        self._closing = False
        self._busy = False
        self._hurry = 0
        self.written_total = 0
        self._told_written = 0
        self._told_dropped: Counter[str] = Counter()
        self._on_written: Callable[[Sequence[VisitRecord]], None] = lambda _: None
        self._thread: threading.Thread | None = None

    def start(self, on_written: Callable[[Sequence[VisitRecord]], None]) -> None:
        """Start the thread. `on_written` is called in it with each batch of records that is committed."""
        self._on_written = on_written
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, record: VisitRecord, evidence: EvidenceKeyframe | None, also: Sequence[Write] = ()) -> None:
        """Take a record, the keyframe to keep with it, and what is to be written with it. Never blocks for long."""
        self._put(Entry(record, evidence, tuple(also)))

    def transact(self, *also: Write, record: VisitRecord | None = None) -> "Future[VisitRecord | None]":
        """Write, and say when it is committed: the future's result is the record with its `seq`, if there was one.

        Before it is done nothing may be answered that rests on it. StoreError comes out of it where the queue is full
        or the database refuses what is to be written; what a `Write` raises comes out as it is, and is not tried again.
        """
        done: Future[VisitRecord | None] = Future()
        self._put(Entry(record, None, also, done))
        return done

    def configure(self, settings: RecordSettings) -> None:
        """New sizes of batches and queue, from the next batch on."""
        with self._news:
            self._settings = settings
            self._queue.resize(settings.queue_records_max, settings.queue_bytes_max)

    def take_counts(self) -> tuple[int, dict[str, int]]:
        """Records written, and not written by reason, since the last call."""
        with self._news:
            written, dropped = self.written_total - self._told_written, self.dropped - self._told_dropped
            self._told_written, self._told_dropped = self.written_total, Counter(self.dropped)
            return written, dict(dropped)

    @property
    def waiting(self) -> tuple[int, int]:
        """Entries that wait, and their bytes."""
        with self._news:
            return len(self._queue), self._queue.bytes

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False if it is not in time."""
        with self._news:
            self._hurry += 1
            self._news.notify_all()
            done = self._news.wait_for(lambda: not self._queue and not self._busy, timeout_s)
            self._hurry -= 1
            return done

    def close(self) -> None:
        """End the thread; what still waits is lost (flush first), and whoever waits for it is told."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=_RETRY_MAX_S)
        with self._news:
            left = self._queue.take(len(self._queue))
            left += self._unsure[0] if self._unsure is not None else []
        for entry in left:
            entry.fail(StoreError("the engine stops before it is sure that this was written; ask again"))

    def _put(self, entry: Entry) -> None:
        with self._news:
            refused = self._queue.put(entry)
            # Whoever waits for the commit is not made to wait for company.
            urgent = entry.done is not None or len(self._queue) >= self._settings.batch_rows_max
            if urgent or len(self._queue) == 1:
                self._news.notify_all()
        if refused is not None:
            refused.fail(StoreError("the database is away and too much waits for it already; ask again later"))

    def _run(self) -> None:
        retry_s, tended_s, more = _RETRY_FIRST_S, time.monotonic(), True
        while True:
            batch = self._take(_TEND_REST_S if more else _TEND_AGAIN_S) if self._settle() else None
            if batch is None or not (batch == [] or self._write(batch)):
                with self._news:
                    if self._news.wait_for(lambda: self._closing, retry_s):
                        return
                retry_s = min(_RETRY_MAX_S, 2 * retry_s)
                continue
            retry_s = _RETRY_FIRST_S
            if not batch or time.monotonic() - tended_s > (_TEND_BUSY_S if more else _TEND_AGAIN_S):
                more, tended_s = self._upkeep(), time.monotonic()

    def _settle(self) -> bool:
        """A commit that failed may stand all the same, if only its answer was lost. False: that cannot be known yet."""
        if self._unsure is None:
            return True
        batch, batch_id = self._unsure
        try:
            records = [entry.record for entry in batch if entry.record is not None]
            stored = self._store.committed(batch_id, records)
        except _AWAY as error:
            self._away(error, len(batch))
            return False
        self._unsure = None
        if stored is None:
            with self._news:
                self._queue.put_back(batch)
        else:
            self._tell(batch, stored)
        return True

    def _take(self, idle_s: float) -> list[Entry] | None:
        """The next batch: full, in a hurry, or `batch_wait_s` after its first entry; empty after `idle_s` without one;
        None at the end."""
        limit = self._settings.batch_rows_max
        with self._news:
            self._busy = False
            self._news.notify_all()
            if not self._news.wait_for(lambda: self._queue or self._closing, idle_s):
                return []
            self._news.wait_for(
                lambda: self._closing or self._hurry or self._queue.urgent or len(self._queue) >= limit,
                self._settings.batch_wait_s,
            )
            if self._closing:
                return None
            self._busy = True
            return self._queue.take(limit)

    def _write(self, batch: list[Entry]) -> bool:
        """False if the database is away: what became of the batch is in `_unsure` then, or it is back in the queue."""
        self._keep_evidence(batch)
        records = [entry.record for entry in batch if entry.record is not None]
        batch_id = uuid.uuid4().hex
        began_s = time.monotonic()
        try:
            stored = self._store.write(records, [write for entry in batch for write in entry.also], batch_id)
        except _REFUSED as error:
            return self._write_apart(batch, error)
        except _AWAY as error:
            self._unsure = batch, batch_id
            self._away(error, len(batch))
            return False
        except Exception as error:  # noqa: BLE001 (what one entry does must not end the writer)
            return self._write_apart(batch, error)
        self._on_batch(time.monotonic() - began_s)
        self._tell(batch, stored)
        return True

    def _write_apart(self, batch: list[Entry], error: Exception) -> bool:
        """One of the batch is at fault: in halves, until it is alone; then it goes."""
        if len(batch) > 1:
            half = len(batch) // 2
            for part, rest in ((batch[:half], batch[half:]), (batch[half:], [])):
                if not self._write(part):
                    with self._news:
                        self._queue.put_back(rest)
                    return False
            return True
        self._on_error("refused")
        structlog.get_logger().error("not stored, and not tried again", detail=_brief(error))
        with self._news:
            self.dropped["refused"] += 1
        batch[0].fail(StoreError(f"the database refuses it: {_brief(error)}") if isinstance(error, _REFUSED) else error)
        return True

    def _tell(self, batch: list[Entry], stored: list[VisitRecord]) -> None:
        """It is committed, whatever becomes of those who hear of it."""
        with self._news:
            self.written_total += len(stored)
        seqs = iter(stored)
        for entry in batch:
            entry.succeed(None if entry.record is None else next(seqs))
        try:
            self._on_written(stored)
        except Exception as error:  # noqa: BLE001 (to write them again would be worse)
            self._on_error("watchers")
            structlog.get_logger().error("verdicts stored, and not told of", detail=_brief(error))

    def _away(self, error: Exception, rows: int) -> None:
        self._on_error("store")
        structlog.get_logger().error("verdicts not stored, trying again", rows=rows, detail=_brief(error))

    def _keep_evidence(self, batch: list[Entry]) -> None:
        """Before the rows that point to it; and once, however often these are tried."""
        for entry in batch:
            evidence, entry.evidence = entry.evidence, None
            if evidence is None or entry.record is None:
                continue
            keyframe = evidence.keyframe
            verdict = entry.record.verdict
            try:
                if entry.record.exhibit:
                    entry.record = replace(
                        entry.record, evidence=self._evidence.exhibit(keyframe, verdict, evidence.sha256)
                    )
                self._evidence.put(keyframe, verdict)
            except (OSError, StoreError) as error:
                self._not_kept(keyframe.camera_id, error)
        try:
            self._evidence.settle()
        except OSError as error:
            self._not_kept("", error)

    def _not_kept(self, camera_id: str, error: Exception) -> None:
        with self._news:
            self.dropped["evidence"] += 1
        self._on_error("evidence")
        structlog.get_logger().error("keyframe not kept", camera_id=camera_id, detail=str(error))

    def _upkeep(self) -> bool:
        try:
            return self._tend(self._settings)
        except Exception as error:  # noqa: BLE001 (old rows can wait; the verdicts that come now cannot)
            self._on_error("upkeep")
            structlog.get_logger().error("old verdicts not tended, trying again later", detail=_brief(error))
            return False


def _brief(error: Exception) -> str:
    """Without the rows that SQLAlchemy quotes: they are long, and may hold what is nobody's business."""
    return str(getattr(error, "orig", error)).strip()
