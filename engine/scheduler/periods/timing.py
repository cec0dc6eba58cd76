"""Decides when each camera is due next: periods on a grid, windows, rechecks, back-off. Pure.

A camera's period k begins at `phase + k * period`. The phase comes from its id, so the load is flat, and many cameras
that come back together spread out again. `nominal` is the begin of the period a camera is due for, `release` (jitter
added) is when it is due, `deadline` orders the cameras that wait.
"""

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns, seconds
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.classes import CLASSES, CameraClass, base_class, periods_ns
from engine.scheduler.deterministic_random import uniform
from engine.scheduler.events import CameraPlan
from engine.scheduler.periods.backoff import backoff_ns, ceiling_ns, failure_count, first_wait_s, updated_memory
from engine.scheduler.periods.overload import Overload
from engine.scheduler.periods.sites import Sites
from engine.scheduler.statistics import Statistics
from engine.scheduler.table import ENABLED, FAILING, PERIODIC, PUSH, SUSPICIOUS, CameraState, Table

NEVER_NS = (1 << 37) * 1_000_000
"""Later than any uptime: the release of a camera whose window does not open."""
_KEY_POINTS = tuple(KeyPoint)
_KEY_POINT_NUMBER = {key_point: number for number, key_point in enumerate(_KEY_POINTS)}
_REQUIRED, DEMUX = 128, 64
"""Bits beside the key point's number in the column `key_point`."""
_OFFLINE_CLASS, _SUSPICIOUS_CLASS = int(CameraClass.OFFLINE), int(CameraClass.SUSPICIOUS)


def class_of_key_point(code: int, settings: SchedulerSettings) -> CameraClass:
    """Return the base class for an entry of the column `key_point`; unassigned numbers count as OTHER."""
    number = code & ~(_REQUIRED | DEMUX)
    key_point = _KEY_POINTS[number] if number < len(_KEY_POINTS) else KeyPoint.OTHER
    return base_class(key_point, bool(code & _REQUIRED), settings)


