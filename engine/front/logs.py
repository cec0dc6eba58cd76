"""The logs of all shards as one: watchers resume from any place in it, on any front."""

import asyncio
from collections.abc import Sequence

from engine.hub.registry import Registry
from engine.hub.verdict_log import located
from engine.model.findings import LoggedEvent
from engine.model.verdict import PublishedVerdict
from engine.storage.db.ledger.findings import FindingStore
from engine.storage.db.shards.leases import Leases
from engine.storage.db.verdict_history import VerdictHistory


class FinalVerdicts:
    """Implements engine.serve.streams.broadcast.EventLog: the verdicts behind which none is committed any more."""

    def __init__(self, history: VerdictHistory, leases: Leases, registry: Registry) -> None:
        self._history = history
        self._leases = leases
        self._registry = registry

    async def span(self) -> tuple[int, int]:
        """Return (floor, head): verdicts with floor < seq <= head are kept and final."""
        return await asyncio.to_thread(lambda: (max(0, self._history.oldest_seq() - 1), self._leases.final_below() - 1))

    async def after(self, seq: int, limit: int) -> Sequence[PublishedVerdict]:
        """Return the first final verdicts with a greater seq, at most `limit`."""
        return await asyncio.to_thread(self._after, seq, limit)

    def _after(self, seq: int, limit: int) -> list[PublishedVerdict]:
        final = self._leases.final_below()  # first: what is read afterwards is complete below it
        rows = self._history.after(seq, limit)
        return [located(row.seq, row.verdict, row.changed, self._registry) for row in rows if row.seq < final]


class FinalFindingEvents:
    """The same of the ledger's events."""

    def __init__(self, record: FindingStore, leases: Leases) -> None:
        self._record = record
        self._leases = leases

    async def span(self) -> tuple[int, int]:
        """Return (floor, head). No event is ever deleted."""
        return 0, await asyncio.to_thread(self._leases.final_below) - 1

    async def after(self, seq: int, limit: int) -> Sequence[LoggedEvent]:
        """Return the first final events with a greater seq, at most `limit`."""
        return await asyncio.to_thread(self._after, seq, limit)

    def _after(self, seq: int, limit: int) -> list[LoggedEvent]:
        final = self._leases.final_below()
        return [event for event in self._record.events_after(seq, limit) if event.seq < final]
