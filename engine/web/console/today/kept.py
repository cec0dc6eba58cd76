"""Keeps what is expensive to ask the engine for, for a few seconds, so that many who open a page cost one call."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any

FRESH_S = 4.0
FRESH_S_MAX = 30.0
_COST_SHARE_MAX = 1 / 40
"""A value is shown without asking again for FRESH_S, but so long that asking takes at most this share of the time, if
that is not more than FRESH_S_MAX: counts of a hundred thousand cameras must not slow the patrol."""
STALE_S = 60.0
"""So long an older value is shown while a new one is asked for."""
_ENTRIES_MAX = 512


@dataclass
class _Entry:
    value: Any = None
    made_s: float = float("-inf")
    fresh_s: float = FRESH_S
    task: "asyncio.Task[Any] | None" = None


class Kept:
    """Values by key. A key names all that decides what the engine answers: the caller's region, and the request."""

    def __init__(self, clock_s: Callable[[], float] = monotonic) -> None:
        self._clock_s = clock_s
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    async def value(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """Return a value that is at most STALE_S old. What `make` began goes on if the caller stops waiting for it.

        Raises what `make` raises, if there is no value to show instead.
        """
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > _ENTRIES_MAX:
            self._entries.popitem(last=False)
        age_s = self._clock_s() - entry.made_s
        if age_s <= entry.fresh_s:
            return entry.value
        if entry.task is None or entry.task.done():
            entry.task = asyncio.ensure_future(self._make(entry, make))
            entry.task.add_done_callback(_read_error)
        if age_s <= STALE_S:
            return entry.value
        return await asyncio.shield(entry.task)

    async def _make(self, entry: _Entry, make: Callable[[], Awaitable[Any]]) -> Any:
        began_s = self._clock_s()
        value = await make()
        entry.value, entry.made_s = value, self._clock_s()
        entry.fresh_s = min(FRESH_S_MAX, max(FRESH_S, (entry.made_s - began_s) / _COST_SHARE_MAX))
        return value


def _read_error(task: "asyncio.Task[Any]") -> None:
    """Read the error of a call that nobody waited for, so asyncio does not report it. The next caller asks anew."""
    if not task.cancelled():
        task.exception()
