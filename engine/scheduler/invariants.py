"""What must be true of a scheduler after every event. O(cameras), in NumPy: for tests, rehearsals and a run's end."""

from array import array
from operator import eq
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import ns
from engine.scheduler.backoff import ceiling_ns
from engine.scheduler.classes import CLASSES, CameraClass, periods_ns
from engine.scheduler.core import Scheduler
from engine.scheduler.table import DOUBT, ENABLED, FAILING, PROBE, PUSH, URGENT, CameraState
from engine.scheduler.timing import NEVER_NS

_SLACK_NS = 1_000_000


class SchedulerInvariantError(AssertionError):
    """The scheduler's books do not balance."""


def check_invariants(scheduler: Scheduler, now_ns: int) -> None:
    """Raise SchedulerInvariantError unless all of it holds, after an event at `now_ns`.

    Every order ends once; every camera stands in one place and is found there; no cap is exceeded; no due camera is
    passed over; no back-off is above its ceiling; nobody who is paused waits for a visit; the
    counts of classes add up; periods due are those kept and those
    shed with a reason.

    No camera waits beyond its bound. What waits for its time while its kitchen works comes up within 1.5 periods and
    the jitter (half a period more than one, where it goes back to its own place in the grid), within the ceiling of
    its back-off if it failed, within the stretched suspicious period if it is in doubt, within the key points' period
    if it was never seen; where the kitchen rests, so long after the first opening that is a period away (one within a
    period of the last look holds none). What has come up waits only for a
    gate that is shut or for room that is not there, and says for which; the periods that it loses are counted there.
    """
    _orders(scheduler)
    _places(scheduler)
    _caps(scheduler)
    _gates(scheduler, now_ns)
    _room(scheduler)
    _times(scheduler, now_ns)
    _counts(scheduler)
    _periods(scheduler)


def _fail(sentence: str) -> None:
    raise SchedulerInvariantError(sentence)


def _orders(scheduler: Scheduler) -> None:
    tally, flying = scheduler.tally, len(scheduler.dispatch.flights)
    if tally.started != tally.ended + tally.expired + flying:
        _fail(
            f"started {tally.started} visits, ended {tally.ended}, expired {tally.expired}, but {flying} are in flight"
        )
    waiting = {visit_id for _, visit_id in scheduler.dispatch.expiry}
    for visit_id, slot in scheduler.dispatch.flights.items():
        if scheduler.table.visit_id[slot] != visit_id or scheduler.table.place[slot] != CameraState.FLIGHT:
            _fail(f"visit {visit_id} is in flight, its camera does not say so")
        if visit_id not in waiting:
            _fail(f"visit {visit_id} would never expire")


def _places(scheduler: Scheduler) -> None:
    table = scheduler.table
    dispatch = scheduler.dispatch
    heaps = [scheduler.due, *dispatch.ready, *(heap for _, heap in dispatch.uplinks.waiting())]
    heaps += [host.parked for host in dispatch.hosts.all if host.parked is not None and host.members]
    found = np.zeros(table.size, dtype=np.int64)
    for heap in heaps:
        found[heap.slots()] += 1
    np.add.at(found, list(dispatch.flights.values()), 1)
    place = _column(table.place)
    wanted = (place != CameraState.FREE) & (place != CameraState.IDLE)
    for slot in np.flatnonzero(found != wanted)[:1]:
        _fail(f"camera {table.ids[slot]!r} is {CameraState(place[slot]).name} and found in {found[slot]} places")
    for slot in np.flatnonzero((place == CameraState.IDLE) & ((_column(table.flags) & ENABLED) != 0))[:1]:
        _fail(f"camera {table.ids[slot]!r} is enabled and nobody will ever visit it")
    _flags(scheduler, place)
    known = np.fromiter(table.slots.values(), dtype=np.int64, count=len(table.slots))
    ids = map(table.ids.__getitem__, table.slots.values())
    if np.any(place[known] == CameraState.FREE) or not all(map(eq, ids, table.slots)):
        _fail("a camera's id points to a slot that is not its own")


