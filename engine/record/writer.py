"""Writes off the hot path: one thread that batches verdicts into the store and keyframes into the evidence."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.record.evidence import Evidence
from engine.record.store import Store, VisitRecord
from engine.types import Keyframe, State

QUEUE_RECORDS_MAX = 10_000
_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0


class Writer:
    """Takes records, newest per camera; hands them to `on_written` once they are stored, in the writer's thread.

    While the store refuses, records wait, the newest of each camera; beyond QUEUE_RECORDS_MAX cameras the oldest goes
    and is counted in `dropped`. `on_batch` hears the seconds a batch took. Evidence is written before
    the verdict that refers to it; what cannot be is counted and gone: the verdict matters more.
    """

    def __init__(
        self,
        store: Store,
        evidence: Evidence,
        settings: RecordSettings,
        on_written: Callable[[Sequence[VisitRecord]], None],
        on_error: Callable[[str], None] = lambda _: None,
        on_batch: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._settings = settings
        self._on_written = on_written
        self._on_error = on_error
        self._on_batch = on_batch
        self._waiting: OrderedDict[str, tuple[VisitRecord, Keyframe | None]] = OrderedDict()
        self._news = threading.Condition()
        self._closing = False
        self._busy = False
        self._hurry = False
        self.written_total = 0
        self.dropped: Counter[str] = Counter()
        self._told_written = 0
        self._told_dropped: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, record: VisitRecord, keyframe: Keyframe | None) -> None:
        """Take a record, and the keyframe to keep with it. Never blocks for long."""
        camera_id = record.verdict.camera_id
        with self._news:
            older = self._waiting.pop(camera_id, None)
            if older is not None:
                self.dropped["superseded"] += 1
                if older[0].changed and not record.changed:
                    # Watchers must still hear that the state changed.
                    record = replace(record, changed=True)
                if older[0].exhibit and keyframe is not None and record.verdict.announced == State.FAULT:
                    record = replace(record, exhibit=True)
            elif len(self._waiting) >= QUEUE_RECORDS_MAX:
                self._waiting.popitem(last=False)
                self.dropped["queue_full"] += 1
            self._waiting[camera_id] = (record, keyframe)
            if len(self._waiting) == 1 or len(self._waiting) >= self._settings.batch_rows_max:
                self._news.notify_all()

    def configure(self, settings: RecordSettings) -> None:
        """New batch sizes, from the next batch on."""
        self._settings = settings

    def take_counts(self) -> tuple[int, dict[str, int]]:
        """Records written, and not written by reason, since the last call."""
        with self._news:
            written, dropped = self.written_total - self._told_written, self.dropped - self._told_dropped
            self._told_written, self._told_dropped = self.written_total, Counter(self.dropped)
            return written, dict(dropped)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False if it is not in time."""
        with self._news:
            self._hurry = True
            self._news.notify_all()
            done = self._news.wait_for(lambda: not self._waiting and not self._busy, timeout_s)
            self._hurry = False
            return done

    def close(self) -> None:
        """End the thread; what still waits is lost (flush first)."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._thread.join(timeout=_RETRY_MAX_S)

    def _run(self) -> None:
        retry_s = _RETRY_FIRST_S
        while (batch := self._take()) is not None:
            if self._write(batch):
                retry_s = _RETRY_FIRST_S
                continue
            self._put_back(batch)
            with self._news:
                self._news.wait_for(lambda: self._closing, retry_s)
            retry_s = min(_RETRY_MAX_S, 2 * retry_s)

    def _take(self) -> list[tuple[VisitRecord, Keyframe | None]] | None:
        """The next batch: full, or `batch_wait_s` after its first record; None at the end."""
        limit = self._settings.batch_rows_max
        with self._news:
            self._busy = False
            self._news.notify_all()
            self._news.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            self._news.wait_for(
                lambda: self._closing or self._hurry or len(self._waiting) >= limit, self._settings.batch_wait_s
            )
            self._busy = True
            return [self._waiting.popitem(last=False)[1] for _ in range(min(limit, len(self._waiting)))]

    def _write(self, batch: list[tuple[VisitRecord, Keyframe | None]]) -> bool:
        batch[:] = self._keep_evidence(batch)
        records = [record for record, _ in batch]
        began = time.monotonic()
        try:
            self._store.write(records)
        except Exception as error:  # noqa: BLE001 (whatever the database says, the patrol goes on and tries again)
            self._on_error("store")
            structlog.get_logger().error("verdicts not stored, trying again", rows=len(records), detail=str(error))
            return False
        self.written_total += len(records)
        self._on_batch(time.monotonic() - began)
        self._on_written(records)
        return True

    def _keep_evidence(
        self, batch: list[tuple[VisitRecord, Keyframe | None]]
    ) -> list[tuple[VisitRecord, Keyframe | None]]:
        """The records, with digests where evidence was kept; keyframes are done with, also if the store refuses."""
        kept: list[tuple[VisitRecord, Keyframe | None]] = []
        for record, keyframe in batch:
            if keyframe is not None:
                try:
                    if record.exhibit:
                        record = replace(record, evidence=self._evidence.exhibit(keyframe, record.verdict))
                    self._evidence.put(keyframe, record.verdict)
                except (OSError, StoreError) as error:
                    self._not_kept(keyframe.camera_id, error)
            kept.append((record, None))
        try:
            self._evidence.settle()
        except OSError as error:
            self._not_kept("", error)
        return kept

    def _not_kept(self, camera_id: str, error: Exception) -> None:
        self.dropped["evidence"] += 1
        self._on_error("evidence")
        structlog.get_logger().error("keyframe not kept", camera_id=camera_id, detail=str(error))

    def _put_back(self, batch: list[tuple[VisitRecord, Keyframe | None]]) -> None:
        with self._news:
            for record, keyframe in reversed(batch):
                camera_id = record.verdict.camera_id
                if camera_id not in self._waiting:
                    self._waiting[camera_id] = (record, keyframe)
                    self._waiting.move_to_end(camera_id, last=False)
                else:
                    self.dropped["superseded"] += 1
