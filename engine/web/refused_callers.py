"""Tells the engine whom the gateway refuses by itself, for the audit log: TLS handshakes that fail, and scrapes.

A flood of them is a few messages a second to the engine.
"""

import asyncio
from collections import Counter

from engine.metrics.web import WebMetrics
from engine.web.channel import EngineChannel

_EACH_S = 1.0
_KINDS_MAX = 16
"""Reasons and addresses told of in a second; the others of that second are summed by reason."""


class RefusedCallers:
    """For the event loop of the gateway."""

    def __init__(self, engine: EngineChannel, metrics: WebMetrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._numbers: Counter[tuple[str, str]] = Counter()

    def handshake(self, host: str) -> None:
        """Count a TLS handshake that a caller at this address got wrong."""
        self._metrics.handshake_failed()
        self._add("handshake", host)

    def scrape(self, reason: str, host: str) -> None:
        """Count a request for the metrics without their password; `reason`: password_missing or password_wrong."""
        self._add(reason, host)

    def _add(self, reason: str, host: str) -> None:
        known = (reason, host) in self._numbers or len(self._numbers) < _KINDS_MAX
        self._numbers[reason, host if known else ""] += 1

    async def keep_telling(self) -> None:
        """Tell the engine once a second, until cancelled. What it does not hear is in the metrics all the same."""
        while True:
            await asyncio.sleep(_EACH_S)
            numbers, self._numbers = self._numbers, Counter()
            for (reason, host), number in numbers.items():
                await self._engine.tell_refused(reason, host, number)
