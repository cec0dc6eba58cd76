"""What was committed, for those who watch: the log of verdicts, each with the place of its camera."""

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
        """(floor, head): verdicts with floor < seq <= head are kept."""
        return await asyncio.to_thread(self._span)

    async def after(self, seq: int, limit: int) -> Sequence[PublishedVerdict]:
        """The first verdicts with a greater seq, at most `limit`."""
        rows = await asyncio.to_thread(self._history.after, seq, limit)
        return [self._placed(one.seq, one.verdict, one.changed) for one in rows]

    def stored(self, records: Sequence[VisitRecord]) -> list[PublishedVerdict]:
        """Records that were just committed, as news; in the writer's thread."""
        return [self._placed(one.seq, one.verdict, one.changed) for one in records]

    def _span(self) -> tuple[int, int]:
        oldest = self._history.oldest_seq()
        return max(0, oldest - 1), self._history.last_seq()

    def _placed(self, seq: int, verdict: Verdict, changed: bool) -> PublishedVerdict:
        # A single look in a dictionary that only the hub's thread changes.
        camera = self._registry.cameras.get(verdict.camera_id)
        if camera is None:
            return PublishedVerdict(seq, verdict, changed)
        return PublishedVerdict(seq, verdict, changed, camera.region, camera.site_id)
