"""What waits to be written, in the order it came, within a number and a size."""

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from engine.model.keyframe import EvidenceKeyframe
from engine.storage.db.store import VisitRecord, Write

_VERDICT_BYTES = 5_000
"""What a verdict with its figures takes in memory, about."""
_WRITE_BYTES = 2_000
_VALUABLE_SHARE = 2
"""What must not be lost may take this many times the room before it is refused."""


@dataclass(slots=True, eq=False)
class Entry:
    """One thing to write: a record, writes beside it, and whoever waits for the commit."""

    record: VisitRecord | None
    evidence: EvidenceKeyframe | None = None
    also: tuple[Write, ...] = ()
    done: "Future[VisitRecord | None] | None" = None
    gone: bool = field(default=False, init=False)

    @property
    def plain(self) -> bool:
        """A verdict that nothing hangs on: if one must go, it is such a one."""
        return not self.also and self.done is None

    @property
    def bytes(self) -> int:
        """Memory it takes, about; the keyframe is another matter, it goes to its file at the first try."""
        size = _WRITE_BYTES * len(self.also)
        if self.record is not None:
            size += _VERDICT_BYTES + len(self.record.history) + len(self.record.measurement)
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
        self._entries: deque[Entry] = deque()
        self._plain: deque[Entry] = deque()
        self._count = self._urgent = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Entries that wait."""
        return self._count

    @property
    def urgent(self) -> bool:
        """Somebody waits for a commit."""
        return self._urgent > 0

    def resize(self, records_max: int, bytes_max: int) -> None:
        """New bounds, for what comes from now on."""
        self._records_max, self._bytes_max = records_max, bytes_max

    def put(self, entry: Entry) -> Entry | None:
        """Take an entry. Returns the one that is refused, if any: it is not in the queue."""
        size = entry.bytes
        while self._too_much(size, 1):
            victim = self._oldest_plain()
            if victim is not None:
                self._leave(victim)
                victim.gone = True
                self._dropped["queue_full"] += 1
            elif entry.plain:
                self._dropped["queue_full"] += 1
                return entry
            elif self._too_much(size, _VALUABLE_SHARE):
                self._dropped["queue_full_ledger"] += 1
                return entry
            else:
                break
        self._entries.append(entry)
        if entry.plain:
            self._plain.append(entry)
        self._enter(entry)
        return None

    def take(self, limit: int) -> list[Entry]:
        """The first entries."""
        taken: list[Entry] = []
        while self._entries and len(taken) < limit:
            entry = self._entries.popleft()
            if entry.gone:
                continue
            self._leave(entry)
            if entry.plain and self._plain and self._plain[0] is entry:
                self._plain.popleft()
            taken.append(entry)
        return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
        """They were not written, and stay the first."""
        self._entries.extendleft(reversed(entries))
        self._plain.extendleft(entry for entry in reversed(entries) if entry.plain)
        for entry in entries:
            self._enter(entry)

    def _too_much(self, size: int, share: int) -> bool:
        return self._count >= share * self._records_max or (
            self.bytes + size > share * self._bytes_max and self._count > 0
        )

    def _oldest_plain(self) -> Entry | None:
        return self._plain.popleft() if self._plain else None

    def _enter(self, entry: Entry) -> None:
        self._count += 1
        self._urgent += entry.done is not None
        self.bytes += entry.bytes

    def _leave(self, entry: Entry) -> None:
        self._count -= 1
        self._urgent -= entry.done is not None
        self.bytes -= entry.bytes