def _flags(scheduler: Scheduler, place: npt.NDArray[Any]) -> None:
    table, flags = scheduler.table, _column(scheduler.table.flags)
    waiting = np.isin(place, (CameraState.READY, CameraState.UPLINK, CameraState.HOST))
    if scheduler.pauses:
        for slot in np.flatnonzero(waiting).tolist():
            if scheduler.pauses.of(slot) is not None:
                _fail(f"camera {table.ids[slot]!r} is paused and waits for a visit")
    for slot in np.flatnonzero(((flags & URGENT) != 0) & ~waiting)[:1]:
        _fail(f"camera {table.ids[slot]!r} was asked for and is {CameraState(place[slot]).name}")
    for slot in np.flatnonzero(((flags & PROBE) != 0) & (place != CameraState.FLIGHT))[:1]:
        _fail(f"camera {table.ids[slot]!r} probes its platform and is {CameraState(place[slot]).name}")


def _caps(scheduler: Scheduler) -> None:
    table, dispatch = scheduler.table, scheduler.dispatch
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
    probing = flying[(_column(table.flags)[flying] & PROBE) != 0]
    probed = np.bincount(_column(table.flight_host)[probing], minlength=len(dispatch.hosts.all))
    for index, host in enumerate(dispatch.hosts.all):
        if host.probing != probed[index]:
            _fail(f"host {host.name} counts {host.probing} probes, {probed[index]} are in flight")


def _gates(scheduler: Scheduler, now_ns: int) -> None:
    """Who waits for a gate waits because it is shut, or behind one that was let through and is on its way."""
    table = scheduler.table
    passing_uplinks = {table.uplink[slot] for heap in scheduler.dispatch.ready for slot in heap.slots()}
    passing_hosts = {table.host[slot] for heap in scheduler.dispatch.ready for slot in heap.slots()}
    for host in scheduler.dispatch.hosts.all:
        if host.parked is not None and host.members:
            passing_uplinks.update(table.uplink[slot] for slot in host.parked.slots())
    for index, heap in scheduler.dispatch.uplinks.waiting():
        free = scheduler.dispatch.uplinks.in_flight[index] < scheduler.settings.visits_per_uplink_max
        if free and index not in passing_uplinks and heap.head() >= 0:
            _fail(f"uplink {scheduler.dispatch.uplinks.names[index]} is free, and cameras wait for it")
    for index, host in enumerate(scheduler.dispatch.hosts.all):
        if host.parked is None or not host.members or host.parked.head() < 0:
            continue
        if host.in_flight < host.cap and index not in passing_hosts and not host.wake_ns > now_ns - _SLACK_NS:
            _fail(f"host {host.name} is free, cameras wait for it, and nobody wakes them")


def _room(scheduler: Scheduler) -> None:
    """Who wants nothing but a slot waits because there is none, or because the rate allows no start yet."""
    dispatch = scheduler.dispatch
    if len(dispatch.flights) < dispatch.visits_allowed and not dispatch.rate_is_spent:
        for heap in dispatch.ready:
            if (slot := heap.head()) >= 0:
                _fail(
                    f"camera {scheduler.table.ids[slot]!r} waits for a slot, and {len(dispatch.flights)} of "
                    f"{dispatch.visits_allowed} are taken"
                )


