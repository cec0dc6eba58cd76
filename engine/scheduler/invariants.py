"""What must be true of a scheduler after every event. O(cameras), in NumPy: for tests, rehearsals and a run's end."""

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.scheduler.backoff import ceiling_ns
from engine.scheduler.classes import CLASSES, CameraClass, periods_ns
from engine.scheduler.table import DOUBT, ENABLED, FAILING, PUSH, Place

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
    dispatch = core.dispatch
    heaps = [core.due, *dispatch.ready, *(heap for _, heap in dispatch.uplinks.waiting())]
    heaps += [host.parked for host in dispatch.hosts.all if host.parked is not None and host.members]
    found = np.zeros(table.size, dtype=np.int64)
    for heap in heaps:
        found[heap.slots()] += 1
    np.add.at(found, list(dispatch.flights.values()), 1)
    place = _column(table.place)
    wanted = (place != Place.FREE) & (place != Place.IDLE)
    for slot in np.flatnonzero(found != wanted)[:1]:
        _fail(f"camera {table.ids[slot]!r} is {Place(place[slot]).name} and found in {found[slot]} places")
    for slot in np.flatnonzero((place == Place.IDLE) & ((_column(table.flags) & ENABLED) != 0))[:1]:
        _fail(f"camera {table.ids[slot]!r} is enabled and nobody will ever visit it")
    known = np.fromiter(table.slots.values(), dtype=np.int64, count=len(table.slots))
    if np.any(place[known] == Place.FREE) or [table.ids[slot] for slot in known] != list(table.slots):
        _fail("a camera's id points to a slot that is not its own")


def _caps(core: "Scheduler") -> None:
    table, dispatch = core.table, core.dispatch
    in_force = dispatch.settings_in_force
    total = max(one.visits_max for one in in_force)
    if len(dispatch.flights) > total:
        _fail(f"{len(dispatch.flights)} visits in flight, allowed {total}")
    flying = np.fromiter(dispatch.flights.values(), dtype=np.int64, count=len(dispatch.flights))
    uplinks, hosts = (
        np.bincount(held[held >= 0], minlength=many)
        for held, many in (
            (_column(table.flight_uplink)[flying], len(dispatch.uplinks.in_flight)),
            (_column(table.flight_host)[flying], len(dispatch.hosts.all)),
        )
    )
    allowed = max(one.visits_per_uplink_max for one in in_force)
    counted = _column(dispatch.uplinks.in_flight)
    for index in np.flatnonzero((counted != uplinks) | (counted > allowed))[:1]:
        _fail(
            f"uplink {dispatch.uplinks.names[index]} counts {counted[index]} visits, {uplinks[index]} are in flight, "
            f"allowed {allowed}"
        )
    for index, host in enumerate(dispatch.hosts.all):
        allowed = max(one.host_visits_max.get(host.name, one.visits_per_host_max) for one in in_force)
        if host.in_flight != hosts[index] or host.in_flight > allowed:
            _fail(f"host {host.name} counts {host.in_flight} visits, {hosts[index]} are in flight, allowed {allowed}")


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
    table, settings = core.table, core.settings
    flags = _column(table.flags)
    release = _column(table.release)
    due = _column(table.place) == Place.DUE
    for slot in np.flatnonzero(due & (release < now_ns - _SLACK_NS))[:1]:
        _fail(f"camera {table.ids[slot]!r} was due {now_ns - release[slot]} ns ago and was passed over")
    always = np.array([window.always for window in core.timing.sites.windows], dtype=bool)
    bounded = due & always[_column(table.window)]
    failing = (flags & FAILING) != 0
    ceilings = np.array([ceiling_ns(period_ns, settings) for period_ns in periods_ns(settings)])
    wait = release - now_ns
    for slot in np.flatnonzero(bounded & failing & (wait > ceilings[_column(table.base)]))[:1]:
        longest_ns = ceilings[table.base[slot]]
        _fail(f"camera {table.ids[slot]!r} is backed off by {wait[slot]} ns, allowed {longest_ns}")
    longest_ns = round((1.5 + settings.jitter) * settings.stretch_max * max(periods_ns(settings)))
    for slot in np.flatnonzero(bounded & ~failing & ((flags & PUSH) == 0) & (wait > longest_ns))[:1]:
        _fail(f"camera {table.ids[slot]!r} is due in {wait[slot]} ns, beyond any period")


def _counts(core: "Scheduler") -> None:
    table = core.table
    flags = _column(table.flags)
    counted = (_column(table.place) != Place.FREE) & ((flags & (ENABLED | PUSH)) == ENABLED)
    kinds = np.where(flags & DOUBT, CameraClass.SUSPICIOUS, _column(table.base).astype(np.int64))
    kinds = np.where(flags & FAILING, CameraClass.OFFLINE, kinds)
    windows = len(core.timing.sites.windows)
    totals = np.bincount((kinds * windows + _column(table.window))[counted], minlength=windows * len(CLASSES)).reshape(
        len(CLASSES), windows
    )
    for kind in CLASSES:
        for window, count in core.timing.counts[kind].items():
            if count != totals[kind, window]:
                _fail(f"{count} {kind.word} cameras are counted in window {window}, there are {totals[kind, window]}")


def _column(column: "array[int]") -> npt.NDArray[Any]:
    """A view; it must be gone before the column grows."""
    return np.frombuffer(column, dtype=column.typecode)
