"""From wanting a slot to being visited: ready queues, the gates of recorders and platforms, caps, rates. Pure.

A camera that is ready goes to its class's queue. The classes share contested slots by weight; within one the earliest
deadline goes first. Whoever comes up while recorder or platform are busy is parked there, so that a busy recorder with
a thousand cameras costs nothing to pass over; a visit that ends lets the next of its gates go.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.visit import FailureReason
from engine.scheduler.classes import CLASSES, weights
from engine.scheduler.events import Action, OutageBegan, OutageEnded, StartVisit
from engine.scheduler.gates import Hosts, Rate, Uplinks
from engine.scheduler.heap import SlotHeap
from engine.scheduler.statistics import Statistics
from engine.scheduler.table import FAILING, PROBE, URGENT, CameraState, Table
from engine.scheduler.timing import Timing

BLOCKED = ("", "overload", "uplink_cap", "host_cap", "host_rate", "outage")
"""What a camera last waited for; its missed periods are counted under it."""
_OVERLOAD, _UPLINK_CAP, _HOST_CAP, _HOST_RATE, _OUTAGE = range(1, len(BLOCKED))
_URGENT_QUEUE = len(CLASSES)
_QUEUES = range(len(CLASSES))
_READY, _UPLINK, _HOST, _FLIGHT, _IDLE = (
    int(CameraState.READY),
    int(CameraState.UPLINK),
    int(CameraState.HOST),
    int(CameraState.FLIGHT),
    int(CameraState.IDLE),
)


class Dispatch:
    """Places READY, UPLINK, HOST and FLIGHT of the table.

    `presume`: what to do with a camera whose platform is out; `revive`: with those of a platform that is back.
    """

    def __init__(
        self,
        table: Table,
        settings: SchedulerSettings,
        timing: Timing,
        tally: Statistics,
        first_visit_id: int,
        presume: Callable[[int, int, list[Action]], None],
        revive: Callable[[int, int], None],
    ) -> None:
        self._table = table
        self._timing = timing
        self._tally = tally
        self._presume = presume
        self._revive = revive
        self.uplinks = Uplinks(table)
        self.hosts = Hosts(table, settings)
        self.ready = [self._ready_heap(queue) for queue in range(len(CLASSES) + 1)]
        self.flights: dict[int, int] = {}
        self.expiry: list[tuple[int, int]] = []  # a heap: with new settings a later order may expire sooner
        self.capacity: int | None = None
        self._next_visit_id = max(1, first_visit_id)
        self._earlier: list[tuple[int, SchedulerSettings]] = []
        self._wakes: list[tuple[int, int]] = []
        self._passes = [0.0] * len(CLASSES)
        self._pass = 0.0
        self._arrival_ns = 0
        self._blocked_until_ns: int | None = None
        self._take(settings)

    def configure(self, settings: SchedulerSettings, now_ns: int) -> None:
        """New caps, rates and weights; whoever waits for a gate tries again."""
        self._earlier = [*self._still_in_force(), (self._next_visit_id, self._settings)]
        self._take(settings)
        self._arrival_ns = self._rate.settle(self._arrival_ns, now_ns)
        self._wakes.clear()
        self.hosts.configure(settings, now_ns)
        for index, _ in list(self.uplinks.waiting()):
            while (slot := self.uplinks.unpark(index)) >= 0:
                self.make_ready(slot)
        for index in range(len(self.hosts.all)):
            while (slot := self.hosts.unpark(index)) >= 0:
                self.make_ready(slot)

    @property
    def visits_allowed(self) -> int:
        """Visits that may be in flight now."""
        cap = self._settings.visits_max
        return cap if self.capacity is None else min(cap, self.capacity)

    @property
    def next_visit_id(self) -> int:
        """Visits that begin from now on have this id or a later one."""
        return self._next_visit_id

    @property
    def rate_is_spent(self) -> bool:
        """Whether cameras wait for the rate of new visits."""
        return self._blocked_until_ns is not None

    @property
    def settings_in_force(self) -> list[SchedulerSettings]:
        """Those that visits under way were begun under: a lowered cap binds once the earlier ones have ended."""
        return [self._settings, *(one for _, one in self._still_in_force())]

    def next_wakeup_ns(self) -> int | None:
        """When waiting cameras may go, or an order expires, without anything else happening."""
        wakeup_ns = self._blocked_until_ns
        if self.expiry and (wakeup_ns is None or self.expiry[0][0] < wakeup_ns):
            wakeup_ns = self.expiry[0][0]
        if self._wakes and (wakeup_ns is None or self._wakes[0][0] < wakeup_ns):
            wakeup_ns = self._wakes[0][0]
        return wakeup_ns

    def make_ready(self, slot: int) -> None:
        """The camera wants a slot."""
        table = self._table
        queue = _URGENT_QUEUE if table.flags[slot] & URGENT else self._timing.kind(slot)
        table.place[slot] = _READY
        table.queue[slot] = queue
        self.ready[queue].push(slot)

    def leave(self, slot: int, now_ns: int) -> None:
        """It no longer waits where it waits; whoever waits behind it for the same gate may move up."""
        table = self._table
        place = table.place[slot]
        table.place[slot] = _IDLE
        if place in (_READY, _HOST):
            self._free_uplink(table.uplink[slot])
        if place == _READY:
            self._free_host(table.host[slot], now_ns)

    def wake(self, now_ns: int) -> None:
        """Platforms whose rate allows the next connection by now."""
        while self._wakes and self._wakes[0][0] <= now_ns:
            index = heappop(self._wakes)[1]
            self.hosts.all[index].wake_ns = 0
            self._free_host(index, now_ns)

    def expired(self, now_ns: int) -> int:
        """The visit whose order has expired longest ago, 0 if there is none; it is the caller's to land."""
        while self.expiry:
            at_ns, visit_id = self.expiry[0]
            if visit_id in self.flights:
                return visit_id if at_ns <= now_ns else 0
            heappop(self.expiry)
        return 0

    def start_at_once(self, slot: int, now_ns: int, actions: list[Action]) -> bool:
        """A camera whose time has come goes without queueing, where nobody queues and nothing holds it. The usual case:
        it spares the way through a heap.
        """
        for heap in self.ready:
            if heap.entries:
                return False
        table = self._table
        uplink, index = table.uplink[slot], table.host[slot]
        if uplink >= 0 and self.uplinks.in_flight[uplink] >= self._settings.visits_per_uplink_max:
            return False
        if index >= 0:
            host = self.hosts.all[index]
            if host.out or host.in_flight >= host.cap or self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
                return False
        if len(self.flights) >= self.visits_allowed or self._rate.next_ns(self._arrival_ns) > now_ns:
            return False
        self._charge(self._timing.kind(slot))
        self._launch(slot, now_ns, actions)
        return True

    def start(self, now_ns: int, actions: list[Action]) -> bool:
        """Begin visits while there is room. True if cameras wait for nothing but room."""
        self._blocked_until_ns = None
        table, allowed = self._table, self.visits_allowed
        while (queue := self._next_queue()) >= 0:
            slot = self.ready[queue].head()
            if self._gated(slot, now_ns, actions):
                continue
            if len(self.flights) >= allowed:
                table.blocked[slot] = _OVERLOAD
                return True
            free_ns = self._rate.next_ns(self._arrival_ns)
            if free_ns > now_ns:
                table.blocked[slot] = _OVERLOAD
                self._blocked_until_ns = free_ns
                return True
            self.ready[queue].pop()
            if queue != _URGENT_QUEUE:
                self._charge(queue)
            self._launch(slot, now_ns, actions)
        return False

    def land(self, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]) -> None:
        """A visit is over: free what it held. What becomes of the camera is the caller's to say."""
        table = self._table
        uplink, index = table.flight_uplink[slot], table.flight_host[slot]
        table.flight_uplink[slot] = table.flight_host[slot] = -1
        table.visit_id[slot] = 0
        table.place[slot] = _IDLE
        if index >= 0:
            self._settle_host(index, slot, failure, now_ns, actions)
            self.hosts.all[index].in_flight -= 1
            self._free_host(index, now_ns)
            self.hosts.leave(index)
        if uplink >= 0:
            self.uplinks.in_flight[uplink] -= 1
            self._free_uplink(uplink)
            self.uplinks.leave(uplink)
        table.flags[slot] &= ~PROBE

    def _still_in_force(self) -> list[tuple[int, SchedulerSettings]]:
        """Earlier settings, each with the id of the first visit that was begun after them."""
        oldest = next(iter(self.flights), self._next_visit_id)
        return [one for one in self._earlier if one[0] > oldest]

    def _ready_heap(self, queue: int) -> SlotHeap:
        queues = self._table.queue
        return SlotHeap(self._table.place, self._table.deadline, CameraState.READY, lambda slot: queues[slot] == queue)

    def _free_uplink(self, index: int) -> None:
        """A recorder has room, or may have: who waits longest for it is ready."""
        if index >= 0 and self.uplinks.in_flight[index] < self._settings.visits_per_uplink_max:
            slot = self.uplinks.unpark(index)
            if slot >= 0:
                self.make_ready(slot)

    def _free_host(self, index: int, now_ns: int) -> None:
        """The same for a platform; where only its rate holds them back, they are woken when it allows."""
        if index < 0:
            return
        host = self.hosts.all[index]
        if host.parked is None or host.in_flight >= host.cap:
            return
        if self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
            self._wake_host(index)
        elif (slot := self.hosts.unpark(index)) >= 0:
            self.make_ready(slot)

    def _wake_host(self, index: int) -> None:
        host = self.hosts.all[index]
        if not host.wake_ns:
            host.wake_ns = self.hosts.rate.next_ns(host.arrival_ns)
            heappush(self._wakes, (host.wake_ns, index))

    def _next_queue(self) -> int:
        """The urgent first; then the class that has had least of its share (stride scheduling). -1: nobody waits."""
        ready = self.ready
        if ready[_URGENT_QUEUE].entries and ready[_URGENT_QUEUE].head() >= 0:
            return _URGENT_QUEUE
        best, least = -1, 0.0
        for queue in _QUEUES:
            if not ready[queue].entries or ready[queue].head() < 0:
                continue
            # A class that had nothing to do saves up nothing: it would shut the others out when it comes back.
            turn = max(self._pass, self._passes[queue])
            if best < 0 or turn < least:
                best, least = queue, turn
        return best

    def _charge(self, queue: int) -> None:
        """A class has had a slot."""
        self._pass = max(self._pass, self._passes[queue])
        self._passes[queue] = self._pass + self._strides[queue]

    def _gated(self, slot: int, now_ns: int, actions: list[Action]) -> bool:
        """Whether recorder or platform hold this camera back; then it has left the ready queue."""
        table = self._table
        uplink = table.uplink[slot]
        if uplink >= 0 and self.uplinks.in_flight[uplink] >= self._settings.visits_per_uplink_max:
            table.place[slot] = _UPLINK
            table.blocked[slot] = _UPLINK_CAP
            self.uplinks.park(slot)
            self._free_host(table.host[slot], now_ns)
            return True
        index = table.host[slot]
        if index < 0:
            return False
        host = self.hosts.all[index]
        if host.out and not table.flags[slot] & URGENT and (host.probing or now_ns < host.probe_at_ns):
            self._presume(slot, now_ns, actions)
            return True
        blocked = 0
        if host.in_flight >= host.cap:
            blocked = _HOST_CAP
        elif self.hosts.rate.next_ns(host.arrival_ns) > now_ns:
            blocked = _HOST_RATE
            self._wake_host(index)
        if not blocked:
            return False
        table.place[slot] = _HOST
        table.blocked[slot] = blocked
        self.hosts.park(slot)
        self._free_uplink(uplink)
        return True

    def _launch(self, slot: int, now_ns: int, actions: list[Action]) -> None:
        table = self._table
        visit_id = self._next_visit_id
        self._next_visit_id += 1
        uplink, index = table.uplink[slot], table.host[slot]
        table.flight_uplink[slot], table.flight_host[slot] = uplink, index
        if uplink >= 0:
            self.uplinks.in_flight[uplink] += 1
            self.uplinks.stay(uplink)
        flags = table.flags[slot]
        if index >= 0:
            host = self.hosts.all[index]
            host.in_flight += 1
            host.arrival_ns = self.hosts.rate.take(host.arrival_ns, now_ns)
            self.hosts.stay(index)
            if host.out:
                host.probing += 1
                flags |= PROBE
            self._free_host(index, now_ns)
        kind = self._timing.kind(slot)
        lag_ns = now_ns - table.release[slot]
        self._timing.launched(slot, kind, lag_ns, BLOCKED[table.blocked[slot]], now_ns)
        table.flags[slot] = flags & ~URGENT
        table.place[slot] = _FLIGHT
        table.queue[slot] = kind
        table.visits[slot] += 1
        table.visit_id[slot] = visit_id
        table.started[slot] = now_ns
        self.flights[visit_id] = slot
        self._arrival_ns = self._rate.take(self._arrival_ns, now_ns)
        deadline_ns = now_ns + self._order_timeout_ns
        heappush(self.expiry, (deadline_ns, visit_id))
        self._tally.started += 1
        self._tally.starts.add(now_ns)
        actions.append(StartVisit(visit_id, table.ids[slot], deadline_ns, CLASSES[kind], lag_ns))

    def _settle_host(
        self, index: int, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]
    ) -> None:
        """What a visit's end says of its platform."""
        host, flags = self.hosts.all[index], self._table.flags[slot]
        if flags & PROBE:
            host.probing -= 1
        if failure is None:
            if self.hosts.answered(index, now_ns):
                actions.append(OutageEnded(host.name))
                self._revive(index, now_ns)
        elif failure == FailureReason.INTERNAL:
            pass  # ours, not the platform's
        elif host.out:
            if flags & PROBE:  # one that was under way when the outage began tells nothing new
                self.hosts.probe_failed(index, slot, bool(flags & FAILING), now_ns)
        elif not flags & FAILING and self.hosts.failed(index, slot, now_ns):
            # Only cameras that answered before count: where half of a platform is dead, that is no outage.
            self._tally.outages += 1
            actions.append(OutageBegan(host.name, host.members - host.in_flight))

    def _take(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._rate = Rate(settings.starts_per_s_max)
        self._order_timeout_ns = ns(settings.order_timeout_s)
        self._strides = [1.0 / weight for weight in weights(settings)]
