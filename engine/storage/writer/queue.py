"""What waits to be written, in the order it came, within a number and a size."""

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from engine.model.keyframe import Keyframe
from engine.storage.db.store import VisitRecord, Write

_VERDICT_BYTES = 5_000
"""What a verdict with its figures takes in memory, about."""
_WRITE_BYTES = 2_000
_NEEDED_FACTOR = 2
"""What must not be lost may take this many times the room before it is refused."""


@dataclass(slots=True, eq=False)
class WriteEntry:
    """One thing to write: a record, writes beside it, and whoever waits for the commit."""

    record: VisitRecord | None
    keyframe: Keyframe | None = None
    writes: tuple[Write, ...] = ()
    done: "Future[VisitRecord | None] | None" = None
    dropped: bool = field(default=False, init=False)

    @property
    def droppable(self) -> bool:
        """A verdict that nothing hangs on: if one must go, it is such a one."""
        return not self.writes and self.done is None

    @property
    def bytes(self) -> int:
        """Memory it takes, about; the keyframe is another matter, it goes to its file at the first try."""
        size = _WRITE_BYTES * len(self.writes)
        if self.record is not None:
            size += _VERDICT_BYTES + len(self.record.judge_state) + len(self.record.measurement)
        return size

    def succeed(self, record: VisitRecord | None) -> None:
        """It is committed."""
        if self.done is not None:
            try:
                self.done.set_result(record)
            except InvalidStateError:
                pass  # whoever waited has cancelled

    def fail(self, error: Exception) -> None:
        """It will not be written."""
        if self.done is not None:
            try:
                self.done.set_exception(error)
            except InvalidStateError:
                pass


class WriteQueue:
    """Entries, first in first out. Not for several threads.

    Beyond `records_max` or `bytes_max` the oldest verdict that nothing hangs on goes, counted as `queue_full`; where
    there is none, entries that others rest on may take as much room again, and then the one that comes is refused,
    counted as `queue_full_ledger`.
    """

    def __init__(self, records_max: int, bytes_max: int, dropped: Counter[str]) -> None:
        self._records_max, self._bytes_max = records_max, bytes_max
        self._dropped = dropped
        self._entries: deque[WriteEntry] = deque()
        self._droppable: deque[WriteEntry] = deque()
        self._count = self._awaited = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Entries that wait."""
        return self._count

    @property
    def has_awaited(self) -> bool:
        """Somebody waits for a commit."""
        return self._awaited > 0

    def resize(self, records_max: int, bytes_max: int) -> None:
        """New bounds, for what comes from now on."""
        self._records_max, self._bytes_max = records_max, bytes_max

    def add(self, entry: WriteEntry) -> WriteEntry | None:
        """Take an entry. Returns the one that is refused, if any: it is not in the queue."""
        size = entry.bytes
        while self._too_much(size, 1):
            victim = self._oldest_droppable()
            if victim is not None:
                self._count_out(victim)
                victim.dropped = True
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
        """The first entries."""
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
        """They were not written, and stay the first."""
        self._entries.extendleft(reversed(entries))
        self._droppable.extendleft(entry for entry in reversed(entries) if entry.droppable)
        for entry in entries:
            self._count_in(entry)

    def _too_much(self, size: int, share: int) -> bool:
        return self._count >= share * self._records_max or (
            self.bytes + size > share * self._bytes_max and self._count > 0
        )

    def _oldest_droppable(self) -> WriteEntry | None:
        return self._droppable.popleft() if self._droppable else None

    def _count_in(self, entry: WriteEntry) -> None:
        self._count += 1
        self._awaited += entry.done is not None
        self.bytes += entry.bytes

    def _count_out(self, entry: WriteEntry) -> None:
        self._count -= 1
        self._awaited -= entry.done is not None
        self.bytes -= entry.bytes
