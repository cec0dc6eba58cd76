"""Starts the visits of cameras that are due: ready queues, gates of recorders and platforms, caps, rates. Pure.

A ready camera waits in the queue of its class. The classes share contested slots by weight; in a class the earliest
deadline goes first: with equal shares, cameras of a county that has many would starve under overload. A camera whose
recorder or platform is busy is parked there, so that one with a thousand cameras costs nothing to pass over;
a visit that ends makes the next camera of its gates ready. Counties share recorders and platforms (county_queue.py).
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.classes import CLASSES, weights
from engine.scheduler.events import Action, OutageBegan, OutageEnded, StartVisit
from engine.scheduler.gates import Hosts, Rate, Uplinks
from engine.scheduler.heap import SlotHeap
from engine.scheduler.periods.timing import Timing
from engine.scheduler.statistics import Statistics
from engine.scheduler.streams import Streams
from engine.scheduler.table import FAILING, PROBING, URGENT, CameraState, Table

WAIT_REASONS = ("", "overload", "uplink_cap", "host_cap", "host_rate")
"""What a camera last waited for, by the number in the table; its missed periods are counted under it."""
_OVERLOAD, _UPLINK_CAP, _HOST_CAP, _HOST_RATE = range(1, len(WAIT_REASONS))
_HELD_MS_MAX = 300_000
"""No order lasts longer."""
_URGENT_QUEUE = len(CLASSES)
_CLASS_QUEUES = range(len(CLASSES))
_READY, _UPLINK, _HOST, _FLIGHT, _IDLE = (
    int(CameraState.READY),
    int(CameraState.UPLINK),
    int(CameraState.HOST),
    int(CameraState.FLIGHT),
    int(CameraState.IDLE),
)


class Dispatch:
    """Owns the cameras in READY, UPLINK, HOST and FLIGHT.

    `on_outage_wait(slot, now_ns, actions)`: called with a ready camera whose platform is in an outage; must move it
    elsewhere. `on_outage_ended(host_index, now_ns)`: called when a platform answers again.
    """

    def __init__(
        self,
        table: Table,
        settings: SchedulerSettings,
        timing: Timing,
        statistics: Statistics,
        first_visit_id: int,
        on_outage_wait: Callable[[int, int, list[Action]], None],
        on_outage_ended: Callable[[int, int], None],
    ) -> None:
        self._table = table
        self._timing = timing
        self._statistics = statistics
        self.streams = Streams(table, settings)
        self._on_outage_wait = on_outage_wait
        self._on_outage_ended = on_outage_ended
        self.uplinks = Uplinks(table)
        self.hosts = Hosts(table, settings)
        self.ready = [self._ready_heap(queue) for queue in range(len(CLASSES) + 1)]
        self.flights: dict[int, int] = {}
        """Slots by visit id."""
        self.expiry: list[tuple[int, int]] = []
        """A heap of deadline and visit id; after a change of settings a later order may expire sooner."""
        self.capacity: int | None = None
        self._next_visit_id = max(1, first_visit_id)
        self._earlier_settings: list[tuple[int, SchedulerSettings]] = []
        self._host_wakeups: list[tuple[int, int]] = []
        self._passes = [0.0] * len(CLASSES)  # stride scheduling: each class's virtual time
        self._virtual_time = 0.0
        self._next_slot = -1
        self._arrival_ns = 0
        self._rate_blocked_until_ns: int | None = None
        self._apply_settings(settings)

    def configure(self, settings: SchedulerSettings, now_ns: int) -> None:
        """Apply new caps, rates and weights; every camera that waits for a gate is made ready to try again."""
        self._earlier_settings = [*self._earlier_in_force(), (self._next_visit_id, self._settings)]
        self._apply_settings(settings)
        self._arrival_ns = self._rate.capped(self._arrival_ns, now_ns)
        self.streams.configure(settings)
        self._host_wakeups.clear()
        self.hosts.configure(settings, now_ns)
        for index, _ in list(self.uplinks.parked()):
            while (slot := self.uplinks.unpark(index)) >= 0:
                self.make_ready(slot)
        for index in range(len(self.hosts.by_index)):
            while (slot := self.hosts.unpark(index)) >= 0:
                self.make_ready(slot)

    def limit_hosts(self, limits: Mapping[str, int], now_ns: int) -> None:
        """Apply limits of platforms; where one was raised, the first camera that waits is made ready, and as each
        starts the next."""
        for index in self.hosts.limit(limits):
            self._unpark_at_host(index, now_ns)

    @property
    def visits_allowed(self) -> int:
        """The most visits that may be in flight now."""
        cap = self._settings.visits_max
        return cap if self.capacity is None else min(cap, self.capacity)

    @property
    def next_visit_id(self) -> int:
        """The id of the next visit."""
        return self._next_visit_id

    def skip_visit_ids(self, last: int) -> None:
        """Give only ids above this one from now on: cameras came that were visited under it elsewhere."""
        self._next_visit_id = max(self._next_visit_id, last + 1)

    @property
    def is_rate_blocked(self) -> bool:
        """Whether cameras wait for the rate of new visits."""
        return self._rate_blocked_until_ns is not None

    @property
    def settings_in_force(self) -> list[SchedulerSettings]:
        """The settings under which visits in flight began: a lowered cap binds once the earlier visits have ended."""
        return [self._settings, *(settings for _, settings in self._earlier_in_force())]

    def next_wakeup_ns(self) -> int | None:
        """Return when a waiting camera may start, or an order expires, without another event; None if never."""
        wakeup_ns = self._rate_blocked_until_ns
        if self.expiry and (wakeup_ns is None or self.expiry[0][0] < wakeup_ns):
            wakeup_ns = self.expiry[0][0]
        if self._host_wakeups and (wakeup_ns is None or self._host_wakeups[0][0] < wakeup_ns):
            wakeup_ns = self._host_wakeups[0][0]
        return wakeup_ns

    def make_ready(self, slot: int) -> None:
        """Queue a camera for a slot."""
        table = self._table
        queue = _URGENT_QUEUE if table.flags[slot] & URGENT else self._timing.class_of(slot)
        table.state[slot] = _READY
        table.queue[slot] = queue
        self.ready[queue].push(slot)

    def withdraw(self, slot: int, now_ns: int) -> None:
        """Stop a camera's wait and make it idle; the next camera behind it at the same gate may move up."""
        table = self._table
        state = table.state[slot]
        table.state[slot] = _IDLE
        if state in (_READY, _HOST):
            self._unpark_at_uplink(table.uplink[slot])
        if state == _READY:
            self._unpark_at_host(table.host[slot], now_ns)

    def wake_hosts(self, now_ns: int) -> None:
        """Make a camera ready at each platform whose rate allows the next connection by now."""
        while self._host_wakeups and self._host_wakeups[0][0] <= now_ns:
            index = heappop(self._host_wakeups)[1]
            self.hosts.by_index[index].wake_ns = 0
            self._unpark_at_host(index, now_ns)

    def expired_visit(self, now_ns: int) -> int:
        """Return the id of the visit whose order expired first, 0 if there is none; the caller must end it."""
        while self.expiry:
            at_ns, visit_id = self.expiry[0]
            if visit_id in self.flights:
                return visit_id if at_ns <= now_ns else 0
            heappop(self.expiry)
        return 0

    def start_immediately(self, slot: int, now_ns: int, actions: list[Action]) -> bool:
        """Start the visit of a camera that is due, if no camera is ready and no gate, cap or rate holds it; True if
        started. This is the usual case, and it saves the way through a heap.
        """
        for heap in self.ready:
            if heap.entries:
                return False
        table = self._table
        uplink, index = table.uplink[slot], table.host[slot]
        if uplink >= 0 and self.uplinks.in_flight[uplink] >= self._settings.visits_per_uplink_max:
            return False
        if index >= 0:
            host = self.hosts.by_index[index]
            if host.in_outage or host.in_flight >= host.cap or self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
                return False
        if len(self.flights) >= self.visits_allowed or self._rate.next_ns(self._arrival_ns) > now_ns:
            return False
        self._charge(self._timing.class_of(slot))
        self._start_visit(slot, now_ns, actions)
        return True

    def start_ready(self, now_ns: int, actions: list[Action]) -> bool:
        """Start visits of ready cameras while cap and rate allow. True if cameras wait for nothing but a slot."""
        self._rate_blocked_until_ns = None
        table, allowed = self._table, self.visits_allowed
        while (queue := self._next_queue()) >= 0:
            slot = self._next_slot
            if self._hold_at_gate(slot, now_ns, actions):
                continue
            if len(self.flights) >= allowed:
                table.wait_reason[slot] = _OVERLOAD
                return True
            next_start_ns = self._rate.next_ns(self._arrival_ns)
            if next_start_ns > now_ns:
                table.wait_reason[slot] = _OVERLOAD
                self._rate_blocked_until_ns = next_start_ns
                return True
            self.ready[queue].pop()
            if queue != _URGENT_QUEUE:
                self._charge(queue)
            self._start_visit(slot, now_ns, actions)
        return False

    def end_visit(self, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]) -> None:
        """Free what a visit held and make its camera idle; the caller decides what becomes of the camera."""
        table = self._table
        uplink, index = table.flight_uplink[slot], table.flight_host[slot]
        table.flight_uplink[slot] = table.flight_host[slot] = -1
        table.visit_id[slot] = 0
        table.state[slot] = _IDLE
        if failure not in NOT_JUDGED:
            table.held_ms[slot] = min(_HELD_MS_MAX, max(1, (now_ns - table.last_visit[slot]) // 1_000_000))
        if index >= 0:
            self._record_host_outcome(index, slot, failure, now_ns, actions)
            self.hosts.by_index[index].in_flight -= 1
            self._unpark_at_host(index, now_ns)
            self.hosts.release(index)
        if uplink >= 0:
            self.uplinks.in_flight[uplink] -= 1
            self._unpark_at_uplink(uplink)
            self.uplinks.release(uplink)
        table.flags[slot] &= ~PROBING

    def _earlier_in_force(self) -> list[tuple[int, SchedulerSettings]]:
        """Return earlier settings that visits in flight began under, each with the first visit id after them."""
        oldest = next(iter(self.flights), self._next_visit_id)
        return [earlier for earlier in self._earlier_settings if earlier[0] > oldest]

    def _ready_heap(self, queue: int) -> SlotHeap:
        queues = self._table.queue
        return SlotHeap(self._table.state, self._table.deadline, CameraState.READY, lambda slot: queues[slot] == queue)

    def _unpark_at_uplink(self, index: int) -> None:
        """Make the next camera that waits for a recorder ready, if the recorder has room."""
        if index >= 0 and self.uplinks.in_flight[index] < self._settings.visits_per_uplink_max:
            slot = self.uplinks.unpark(index)
            if slot >= 0:
                self.make_ready(slot)

    def _unpark_at_host(self, index: int, now_ns: int) -> None:
        """Make the next camera that waits for a platform ready, if the platform has room; if only its rate is spent,
        wake it when the rate allows.
        """
        if index < 0:
            return
        host = self.hosts.by_index[index]
        if host.parked is None or host.in_flight >= host.cap:
            return
        if self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
            self._schedule_wakeup(index)
        elif (slot := self.hosts.unpark(index)) >= 0:
            self.make_ready(slot)

    def _schedule_wakeup(self, index: int) -> None:
        host = self.hosts.by_index[index]
        if not host.wake_ns:
            host.wake_ns = self.hosts.rate.next_ns(host.arrival_ns)
            heappush(self._host_wakeups, (host.wake_ns, index))

    def _next_queue(self) -> int:
        """Return the queue to serve next: the urgent one, else the class that has had least of its share (stride
        scheduling); -1 if no camera is ready. Its head becomes `_next_slot`.
        """
        ready = self.ready
        if ready[_URGENT_QUEUE].entries and (slot := ready[_URGENT_QUEUE].head()) >= 0:
            self._next_slot = slot
            return _URGENT_QUEUE
        best, least = -1, 0.0
        for queue in _CLASS_QUEUES:
            if not ready[queue].entries or (slot := ready[queue].head()) < 0:
                continue
            # An idle class saves nothing up: it would shut the others out when it comes back.
            pass_ = max(self._virtual_time, self._passes[queue])
            if best < 0 or pass_ < least:
                best, least = queue, pass_
                self._next_slot = slot
        return best

    def _charge(self, queue: int) -> None:
        """Charge a class for a slot."""
        self._virtual_time = max(self._virtual_time, self._passes[queue])
        self._passes[queue] = self._virtual_time + self._strides[queue]

    def _hold_at_gate(self, slot: int, now_ns: int, actions: list[Action]) -> bool:
        """Take a camera out of the ready queue if its recorder or platform holds it back; True if so."""
        table = self._table
        uplink = table.uplink[slot]
        if uplink >= 0 and self.uplinks.in_flight[uplink] >= self._settings.visits_per_uplink_max:
            table.state[slot] = _UPLINK
            table.wait_reason[slot] = _UPLINK_CAP
            self.uplinks.park(slot)
            self._unpark_at_host(table.host[slot], now_ns)
            return True
        index = table.host[slot]
        if index < 0:
            return False
        host = self.hosts.by_index[index]
        if host.in_outage and not table.flags[slot] & URGENT and (host.probes_in_flight or now_ns < host.next_probe_ns):
            self._on_outage_wait(slot, now_ns, actions)
            return True
        wait_reason = 0
        if host.in_flight >= host.cap:
            wait_reason = _HOST_CAP
        elif self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
            wait_reason = _HOST_RATE
            self._schedule_wakeup(index)
        if not wait_reason:
            return False
        table.state[slot] = _HOST
        table.wait_reason[slot] = wait_reason
        self.hosts.park(slot)
        self._unpark_at_uplink(uplink)
        return True

    def _start_visit(self, slot: int, now_ns: int, actions: list[Action]) -> None:
        table = self._table
        visit_id = self._next_visit_id
        self._next_visit_id += 1
        uplink, index = table.uplink[slot], table.host[slot]
        table.flight_uplink[slot], table.flight_host[slot] = uplink, index
        if uplink >= 0:
            self.uplinks.in_flight[uplink] += 1
            self.uplinks.served[uplink] = table.county[slot]
            self.uplinks.retain(uplink)
        flags = table.flags[slot]
        if index >= 0:
            host = self.hosts.by_index[index]
            host.in_flight += 1
            host.served = table.county[slot]
            host.arrival_ns = self.hosts.rate.updated(host.arrival_ns, now_ns)
            self.hosts.retain(index)
            if host.in_outage:
                host.probes_in_flight += 1
                flags |= PROBING
            self._unpark_at_host(index, now_ns)
        camera_class = self._timing.class_of(slot)
        lag_ns = now_ns - table.release[slot]
        self._timing.record_start(slot, camera_class, lag_ns, WAIT_REASONS[table.wait_reason[slot]], now_ns)
        stream = self.streams.choose(slot, flags) if table.stream[slot] else CameraStream.MAIN
        table.flags[slot] = flags & ~URGENT
        table.state[slot] = _FLIGHT
        table.queue[slot] = camera_class
        table.visits[slot] += 1
        table.visit_id[slot] = visit_id
        table.last_visit[slot] = now_ns
        self.flights[visit_id] = slot
        self._arrival_ns = self._rate.updated(self._arrival_ns, now_ns)
        deadline_ns = now_ns + self._order_timeout_ns
        heappush(self.expiry, (deadline_ns, visit_id))
        self._statistics.started += 1
        self._statistics.starts.add(now_ns)
        actions.append(StartVisit(visit_id, table.ids[slot], deadline_ns, CLASSES[camera_class], lag_ns, stream))

    def _record_host_outcome(
        self, index: int, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]
    ) -> None:
        """Record what a visit's end proves about its platform; an outage may begin or end."""
        host, flags = self.hosts.by_index[index], self._table.flags[slot]
        if flags & PROBING:
            host.probes_in_flight -= 1
        if failure is None:
            if self.hosts.record_answer(index, now_ns):
                actions.append(OutageEnded(host.name))
                self._on_outage_ended(index, now_ns)
        elif failure in NOT_JUDGED:
            pass  # our own fault, not the platform's
        elif host.in_outage:
            if flags & PROBING:  # a visit that was under way when the outage began proves nothing new
                self.hosts.record_failed_probe(index, slot, bool(flags & FAILING), now_ns)
        elif failure == FailureReason.INTERNAL or flags & FAILING or self.streams.is_on_sub(slot):
            # Our own fault again; or a camera that failed before: many dead ones are no outage; or a sub-stream, after
            # which the main stream is tried.
            pass
        elif self.hosts.record_failure(index, slot, now_ns):
            actions.append(OutageBegan(host.name, host.references - host.in_flight))

    def _apply_settings(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._rate = Rate(settings.starts_per_s_max)
        self._order_timeout_ns = ns(settings.order_timeout_s)
        self._strides = [1.0 / weight for weight in weights(settings)]
