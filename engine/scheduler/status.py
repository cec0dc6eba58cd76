"""Reports to people how the scheduler keeps its periods, and why a camera is due when it is. Changes nothing."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, seconds
from engine.errors import RegistryError
from engine.model.schedule import CameraPlanReport, ClassStatus, HostStatus, Pause, PauseStatus, SchedulerStatus
from engine.scheduler.classes import CLASSES, REASONS, CameraClass, periods_ns
from engine.scheduler.core import Scheduler
from engine.scheduler.dispatch import WAIT_REASONS
from engine.scheduler.periods.backoff import ceiling_ns, failure_count
from engine.scheduler.periods.timing import NEVER_NS
from engine.scheduler.table import ENABLED, FAILING, PERIODIC, PUSH, SUSPICIOUS, URGENT, CameraState

COUNTIES_SHOWN = 20
HOSTS_SHOWN = 20


def scheduler_status(scheduler: Scheduler, now_ns: int) -> SchedulerStatus:
    """Return figures for operators; O(cameras): a millisecond or two for a province."""
    table, dispatch, statistics = scheduler.table, scheduler.dispatch, scheduler.statistics
    state = np.frombuffer(table.state, dtype=np.uint8)
    flags = np.frombuffer(table.flags, dtype=np.uint8)
    waiting = (state == CameraState.READY) | (state == CameraState.UPLINK) | (state == CameraState.HOST)
    waiting |= (state == CameraState.DUE) & ((flags & PUSH) == 0)
    releases = np.frombuffer(table.release, dtype=np.int64)[waiting]
    failing = ((flags & FAILING) != 0) & (state != CameraState.FREE)
    reasons = np.bincount(np.frombuffer(table.failure_reason, dtype=np.uint8)[failing], minlength=len(REASONS))
    return SchedulerStatus(
        cameras=len(table),
        in_flight=len(dispatch.flights),
        visits_allowed=dispatch.visits_allowed,
        ready=int((state == CameraState.READY).sum()),
        waiting_uplink=int((state == CameraState.UPLINK).sum()),
        waiting_host=int((state == CameraState.HOST).sum()),
        lag_s_max=max(0.0, seconds(now_ns - int(releases.min()))) if releases.size else 0.0,
        started_total=statistics.started,
        ended_total=statistics.ended,
        expired_total=statistics.expired,
        presumed_total=statistics.presumed,
        demand_per_s=sum(scheduler.timing.demand_per_s(now_ns)),
        capacity_per_s=scheduler.overload.capacity_per_s or 0.0,
        classes=tuple(
            _class_status(scheduler, camera_class, coverage, now_ns)
            for camera_class, coverage in zip(CLASSES, coverage_by_class(scheduler, now_ns), strict=True)
        ),
        county_lags=_county_lags(scheduler),
        shed={reason: round(periods, 3) for reason, periods in sorted(statistics.shed.items())},
        failing={reason.value: int(count) for reason, count in zip(REASONS, reasons, strict=True) if count},
        outages=tuple(dispatch.hosts.outages()),
        visits_max=scheduler.settings.visits_max,
        starts_per_s=round(statistics.starts.per_s(now_ns), 3),
        starts_per_s_max=scheduler.settings.starts_per_s_max,
        uplinks=len(dispatch.uplinks),
        uplinks_busy=int(np.count_nonzero(np.frombuffer(dispatch.uplinks.in_flight, dtype=np.uint16))),
        hosts=len(dispatch.hosts),
        busy_hosts=tuple(_busy_hosts(scheduler, state)),
        pauses=tuple(pause_status(scheduler, pause) for pause in scheduler.pauses),
    )


def pause_status(scheduler: Scheduler, pause: Pause) -> PauseStatus:
    """Return a pause with the number of cameras in its scope that would be visited without it; O(cameras)."""
    table, in_scope = scheduler.table, scheduler.pauses.in_scope
    slots = (slot for slot in table.slots.values() if table.flags[slot] & ENABLED and in_scope(pause.scope, slot))
    return PauseStatus(pause, sum(1 for _ in slots))


def coverage_by_class(scheduler: Scheduler, now_ns: int) -> list[float]:
    """Return periods kept / periods due since the start, by base class; periods that are over for cameras that still
    wait are due.
    """
    slots, missed = _missed_while_waiting(scheduler, now_ns)
    base_classes = np.frombuffer(scheduler.table.base_class, dtype=np.uint8)[slots]
    waiting: list[int] = np.bincount(base_classes, weights=missed, minlength=len(CLASSES)).tolist()
    statistics = scheduler.statistics
    return [
        _coverage(kept, due, missed_by_class)
        for kept, due, missed_by_class in zip(statistics.periods_kept, statistics.periods_due, waiting, strict=True)
    ]


def coverage_by_county(scheduler: Scheduler, now_ns: int) -> dict[str, float]:
    """Return the same by county."""
    slots, missed = _missed_while_waiting(scheduler, now_ns)
    counties = scheduler.statistics.counties
    county = np.frombuffer(scheduler.table.county, dtype=scheduler.table.county.typecode)[slots]
    waiting: list[int] = np.bincount(county, weights=missed, minlength=len(counties.names)).tolist()
    return {
        name or "none": _coverage(kept, due, missed_by_county)
        for name, kept, due, missed_by_county in zip(
            counties.names, counties.periods_kept, counties.periods_due, waiting, strict=True
        )
    }


def camera_plan_report(scheduler: Scheduler, camera_id: str, now_ns: int) -> CameraPlanReport:
    """Explain why this camera is due when it is. Raises RegistryError for an unknown id."""
    table = scheduler.table
    slot = table.slots.get(camera_id)
    if slot is None:
        raise RegistryError(f"camera {camera_id!r} is not in the registry; import it first")
    camera_class = CameraClass(scheduler.timing.class_of(slot))
    flags, failing = table.flags[slot], bool(table.flags[slot] & FAILING)
    window = scheduler.timing.sites.windows[table.window[slot]]
    wall_ns = now_ns + scheduler.timing.wall_offset_ns
    is_open = window.is_open(wall_ns)
    return CameraPlanReport(
        camera_id=camera_id,
        kind="push" if flags & PUSH else camera_class.label,
        place=CameraState(table.state[slot]).name.lower(),
        due_in_s=seconds(table.release[slot] - now_ns),
        period_s=seconds(periods_ns(scheduler.settings)[table.base_class[slot]]),
        stretch=scheduler.overload.stretch[camera_class],
        failures=failure_count(table.failure_memory[slot]),
        last_reason=REASONS[table.failure_reason[slot]].value if failing else "",
        last_visit_ago_s=seconds(now_ns - table.last_visit[slot]) if table.visits[slot] else None,
        last_keyframe_ago_s=seconds(now_ns - table.last_keyframe[slot]) if table.last_keyframe[slot] else None,
        window_open=is_open,
        because=tuple(_reasons(scheduler, slot, camera_class, now_ns)),
        window_opens_wall_ns=0 if is_open else window.next_open(wall_ns) or 0,
        timezone=window.timezone,
    )


def _missed_while_waiting(scheduler: Scheduler, now_ns: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the slots of cameras that wait for the visit of a period, and how many periods each has missed so far."""
    table = scheduler.table
    state = np.frombuffer(table.state, dtype=np.uint8)
    waiting = (state == CameraState.READY) | (state == CameraState.UPLINK) | (state == CameraState.HOST)
    waiting &= (np.frombuffer(table.flags, dtype=np.uint8) & PERIODIC) != 0
    slots = np.flatnonzero(waiting)
    late_ns = now_ns - np.frombuffer(table.nominal, dtype=np.int64)[slots]
    missed = np.maximum(0, late_ns // scheduler.timing.periods(table.base_class)[slots])
    return slots, missed


def _coverage(kept: int, due: float, missed_while_waiting: float) -> float:
    return round(kept / (due + missed_while_waiting), 6) if due + missed_while_waiting else 1.0


def _class_status(scheduler: Scheduler, camera_class: CameraClass, coverage: float, now_ns: int) -> ClassStatus:
    statistics = scheduler.statistics
    return ClassStatus(
        name=camera_class.label,
        cameras=sum(scheduler.timing.counts[camera_class].values()),
        period_s=seconds(periods_ns(scheduler.settings)[camera_class]),
        stretch=round(scheduler.overload.stretch[camera_class], 4),
        achieved_period_s=round(statistics.gaps[camera_class].recent_ns(now_ns) / 1e9, 3),
        looks_total=statistics.visits[camera_class],
        coverage=coverage,
        lag_p50_s=statistics.lags[camera_class].percentile_s(0.5, now_ns),
        lag_p99_s=statistics.lags[camera_class].percentile_s(0.99, now_ns),
        periods_due=statistics.periods_due[camera_class],
    )


def _busy_hosts(scheduler: Scheduler, state: npt.NDArray[np.uint8]) -> Iterator[HostStatus]:
    """Yield the platforms with most cameras waiting, then with most visits in flight."""
    table, hosts = scheduler.table, scheduler.dispatch.hosts.by_index
    flying = np.frombuffer(table.flight_host, dtype=np.int32)[state == CameraState.FLIGHT]
    in_flight = np.bincount(flying[flying >= 0], minlength=len(hosts))
    waiting = np.bincount(np.frombuffer(table.host, dtype=np.int32)[state == CameraState.HOST], minlength=len(hosts))
    busy = np.flatnonzero(in_flight + waiting)
    for index in busy[np.lexsort((-in_flight[busy], -waiting[busy]))][:HOSTS_SHOWN]:
        host = hosts[index]
        yield HostStatus(host.name, int(in_flight[index]), host.cap, int(waiting[index]), host.in_outage)


def _county_lags(scheduler: Scheduler) -> dict[str, float]:
    counties = scheduler.statistics.counties
    lags = zip(counties.longest_lags_ns(), counties.names, strict=True)
    worst = sorted(lags, key=lambda lag: (-lag[0], lag[1]))
    return {name or "none": round(seconds(lag_ns), 3) for lag_ns, name in worst[:COUNTIES_SHOWN] if lag_ns > 0}


def _reasons(scheduler: Scheduler, slot: int, camera_class: CameraClass, now_ns: int) -> list[str]:
    """Return sentences that explain a camera's time, the deciding one first."""
    table, settings = scheduler.table, scheduler.settings
    flags, state = table.flags[slot], table.state[slot]
    if not flags & ENABLED:
        return ["it is disabled in the registry: nobody visits it"]
    sentences: list[str] = []
    pause = scheduler.pauses.pause_of(slot)
    if pause is not None:
        timezone = scheduler.timing.sites.windows[table.window[slot]].timezone
        sentences.append(f"its patrol is paused by {pause.who} ({pause.reason}): {_until(pause, timezone)}")
    if flags & PUSH:
        return [
            *sentences,
            "a gateway pushes it: it is never visited, and offline if nothing arrives within its period",
        ]
    if flags & URGENT:
        sentences.append("somebody asked for it (check now): it goes before all others")
    sentences += _wait_reasons(scheduler, slot, state)
    if table.release[slot] >= NEVER_NS:
        return [*sentences, "its hours never come: see the calendar, and `hours` in the registry"]
    window = scheduler.timing.sites.windows[table.window[slot]]
    if state == CameraState.DUE and not window.is_open(now_ns + scheduler.timing.wall_offset_ns):
        rest = settings.offhours_period_s
        visits = f"one visit in {rest:g} s" if rest else "no visits"
        sentences.append(f"its kitchen rests now: {visits} until it works again")
    if sentence := scheduler.dispatch.streams.sentence(slot):
        sentences.append(sentence)
    if flags & FAILING:
        longest = seconds(ceiling_ns(periods_ns(settings)[table.base_class[slot]], settings))
        failures, reason = failure_count(table.failure_memory[slot]), REASONS[table.failure_reason[slot]].value
        sentences.append(
            f"its last visit failed ({reason}, {failures} counted): it is backed off, never longer than {longest:g} s"
        )
    elif flags & SUSPICIOUS:
        sentences.append(
            f"its last picture disagrees with what is announced: quick visit {table.rechecks[slot]} of "
            f"{settings.confirm_looks_max}, then one in {settings.suspicious_period_s:g} s"
        )
    elif flags & PERIODIC:
        stretch = scheduler.overload.stretch[camera_class]
        longer = f", stretched by {stretch:.2f} since the machine cannot keep it" if stretch > 1 else ""
        period_s, name = seconds(periods_ns(settings)[camera_class]), camera_class.label.replace("_", " ")
        sentences.append(f"{name}: one visit in {period_s:g} s{longer}")
    elif not table.visits[slot]:
        sentences.append("it was never visited: first visits are spread over what the caps allow")
    return sentences


def _until(pause: Pause, timezone: str) -> str:
    if not pause.until_wall_ns:
        return "until somebody resumes it"
    end = datetime.fromtimestamp(pause.until_wall_ns // NS_PER_S, ZoneInfo(timezone))
    return f"until {end:%Y-%m-%d %H:%M:%S} ({timezone})"


def _wait_reasons(scheduler: Scheduler, slot: int, state: int) -> list[str]:
    table, settings, dispatch = scheduler.table, scheduler.settings, scheduler.dispatch
    if state == CameraState.FLIGHT:
        return [f"it is being visited (visit {table.visit_id[slot]})"]
    if state == CameraState.UPLINK:
        name = dispatch.uplinks.names[table.uplink[slot]]
        return [f"it waits for its recorder {name}: {settings.visits_per_uplink_max} visits at a time"]
    if state == CameraState.HOST:
        host = dispatch.hosts.by_index[table.host[slot]]
        if WAIT_REASONS[table.wait_reason[slot]] == "host_rate":
            return [f"it waits for its platform {host.name}: {settings.host_starts_per_s_max:g} connections a second"]
        if not host.cap:
            return [f"it waits for its platform {host.name}: other shards have all visits on it for now"]
        return [f"it waits for its platform {host.name}: {host.in_flight} of {host.cap} visits under way"]
    if state == CameraState.READY:
        return [f"it waits for a free slot: {len(dispatch.flights)} of {dispatch.visits_allowed} visits under way"]
    index = table.host[slot]
    if index >= 0 and dispatch.hosts.by_index[index].in_outage:
        return [f"its platform {dispatch.hosts.by_index[index].name} is out: one camera probes it, the others wait"]
    return []
