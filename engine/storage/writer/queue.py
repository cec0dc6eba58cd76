"""Queues what waits to be written, in the order it came, within a number of entries and a size."""

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from engine.model.keyframe import EvidenceKeyframe
from engine.storage.db.store import VisitRecord, Write

_VERDICT_BYTES = 5_000
"""Approximate memory of a verdict with its figures."""
_WRITE_BYTES = 2_000
_NEEDED_FACTOR = 2
"""Entries that must not be lost may take this many times the room before they are refused."""


@dataclass(slots=True, eq=False)
class WriteEntry:
    """One thing to write: a record, the keyframe to store with it, further writes, and a future for the commit.

    `dropped`: the queue has dropped it to make room.
    """

    record: VisitRecord | None
    evidence: EvidenceKeyframe | None = None
    writes: tuple[Write, ...] = ()
    done: "Future[VisitRecord | None] | None" = None
    dropped: bool = field(default=False, init=False)

    @property
    def droppable(self) -> bool:
        """Only a verdict: nobody waits for it and nothing depends on it, so it may be dropped to make room."""
        return not self.writes and self.done is None

    @property
    def bytes(self) -> int:
        """Approximate memory it takes, without the keyframe, which is stored in its file at the first attempt."""
        size = _WRITE_BYTES * len(self.writes)
        if self.record is not None:
            size += _VERDICT_BYTES + len(self.record.judge_state) + len(self.record.measurement)
        return size

    def succeed(self, record: VisitRecord | None) -> None:
        """Complete the future: the entry is committed."""
        if self.done is not None:
            try:
                self.done.set_result(record)
            except InvalidStateError:
                pass  # the waiting caller has cancelled

    def fail(self, error: Exception) -> None:
        """Fail the future: the entry will not be written."""
        if self.done is not None:
            try:
                self.done.set_exception(error)
            except InvalidStateError:
                pass


class WriteQueue:
    """Entries, first in first out. Not thread-safe.

    Beyond `records_max` or `bytes_max` the oldest droppable verdict is dropped, counted as `queue_full`. If there is
    none, entries that others depend on may take as much room again; then a new entry is refused, counted as
    `queue_full_ledger`.
    """

    def __init__(self, records_max: int, bytes_max: int, dropped: Counter[str]) -> None:
        self._records_max, self._bytes_max = records_max, bytes_max
        self._dropped = dropped
        self._entries: deque[WriteEntry] = deque()
        self._droppable: deque[WriteEntry] = deque()
        self._count = self._awaited = 0
        self.bytes = 0

    def __len__(self) -> int:
        """The number of entries."""
        return self._count

    @property
    def has_awaited(self) -> bool:
        """Whether somebody waits for a commit."""
        return self._awaited > 0

    def resize(self, records_max: int, bytes_max: int) -> None:
        """Set new bounds for entries from now on."""
        self._records_max, self._bytes_max = records_max, bytes_max

    def add(self, entry: WriteEntry) -> WriteEntry | None:
        """Add an entry, unless it is refused; return the refused entry, or None."""
        size = entry.bytes
        while self._too_much(size, 1):
            dropped_entry = self._pop_oldest_droppable()
            if dropped_entry is not None:
                self._count_out(dropped_entry)
                dropped_entry.dropped = True
                self._dropped["queue_full"] += 1
            elif entry.droppable:
                self._dropped["queue_full"] += 1
                return entry
            elif self._too_much(size, _NEEDED_FACTOR):
                self._dropped["queue_full_ledger"] += 1
                return entry
            else:
                break
        self._entries.append(entry)
        if entry.droppable:
            self._droppable.append(entry)
        self._count_in(entry)
        return None

    def pop(self, limit: int) -> list[WriteEntry]:
        """Remove and return the first entries, at most `limit`."""
        taken: list[WriteEntry] = []
        while self._entries and len(taken) < limit:
            entry = self._entries.popleft()
            if entry.dropped:
                continue
            self._count_out(entry)
            if entry.droppable and self._droppable and self._droppable[0] is entry:
                self._droppable.popleft()
            taken.append(entry)
        return taken

    def requeue(self, entries: Sequence[WriteEntry]) -> None:
        """Put entries back to the front: they were not written."""
        self._entries.extendleft(reversed(entries))
        self._droppable.extendleft(entry for entry in reversed(entries) if entry.droppable)
        for entry in entries:
            self._count_in(entry)

    def _too_much(self, size: int, share: int) -> bool:
        return self._count >= share * self._records_max or (
            self.bytes + size > share * self._bytes_max and self._count > 0
        )

    def _pop_oldest_droppable(self) -> WriteEntry | None:
        return self._droppable.popleft() if self._droppable else None

    def _count_in(self, entry: WriteEntry) -> None:
        self._count += 1
        self._awaited += entry.done is not None
        self.bytes += entry.bytes

    def _count_out(self, entry: WriteEntry) -> None:
        self._count -= 1
        self._awaited -= entry.done is not None
        self.bytes -= entry.bytes
