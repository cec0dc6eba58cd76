"""When each camera wants its next visit: periods on a grid, windows, quick looks, back-off. Pure.

A camera's period k runs from `phase + k * period`; the phase comes from its id, so that load is flat and a mass of
cameras that come back together fall apart again. `nominal` is the begin of the period it is due for, `release` (jitter
added) is when it wants its visit, `deadline` orders those that wait.
"""

from engine.clock import NS_PER_S, ns, seconds
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.scheduler.backoff import backoff_ns, ceiling_ns, first_wait_s
from engine.scheduler.classes import CLASSES, CameraClass, base_class, periods_ns
from engine.scheduler.draws import share
from engine.scheduler.events import CameraPlan
from engine.scheduler.overload import Overload
from engine.scheduler.sites import Sites
from engine.scheduler.table import DOUBT, ENABLED, FAILING, PUSH, REGULAR, Table
from engine.scheduler.tally import Tally
from engine.types import FailureReason, KeyPoint

NEVER_NS = (1 << 37) * 1_000_000
"""Beyond any uptime: the release of a camera whose window does not open."""
_POINTS = tuple(KeyPoint)
_POINT_NUMBER = {point: number for number, point in enumerate(_POINTS)}
_REQUIRED, DEMUX = 128, 64
"""Beside the number of its key point, in the column `point`."""
_FAILURES_MAX = 250
_OFFLINE, _SUSPICIOUS = int(CameraClass.OFFLINE), int(CameraClass.SUSPICIOUS)


def class_of_point(point: int, settings: SchedulerSettings) -> CameraClass:
    """What a camera is by nature, from its entry in the column `point`; numbers never given are other places."""
    number = point & ~(_REQUIRED | DEMUX)
    place = _POINTS[number] if number < len(_POINTS) else KeyPoint.OTHER
    return base_class(place, bool(point & _REQUIRED), settings)


