"""A pool of threads for visits through FFmpeg. The pool enforces deadlines: FFmpeg's own time-outs come late or never.

A visit whose deadline has passed ends once, with a failure; its thread is given up and another takes its place. If the
thread returns after all, its result is discarded and it exits.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import structlog

from engine.clock import monotonic_ns, ns, seconds
from engine.config.feed import FeedSettings
from engine.feed.broken_visit import broken_visit
from engine.feed.demuxing.visit import demux_visit
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.failure import visit_failure
from engine.feed.own_limits import DescriptorBudget, own_limit_detail
from engine.feed.sources.progress import Progress, SourceError
from engine.model.dialogue import TraceLine
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder

VisitOutcome = Keyframe | VisitFailure

_HEAVY_BYTES_MIN = 1 << 20
_DESCRIPTORS_PER_VISIT = 6
"""An RTMP visit has the camera's connection, and a relay: its listener, both ends of its connection, its selector."""
_GRACE_NS = 200_000_000
"""FFmpeg's own time-out may be about to return with a better reason."""


class _Flight:
    """A visit in flight. The thread that visits and the pool's tick both want to end it; the first to claim does."""

    def __init__(self, order: VisitOrder, settings: FeedSettings, trace: DialogueTrace | None = None) -> None:
        self.order = order
        self.progress = Progress(order.deadline_ns, settings.visit_bytes_max, trace)
        self.trace = trace
        self.thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended = False

    def claim(self) -> bool:
        """Return True to the first caller only: it may end the visit."""
        with self._lock:
            first = not self._ended
            self._ended = True
            return first


