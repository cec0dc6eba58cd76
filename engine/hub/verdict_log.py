"""Reads the log of committed verdicts for watchers, each with the region and site of its camera."""

import asyncio
from collections.abc import Sequence

from engine.hub.registry import Registry
from engine.model.verdict import PublishedVerdict, Verdict
from engine.storage.db.store import VisitRecord
from engine.storage.db.verdict_history import VerdictHistory


class VerdictLog:
    """Implements engine.serve.streams.broadcast.EventLog over the database."""

    def __init__(self, history: VerdictHistory, registry: Registry) -> None:
        self._history = history
        self._registry = registry

    async def span(self) -> tuple[int, int]:
        """Return (floor, head): verdicts with floor < seq <= head are kept."""
        return await asyncio.to_thread(self._span)

    async def after(self, seq: int, limit: int) -> Sequence[PublishedVerdict]:
        """Return the first verdicts with a greater seq, at most `limit`."""
        rows = await asyncio.to_thread(self._history.after, seq, limit)
        return [located(row.seq, row.verdict, row.changed, self._registry) for row in rows]

    def published(self, records: Sequence[VisitRecord]) -> list[PublishedVerdict]:
        """Return records that were just committed as watchers see them. For the writer's thread."""
        return [located(record.seq, record.verdict, record.changed, self._registry) for record in records]

    def _span(self) -> tuple[int, int]:
        oldest = self._history.oldest_seq()
        return max(0, oldest - 1), self._history.last_seq()


def located(seq: int, verdict: Verdict, changed: bool, registry: Registry) -> PublishedVerdict:
    """Return a verdict with the place of its camera, if that is still known. Any thread."""
    # One lookup in a dictionary that another thread changes needs no lock.
    camera = registry.cameras.get(verdict.camera_id)
    if camera is None:
        return PublishedVerdict(seq, verdict, changed)
    return PublishedVerdict(seq, verdict, changed, camera.region, camera.site_id)
