"""Checks what must be true of a scheduler after every event. O(cameras), in NumPy: for tests, simulations and the end
of a run.
"""

from array import array
from operator import eq
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import ns
from engine.scheduler.classes import CLASSES, CameraClass, periods_ns
from engine.scheduler.core import Scheduler
from engine.scheduler.county_queue import CountyQueue
from engine.scheduler.heap import SlotHeap
from engine.scheduler.periods.backoff import ceiling_ns
from engine.scheduler.periods.timing import NEVER_NS
from engine.scheduler.table import ENABLED, FAILING, PROBING, PUSH, SUSPICIOUS, URGENT, CameraState

_SLACK_NS = 1_000_000


class SchedulerInvariantError(AssertionError):
    """Raised when the scheduler's state contradicts itself or its rules."""


def check_invariants(scheduler: Scheduler, now_ns: int) -> None:
    """Raise SchedulerInvariantError unless all of this holds, after an event at `now_ns`.

    Every order ends once; every camera is in one state, and in the queue of that state; no cap is exceeded; no due
    camera is passed over; no back-off is above its ceiling; no paused camera waits for a visit; the counts of classes
    add up; periods due are those kept and those shed with a reason.

    No camera waits beyond its bound. A camera in DUE whose kitchen works becomes due within 1.5 periods and the jitter
    (half a period more than one, where it returns to its own grid), within the ceiling of its back-off if it failed,
    within the stretched suspicious period if it is suspicious, within the key points' period if it was never visited;
    if the kitchen rests, that long after the first opening that is at least a period away (an opening within a period
    of the last visit holds none). A due camera waits only for a gate that is closed or for a slot that is not free, and
    records for which; the periods that it misses are counted there.
    """
    _check_orders(scheduler)
    _check_states(scheduler)
    _check_caps(scheduler)
    _check_gates(scheduler, now_ns)
    _check_slots(scheduler)
    _check_times(scheduler, now_ns)
    _check_counts(scheduler)
    _check_periods(scheduler)


def _fail(sentence: str) -> None:
    raise SchedulerInvariantError(sentence)


def _check_orders(scheduler: Scheduler) -> None:
    statistics, in_flight = scheduler.statistics, len(scheduler.dispatch.flights)
    started, ended, expired = statistics.started, statistics.ended, statistics.expired
    if started != ended + expired + in_flight:
        _fail(f"started {started} visits, ended {ended}, expired {expired}, but {in_flight} are in flight")
    expiring = {visit_id for _, visit_id in scheduler.dispatch.expiry}
    for visit_id, slot in scheduler.dispatch.flights.items():
        if scheduler.table.visit_id[slot] != visit_id or scheduler.table.state[slot] != CameraState.FLIGHT:
            _fail(f"visit {visit_id} is in flight, its camera does not say so")
        if visit_id not in expiring:
            _fail(f"visit {visit_id} would never expire")


def _check_states(scheduler: Scheduler) -> None:
    table = scheduler.table
    dispatch = scheduler.dispatch
    heaps: list[SlotHeap | CountyQueue] = [
        scheduler.due,
        *dispatch.ready,
        *(heap for _, heap in dispatch.uplinks.parked()),
    ]
    heaps += [host.parked for host in dispatch.hosts.by_index if host.parked is not None and host.references]
    queues = np.zeros(table.size, dtype=np.int64)
    for heap in heaps:
        queues[heap.slots()] += 1
    np.add.at(queues, list(dispatch.flights.values()), 1)
    state = _column(table.state)
    expected = (state != CameraState.FREE) & (state != CameraState.IDLE)
    for slot in np.flatnonzero(queues != expected)[:1]:
        _fail(f"camera {table.ids[slot]!r} is {CameraState(state[slot]).name} and found in {queues[slot]} places")
    for slot in np.flatnonzero((state == CameraState.IDLE) & ((_column(table.flags) & ENABLED) != 0))[:1]:
        _fail(f"camera {table.ids[slot]!r} is enabled and nobody will ever visit it")
    _check_flags(scheduler, state)
    slots = np.fromiter(table.slots.values(), dtype=np.int64, count=len(table.slots))
    ids = map(table.ids.__getitem__, table.slots.values())
    if np.any(state[slots] == CameraState.FREE) or not all(map(eq, ids, table.slots)):
        _fail("a camera's id points to a slot that is not its own")