class Timing:
    """Writes the time columns of the table; the core moves the cameras accordingly."""

    def __init__(
        self,
        table: Table,
        settings: SchedulerSettings,
        calendar: Calendar,
        wall_offset_ns: int,
        overload: Overload,
        statistics: Statistics,
    ) -> None:
        self._table = table
        self._overload = overload
        self._statistics = statistics
        self.wall_offset_ns = wall_offset_ns
        self.sites = Sites()
        self.counts: list[dict[int, int]] = [{} for _ in CLASSES]
        """Visited cameras by class, then by window."""
        self._apply_settings(settings, calendar)

    def configure(self, settings: SchedulerSettings, calendar: Calendar) -> None:
        """Apply new settings: recompute class and window of every camera; for their times call `after_change`."""
        self._apply_settings(settings, calendar)
        self.counts = [{} for _ in CLASSES]
        table = self._table
        for slot in range(table.size):
            if table.state[slot] == CameraState.FREE:
                continue  # not by id: a camera that left the registry in flight still counts
            table.base_class[slot] = self._base_classes[table.key_point[slot]]
            table.window[slot] = self.sites.window_of(table.site[slot])
            self.count(slot, 1)

    def set_plan(self, slot: int, plan: CameraPlan) -> None:
        """Store base class, site and window of a camera that is new or changed."""
        table = self._table
        bits = (_REQUIRED if plan.required else 0) | (DEMUX if plan.demux else 0)
        table.key_point[slot] = _KEY_POINT_NUMBER[plan.key_point] | bits
        table.base_class[slot] = self._base_classes[table.key_point[slot]]
        site = self.sites.acquire(plan.site_id, plan.county, plan.hours)
        self.sites.release(table.site[slot])
        table.site[slot] = site
        table.window[slot] = self.sites.window_of(site)

    def schedule_key(self, slot: int) -> tuple[bool, int, int]:
        """Return what decides when a camera is visited: whether it is pushed, its base class, its window."""
        table = self._table
        return bool(table.flags[slot] & PUSH), table.base_class[slot], table.window[slot]

    def remove(self, slot: int) -> None:
        """Release the site of a camera that is removed."""
        self.sites.release(self._table.site[slot])

    def class_of(self, slot: int) -> int:
        """Return the class that a camera is in now."""
        flags = self._table.flags[slot]
        if flags & FAILING:
            return _OFFLINE_CLASS
        return _SUSPICIOUS_CLASS if flags & SUSPICIOUS else self._table.base_class[slot]

    def count(self, slot: int, change: int) -> None:
        """Update `counts`; call with -1 before and 1 after anything that changes a camera's class or window."""
        flags = self._table.flags[slot]
        if flags & ENABLED and not flags & PUSH:
            counts = self.counts[self.class_of(slot)]
            window = self._table.window[slot]
            counts[window] = counts.get(window, 0) + change

    def period_s(self, slot: int) -> float:
        """Return the configured period of a camera's base class."""
        return seconds(self._periods[self._table.base_class[slot]])

    def periods(self, base_classes: "array[int]") -> npt.NDArray[np.int64]:
        """Return the configured period of each entry of a column of base classes."""
        periods = np.array(self._periods, dtype=np.int64)
        by_slot: npt.NDArray[np.int64] = periods[np.frombuffer(base_classes, dtype=np.uint8)]
        return by_slot

    def demand_per_s(self, now_ns: int) -> list[float]:
        """Return the visits a second that the configured periods ask for now, by class."""
        wall_ns = now_ns + self.wall_offset_ns
        demand = []
        for period_ns, counts in zip(self._periods, self.counts, strict=True):
            total = 0.0
            for window, cameras in counts.items():
                each_ns = period_ns if self.sites.windows[window].is_open(wall_ns) else self._offhours_ns
                total += cameras * NS_PER_S / each_ns if each_ns else 0.0
            demand.append(total)
        return demand

    def first_spread_ns(self, cameras: int) -> int:
        """Return the time over which first visits are spread: a key point's period, or less if half the start rate
        carries them sooner.
        """
        shortest_ns = round(2 * cameras / self._settings.starts_per_s_max * NS_PER_S)
        return min(self._periods[CameraClass.KEY_POINT], shortest_ns)

    def schedule_first(self, slots: Iterable[int], now_ns: int) -> None:
        """Schedule first visits: soon, whatever the hour."""
        spread_ns = self.first_spread_ns(len(self._table))
        for slot in slots:
            if self._table.flags[slot] & PUSH:
                self.after_push(slot, now_ns)
            else:
                self._schedule_once(slot, now_ns + round(uniform(self._table.seed[slot], 0) * spread_ns))

    def after_success(self, slot: int, now_ns: int) -> None:
        """Schedule the next visit after a keyframe."""
        table = self._table
        flags = table.flags[slot]
        table.last_keyframe[slot] = now_ns
        table.failure_memory[slot] = updated_memory(table.failure_memory[slot], failed=False)
        table.flags[slot] = flags & ~FAILING
        if flags & SUSPICIOUS:
            self._schedule_once(slot, self._within_hours(slot, now_ns + self._period(slot), now_ns))
        elif table.visits[slot] == 1:
            # First visits come as fast as the caps allow; from half a period on, each camera follows its own grid.
            self._schedule_on_grid(slot, now_ns + self._periods[self.class_of(slot)] // 2)
        elif flags & FAILING or not flags & PERIODIC:
            self._schedule_on_grid(slot, now_ns)
        else:
            self._schedule_next_period(slot, now_ns)

    def after_failure(self, slot: int, reason: FailureReason, now_ns: int) -> None:
        """Schedule the next visit after a failure. One by which the camera is not judged does not count against it."""
        table, settings = self._table, self._settings
        if reason in NOT_JUDGED:
            if table.flags[slot] & PERIODIC:
                self._record_periods(slot, 0, -1, "internal")  # takes back what record_start counted as kept
            self._schedule_once(slot, now_ns + ns(first_wait_s(reason, settings)))
            return
        table.flags[slot] |= FAILING
        table.failure_memory[slot] = updated_memory(table.failure_memory[slot], failed=True)
        self._schedule_once(slot, self._within_hours(slot, now_ns + self._backoff_ns(slot, reason), now_ns))

    def after_sub_failure(self, slot: int, wait_ns: int, now_ns: int) -> None:
        """Schedule a visit on the main stream after one on the sub-stream failed: only that decides whether the camera
        is in order."""
        self._schedule_once(slot, self._within_hours(slot, now_ns + wait_ns, now_ns))

    def after_skip(self, slot: int, reason: FailureReason, skipped_for: str, now_ns: int) -> None:
        """Schedule a camera that was due and is not visited. `reason`: of its last failure; `skipped_for`: `outage` or
        `paused`.
        """
        flags = self._table.flags[slot]
        if flags & FAILING:
            self._schedule_once(slot, self._within_hours(slot, now_ns + self._backoff_ns(slot, reason), now_ns))
            return
        if flags & PERIODIC:
            self._record_periods(slot, 1, 0, skipped_for)
        self._schedule_on_grid(slot, now_ns)

    def after_outage(self, slot: int, now_ns: int) -> None:
        """Schedule a camera whose platform is back, or whose pause ended: within half a period, or when it is due
        anyway if that is sooner.
        """
        table = self._table
        half_ns = self._periods[table.base_class[slot]] // 2
        at_ns = now_ns + int(half_ns * uniform(table.seed[slot], table.visits[slot]))
        if at_ns < table.release[slot]:
            self._schedule_once(slot, self._within_hours(slot, at_ns, now_ns))

    def after_verdict(self, slot: int, now_ns: int) -> None:
        """Schedule a camera after a verdict: a suspicious one is rechecked soon, up to `confirm_looks_max` times in a
        row; any other returns to its grid.
        """
        table, settings = self._table, self._settings
        if not table.flags[slot] & SUSPICIOUS:
            self._schedule_on_grid(slot, now_ns)
            return
        if table.rechecks[slot] < settings.confirm_looks_max:
            table.rechecks[slot] += 1
            at_ns = now_ns + ns(settings.confirm_spacing_s)
        else:
            at_ns = now_ns + self._period(slot)
        self._schedule_once(slot, self._within_hours(slot, at_ns, now_ns))

    def after_push(self, slot: int, now_ns: int) -> None:
        """Expect the next pushed keyframe within the period while the kitchen works; one arrived, or was missed."""
        period_ns = self._periods[self._table.base_class[slot]]
        opens_ns = self._next_open(slot, now_ns + period_ns)
        is_closed = opens_ns > now_ns + period_ns
        self._schedule_once(slot, opens_ns + period_ns if is_closed and opens_ns < NEVER_NS else opens_ns)

    def after_change(self, slot: int, now_ns: int) -> None:
        """Reschedule a camera in DUE after a change of settings, windows or clock.

        An earlier time stays if the kitchen works then: frequent changes must not postpone a visit for ever.
        """
        table = self._table
        periodic = table.flags[slot] & PERIODIC
        nominal_ns, release_ns, deadline_ns = table.nominal[slot], table.release[slot], table.deadline[slot]
        self.reschedule(slot, now_ns)
        if release_ns < table.release[slot] and self._next_open(slot, release_ns) == release_ns:
            table.flags[slot] = table.flags[slot] & ~PERIODIC | periodic
            table.nominal[slot], table.release[slot], table.deadline[slot] = nominal_ns, release_ns, deadline_ns

    def reschedule(self, slot: int, now_ns: int) -> None:
        """Compute a camera's time from its flags: it was enabled again, or changed between push and visits."""
        table = self._table
        flags = table.flags[slot]
        if flags & PUSH:
            self.after_push(slot, now_ns)
        elif flags & FAILING:
            latest_ns = now_ns + ceiling_ns(self._periods[table.base_class[slot]], self._settings)
            at_ns = min(max(now_ns, table.release[slot]), latest_ns)
            self._schedule_once(slot, self._within_hours(slot, at_ns, now_ns))
        elif flags & SUSPICIOUS or not table.visits[slot]:
            at_ns = min(max(now_ns, table.release[slot]), now_ns + self._period(slot))
            self._schedule_once(slot, self._within_hours(slot, at_ns, now_ns) if table.visits[slot] else at_ns)
        else:
            self._schedule_on_grid(slot, now_ns)

    def shed_for_overload(self, slot: int, now_ns: int) -> bool:
        """Skip the period of a camera that is due if its class is stretched and it is not its turn; True if skipped.

        With periods stretched by s, each camera keeps one in s of its periods, in turn. So the work shrinks at once, no
        camera is left out for longer than s periods (rounded up), and nothing of it remains when the stretch ends.
        """
        stretch = self._overload.stretch[self.class_of(slot)]
        table = self._table
        if stretch == 1.0 or not table.flags[slot] & PERIODIC:
            return False
        credit = table.credit[slot] + int(256 / stretch)
        table.credit[slot] = credit & 255
        if credit >= 256:
            return False
        periods = (now_ns - table.nominal[slot]) // self._periods[table.base_class[slot]] + 1
        self._record_periods(slot, periods, 0, "overload")
        self._schedule_next_period(slot, now_ns)
        return True

    def record_start(self, slot: int, camera_class: int, lag_ns: int, wait_reason: str, now_ns: int) -> None:
        """Record a visit that begins: its lag, the period that it keeps and those that were missed."""
        table, statistics = self._table, self._statistics
        statistics.visits[camera_class] += 1
        statistics.lags[camera_class].add(lag_ns, now_ns)
        statistics.counties.add(table.county[slot], lag_ns, now_ns)
        if not table.flags[slot] & PERIODIC:
            return
        base = table.base_class[slot]  # its period made it due, even if it became suspicious since
        period_ns, stretch = self._periods[base], self._overload.stretch[base]
        periods = (now_ns - table.nominal[slot]) // period_ns + 1
        self._record_periods(slot, periods, 1, wait_reason if wait_reason and stretch == 1.0 else "overload")
        gap_ns = now_ns - table.last_visit[slot]
        # A longer gap is the kitchen's rest, not a period.
        if table.visits[slot] > 1 and gap_ns < 2 * periods * stretch * period_ns:
            statistics.gaps[base].add(gap_ns, now_ns)

    def _record_periods(self, slot: int, due: int, kept: int, reason: str) -> None:
        table = self._table
        self._statistics.record_periods(table.ids[slot], table.base_class[slot], table.county[slot], due, kept, reason)

    def _apply_settings(self, settings: SchedulerSettings, calendar: Calendar) -> None:
        self._settings = settings
        self._periods = periods_ns(settings)
        self._offhours_ns = ns(settings.offhours_period_s)
        self._base_classes = [class_of_key_point(code, settings) for code in range(256)]
        self.sites.configure(calendar, settings.hours)

    def _period(self, slot: int) -> int:
        """Return the stretched period of the class that the camera is in."""
        camera_class = self.class_of(slot)
        return round(self._periods[camera_class] * self._overload.stretch[camera_class])

    def _backoff_ns(self, slot: int, reason: FailureReason) -> int:
        table = self._table
        failures = max(1, failure_count(table.failure_memory[slot]))
        longest_ns = backoff_ns(failures, reason, self._periods[table.base_class[slot]], self._settings)
        return round(longest_ns * (1.0 - self._settings.jitter * uniform(table.seed[slot], table.visits[slot])))

    def _schedule_next_period(self, slot: int, now_ns: int) -> None:
        """Schedule one period after the last; periods that are over are skipped."""
        period_ns = self._periods[self.class_of(slot)]
        nominal_ns = self._table.nominal[slot] + period_ns
        if nominal_ns <= now_ns:
            nominal_ns += -(-(now_ns - nominal_ns + 1) // period_ns) * period_ns
        self._schedule_periodic(slot, nominal_ns, period_ns, now_ns)

    def _schedule_on_grid(self, slot: int, now_ns: int) -> None:
        """Schedule at the next point of the camera's grid: phase, phase + period, ..."""
        period_ns = self._periods[self.class_of(slot)]
        self._schedule_periodic(slot, self._grid_point_after(slot, now_ns, period_ns), period_ns, now_ns)

    def _grid_point_after(self, slot: int, after_ns: int, period_ns: int) -> int:
        phase_ns = int(uniform(self._table.seed[slot], 0) * period_ns)
        return after_ns + period_ns - (after_ns - phase_ns) % period_ns

    def _schedule_periodic(self, slot: int, nominal_ns: int, period_ns: int, now_ns: int) -> None:
        table = self._table
        opens_ns = self._next_open(slot, nominal_ns)
        if opens_ns > nominal_ns:
            offhours_ns = self._next_offhours_visit(slot, now_ns)
            if offhours_ns < opens_ns:
                self._schedule_once(slot, offhours_ns)
                return
            nominal_ns = self._first_visit_of_opening(slot, opens_ns, period_ns)
        jitter_max_ns = self._settings.jitter * period_ns
        closes_ns = self._next_close(slot, nominal_ns)
        if closes_ns is not None:
            jitter_max_ns = min(jitter_max_ns, closes_ns - nominal_ns - 1)
        jitter_ns = int(jitter_max_ns * uniform(table.seed[slot], table.visits[slot] + 1))
        table.flags[slot] |= PERIODIC
        table.nominal[slot] = nominal_ns
        table.release[slot] = nominal_ns + jitter_ns
        table.deadline[slot] = nominal_ns + period_ns

    def _schedule_once(self, slot: int, at_ns: int) -> None:
        """Schedule a visit that belongs to none of the camera's periods."""
        table = self._table
        table.flags[slot] &= ~PERIODIC
        table.nominal[slot] = table.release[slot] = at_ns
        table.deadline[slot] = at_ns + self._periods[table.base_class[slot]]

    def _within_hours(self, slot: int, at_ns: int, now_ns: int) -> int:
        """Return `at_ns` if the kitchen works then, else the next visit during its rest or after its opening."""
        opens_ns = self._next_open(slot, at_ns)
        if opens_ns == at_ns:
            return at_ns
        offhours_ns = self._next_offhours_visit(slot, max(now_ns, at_ns))
        if offhours_ns < opens_ns:
            return offhours_ns
        return self._first_visit_of_opening(slot, opens_ns, self._periods[self._table.base_class[slot]])

    def _first_visit_of_opening(self, slot: int, opens_ns: int, period_ns: int) -> int:
        """Return the first grid point after an opening; in an opening too short to hold one, a moment by the phase."""
        if opens_ns >= NEVER_NS:
            return NEVER_NS
        at_ns = self._grid_point_after(slot, opens_ns - 1, period_ns)
        closes_ns = self._next_close(slot, opens_ns)
        if closes_ns is None or at_ns < closes_ns:
            return at_ns
        return opens_ns + int(uniform(self._table.seed[slot], 0) * (closes_ns - opens_ns))

    def _next_offhours_visit(self, slot: int, after_ns: int) -> int:
        """Return the next visit of the kitchen's rest, or of its next rest if it works at this moment."""
        if not self._offhours_ns:
            return NEVER_NS
        closes_ns = self._next_close(slot, after_ns)
        return self._grid_point_after(slot, after_ns if closes_ns is None else closes_ns, self._offhours_ns)

    def _next_open(self, slot: int, at_ns: int) -> int:
        """Return the first moment from `at_ns` on at which the kitchen works; NEVER_NS if it does not open."""
        window = self.sites.windows[self._table.window[slot]]
        if window.always:
            return at_ns
        opens_wall_ns = window.next_open(at_ns + self.wall_offset_ns)
        return NEVER_NS if opens_wall_ns is None else opens_wall_ns - self.wall_offset_ns

    def _next_close(self, slot: int, at_ns: int) -> int | None:
        """Return when the kitchen closes; None if it rests at this moment, or never closes."""
        window = self.sites.windows[self._table.window[slot]]
        if window.always:
            return None
        closes_wall_ns = window.next_close(at_ns + self.wall_offset_ns)
        return None if closes_wall_ns is None else closes_wall_ns - self.wall_offset_ns
