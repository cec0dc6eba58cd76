"""Recorders and platforms: how many visits hang on each, who waits for it, and whether it is out. Pure."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.clock import NS_PER_S, ns
from engine.config.schema import SchedulerSettings
from engine.scheduler.heap import SlotHeap
from engine.scheduler.table import CameraState, Table


class Rate:
    """At most so many a second, and a quarter of a second's worth at once: GCRA (ITU-T I.371), one integer a rate."""

    _BURST_S = 0.25

    def __init__(self, per_s: float) -> None:
        self._interval_ns = max(1, round(NS_PER_S / per_s))
        self._burst_ns = max(0, round(self._interval_ns * (per_s * self._BURST_S - 1)))

    def next_ns(self, arrival_ns: int) -> int:
        """From when on one more may start, given the theoretical arrival time of the last."""
        return arrival_ns - self._burst_ns

    def take(self, arrival_ns: int, now_ns: int) -> int:
        """One more starts now; the new theoretical arrival time."""
        return max(arrival_ns, now_ns) + self._interval_ns

    def settle(self, arrival_ns: int, now_ns: int) -> int:
        """The theoretical arrival time where another rate was in force until now: no debt this one cannot have."""
        return min(arrival_ns, now_ns + self._interval_ns + self._burst_ns)


class Uplinks:
    """Recorders, each an index. An index is given anew once no camera and no visit hangs on it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self.names: list[str] = []
        self.in_flight = array("H")
        self._members = array("I")
        self._parked: dict[int, SlotHeap] = {}

    def __len__(self) -> int:
        """Recorders that cameras or visits hang on."""
        return len(self._index)

    def join(self, name: str) -> int:
        """A camera hangs on it; -1 for no name: then nothing is capped."""
        if not name:
            return -1
        index = self._index.get(name)
        if index is None:
            if self._free:
                index = self._free.pop()
                self.names[index] = name
            else:
                index = len(self.names)
                self.names.append(name)
                self.in_flight.append(0)
                self._members.append(0)
            self._index[name] = index
        self._members[index] += 1
        return index

    def leave(self, index: int) -> None:
        """A camera, or a visit that joined for itself, no longer hangs on it."""
        if index < 0:
            return
        self._members[index] -= 1
        if not self._members[index]:
            del self._index[self.names[index]]
            self._parked.pop(index, None)
            self._free.append(index)

    def stay(self, index: int) -> None:
        """A visit hangs on it too, so that it is not forgotten under way."""
        if index >= 0:
            self._members[index] += 1

    def park(self, slot: int) -> None:
        """The camera waits for its recorder."""
        index = self._table.uplink[slot]
        heap = self._parked.get(index)
        if heap is None:
            uplink = self._table.uplink
            heap = SlotHeap(
                self._table.place, self._table.deadline, CameraState.UPLINK, lambda one: uplink[one] == index
            )
            self._parked[index] = heap
        heap.push(slot)

    def unpark(self, index: int) -> int:
        """Who waits longest for it, taken out; -1 if nobody does."""
        heap = self._parked.get(index)
        if heap is None:
            return -1
        slot = heap.head()
        if slot < 0:
            del self._parked[index]
            return -1
        return heap.pop()

    def waiting(self) -> Iterator[tuple[int, SlotHeap]]:
        """Recorders with who waits for them."""
        yield from self._parked.items()


@dataclass(slots=True)
class Host:
    """One platform. `arrival_ns` belongs to its rate of new connections; `wake_ns`: when a waiting camera may go."""

    name: str
    cap: int
    members: int = 0
    in_flight: int = 0
    arrival_ns: int = 0
    wake_ns: int = 0
    parked: SlotHeap | None = None
    failed: set[int] = field(default_factory=set)  # cameras that answered, and failed since anyone last did
    out: bool = False
    probes: int = 0
    probing: int = 0  # visits under way that probe it
    probe_at_ns: int = 0
    answered_ns: int = 0  # when a camera of it last answered


class Hosts:
    """Platforms, each an index; the same life as Uplinks."""

    def __init__(self, table: Table, settings: SchedulerSettings) -> None:
        self._table = table
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self.all: list[Host] = []
        self.configure(settings, 0)

    def __len__(self) -> int:
        """Platforms that cameras or visits hang on."""
        return len(self._index)

    def configure(self, settings: SchedulerSettings, now_ns: int) -> None:
        """New caps and rate; what is under way goes on, and whoever waits is the caller's to let try again."""
        self._settings = settings
        self.rate = Rate(settings.host_starts_per_s_max)
        for host in self.all:
            host.cap = self._cap(host.name)
            host.arrival_ns = self.rate.settle(host.arrival_ns, now_ns)
            host.wake_ns = 0

    def join(self, name: str) -> int:
        """A camera hangs on it; -1 for no name."""
        if not name:
            return -1
        index = self._index.get(name)
        if index is None:
            host = Host(name, self._cap(name))
            if self._free:
                index = self._free.pop()
                self.all[index] = host
            else:
                index = len(self.all)
                self.all.append(host)
            self._index[name] = index
        self.all[index].members += 1
        return index

    def leave(self, index: int) -> None:
        """A camera or a visit no longer hangs on it."""
        if index < 0:
            return
        host = self.all[index]
        host.members -= 1
        if not host.members:
            del self._index[host.name]
            self._free.append(index)

    def stay(self, index: int) -> None:
        """A visit hangs on it too."""
        if index >= 0:
            self.all[index].members += 1

    def park(self, slot: int) -> None:
        """The camera waits for its platform."""
        index = self._table.host[slot]
        host = self.all[index]
        if host.parked is None:
            column = self._table.host
            host.parked = SlotHeap(
                self._table.place, self._table.deadline, CameraState.HOST, lambda one: column[one] == index
            )
        host.parked.push(slot)

    def unpark(self, index: int) -> int:
        """Who waits longest for it, taken out; -1 if nobody does."""
        host = self.all[index]
        if host.parked is None:
            return -1
        slot = host.parked.head()
        if slot < 0:
            host.parked = None
            return -1
        return host.parked.pop()

    def failed(self, index: int, slot: int, now_ns: int) -> bool:
        """A camera of it failed that had not failed before. True if that makes it an outage, from now on."""
        host = self.all[index]
        if self._table.started[slot] < host.answered_ns:
            return False  # while this visit lasted another camera answered: the platform was there
        host.failed.add(slot)
        if len(host.failed) < self._settings.outage_cameras_min:
            return False
        host.out, host.probes, host.probe_at_ns = True, 0, now_ns + ns(self._settings.outage_probe_s)
        return True

    def answered(self, index: int, now_ns: int) -> bool:
        """A camera of it answered. True if that ends an outage."""
        host = self.all[index]
        host.answered_ns = now_ns
        if host.failed:
            host.failed.clear()
        was_out, host.out = host.out, False
        return was_out

    def probe_failed(self, index: int, slot: int, was_failing: bool, now_ns: int) -> None:
        """Still out; the next probe is later each time. A camera that was dead before the outage tells nothing: after
        it the next one probes as soon as after the first.
        """
        host = self.all[index]
        wait_ns = ns(self._settings.outage_probe_s)
        if not was_failing or slot in host.failed:
            host.failed.add(slot)
            host.probes += 1
            wait_ns <<= min(host.probes, 20)
        host.probe_at_ns = now_ns + min(ns(self._settings.outage_probe_max_s), wait_ns)

    def outages(self) -> list[str]:
        """Names of platforms that are out now."""
        return sorted(host.name for host in self.all if host.members and host.out)

    def _cap(self, name: str) -> int:
        return self._settings.host_visits_max.get(name, self._settings.visits_per_host_max)
