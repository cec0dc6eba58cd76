"""What the scheduler tells people: how it keeps its periods, and why a camera is due when it is. Changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, seconds
from engine.errors import RegistryError
from engine.model.schedule import CameraPlanReport, ClassStatus, HostStatus, Pause, PauseStatus, SchedulerStatus
from engine.scheduler.backoff import ceiling_ns, failures_of
from engine.scheduler.classes import CLASSES, REASONS, CameraClass, periods_ns
from engine.scheduler.core import Scheduler
from engine.scheduler.dispatch import BLOCKED
from engine.scheduler.table import DOUBT, ENABLED, FAILING, PUSH, REGULAR, URGENT, CameraState
from engine.scheduler.timing import NEVER_NS

COUNTIES_SHOWN = 20
HOSTS_SHOWN = 20


def scheduler_status(scheduler: Scheduler, now_ns: int) -> SchedulerStatus:
    """Figures for operators; one pass over the columns."""
    table, tally = scheduler.table, scheduler.tally
    place = np.frombuffer(table.place, dtype=np.uint8)
    flags = np.frombuffer(table.flags, dtype=np.uint8)
    waiting = (place == CameraState.READY) | (place == CameraState.UPLINK) | (place == CameraState.HOST)
    waiting |= (place == CameraState.DUE) & ((flags & PUSH) == 0)
    released = np.frombuffer(table.release, dtype=np.int64)[waiting]
    failing = ((flags & FAILING) != 0) & (place != CameraState.FREE)
    reasons = np.bincount(np.frombuffer(table.reason, dtype=np.uint8)[failing], minlength=len(REASONS))
    return SchedulerStatus(
        cameras=len(table),
        in_flight=len(scheduler.dispatch.flights),
        visits_allowed=scheduler.dispatch.visits_allowed,
        ready=int((place == CameraState.READY).sum()),
        waiting_uplink=int((place == CameraState.UPLINK).sum()),
        waiting_host=int((place == CameraState.HOST).sum()),
        lag_s_max=max(0.0, seconds(now_ns - int(released.min()))) if released.size else 0.0,
        started_total=tally.started,
        ended_total=tally.ended,
        expired_total=tally.expired,
        presumed_total=tally.presumed,
        demand_per_s=sum(scheduler.timing.demand_per_s(now_ns)),
        capacity_per_s=scheduler.overload.capacity_per_s or 0.0,
        classes=tuple(
            _class(scheduler, kind, coverage, now_ns)
            for kind, coverage in zip(CLASSES, coverage_by_class(scheduler, now_ns), strict=True)
        ),
        county_lags=_counties(scheduler),
        shed={reason: round(periods, 3) for reason, periods in sorted(tally.shed.items())},
        failing={reason.value: int(count) for reason, count in zip(REASONS, reasons, strict=True) if count},
        outages=tuple(scheduler.dispatch.hosts.outages()),
        visits_max=scheduler.settings.visits_max,
        starts_per_s=round(tally.starts.per_s(now_ns), 3),
        starts_per_s_max=scheduler.settings.starts_per_s_max,
        uplinks=len(scheduler.dispatch.uplinks),
        uplinks_busy=int(np.count_nonzero(np.frombuffer(scheduler.dispatch.uplinks.in_flight, dtype=np.uint16))),
        hosts=len(scheduler.dispatch.hosts),
        busy_hosts=tuple(_busy_hosts(scheduler, place)),
        pauses=tuple(pause_status(scheduler, one) for one in scheduler.pauses),
    )


def pause_status(scheduler: Scheduler, pause: Pause) -> PauseStatus:
    """A pause with the number of cameras in its scope that would be visited without it; O(cameras)."""
    table, holds = scheduler.table, scheduler.pauses.holds
    slots = (slot for slot in table.slots.values() if table.flags[slot] & ENABLED and holds(pause.scope, slot))
    return PauseStatus(pause, sum(1 for _ in slots))


def coverage_by_class(scheduler: Scheduler, now_ns: int) -> list[float]:
    """Periods with a look / periods due, since the start; those that have gone by for cameras that still wait count."""
    slots, missed = _gone_by(scheduler, now_ns)
    base = np.frombuffer(scheduler.table.base, dtype=np.uint8)[slots]
    still: list[int] = np.bincount(base, weights=missed, minlength=len(CLASSES)).tolist()
    tally = scheduler.tally
    return [_share(*one) for one in zip(tally.periods_kept, tally.periods_due, still, strict=True)]


def coverage_by_county(scheduler: Scheduler, now_ns: int) -> dict[str, float]:
    """The same for every county."""
    slots, missed = _gone_by(scheduler, now_ns)
    counties = scheduler.tally.counties
    county = np.frombuffer(scheduler.table.county, dtype=scheduler.table.county.typecode)[slots]
    still: list[int] = np.bincount(county, weights=missed, minlength=len(counties.names)).tolist()
    return {
        name or "none": _share(kept, due, open_)
        for name, kept, due, open_ in zip(
            counties.names, counties.periods_kept, counties.periods_due, still, strict=True
        )
    }


def camera_plan_report(scheduler: Scheduler, camera_id: str, now_ns: int) -> CameraPlanReport:
    """Why this camera is due when it is. Raises RegistryError for an unknown id."""
    table = scheduler.table
    slot = table.slots.get(camera_id)
    if slot is None:
        raise RegistryError(f"camera {camera_id!r} is not in the registry; import it first")
    kind = CameraClass(scheduler.timing.kind(slot))
    flags, failed = table.flags[slot], bool(table.flags[slot] & FAILING)
    window = scheduler.timing.sites.windows[table.window[slot]]
    wall_ns = now_ns + scheduler.timing.wall_offset_ns
    works = window.is_open(wall_ns)
    return CameraPlanReport(
        camera_id=camera_id,
        kind="push" if flags & PUSH else kind.word,
        place=CameraState(table.place[slot]).name.lower(),
        due_in_s=seconds(table.release[slot] - now_ns),
        period_s=seconds(periods_ns(scheduler.settings)[table.base[slot]]),
        stretch=scheduler.overload.stretch[kind],
        failures=failures_of(table.failures[slot]),
        last_reason=REASONS[table.reason[slot]].value if failed else "",
        last_visit_ago_s=seconds(now_ns - table.started[slot]) if table.visits[slot] else None,
        last_keyframe_ago_s=seconds(now_ns - table.seen[slot]) if table.seen[slot] else None,
        window_open=works,
        because=tuple(_because(scheduler, slot, kind, now_ns)),
        window_opens_wall_ns=0 if works else window.opens(wall_ns) or 0,
        timezone=window.timezone,
    )


def _gone_by(scheduler: Scheduler, now_ns: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Slots of cameras whose period has gone by while they wait, and how many periods."""
    table = scheduler.table
    place = np.frombuffer(table.place, dtype=np.uint8)
    waiting = (place == CameraState.READY) | (place == CameraState.UPLINK) | (place == CameraState.HOST)
    waiting &= (np.frombuffer(table.flags, dtype=np.uint8) & REGULAR) != 0
    slots = np.flatnonzero(waiting)
    late_ns = now_ns - np.frombuffer(table.nominal, dtype=np.int64)[slots]
    missed = np.maximum(0, late_ns // scheduler.timing.periods(table.base)[slots])
    return slots, missed


def _share(kept: int, due: float, still: float) -> float:
    return round(kept / (due + still), 6) if due + still else 1.0


def _class(scheduler: Scheduler, kind: CameraClass, coverage: float, now_ns: int) -> ClassStatus:
    tally = scheduler.tally
    return ClassStatus(
        name=kind.word,
        cameras=sum(scheduler.timing.counts[kind].values()),
        period_s=seconds(periods_ns(scheduler.settings)[kind]),
        stretch=round(scheduler.overload.stretch[kind], 4),
        achieved_period_s=round(tally.gaps[kind].recent_ns(now_ns) / 1e9, 3),
        looks_total=tally.looks[kind],
        coverage=coverage,
        lag_p50_s=seconds(tally.lags[kind].percentile_ns(0.5, now_ns)),
        lag_p99_s=seconds(tally.lags[kind].percentile_ns(0.99, now_ns)),
        periods_due=tally.periods_due[kind],
    )


def _busy_hosts(scheduler: Scheduler, place: npt.NDArray[np.uint8]) -> Iterator[HostStatus]:
    """Those with most cameras waiting, then with most visits in flight."""
    table, hosts = scheduler.table, scheduler.dispatch.hosts.all
    flying = np.frombuffer(table.flight_host, dtype=np.int32)[place == CameraState.FLIGHT]
    in_flight = np.bincount(flying[flying >= 0], minlength=len(hosts))
    waiting = np.bincount(np.frombuffer(table.host, dtype=np.int32)[place == CameraState.HOST], minlength=len(hosts))
    busy = np.flatnonzero(in_flight + waiting)
    for index in busy[np.lexsort((-in_flight[busy], -waiting[busy]))][:HOSTS_SHOWN]:
        host = hosts[index]
        yield HostStatus(host.name, int(in_flight[index]), host.cap, int(waiting[index]), host.out)


def _counties(scheduler: Scheduler) -> dict[str, float]:
    counties = scheduler.tally.counties
    worst = sorted(zip(counties.worst(), counties.names, strict=True), key=lambda one: (-one[0], one[1]))
    return {name or "none": round(seconds(lag), 3) for lag, name in worst[:COUNTIES_SHOWN] if lag > 0}


def _because(scheduler: Scheduler, slot: int, kind: CameraClass, now_ns: int) -> list[str]:
    """Sentences, the deciding one first."""
    table, settings = scheduler.table, scheduler.settings
    flags, place = table.flags[slot], table.place[slot]
    if not flags & ENABLED:
        return ["it is disabled in the registry: nobody visits it"]
    said: list[str] = []
    pause = scheduler.pauses.of(slot)
    if pause is not None:
        said.append(f"its patrol is paused by {pause.who} ({pause.reason}): {_until(pause)}")
    if flags & PUSH:
        return [*said, "a gateway pushes it: it is never visited, and offline if nothing arrives within its period"]
    if flags & URGENT:
        said.append("somebody asked for it (check now): it goes before all others")
    said += _waits(scheduler, slot, place)
    if table.release[slot] >= NEVER_NS:
        return [*said, "its hours never come: see the calendar, and `hours` in the registry"]
    window = scheduler.timing.sites.windows[table.window[slot]]
    if place == CameraState.DUE and not window.is_open(now_ns + scheduler.timing.wall_offset_ns):
        rest = settings.offhours_period_s
        said.append(f"its kitchen rests now: {f'one look in {rest:g} s' if rest else 'no looks'} until it works again")
    if flags & FAILING:
        longest = seconds(ceiling_ns(periods_ns(settings)[table.base[slot]], settings))
        failures, reason = failures_of(table.failures[slot]), REASONS[table.reason[slot]].value
        said.append(
            f"its last visit failed ({reason}, {failures} counted): it is backed off, never longer than {longest:g} s"
        )
    elif flags & DOUBT:
        said.append(
            f"its last picture disagrees with what is announced: quick look {table.looks[slot]} of "
            f"{settings.confirm_looks_max}, then one in {settings.suspicious_period_s:g} s"
        )
    elif flags & REGULAR:
        stretch = scheduler.overload.stretch[kind]
        longer = f", stretched by {stretch:.2f} since the machine cannot keep it" if stretch > 1 else ""
        said.append(f"{kind.word.replace('_', ' ')}: one look in {seconds(periods_ns(settings)[kind]):g} s{longer}")
    elif not table.visits[slot]:
        said.append("it was never visited: first looks are spread over what the caps allow")
    return said


def _until(pause: Pause) -> str:
    if not pause.until_wall_ns:
        return "until somebody resumes it"
    end = datetime.fromtimestamp(pause.until_wall_ns // NS_PER_S, UTC)
    return f"until {end:%Y-%m-%d %H:%M:%S} UTC"


def _waits(scheduler: Scheduler, slot: int, place: int) -> list[str]:
    table, settings, dispatch = scheduler.table, scheduler.settings, scheduler.dispatch
    if place == CameraState.FLIGHT:
        return [f"it is being visited (visit {table.visit_id[slot]})"]
    if place == CameraState.UPLINK:
        name = dispatch.uplinks.names[table.uplink[slot]]
        return [f"it waits for its recorder {name}: {settings.visits_per_uplink_max} visits at a time"]
    if place == CameraState.HOST:
        host = dispatch.hosts.all[table.host[slot]]
        if BLOCKED[table.blocked[slot]] == "host_rate":
            return [f"it waits for its platform {host.name}: {settings.host_starts_per_s_max:g} connections a second"]
        return [f"it waits for its platform {host.name}: {host.in_flight} of {host.cap} visits under way"]
    if place == CameraState.READY:
        return [f"it waits for a free slot: {len(dispatch.flights)} of {dispatch.visits_allowed} visits under way"]
    index = table.host[slot]
    if index >= 0 and dispatch.hosts.all[index].out:
        return [f"its platform {dispatch.hosts.all[index].name} is out: one camera probes it, the others wait"]
    return []