class Timing:
    """Writes the time columns of the table; the core moves cameras accordingly."""

    def __init__(
        self,
        table: Table,
        settings: SchedulerSettings,
        calendar: Calendar,
        wall_offset_ns: int,
        overload: Overload,
        tally: Tally,
    ) -> None:
        self._table = table
        self._overload = overload
        self._tally = tally
        self.wall_offset_ns = wall_offset_ns
        self.sites = Sites()
        self.counts: list[dict[int, int]] = [{} for _ in CLASSES]
        self._take(settings, calendar)

    def configure(self, settings: SchedulerSettings, calendar: Calendar) -> None:
        """New settings: classes and windows of all cameras anew; their times are `after_change`."""
        self._take(settings, calendar)
        self.counts = [{} for _ in CLASSES]
        table = self._table
        for slot in table.slots.values():
            table.base[slot] = self._base(table.point[slot])
            table.window[slot] = self.sites.window(table.site[slot])
            self.count(slot, 1)

    def describe(self, slot: int, plan: CameraPlan) -> None:
        """Class and window of a camera that is new or changed."""
        table = self._table
        flags = (_REQUIRED if plan.required else 0) | (DEMUX if plan.demux else 0)
        table.point[slot] = _POINT_NUMBER[plan.key_point] | flags
        table.base[slot] = self._base(table.point[slot])
        site = self.sites.join(plan.site_id, plan.county, plan.hours)
        self.sites.leave(table.site[slot])
        table.site[slot] = site
        table.window[slot] = self.sites.window(site)

    def forget(self, slot: int) -> None:
        """The camera is gone."""
        self.sites.leave(self._table.site[slot])

    def kind(self, slot: int) -> int:
        """The class it is in now."""
        flags = self._table.flags[slot]
        if flags & FAILING:
            return _OFFLINE
        return _SUSPICIOUS if flags & DOUBT else self._table.base[slot]

    def count(self, slot: int, change: int) -> None:
        """Keep the number of visited cameras by class and window; call before and after anything that moves one."""
        flags = self._table.flags[slot]
        if flags & ENABLED and not flags & PUSH:
            counts = self.counts[self.kind(slot)]
            window = self._table.window[slot]
            counts[window] = counts.get(window, 0) + change

    def period_s(self, slot: int) -> float:
        """The configured period of its class by nature."""
        return seconds(self._periods[self._table.base[slot]])

    def demand_per_s(self, now_ns: int) -> list[float]:
        """Visits a second that the configured periods ask for now, by class."""
        wall_ns = now_ns + self.wall_offset_ns
        rest_ns = self._offhours_ns
        demand = []
        for period_ns, counts in zip(self._periods, self.counts, strict=True):
            total = 0.0
            for window, number in counts.items():
                wanted_ns = period_ns if self.sites.windows[window].is_open(wall_ns) else rest_ns
                total += number * NS_PER_S / wanted_ns if wanted_ns else 0.0
            demand.append(total)
        return demand

    def first_spread_ns(self, cameras: int) -> int:
        """First visits are spread over a period, or over what half the start rate carries where that is quicker."""
        quickest_ns = round(2 * cameras / self._settings.starts_per_s_max * NS_PER_S)
        return min(self._periods[CameraClass.KEY_POINT], quickest_ns)

    def first(self, slot: int, now_ns: int, spread_ns: int) -> None:
        """A camera never seen is looked at soon, whatever the hour."""
        if self._table.flags[slot] & PUSH:
            self.after_arrival(slot, now_ns)
        else:
            self._once(slot, now_ns + round(share(self._table.seed[slot], 0) * spread_ns))

    def after_success(self, slot: int, now_ns: int) -> None:
        """A keyframe came."""
        table = self._table
        flags = table.flags[slot]
        table.seen[slot] = now_ns
        table.failures[slot] >>= 1  # half is remembered: a camera that flaps is left alone longer each time
        table.flags[slot] = flags & ~FAILING
        if flags & DOUBT:
            self._once(slot, self._fit(slot, now_ns + self._period(slot), now_ns))
        elif table.visits[slot] == 1:
            # First looks come as fast as the caps allow; half a period on, each joins its own place in the grid.
            self._by_grid(slot, now_ns + self._period(slot) // 2)
        elif flags & FAILING or not flags & REGULAR:
            self._by_grid(slot, now_ns)
        else:
            self._by_period(slot, now_ns)

    def after_failure(self, slot: int, reason: FailureReason, now_ns: int) -> None:
        """No keyframe came. `internal` is our own fault and is held against nobody."""
        table, settings = self._table, self._settings
        if reason == FailureReason.INTERNAL:
            self._once(slot, now_ns + ns(first_wait_s(reason, settings)))
            return
        table.flags[slot] |= FAILING
        table.failures[slot] = min(_FAILURES_MAX, table.failures[slot] + 1)
        self._once(slot, self._fit(slot, now_ns + self._backoff_ns(slot, reason), now_ns))

    def after_presumption(self, slot: int, reason: FailureReason, now_ns: int) -> None:
        """It was due while its platform is out. `reason`: of its last failure, if it failed."""
        flags = self._table.flags[slot]
        if flags & FAILING:
            self._once(slot, self._fit(slot, now_ns + self._backoff_ns(slot, reason), now_ns))
            return
        if flags & REGULAR:
            self._tally.periods_due[self.kind(slot)] += 1
            self._tally.missed(1.0, "outage")
        self._by_grid(slot, now_ns)

    def after_verdict(self, slot: int, now_ns: int) -> None:
        """The judge has spoken: a doubt is looked at again soon, so many times; a settled one goes back to its grid."""
        table, settings = self._table, self._settings
        if not table.flags[slot] & DOUBT:
            self._by_grid(slot, now_ns)
            return
        if table.looks[slot] < settings.confirm_looks_max:
            table.looks[slot] += 1
            at_ns = now_ns + ns(settings.confirm_spacing_s)
        else:
            at_ns = now_ns + self._period(slot)
        self._once(slot, self._fit(slot, at_ns, now_ns))

    def after_arrival(self, slot: int, now_ns: int) -> None:
        """A gateway's keyframe came, or was missed: the next is expected within the period, while the kitchen works."""
        period_ns = self._periods[self._table.base[slot]]
        opens_ns = self._opens(slot, now_ns + period_ns)
        late = opens_ns > now_ns + period_ns
        self._once(slot, opens_ns + period_ns if late and opens_ns < NEVER_NS else opens_ns)

    def after_change(self, slot: int, now_ns: int) -> None:
        """Settings, windows or the clock have changed while it waits for its time, or it was enabled again."""
        table = self._table
        flags = table.flags[slot]
        if flags & PUSH:
            self.after_arrival(slot, now_ns)
        elif flags & FAILING:
            latest_ns = now_ns + ceiling_ns(self._periods[table.base[slot]], self._settings)
            self._once(slot, self._fit(slot, min(table.release[slot], latest_ns), now_ns))
        elif flags & DOUBT or not table.visits[slot]:
            latest_ns = now_ns + self._period(slot)
            self._once(slot, min(max(now_ns, table.release[slot]), latest_ns))
        else:
            self._by_grid(slot, now_ns)

    def launched(self, slot: int, kind: int, lag_ns: int, blocked: str, now_ns: int) -> None:
        """A visit begins: count its lag, and which periods it keeps and which went by."""
        table, tally = self._table, self._tally
        tally.looks[kind] += 1
        tally.lags[kind].add(lag_ns, now_ns)
        tally.counties.add(table.county[slot], lag_ns, now_ns)
        if not table.flags[slot] & REGULAR:
            return
        period_ns = self._periods[kind]
        stretch = self._overload.stretch[kind]
        rounds = -(-(now_ns - table.nominal[slot]) // round(period_ns * stretch))
        due = stretch * max(1, rounds)
        tally.periods_due[kind] += due
        tally.periods_kept[kind] += 1
        if stretch > 1.0:
            tally.missed(stretch - 1.0, "overload")
        if rounds > 1:
            tally.missed(due - stretch, blocked or "overload")
        gap_ns = now_ns - table.started[slot]
        if table.visits[slot] > 1 and gap_ns < 2 * due * period_ns:  # not from yesterday's window to today's
            tally.gap(kind, gap_ns)

    def _take(self, settings: SchedulerSettings, calendar: Calendar) -> None:
        self._settings = settings
        self._periods = periods_ns(settings)
        self._offhours_ns = ns(settings.offhours_period_s)
        self.sites.configure(calendar, settings.hours)

    def _base(self, point: int) -> CameraClass:
        return class_of_point(point, self._settings)

    def _period(self, slot: int) -> int:
        """Of the class it is in, stretched."""
        kind = self.kind(slot)
        return round(self._periods[kind] * self._overload.stretch[kind])

    def _backoff_ns(self, slot: int, reason: FailureReason) -> int:
        table = self._table
        longest_ns = backoff_ns(max(1, table.failures[slot]), reason, self._periods[table.base[slot]], self._settings)
        return round(longest_ns * (1.0 - self._settings.jitter * share(table.seed[slot], table.visits[slot])))

    def _by_period(self, slot: int, now_ns: int) -> None:
        """One period after the last; rounds that have gone by are left out."""
        period_ns = self._period(slot)
        nominal_ns = self._table.nominal[slot] + period_ns
        if nominal_ns <= now_ns:
            nominal_ns += -(-(now_ns - nominal_ns + 1) // period_ns) * period_ns
        self._regular(slot, nominal_ns, period_ns, now_ns)

    def _by_grid(self, slot: int, now_ns: int) -> None:
        """The next point of its own grid: phase, phase + period, ..."""
        period_ns = self._period(slot)
        self._regular(slot, self._grid(slot, now_ns, period_ns), period_ns, now_ns)

    def _grid(self, slot: int, after_ns: int, period_ns: int) -> int:
        phase_ns = int(share(self._table.seed[slot], 0) * period_ns)
        return after_ns + period_ns - (after_ns - phase_ns) % period_ns

    def _regular(self, slot: int, nominal_ns: int, period_ns: int, now_ns: int) -> None:
        table = self._table
        opens_ns = self._opens(slot, nominal_ns)
        if opens_ns > nominal_ns:
            nominal_ns = self._grid(slot, opens_ns - 1, period_ns) if opens_ns < NEVER_NS else NEVER_NS
            resting_ns = self._resting(slot, now_ns)
            if resting_ns < nominal_ns:
                self._once(slot, resting_ns)
                return
        jitter_ns = int(self._settings.jitter * period_ns * share(table.seed[slot], table.visits[slot] + 1))
        table.flags[slot] |= REGULAR
        table.nominal[slot] = nominal_ns
        table.release[slot] = nominal_ns + jitter_ns
        table.deadline[slot] = nominal_ns + period_ns

    def _once(self, slot: int, at_ns: int) -> None:
        """A visit that is not one of its periods'."""
        table = self._table
        table.flags[slot] &= ~REGULAR
        table.nominal[slot] = table.release[slot] = at_ns
        table.deadline[slot] = at_ns + self._periods[table.base[slot]]

    def _fit(self, slot: int, at_ns: int, now_ns: int) -> int:
        """The moment itself while the kitchen works, else the next grid point of its rest or of its opening."""
        opens_ns = self._opens(slot, at_ns)
        if opens_ns == at_ns:
            return at_ns
        period_ns = self._periods[self._table.base[slot]]
        working_ns = self._grid(slot, opens_ns - 1, period_ns) if opens_ns < NEVER_NS else NEVER_NS
        return min(working_ns, self._resting(slot, max(now_ns, at_ns)))

    def _resting(self, slot: int, after_ns: int) -> int:
        """The next visit of its rest."""
        return self._grid(slot, after_ns, self._offhours_ns) if self._offhours_ns else NEVER_NS

    def _opens(self, slot: int, at_ns: int) -> int:
        """The first moment from `at_ns` on at which its kitchen works; NEVER_NS if it does not open."""
        window = self.sites.windows[self._table.window[slot]]
        if window.always:
            return at_ns
        opens_wall_ns = window.opens(at_ns + self.wall_offset_ns)
        return NEVER_NS if opens_wall_ns is None else opens_wall_ns - self.wall_offset_ns
