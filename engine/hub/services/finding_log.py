"""The ledger's events as they are committed: watchers read them, listeners are called with them."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from engine.model.findings import LoggedEvent
from engine.runtime.log import report
from engine.runtime.log_events import FINDING_STEP
from engine.storage.db.ledger.findings import FindingStore

_EVENTS_MAX = 500
"""Events handed to a listener at once."""

Listener = Callable[[Sequence[LoggedEvent]], None]


class FindingLog:
    """The log of events; watchers resume from any place in it."""

    def __init__(self, record: FindingStore) -> None:
        self._record = record

    async def span(self) -> tuple[int, int]:
        """Return (floor, head): events with floor < seq <= head are kept. None is ever deleted."""
        return 0, await asyncio.to_thread(self._record.last_seq)

    async def after(self, seq: int, limit: int) -> tuple[LoggedEvent, ...]:
        """Return the first events with a greater seq, at most `limit`."""
        return await asyncio.to_thread(self._record.events_after, seq, limit)


class CommitFlag:
    """Says that ledger events were written in a transaction. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._raised = False

    def set(self) -> None:
        """Events were written."""
        with self._lock:
            self._raised = True

    def clear(self) -> bool:
        """Lower the flag; returns whether it was raised."""
        with self._lock:
            raised, self._raised = self._raised, False
            return raised


def log_steps(events: Sequence[LoggedEvent]) -> None:
    """Log committed events, a line each."""
    for logged in events:
        event, subject = logged.event, logged.finding.subject
        report(
            FINDING_STEP,
            finding=event.finding_id,
            number=event.number,
            step=event.step,
            state=logged.finding.state,
            camera_id=subject.camera_id,
            region=subject.region,
            who=event.who,
        )


class FindingPublisher:
    """Calls `listeners` with committed events, in the order of commits. For the writer's thread."""

    def __init__(self, record: FindingStore, written: CommitFlag, listeners: Sequence[Listener]) -> None:
        self._record = record
        self._written = written
        self._listeners = tuple(listeners)
        self._published_seq = record.last_seq()

    def publish(self) -> None:
        """Publish what was committed since the last call.

        If a listener raises, its events come again at the next call, to every listener.
        """
        if not self._written.clear():
            return
        try:
            while events := self._record.events_after(self._published_seq, _EVENTS_MAX):
                for listener in self._listeners:
                    listener(events)
                self._published_seq = events[-1].seq
        except BaseException:
            self._written.set()
            raise
