"""What must be true of a scheduler after every event. O(cameras): for tests, rehearsals and the end of a run."""

from collections import Counter
from typing import TYPE_CHECKING

from engine.scheduler.backoff import ceiling_ns
from engine.scheduler.classes import CLASSES, periods_ns
from engine.scheduler.table import ENABLED, FAILING, PUSH, Place

if TYPE_CHECKING:
    from engine.scheduler.core import Scheduler

_SLACK_NS = 1_000_000


class SchedulerInvariantError(AssertionError):
    """The scheduler's books do not balance."""


def check_invariants(core: "Scheduler", now_ns: int) -> None:
    """Raise SchedulerInvariantError unless all of it holds, after an event at `now_ns`.

    Every order ends once; every camera stands in one place and is found there; no cap is exceeded; nobody waits for a
    gate that is free; no due camera is passed over; no back-off is above its ceiling; the counts of classes add up.
    """
    _orders(core)
    _places(core)
    _caps(core)
    _gates(core, now_ns)
    _times(core, now_ns)
    _counts(core)


def _fail(sentence: str) -> None:
    raise SchedulerInvariantError(sentence)


def _orders(core: "Scheduler") -> None:
    tally, flying = core.tally, len(core.dispatch.flights)
    if tally.started != tally.ended + tally.expired + flying:
        _fail(
            f"started {tally.started} visits, ended {tally.ended}, expired {tally.expired}, but {flying} are in flight"
        )
    waiting = {visit_id for _, visit_id in core.dispatch.expiry}
    for visit_id, slot in core.dispatch.flights.items():
        if core.table.visit_id[slot] != visit_id or core.table.place[slot] != Place.FLIGHT:
            _fail(f"visit {visit_id} is in flight, its camera does not say so")
        if visit_id not in waiting:
            _fail(f"visit {visit_id} would never expire")


def _places(core: "Scheduler") -> None:
    table = core.table
    found: Counter[int] = Counter()
    for heap in (core.due, *core.dispatch.ready, *(heap for _, heap in core.dispatch.uplinks.waiting())):
        found.update(heap.slots())
    for host in core.dispatch.hosts.all:
        if host.parked is not None and host.members:
            found.update(host.parked.slots())
    found.update(core.dispatch.flights.values())
    for slot in range(table.size):
        place = table.place[slot]
        wanted = 0 if place in (Place.FREE, Place.IDLE) else 1
        if found[slot] != wanted:
            _fail(f"camera {table.ids[slot]!r} is {Place(place).name} and found in {found[slot]} places")
        if place == Place.IDLE and table.flags[slot] & ENABLED:
            _fail(f"camera {table.ids[slot]!r} is enabled and nobody will ever visit it")
    for camera_id, slot in table.slots.items():
        if table.ids[slot] != camera_id or table.place[slot] == Place.FREE:
            _fail(f"camera {camera_id!r} points to slot {slot}, which is not its own")


def _caps(core: "Scheduler") -> None:
    table = core.table
    in_force = core.dispatch.settings_in_force
    total = max(one.visits_max for one in in_force)
    if len(core.dispatch.flights) > total:
        _fail(f"{len(core.dispatch.flights)} visits in flight, allowed {total}")
    uplinks = Counter(table.flight_uplink[slot] for slot in core.dispatch.flights.values())
    allowed = max(one.visits_per_uplink_max for one in in_force)
    for index, count in enumerate(core.dispatch.uplinks.in_flight):
        name = core.dispatch.uplinks.names[index]
        if count != uplinks[index]:
            _fail(f"uplink {name} counts {count} visits, {uplinks[index]} are in flight")
        if count > allowed:
            _fail(f"uplink {name}: {count} visits, allowed {allowed}")
    hosts = Counter(table.flight_host[slot] for slot in core.dispatch.flights.values())
    for index, host in enumerate(core.dispatch.hosts.all):
        allowed = max(one.host_visits_max.get(host.name, one.visits_per_host_max) for one in in_force)
        if host.in_flight != hosts[index]:
            _fail(f"host {host.name} counts {host.in_flight} visits, {hosts[index]} are in flight")
        if host.in_flight > allowed:
            _fail(f"host {host.name}: {host.in_flight} visits, allowed {allowed}")


def _gates(core: "Scheduler", now_ns: int) -> None:
    """Who waits for a gate waits because it is shut, or behind one that was let through and is on its way."""
    table = core.table
    passing_uplinks = {table.uplink[slot] for heap in core.dispatch.ready for slot in heap.slots()}
    passing_hosts = {table.host[slot] for heap in core.dispatch.ready for slot in heap.slots()}
    for host in core.dispatch.hosts.all:
        if host.parked is not None and host.members:
            passing_uplinks.update(table.uplink[slot] for slot in host.parked.slots())
    for index, heap in core.dispatch.uplinks.waiting():
        free = core.dispatch.uplinks.in_flight[index] < core.settings.visits_per_uplink_max
        if free and index not in passing_uplinks and heap.head() >= 0:
            _fail(f"uplink {core.dispatch.uplinks.names[index]} is free, and cameras wait for it")
    for index, host in enumerate(core.dispatch.hosts.all):
        if host.parked is None or not host.members or host.parked.head() < 0:
            continue
        if host.in_flight < host.cap and index not in passing_hosts and not host.wake_ns > now_ns - _SLACK_NS:
            _fail(f"host {host.name} is free, cameras wait for it, and nobody wakes them")


def _times(core: "Scheduler", now_ns: int) -> None:
    table = core.table
    periods = periods_ns(core.settings)
    for slot in range(table.size):
        if table.place[slot] != Place.DUE:
            continue
        release_ns = table.release[slot]
        if release_ns < now_ns - _SLACK_NS:
            _fail(f"camera {table.ids[slot]!r} was due {now_ns - release_ns} ns ago and was passed over")
        always = core.timing.sites.windows[table.window[slot]].always
        if always and table.flags[slot] & FAILING:
            longest_ns = ceiling_ns(periods[table.base[slot]], core.settings)
            if release_ns - now_ns > longest_ns:
                _fail(f"camera {table.ids[slot]!r} is backed off by {release_ns - now_ns} ns, allowed {longest_ns}")
        elif always and not table.flags[slot] & PUSH:
            longest_ns = round((1.5 + core.settings.jitter) * core.settings.stretch_max * max(periods))
            if release_ns - now_ns > longest_ns:
                _fail(f"camera {table.ids[slot]!r} is due in {release_ns - now_ns} ns, beyond any period")


def _counts(core: "Scheduler") -> None:
    table = core.table
    counted: Counter[tuple[int, int]] = Counter()
    for slot in range(table.size):
        flags = table.flags[slot]
        if table.place[slot] != Place.FREE and flags & ENABLED and not flags & PUSH:
            counted[core.timing.kind(slot), table.window[slot]] += 1
    for kind in CLASSES:
        for window, count in core.timing.counts[kind].items():
            if count != counted[kind, window]:
                _fail(f"{count} {kind.word} cameras are counted in window {window}, there are {counted[kind, window]}")
