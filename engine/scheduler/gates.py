"""Counts the visits on each recorder and platform, queues the cameras that wait for them, and detects outages. Pure."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.clock import NS_PER_S, ns
from engine.config.schema import SchedulerSettings
from engine.scheduler.county_queue import CountyQueue
from engine.scheduler.table import CameraState, Table


class Rate:
    """A rate limit with a burst of a quarter of a second's worth: GCRA (ITU-T I.371), whose state is one integer, the
    theoretical arrival time (TAT).
    """

    _BURST_S = 0.25

    def __init__(self, per_s: float) -> None:
        self._interval_ns = max(1, round(NS_PER_S / per_s))
        self._burst_ns = max(0, round(self._interval_ns * (per_s * self._BURST_S - 1)))

    def next_ns(self, arrival_ns: int) -> int:
        """Return the earliest time of the next start, given the TAT."""
        return arrival_ns - self._burst_ns

    def updated(self, arrival_ns: int, now_ns: int) -> int:
        """Return the TAT after a start now."""
        return max(arrival_ns, now_ns) + self._interval_ns

    def capped(self, arrival_ns: int, now_ns: int) -> int:
        """Return the TAT to continue with after another rate was in force: no later than this rate can produce."""
        return min(arrival_ns, now_ns + self._interval_ns + self._burst_ns)


class Uplinks:
    """Recorders by index. Cameras and visits hold a reference each; an index without references is reused."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self.names: list[str] = []
        self.in_flight = array("H")
        self.served = array("i")  # the county whose visit began last; -1: none yet
        self._references = array("I")
        self._parked: dict[int, CountyQueue] = {}

    def __len__(self) -> int:
        """The number of recorders with references."""
        return len(self._index)

    def acquire(self, name: str) -> int:
        """Add a camera's reference and return the recorder's index; -1 for no name: then nothing is capped."""
        if not name:
            return -1
        index = self._index.get(name)
        if index is None:
            if self._free:
                index = self._free.pop()
                self.names[index] = name
                self.served[index] = -1
            else:
                index = len(self.names)
                self.names.append(name)
                self.in_flight.append(0)
                self.served.append(-1)
                self._references.append(0)
            self._index[name] = index
        self._references[index] += 1
        return index

    def retain(self, index: int) -> None:
        """Add a visit's reference, so that the recorder outlives its cameras while the visit is under way."""
        if index >= 0:
            self._references[index] += 1

    def release(self, index: int) -> None:
        """Drop a reference of a camera or a visit."""
        if index < 0:
            return
        self._references[index] -= 1
        if not self._references[index]:
            del self._index[self.names[index]]
            self._parked.pop(index, None)
            self._free.append(index)

    def park(self, slot: int) -> None:
        """Queue a camera that waits for its recorder."""
        index = self._table.uplink[slot]
        queue = self._parked.get(index)
        if queue is None:
            gates, served = self._table.uplink, self.served[index]
            queue = self._parked[index] = CountyQueue(self._table, CameraState.UPLINK, gates, index, served)
        queue.push(slot)

    def unpark(self, index: int) -> int:
        """Remove and return the waiting camera whose turn it is; -1 if none waits."""
        queue = self._parked.get(index)
        if queue is None:
            return -1
        slot = queue.head()
        if slot < 0:
            del self._parked[index]
        else:
            queue.remove_head(slot)
        return slot

    def parked(self) -> Iterator[tuple[int, CountyQueue]]:
        """Yield the recorders that cameras wait for, with these cameras."""
        yield from self._parked.items()


@dataclass(slots=True)
class Host:
    """One platform. `references`: cameras and visits. `arrival_ns`: TAT of its rate of new connections; `wake_ns`: when
    that rate lets the next waiting camera start, 0 if none waits for it.
    """

    name: str
    cap: int
    references: int = 0
    in_flight: int = 0
    served: int = -1  # the county whose visit began last; -1: none yet
    arrival_ns: int = 0
    wake_ns: int = 0
    parked: CountyQueue | None = None
    failed_slots: set[int] = field(
        default_factory=set
    )  # cameras that failed since the last answer, and answered before
    in_outage: bool = False
    failed_probes: int = 0
    probes_in_flight: int = 0
    next_probe_ns: int = 0
    answered_ns: int = 0  # when one of its cameras last answered