def _times(scheduler: Scheduler, now_ns: int) -> None:
    table, settings = scheduler.table, scheduler.settings
    flags = _column(table.flags)
    release = _column(table.release)
    due = _column(table.place) == CameraState.DUE
    for slot in np.flatnonzero(due & (release < now_ns - _SLACK_NS))[:1]:
        _fail(f"camera {table.ids[slot]!r} was due {now_ns - release[slot]} ns ago and was passed over")
    base = _column(table.base)
    periods_all = np.array(periods_ns(settings))
    longest = (1.5 + settings.jitter) * periods_all[base]
    longest = np.maximum(longest, ns(settings.backoff_stream_first_s))  # after a failure of our own
    never_seen = _column(table.visits) == 0
    longest = np.where(never_seen, np.maximum(longest, periods_all[CameraClass.KEY_POINT]), longest)
    doubt_ns = max(settings.stretch_max * periods_all[CameraClass.SUSPICIOUS], ns(settings.confirm_spacing_s))
    longest = np.where(flags & DOUBT, np.maximum(longest, doubt_ns), longest)
    longest = np.where(flags & PUSH, periods_all[base], longest)
    ceilings = np.array([ceiling_ns(int(period_ns), settings) for period_ns in periods_all])
    failing = (flags & FAILING) != 0
    longest = np.where(failing, ceilings[base], longest)
    window = np.where(due, _column(table.window), 0)  # a free slot may name one that there is no longer
    until = np.zeros(len(scheduler.timing.sites.windows), dtype=np.int64)
    away_ns = int(periods_all[[CameraClass.KEY_POINT, CameraClass.ORDINARY]].max())
    for number in np.unique(window[due]):
        until[number] = _opening_after(scheduler, int(number), now_ns + away_ns)
    rests = until[window] > now_ns
    # Back-off and doubt end with the hours: the next opening has them at their own place in it.
    longest = np.where(rests, np.maximum(longest, (1.0 + settings.jitter) * periods_all[base]), longest)
    for slot in np.flatnonzero(due & (release > np.maximum(until[window], now_ns) + longest))[:1]:
        what = "is backed off by" if failing[slot] else "is due in"
        _fail(f"camera {table.ids[slot]!r} {what} {release[slot] - now_ns} ns, allowed {longest[slot]:.0f}")


def _opening_after(scheduler: Scheduler, number: int, at_ns: int) -> int:
    """When the kitchen opens next, after it has closed if it works then; 0 if it never closes, NEVER_NS if it is shut
    for good.
    """
    window, offset_ns = scheduler.timing.sites.windows[number], scheduler.timing.wall_offset_ns
    if window.always:
        return 0
    closes_ns = window.closes(at_ns + offset_ns)
    opens_ns = window.opens(at_ns + offset_ns if closes_ns is None else closes_ns)
    return NEVER_NS if opens_ns is None else opens_ns - offset_ns


def _counts(scheduler: Scheduler) -> None:
    table = scheduler.table
    flags = _column(table.flags)
    counted = (_column(table.place) != CameraState.FREE) & ((flags & (ENABLED | PUSH)) == ENABLED)
    kinds = np.where(flags & DOUBT, CameraClass.SUSPICIOUS, _column(table.base).astype(np.int64))
    kinds = np.where(flags & FAILING, CameraClass.OFFLINE, kinds)
    windows = len(scheduler.timing.sites.windows)
    totals = np.bincount((kinds * windows + _column(table.window))[counted], minlength=windows * len(CLASSES)).reshape(
        len(CLASSES), windows
    )
    for kind in CLASSES:
        counts = scheduler.timing.counts[kind]
        for window in {*counts, *np.flatnonzero(totals[kind]).tolist()}:
            if counts.get(window, 0) != totals[kind, window]:
                _fail(
                    f"{counts.get(window, 0)} {kind.word} cameras are counted in window {window}, there are "
                    f"{totals[kind, window]}"
                )


def _periods(scheduler: Scheduler) -> None:
    tally = scheduler.tally
    due, kept, shed = sum(tally.periods_due), sum(tally.periods_kept), sum(tally.shed.values())
    if due != kept + shed or sum(tally.counties.periods_due) != due or sum(tally.counties.periods_kept) != kept:
        _fail(f"{due} periods were due, {kept} kept and {shed} shed: that does not add up")


def _column(column: "array[int]") -> npt.NDArray[Any]:
    """A view; it must be gone before the column grows."""
    return np.frombuffer(column, dtype=column.typecode)
