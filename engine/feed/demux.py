"""A pool of threads for visits through FFmpeg. Deadlines are kept here: FFmpeg's own are late, or never come.

A visit whose deadline has passed ends then, once; its thread is given up and another takes its place. Should the thread
come back after all, what it brings is thrown away and it goes home.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog

from engine.clock import monotonic_ns
from engine.config.schema import FeedSettings
from engine.feed.demux_visit import Progress, demux_visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder

Ended = Keyframe | VisitFailure

_GRACE_NS = 200_000_000
"""FFmpeg's own time-out may just be coming back with a better reason."""


class _Flight:
    """A visit and its thread's claim to end it."""

    def __init__(self, order: VisitOrder) -> None:
        self.order = order
        self.progress = Progress()
        self.deadline_ns = self.progress.began_ns + order.deadline_ns
        self.stuck = False
        self._lock = threading.Lock()
        self._ended = False

    def claim(self) -> bool:
        """True for the first who asks: it may end the visit."""
        with self._lock:
            first = not self._ended
            self._ended = True
            return first


class DemuxPool:
    """`submit` orders, call `tick` often; `on_end` is called once for each order, from any thread."""

    def __init__(self, settings: FeedSettings, on_end: Callable[[Ended], None]) -> None:
        self._settings = settings
        self._on_end = on_end
        self._orders: SimpleQueue[_Flight | None] = SimpleQueue()
        self._flights: set[_Flight] = set()
        self._stuck: set[_Flight] = set()
        self._lock = threading.Lock()
        self._threads = 0
        self.stuck_total = 0

    def configure(self, settings: FeedSettings) -> None:
        """New settings; visits under way keep theirs."""
        self._settings = settings

    @property
    def capacity(self) -> int:
        """Visits that may be in flight."""
        return self._settings.demux_threads

    @property
    def in_flight(self) -> int:
        """Visits that have not ended."""
        return len(self._flights)

    @property
    def stuck(self) -> int:
        """Threads given up that have not come back."""
        return len(self._stuck)

    @property
    def exhausted(self) -> bool:
        """Whether so many threads are stuck that the process should be replaced."""
        return self.stuck >= self._settings.demux_stuck_max

    def submit(self, order: VisitOrder) -> bool:
        """Begin a visit; False if as many as may be are in flight."""
        flight = _Flight(order)
        with self._lock:
            if len(self._flights) >= self.capacity:
                return False
            self._flights.add(flight)
            if self._threads < len(self._flights):
                self._threads += 1
                threading.Thread(target=self._work, name=f"demux-{self._threads}", daemon=True).start()
        self._orders.put(flight)
        return True

    def tick(self, now_ns: int) -> None:
        """End visits whose deadline has passed."""
        with self._lock:
            late = [flight for flight in self._flights if now_ns > flight.deadline_ns + _GRACE_NS]
        for flight in late:
            if flight.claim():
                with self._lock:
                    self._flights.discard(flight)
                    self._stuck.add(flight)
                    self._threads -= 1
                    self.stuck_total += 1
                    flight.stuck = True
                structlog.get_logger().warning("demuxing thread is stuck", camera_id=flight.order.camera_id)
                self._on_end(_too_late(flight))

    def close(self, timeout_s: float) -> None:
        """Send idle threads home; those that are stuck die with the process."""
        del timeout_s
        with self._lock:
            waiting = self._threads
        for _ in range(waiting):
            self._orders.put(None)

    def _work(self) -> None:
        while (flight := self._orders.get()) is not None:
            try:
                end = demux_visit(flight.order, self._settings, flight.progress)
            except Exception as error:  # noqa: BLE001 (an order must end even where our own code is wrong)
                structlog.get_logger().error("visit broke", camera_id=flight.order.camera_id, exc_info=error)
                end = VisitFailure(
                    flight.order.camera_id,
                    flight.order.visit_id,
                    FailureReason.INTERNAL,
                    f"{type(error).__name__} in the demuxer; see its log",
                )
            if not flight.claim():
                with self._lock:
                    self._stuck.discard(flight)
                return  # given up long ago; another thread has the place
            with self._lock:
                self._flights.discard(flight)
            self._on_end(end)


def fetch_now(url: str, settings: FeedSettings) -> Ended:
    """One visit, waited for, its deadline kept; for `patrol check`."""
    order = VisitOrder(0, "", url, round(settings.deadline_s * 1e9), FeedKind.DEMUX)
    flight = _Flight(order)
    ended: SimpleQueue[Ended] = SimpleQueue()

    def work() -> None:
        end = demux_visit(order, settings, flight.progress)
        if flight.claim():
            ended.put(end)

    threading.Thread(target=work, daemon=True).start()
    while ended.empty():
        wait_s = max(0.0, (flight.deadline_ns + _GRACE_NS - monotonic_ns()) / 1e9)
        try:
            return ended.get(timeout=max(wait_s, 0.001))
        except Exception:  # noqa: BLE001 (queue.Empty: the deadline)
            if flight.claim():
                return _too_late(flight)
    return ended.get()


def _too_late(flight: _Flight) -> VisitFailure:
    progress, order = flight.progress, flight.order
    after = f"within {order.deadline_ns / 1e9:g} s"
    if not progress.opened_ns:
        reason, detail = FailureReason.TIMEOUT_CONNECT, f"the source could not be opened {after}"
    elif progress.damaged:
        reason, detail = FailureReason.DAMAGED, f"{progress.damaged} keyframes came {after}, none of them whole"
    else:
        reason, detail = FailureReason.TIMEOUT_KEYFRAME, f"no keyframe {after}"
    return VisitFailure(order.camera_id, order.visit_id, reason, detail, progress.timings(whole=False))