def _check_flags(scheduler: Scheduler, state: npt.NDArray[Any]) -> None:
    table, flags = scheduler.table, _column(scheduler.table.flags)
    waiting = np.isin(state, (CameraState.READY, CameraState.UPLINK, CameraState.HOST))
    if scheduler.pauses:
        for slot in np.flatnonzero(waiting).tolist():
            if scheduler.pauses.pause_of(slot) is not None:
                _fail(f"camera {table.ids[slot]!r} is paused and waits for a visit")
    for slot in np.flatnonzero(((flags & URGENT) != 0) & ~waiting)[:1]:
        _fail(f"camera {table.ids[slot]!r} was asked for and is {CameraState(state[slot]).name}")
    for slot in np.flatnonzero(((flags & PROBING) != 0) & (state != CameraState.FLIGHT))[:1]:
        _fail(f"camera {table.ids[slot]!r} probes its platform and is {CameraState(state[slot]).name}")


def _check_caps(scheduler: Scheduler) -> None:
    table, dispatch = scheduler.table, scheduler.dispatch
    in_force = dispatch.settings_in_force
    total = max(settings.visits_max for settings in in_force)
    if len(dispatch.flights) > total:
        _fail(f"{len(dispatch.flights)} visits in flight, allowed {total}")
    flying = np.fromiter(dispatch.flights.values(), dtype=np.int64, count=len(dispatch.flights))
    uplinks, hosts = (
        np.bincount(gates[gates >= 0], minlength=count)
        for gates, count in (
            (_column(table.flight_uplink)[flying], len(dispatch.uplinks.in_flight)),
            (_column(table.flight_host)[flying], len(dispatch.hosts.by_index)),
        )
    )
    allowed = max(settings.visits_per_uplink_max for settings in in_force)
    counted = _column(dispatch.uplinks.in_flight)
    for index in np.flatnonzero((counted != uplinks) | (counted > allowed))[:1]:
        _fail(
            f"uplink {dispatch.uplinks.names[index]} counts {counted[index]} visits, {uplinks[index]} are in flight, "
            f"allowed {allowed}"
        )
    for index, host in enumerate(dispatch.hosts.by_index):
        allowed = max(settings.host_visits_max.get(host.name, settings.visits_per_host_max) for settings in in_force)
        if host.in_flight != hosts[index] or host.in_flight > allowed:
            _fail(f"host {host.name} counts {host.in_flight} visits, {hosts[index]} are in flight, allowed {allowed}")
    probing = flying[(_column(table.flags)[flying] & PROBING) != 0]
    probes = np.bincount(_column(table.flight_host)[probing], minlength=len(dispatch.hosts.by_index))
    for index, host in enumerate(dispatch.hosts.by_index):
        if host.probes_in_flight != probes[index]:
            _fail(f"host {host.name} counts {host.probes_in_flight} probes, {probes[index]} are in flight")


def _check_gates(scheduler: Scheduler, now_ns: int) -> None:
    """Check that cameras wait only for closed gates, or behind a camera that was made ready and is about to start."""
    table = scheduler.table
    uplinks, hosts = scheduler.dispatch.uplinks, scheduler.dispatch.hosts
    passing_uplinks = {table.uplink[slot] for heap in scheduler.dispatch.ready for slot in heap.slots()}
    passing_hosts = {table.host[slot] for heap in scheduler.dispatch.ready for slot in heap.slots()}
    for host in hosts.by_index:
        if host.parked is not None and host.references:
            passing_uplinks.update(table.uplink[slot] for slot in host.parked.slots())
    for index, heap in uplinks.parked():
        has_room = uplinks.in_flight[index] < scheduler.settings.visits_per_uplink_max
        if has_room and index not in passing_uplinks and heap.head() >= 0:
            _fail(f"uplink {uplinks.names[index]} is free, and cameras wait for it")
    for index, host in enumerate(hosts.by_index):
        if host.parked is None or not host.references or host.parked.head() < 0:
            continue
        if host.in_flight < host.cap and index not in passing_hosts and not host.wake_ns > now_ns - _SLACK_NS:
            _fail(f"host {host.name} is free, cameras wait for it, and nobody wakes them")


def _check_slots(scheduler: Scheduler) -> None:
    """Check that ready cameras wait only because no slot is free, or because the rate allows no start yet."""
    dispatch = scheduler.dispatch
    if len(dispatch.flights) < dispatch.visits_allowed and not dispatch.is_rate_blocked:
        for heap in dispatch.ready:
            if (slot := heap.head()) >= 0:
                _fail(
                    f"camera {scheduler.table.ids[slot]!r} waits for a slot, and {len(dispatch.flights)} of "
                    f"{dispatch.visits_allowed} are taken"
                )