class Hosts:
    """Platforms by index, with references like Uplinks."""

    def __init__(self, table: Table, settings: SchedulerSettings) -> None:
        self._table = table
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self.by_index: list[Host] = []
        self._limits: Mapping[str, int] = {}
        self.configure(settings, 0)

    def __len__(self) -> int:
        """The number of platforms with references."""
        return len(self._index)

    def configure(self, settings: SchedulerSettings, now_ns: int) -> None:
        """Apply new caps and a new rate; the caller makes parked cameras try again."""
        self._settings = settings
        self.rate = Rate(settings.host_starts_per_s_max)
        for host in self.by_index:
            host.cap = self._cap(host.name)
            host.arrival_ns = self.rate.capped(host.arrival_ns, now_ns)
            host.wake_ns = 0

    def limit(self, limits: Mapping[str, int]) -> list[int]:
        """Apply limits beside the caps; return the platforms that more visits may be made on than before, by index."""
        changed = {name for name in limits.keys() | self._limits.keys() if limits.get(name) != self._limits.get(name)}
        self._limits = dict(limits)
        raised = []
        for name in sorted(changed & self._index.keys()):
            host = self.by_index[self._index[name]]
            before, host.cap = host.cap, self._cap(name)
            if host.cap > before:
                raised.append(self._index[name])
        return raised

    def find(self, name: str) -> Host | None:
        """Return a platform; None if no camera and no visit refers to it."""
        index = self._index.get(name)
        return None if index is None else self.by_index[index]

    def acquire(self, name: str) -> int:
        """Add a camera's reference and return the platform's index; -1 for no name."""
        if not name:
            return -1
        index = self._index.get(name)
        if index is None:
            host = Host(name, self._cap(name))
            if self._free:
                index = self._free.pop()
                self.by_index[index] = host
            else:
                index = len(self.by_index)
                self.by_index.append(host)
            self._index[name] = index
        self.by_index[index].references += 1
        return index

    def retain(self, index: int) -> None:
        """Add a visit's reference."""
        if index >= 0:
            self.by_index[index].references += 1

    def release(self, index: int) -> None:
        """Drop a reference of a camera or a visit."""
        if index < 0:
            return
        host = self.by_index[index]
        host.references -= 1
        if not host.references:
            del self._index[host.name]
            self._free.append(index)

    def park(self, slot: int) -> None:
        """Queue a camera that waits for its platform."""
        index = self._table.host[slot]
        host = self.by_index[index]
        if host.parked is None:
            host.parked = CountyQueue(self._table, CameraState.HOST, self._table.host, index, host.served)
        host.parked.push(slot)

    def unpark(self, index: int) -> int:
        """Remove and return the waiting camera whose turn it is; -1 if none waits."""
        host = self.by_index[index]
        if host.parked is None:
            return -1
        slot = host.parked.head()
        if slot < 0:
            host.parked = None
        else:
            host.parked.remove_head(slot)
        return slot

    def record_failure(self, index: int, slot: int, now_ns: int) -> bool:
        """Record that a camera failed whose last visit had succeeded. True if an outage begins with it."""
        host = self.by_index[index]
        if self._table.last_visit[slot] < host.answered_ns:
            return False  # another camera answered while this visit lasted: the platform was up
        host.failed_slots.add(slot)
        if len(host.failed_slots) < self._settings.outage_cameras_min:
            return False
        host.in_outage, host.failed_probes = True, 0
        host.next_probe_ns = now_ns + ns(self._settings.outage_probe_s)
        return True

    def record_answer(self, index: int, now_ns: int) -> bool:
        """Record that a camera answered. True if that ends an outage."""
        host = self.by_index[index]
        host.answered_ns = now_ns
        if host.failed_slots:
            host.failed_slots.clear()
        was_in_outage, host.in_outage = host.in_outage, False
        return was_in_outage

    def record_failed_probe(self, index: int, slot: int, was_failing: bool, now_ns: int) -> None:
        """Schedule the next probe, with a wait that doubles each time. A camera that was dead before the outage proves
        nothing: after it the next probe comes as soon as after the first.
        """
        host = self.by_index[index]
        wait_ns = ns(self._settings.outage_probe_s)
        if not was_failing or slot in host.failed_slots:
            host.failed_slots.add(slot)
            host.failed_probes += 1
            wait_ns <<= min(host.failed_probes, 20)
        host.next_probe_ns = now_ns + min(ns(self._settings.outage_probe_max_s), wait_ns)

    def outages(self) -> dict[str, int]:
        """Return the platforms that are in an outage now, by name in order, each with its number of cameras."""
        out = sorted((host for host in self.by_index if host.references and host.in_outage), key=lambda host: host.name)
        return {host.name: host.references - host.in_flight for host in out}

    def _cap(self, name: str) -> int:
        cap = self._settings.host_visits_max.get(name, self._settings.visits_per_host_max)
        return min(cap, self._limits.get(name, cap))