class DemuxPool:
    """Visits cameras in threads. `on_end`: called once for each order, from any thread. `on_dialogue`: called before it
    with id and dialogue of a visit whose order says `trace`. Call `tick` often."""

    def __init__(
        self,
        settings: FeedSettings,
        on_end: Callable[[VisitOutcome], None],
        on_dialogue: Callable[[int, Sequence[TraceLine]], None] = lambda _visit, _lines: None,
    ) -> None:
        self._settings = settings
        self._on_end = on_end
        self._on_dialogue = on_dialogue
        self._orders: SimpleQueue[_Flight | None] = SimpleQueue()
        self._flights: set[_Flight] = set()
        self._stuck: set[_Flight] = set()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._usable_threads = 0
        self._relieved = False
        self._descriptors = DescriptorBudget()
        self.stuck_total = 0

    def configure(self, settings: FeedSettings) -> None:
        """Replace the settings; visits in flight keep theirs."""
        self._settings = settings

    @property
    def capacity(self) -> int:
        """Visits that may be in flight: a thread each, and no more than there are descriptors for."""
        return min(self._settings.demux_threads, self._descriptors.visits_max(_DESCRIPTORS_PER_VISIT))

    @property
    def in_flight(self) -> int:
        """Visits that have not ended."""
        return len(self._flights)

    @property
    def stuck(self) -> int:
        """Threads given up that have not returned."""
        return len(self._stuck)

    @property
    def exhausted(self) -> bool:
        """Whether the process should be replaced: so many threads are stuck, or so much memory is used."""
        return self._relieved or self.stuck >= self._settings.demux_stuck_max

    def submit(self, order: VisitOrder) -> bool:
        """Begin a visit. Returns False if `capacity` visits are in flight, or no other thread can be started."""
        trace = DialogueTrace(order.url, monotonic_ns()) if order.trace else None
        flight = _Flight(order, self._settings, trace)
        with self._lock:
            if len(self._flights) >= self.capacity or not self._has_thread_for(len(self._flights) + 1):
                return False
            self._flights.add(flight)
        self._orders.put(flight)
        return True

    def _has_thread_for(self, visits: int) -> bool:
        """Start another thread if so many visits need one. Returns False if the system gives none."""
        if self._usable_threads >= visits:
            return True
        thread = threading.Thread(target=self._work, name=f"demux-{self._usable_threads + 1}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._usable_threads += 1
        self._threads.add(thread)
        return True

    def tick(self, now_ns: int) -> None:
        """End visits whose deadline has passed."""
        with self._lock:
            late = [flight for flight in self._flights if now_ns > flight.progress.deadline_ns + _GRACE_NS]
        for flight in late:
            if flight.claim():
                with self._lock:
                    self._flights.discard(flight)
                    self._stuck.add(flight)
                    self._usable_threads -= 1
                    self.stuck_total += 1
                order = flight.order
                structlog.get_logger().warning(
                    "demuxing thread is stuck", camera_id=order.camera_id, region=order.region, visit_id=order.visit_id
                )
                self._end(flight, _deadline_failure(flight))
                flight.progress.stop(flight.progress.late())  # a thread that waits for a camera returns

    def retire(self) -> None:
        """Take no more orders; the visits in flight go on. The process is to be replaced."""
        self._relieved = True

    def relieve(self) -> None:
        """End the visit for which most bytes are held: the process is near its memory ceiling, and is to be replaced.

        The other visits go on. A second call does nothing.
        """
        if self._relieved:
            return
        self._relieved = True
        with self._lock:
            flights = list(self._flights)
        heaviest = max(flights, key=lambda flight: flight.progress.held_bytes, default=None)
        if heaviest is None or heaviest.progress.held_bytes < _HEAVY_BYTES_MIN:
            return  # none is to blame: what is used is left over from earlier visits
        held = heaviest.progress.held_bytes
        detail = f"{held >> 20} MiB came that are not one whole packet, and the demuxer is near feed.demuxer_memory_max"
        heaviest.progress.stop(SourceError(FailureReason.FLOOD, detail))

    def close(self, timeout_s: float) -> None:
        """Stop the threads, waiting up to `timeout_s` for visits in flight. Stuck threads die with the process."""
        give_up_ns = monotonic_ns() + ns(timeout_s)
        with self._lock:
            threads = self._threads - {flight.thread for flight in self._stuck}
        for _ in threads:
            self._orders.put(None)
        for thread in threads:
            thread.join(max(0.0, seconds(give_up_ns - monotonic_ns())))

    def _work(self) -> None:
        try:
            while (flight := self._orders.get()) is not None:
                flight.thread = threading.current_thread()
                end = self._visit(flight)
                if not flight.claim():
                    with self._lock:
                        self._stuck.discard(flight)
                    return  # given up; another thread has taken the place
                with self._lock:
                    self._flights.discard(flight)
                self._end(flight, end)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _end(self, flight: _Flight, end: VisitOutcome) -> None:
        if flight.trace is not None:
            self._on_dialogue(flight.order.visit_id, flight.trace.lines(monotonic_ns()))
        self._on_end(end)

    def _visit(self, flight: _Flight) -> VisitOutcome:
        return _end_of(flight, self._settings)


def fetch_now(
    url: str, settings: FeedSettings, deadline_ns: int | None = None, trace: DialogueTrace | None = None
) -> VisitOutcome:
    """Visit `url` once and wait for the end, at most until the deadline; None is that of `settings`.

    `trace`: records the dialogue. For `patrol check`.
    """
    order = VisitOrder(0, "", url, deadline_ns or ns(settings.deadline_s), FeedKind.DEMUX)
    flight = _Flight(order, settings, trace)
    ends: SimpleQueue[VisitOutcome] = SimpleQueue()

    def work() -> None:
        end = _end_of(flight, settings)
        if flight.claim():
            ends.put(end)

    threading.Thread(target=work, daemon=True).start()
    try:
        return ends.get(timeout=seconds(order.deadline_ns + _GRACE_NS))
    except Empty:
        return _deadline_failure(flight) if flight.claim() else ends.get()


def _end_of(flight: _Flight, settings: FeedSettings) -> VisitOutcome:
    """Make the visit, and return its end even if our own code breaks on what the camera sent."""
    order, progress = flight.order, flight.progress
    try:
        return demux_visit(order, settings, progress)
    except MemoryError as error:
        return visit_failure(order, FailureReason.EXHAUSTED, own_limit_detail(error), progress.timings(whole=False))
    except Exception as error:  # noqa: BLE001 (an order must end)
        return broken_visit(order, error, progress.timings(whole=False))


def _deadline_failure(flight: _Flight) -> VisitFailure:
    progress, order = flight.progress, flight.order
    late = progress.late()
    reason, detail = late.reason, late.detail
    if progress.damaged:
        after = f"within {seconds(order.deadline_ns):g} s"
        reason, detail = FailureReason.DAMAGED, f"{progress.damaged} keyframes came {after}, none of them whole"
    return visit_failure(order, reason, detail, progress.timings(whole=False))
