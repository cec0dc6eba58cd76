"""Says whether the hub can do its work: it serves, its thread runs, a worker is ready, the database takes writes."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from engine.clock import NS_PER_S, monotonic_ns, seconds

PROBE_NS = 5 * NS_PER_S
"""Time between two writes that try the database."""
_PROBE_NS_MAX = 3 * NS_PER_S
"""A write that takes longer counts as failed, until it is done."""
_STUCK_NS = 30 * NS_PER_S
"""Time without a turn after which the hub's thread counts as stuck; loading a province's cameras takes seconds."""


class StoreProbe:
    """Tries the database with a small write now and then. `write` queues it; the future says how it ended.

    `advance` is for the hub's thread, `writable` for any.
    """

    def __init__(self, write: Callable[[], "Future[Any]"], now_ns: int) -> None:
        self._write = write
        self._next_ns = now_ns
        self._begun_ns = 0
        self._pending: Future[Any] | None = None
        self._failed = False

    def advance(self, now_ns: int) -> None:
        """Begin a write if it is time for one. While one waits, the next waits too."""
        if self._pending is not None and self._pending.done():
            self._failed, self._pending = self._pending.exception() is not None, None
        if self._pending is None and now_ns >= self._next_ns:
            self._next_ns, self._begun_ns = now_ns + PROBE_NS, now_ns
            self._pending = self._write()

    def writable(self, now_ns: int) -> bool:
        """Return whether the last write ended well, and none has waited for too long."""
        pending = self._pending
        if pending is None:
            return not self._failed
        if pending.done():
            return pending.exception() is None
        return not self._failed and now_ns - self._begun_ns < _PROBE_NS_MAX


class Readiness:
    """`workers`: returns how many are ready. `serving`: set while calls are answered. Any thread may ask."""

    def __init__(self, workers: Callable[[], int], store: StoreProbe) -> None:
        self._workers = workers
        self._store = store
        self._turn_ns = monotonic_ns()
        self.serving = False

    def advance(self, now_ns: int) -> None:
        """Note that the hub's thread runs, and try the database when it is time."""
        self._turn_ns = now_ns
        self._store.advance(now_ns)

    def store_writable(self, now_ns: int) -> bool:
        """Return whether the database takes writes."""
        return self._store.writable(now_ns)

    def unready(self) -> list[str]:
        """Return why the engine is not ready, one sentence each; empty if it is."""
        now_ns = monotonic_ns()
        stuck_ns = now_ns - self._turn_ns
        reasons = (
            (not self.serving, "the hub does not serve: it starts or stops"),
            (stuck_ns > _STUCK_NS, f"the hub's thread has not had a turn for {seconds(stuck_ns):.0f} s"),
            (not self._workers(), "no worker is ready; the log says why they end"),
            (not self.store_writable(now_ns), "the database does not take writes; the log says why"),
        )
        return [reason for applies, reason in reasons if applies]
