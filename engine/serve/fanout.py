"""Verdicts to those who watch. Each watcher has a bounded queue; one that reads too slowly is cut, and knows it."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine.errors import PatrolError
from engine.types import Camera, Verdict


class TooSlowError(PatrolError):
    """The watcher did not read as fast as verdicts came."""

    code = "too_slow"


class TooManyWatchersError(PatrolError):
    """No more watchers may watch."""

    code = "too_many_watchers"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which verdicts a watcher wants; empty fields do not filter."""

    region_prefix: str = ""
    site_id: str = ""
    camera_ids: frozenset[str] = frozenset()
    changes_only: bool = False

    def wants(self, camera: Camera, changed: bool) -> bool:
        """Whether a verdict on this camera is for this watcher."""
        return (
            camera.region.startswith(self.region_prefix)
            and (not self.site_id or camera.site_id == self.site_id)
            and (not self.camera_ids or camera.camera_id in self.camera_ids)
            and (changed or not self.changes_only)
        )


class Watcher:
    """One watcher's queue, read in an event loop, filled from any thread."""

    def __init__(self, wanted: Filter, queue_max: int) -> None:
        self._wanted = wanted
        self._queue_max = queue_max
        self._queue: deque[Verdict] = deque()
        self._lock = threading.Lock()
        self._too_slow = self._closed = False
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def offer(self, verdict: Verdict, camera: Camera, changed: bool) -> None:
        """Queue the verdict if it is wanted; from any thread."""
        if not self._wanted.wants(camera, changed):
            return
        with self._lock:
            if len(self._queue) >= self._queue_max:
                self._too_slow = True
            else:
                self._queue.append(verdict)
            first = len(self._queue) == 1 or self._too_slow
        if first:
            self._wake()

    def close(self) -> None:
        """End the stream after what is queued."""
        self._closed = True
        self._wake()

    async def verdicts(self) -> AsyncIterator[Verdict]:
        """Verdicts as they come; raises TooSlowError when some were lost, once the queue has been read."""
        while True:
            with self._lock:
                verdict = self._queue.popleft() if self._queue else None
                if verdict is None:
                    self._news.clear()
            if verdict is not None:
                yield verdict
            elif self._too_slow:
                raise TooSlowError(
                    f"{self._queue_max} verdicts waited and more came; read faster, narrow the filter, or watch again "
                    "with with_current"
                )
            elif self._closed:
                return
            else:
                await self._news.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            pass  # the server's loop is closed, and the watcher with it


class Fanout:
    """All watchers."""

    def __init__(self, queue_max: int, watchers_max: int) -> None:
        self._queue_max = queue_max
        self._watchers_max = watchers_max
        self._watchers: set[Watcher] = set()
        self._lock = threading.Lock()

    def publish(self, verdict: Verdict, camera: Camera, changed: bool) -> None:
        """Offer a verdict to every watcher; from any thread."""
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.offer(verdict, camera, changed)

    def open(self, wanted: Filter) -> Watcher:
        """A new watcher, in the running loop; raises TooManyWatchersError."""
        with self._lock:
            if len(self._watchers) >= self._watchers_max:
                raise TooManyWatchersError(
                    f"{self._watchers_max} callers watch already, which is serve.watchers_max; end one, or raise it"
                )
            watcher = Watcher(wanted, self._queue_max)
            self._watchers.add(watcher)
            return watcher

    def close(self, watcher: Watcher) -> None:
        """The watcher is gone."""
        with self._lock:
            self._watchers.discard(watcher)

    def close_all(self) -> None:
        """End every stream."""
        with self._lock:
            for watcher in self._watchers:
                watcher.close()

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)
