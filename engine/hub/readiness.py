"""Says whether the hub can do its work: it serves, its thread runs, a worker is ready, the database takes writes."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any

from engine.clock import NS_PER_S, monotonic_ns, seconds

PROBE_NS = 5 * NS_PER_S
"""Time between two writes that try the database."""
_PROBE_NS_MAX = 3 * NS_PER_S
"""A write that takes longer counts as failed, until it is done."""
_STUCK_NS = 5 * NS_PER_S
"""Time without a turn after which the hub's thread counts as stuck; the supervisor replaces the hub a little later."""

_REPLACED_NS = 5 * NS_PER_S
"""Time in which a process is replaced: callers do not hear of one that dies and comes back."""


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
    """`processes`: returns how many workers, feeders and demuxers are ready, and `wanted` how many there should be.
    `disks`: returns what is wrong with the disks, by part. `serving`: set while calls are answered. Any thread may ask.
    """

    def __init__(
        self,
        processes: Callable[[], Mapping[str, int]],
        store: StoreProbe,
        wanted: Collection[str] = ("workers",),
        disks: Callable[[int], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._processes = processes
        self._wanted = wanted
        self._store = store
        self._disks = disks
        self._turn_ns = monotonic_ns()
        self._ready_ns: dict[str, int] = {}
        self.serving = False

    def advance(self, now_ns: int) -> None:
        """Note that the hub's thread runs, and try the database when it is time."""
        self._turn_ns = now_ns
        self._ready_ns |= {kind: now_ns for kind, number in self._processes().items() if number}
        self._store.advance(now_ns)

    def store_writable(self, now_ns: int) -> bool:
        """Return whether the database takes writes."""
        return self._store.writable(now_ns)

    def unready(self) -> list[str]:
        """Return why the engine is not ready, one sentence each; empty if it is."""
        return list(self.problems().values())

    def problems(self) -> dict[str, str]:
        """Return the same by part, one of NOT_READY_PARTS of the metrics."""
        now_ns = monotonic_ns()
        stuck_ns = now_ns - self._turn_ns
        found: dict[str, str] = {}
        if not self.serving:
            found["serving"] = "the hub does not serve: it starts or stops"
        if stuck_ns > _STUCK_NS:
            found["hub_thread"] = f"the hub's thread has not had a turn for {seconds(stuck_ns):.0f} s"
        ready = self._processes()
        for kind in self._wanted:
            if not ready.get(kind, 0) and now_ns - self._ready_ns.get(kind, -_REPLACED_NS) >= _REPLACED_NS:
                found[kind] = f"no {kind.removesuffix('s')} is ready; the log says why they end"
        if not self.store_writable(now_ns):
            found["database_writes"] = "the database does not take writes; the log says why"
        return {**found, **self._disks(now_ns)}