def _check_times(scheduler: Scheduler, now_ns: int) -> None:
    table, settings = scheduler.table, scheduler.settings
    flags = _column(table.flags)
    release = _column(table.release)
    due = _column(table.state) == CameraState.DUE
    for slot in np.flatnonzero(due & (release < now_ns - _SLACK_NS))[:1]:
        _fail(f"camera {table.ids[slot]!r} was due {now_ns - release[slot]} ns ago and was passed over")
    base = _column(table.base_class)
    periods = np.array(periods_ns(settings))
    longest = (1.5 + settings.jitter) * periods[base]
    longest = np.maximum(longest, ns(settings.backoff_stream_first_s))  # after a failure of our own
    unvisited = _column(table.visits) == 0
    longest = np.where(unvisited, np.maximum(longest, periods[CameraClass.KEY_POINT]), longest)
    suspicious_ns = max(settings.stretch_max * periods[CameraClass.SUSPICIOUS], ns(settings.confirm_spacing_s))
    longest = np.where(flags & SUSPICIOUS, np.maximum(longest, suspicious_ns), longest)
    longest = np.where(flags & PUSH, periods[base], longest)
    ceilings = np.array([ceiling_ns(int(period_ns), settings) for period_ns in periods])
    failing = (flags & FAILING) != 0
    longest = np.where(failing, ceilings[base], longest)
    window = np.where(due, _column(table.window), 0)  # a free slot may have the index of a window that is gone
    opens = np.zeros(len(scheduler.timing.sites.windows), dtype=np.int64)
    away_ns = int(periods[[CameraClass.KEY_POINT, CameraClass.ORDINARY]].max())
    for index in np.unique(window[due]):
        opens[index] = _opening_after(scheduler, int(index), now_ns + away_ns)
    rests = opens[window] > now_ns
    # Back-off and suspicion end with the hours: at the next opening the camera follows its own grid.
    longest = np.where(rests, np.maximum(longest, (1.0 + settings.jitter) * periods[base]), longest)
    for slot in np.flatnonzero(due & (release > np.maximum(opens[window], now_ns) + longest))[:1]:
        what = "is backed off by" if failing[slot] else "is due in"
        _fail(f"camera {table.ids[slot]!r} {what} {release[slot] - now_ns} ns, allowed {longest[slot]:.0f}")


def _opening_after(scheduler: Scheduler, window_index: int, at_ns: int) -> int:
    """Return when the kitchen opens next, after it has closed if it works at `at_ns`; 0 if it never closes, NEVER_NS if
    it never opens.
    """
    window, offset_ns = scheduler.timing.sites.windows[window_index], scheduler.timing.wall_offset_ns
    if window.always:
        return 0
    closes_ns = window.next_close(at_ns + offset_ns)
    opens_ns = window.next_open(at_ns + offset_ns if closes_ns is None else closes_ns)
    return NEVER_NS if opens_ns is None else opens_ns - offset_ns


def _check_counts(scheduler: Scheduler) -> None:
    table = scheduler.table
    flags = _column(table.flags)
    counted = (_column(table.state) != CameraState.FREE) & ((flags & (ENABLED | PUSH)) == ENABLED)
    classes = np.where(flags & SUSPICIOUS, CameraClass.SUSPICIOUS, _column(table.base_class).astype(np.int64))
    classes = np.where(flags & FAILING, CameraClass.OFFLINE, classes)
    windows = len(scheduler.timing.sites.windows)
    cells = (classes * windows + _column(table.window))[counted]
    totals = np.bincount(cells, minlength=windows * len(CLASSES)).reshape(len(CLASSES), windows)
    for camera_class in CLASSES:
        counts = scheduler.timing.counts[camera_class]
        for window in {*counts, *np.flatnonzero(totals[camera_class]).tolist()}:
            if counts.get(window, 0) != totals[camera_class, window]:
                _fail(
                    f"{counts.get(window, 0)} {camera_class.label} cameras are counted in window {window}, there are "
                    f"{totals[camera_class, window]}"
                )


def _check_periods(scheduler: Scheduler) -> None:
    statistics = scheduler.statistics
    due, kept, shed = sum(statistics.periods_due), sum(statistics.periods_kept), sum(statistics.shed.values())
    counties = statistics.counties
    if due != kept + shed or sum(counties.periods_due) != due or sum(counties.periods_kept) != kept:
        _fail(f"{due} periods were due, {kept} kept and {shed} shed: that does not add up")


def _column(column: "array[int]") -> npt.NDArray[Any]:
    """Return a view; it must be gone before the column grows."""
    return np.frombuffer(column, dtype=column.typecode)
