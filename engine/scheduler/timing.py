"""When each camera wants its next visit: periods on a grid, windows, quick looks, back-off. Pure.

A camera's period k runs from `phase + k * period`; the phase comes from its id, so that load is flat and a mass of
cameras that come back together fall apart again. `nominal` is the begin of the period it is due for, `release` (jitter
added) is when it wants its visit, `deadline` orders those that wait.
"""

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns, seconds
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.visit import FailureReason
from engine.scheduler.backoff import backoff_ns, ceiling_ns, failures_of, first_wait_s, remember
from engine.scheduler.classes import CLASSES, CameraClass, base_class, periods_ns
from engine.scheduler.deterministic_random import share
from engine.scheduler.events import CameraPlan
from engine.scheduler.overload import Overload
from engine.scheduler.sites import Sites
from engine.scheduler.statistics import Statistics
from engine.scheduler.table import DOUBT, ENABLED, FAILING, PUSH, REGULAR, CameraState, Table

NEVER_NS = (1 << 37) * 1_000_000
"""Beyond any uptime: the release of a camera whose window does not open."""
_POINTS = tuple(KeyPoint)
_POINT_NUMBER = {point: number for number, point in enumerate(_POINTS)}
_REQUIRED, DEMUX = 128, 64
"""Beside the number of its key point, in the column `point`."""
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
        tally: Statistics,
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
        for slot in range(table.size):
            if table.place[slot] == CameraState.FREE:
                continue  # not by id: a camera that left the registry in flight still counts
            table.base[slot] = self._base[table.point[slot]]
            table.window[slot] = self.sites.window(table.site[slot])
            self.count(slot, 1)

    def describe(self, slot: int, plan: CameraPlan) -> None:
        """Class and window of a camera that is new or changed."""
        table = self._table
        flags = (_REQUIRED if plan.required else 0) | (DEMUX if plan.demux else 0)
        table.point[slot] = _POINT_NUMBER[plan.key_point] | flags
        table.base[slot] = self._base[table.point[slot]]
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

    def periods(self, base: "array[int]") -> npt.NDArray[np.int64]:
        """The configured periods of cameras by their class by nature."""
        found: npt.NDArray[np.int64] = np.array(self._periods, dtype=np.int64)[np.frombuffer(base, dtype=np.uint8)]
        return found

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

    def first(self, slots: Iterable[int], now_ns: int) -> None:
        """Cameras never seen are looked at soon, whatever the hour."""
        spread_ns = self.first_spread_ns(len(self._table))
        for slot in slots:
            if self._table.flags[slot] & PUSH:
                self.after_arrival(slot, now_ns)
            else:
                self._once(slot, now_ns + round(share(self._table.seed[slot], 0) * spread_ns))

    def after_success(self, slot: int, now_ns: int) -> None:
        """A keyframe came."""
        table = self._table
        flags = table.flags[slot]
        table.seen[slot] = now_ns
        table.failures[slot] = remember(table.failures[slot], failed=False)
        table.flags[slot] = flags & ~FAILING
        if flags & DOUBT:
            self._once(slot, self._fit(slot, now_ns + self._period(slot), now_ns))
        elif table.visits[slot] == 1:
            # First looks come as fast as the caps allow; half a period on, each joins its own place in the grid.
            self._by_grid(slot, now_ns + self._periods[self.kind(slot)] // 2)
        elif flags & FAILING or not flags & REGULAR:
            self._by_grid(slot, now_ns)
        else:
            self._by_period(slot, now_ns)

    def after_failure(self, slot: int, reason: FailureReason, now_ns: int) -> None:
        """No keyframe came. `internal` is our own fault and is held against nobody."""
        table, settings = self._table, self._settings
        if reason == FailureReason.INTERNAL:
            if table.flags[slot] & REGULAR:
                self._count_periods(slot, 0, -1, "internal")  # it was none after all
            self._once(slot, now_ns + ns(first_wait_s(reason, settings)))
            return
        table.flags[slot] |= FAILING
        table.failures[slot] = remember(table.failures[slot], failed=True)
        self._once(slot, self._fit(slot, now_ns + self._backoff_ns(slot, reason), now_ns))

    def passed_over(self, slot: int, reason: FailureReason, why: str, now_ns: int) -> None:
        """It was due and is not visited: its platform is out, or it is paused. `reason`: of its last failure."""
        flags = self._table.flags[slot]
        if flags & FAILING:
            self._once(slot, self._fit(slot, now_ns + self._backoff_ns(slot, reason), now_ns))
            return
        if flags & REGULAR:
            self._count_periods(slot, 1, 0, why)
        self._by_grid(slot, now_ns)

    def after_outage(self, slot: int, now_ns: int) -> None:
        """Its platform answers again: within half a period, or sooner where it was due sooner."""
        table = self._table
        half_ns = self._periods[table.base[slot]] // 2
        at_ns = now_ns + int(half_ns * share(table.seed[slot], table.visits[slot]))
        if at_ns < table.release[slot]:
            self._once(slot, self._fit(slot, at_ns, now_ns))

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
        """Settings, windows or the clock have changed while it waits for its time.

        What was due sooner stays so, if its kitchen works then: many changes in a row must not put a look off for ever.
        """
        table = self._table
        regular = table.flags[slot] & REGULAR
        nominal_ns, release_ns, deadline_ns = table.nominal[slot], table.release[slot], table.deadline[slot]
        self.anew(slot, now_ns)
        if release_ns < table.release[slot] and self._opens(slot, release_ns) == release_ns:
            table.flags[slot] = table.flags[slot] & ~REGULAR | regular
            table.nominal[slot], table.release[slot], table.deadline[slot] = nominal_ns, release_ns, deadline_ns

    def anew(self, slot: int, now_ns: int) -> None:
        """Its time, from all that is known of it now: it was enabled again, or is pushed or visited from now on."""
        table = self._table
        flags = table.flags[slot]
        if flags & PUSH:
            self.after_arrival(slot, now_ns)
        elif flags & FAILING:
            latest_ns = now_ns + ceiling_ns(self._periods[table.base[slot]], self._settings)
            self._once(slot, self._fit(slot, min(max(now_ns, table.release[slot]), latest_ns), now_ns))
        elif flags & DOUBT or not table.visits[slot]:
            at_ns = min(max(now_ns, table.release[slot]), now_ns + self._period(slot))
            self._once(slot, self._fit(slot, at_ns, now_ns) if table.visits[slot] else at_ns)
        else:
            self._by_grid(slot, now_ns)

    def put_off(self, slot: int, now_ns: int) -> bool:
        """Its period has come. Whether the machine cannot keep it: then it is counted, and the next one is its time.

        With periods stretched by s, each camera keeps one in s of them, in turn: at once there is as much less to do,
        no camera is left out for longer than s periods (rounded up), and with the stretch the last trace of it goes.
        """
        kind = self.kind(slot)
        stretch = self._overload.stretch[kind]
        table = self._table
        if stretch == 1.0 or not table.flags[slot] & REGULAR:
            return False
        credit = table.credit[slot] + int(256 / stretch)
        table.credit[slot] = credit & 255
        if credit >= 256:
            return False
        base = table.base[slot]
        rounds = (now_ns - table.nominal[slot]) // self._periods[base] + 1
        self._count_periods(slot, rounds, 0, "overload")
        self._by_period(slot, now_ns)
        return True

    def launched(self, slot: int, kind: int, lag_ns: int, blocked: str, now_ns: int) -> None:
        """A visit begins: count its lag, and which periods it keeps and which went by."""
        table, tally = self._table, self._tally
        tally.looks[kind] += 1
        tally.lags[kind].add(lag_ns, now_ns)
        tally.counties.add(table.county[slot], lag_ns, now_ns)
        if not table.flags[slot] & REGULAR:
            return
        base = table.base[slot]  # whose period it was due by; a doubt may have come meanwhile
        period_ns, stretch = self._periods[base], self._overload.stretch[base]
        rounds = (now_ns - table.nominal[slot]) // period_ns + 1
        self._count_periods(slot, rounds, 1, blocked if blocked and stretch == 1.0 else "overload")
        gap_ns = now_ns - table.started[slot]
        # not from yesterday's window to today's
        if table.visits[slot] > 1 and gap_ns < 2 * rounds * stretch * period_ns:
            tally.gaps[base].add(gap_ns, now_ns)

    def _count_periods(self, slot: int, due: int, kept: int, reason: str) -> None:
        table = self._table
        self._tally.periods(table.ids[slot], table.base[slot], table.county[slot], due, kept, reason)

    def _take(self, settings: SchedulerSettings, calendar: Calendar) -> None:
        self._settings = settings
        self._periods = periods_ns(settings)
        self._offhours_ns = ns(settings.offhours_period_s)
        self._base = [class_of_point(point, settings) for point in range(256)]
        self.sites.configure(calendar, settings.hours)

    def _period(self, slot: int) -> int:
        """Of the class it is in, stretched."""
        kind = self.kind(slot)
        return round(self._periods[kind] * self._overload.stretch[kind])

    def _backoff_ns(self, slot: int, reason: FailureReason) -> int:
        table = self._table
        failures = max(1, failures_of(table.failures[slot]))
        longest_ns = backoff_ns(failures, reason, self._periods[table.base[slot]], self._settings)
        return round(longest_ns * (1.0 - self._settings.jitter * share(table.seed[slot], table.visits[slot])))

    def _by_period(self, slot: int, now_ns: int) -> None:
        """One period after the last; those that have gone by are left out."""
        period_ns = self._periods[self.kind(slot)]
        nominal_ns = self._table.nominal[slot] + period_ns
        if nominal_ns <= now_ns:
            nominal_ns += -(-(now_ns - nominal_ns + 1) // period_ns) * period_ns
        self._regular(slot, nominal_ns, period_ns, now_ns)

    def _by_grid(self, slot: int, now_ns: int) -> None:
        """The next point of its own grid: phase, phase + period, ..."""
        period_ns = self._periods[self.kind(slot)]
        self._regular(slot, self._grid(slot, now_ns, period_ns), period_ns, now_ns)

    def _grid(self, slot: int, after_ns: int, period_ns: int) -> int:
        phase_ns = int(share(self._table.seed[slot], 0) * period_ns)
        return after_ns + period_ns - (after_ns - phase_ns) % period_ns

    def _regular(self, slot: int, nominal_ns: int, period_ns: int, now_ns: int) -> None:
        table = self._table
        opens_ns = self._opens(slot, nominal_ns)
        if opens_ns > nominal_ns:
            resting_ns = self._resting(slot, now_ns)
            if resting_ns < opens_ns:
                self._once(slot, resting_ns)
                return
            nominal_ns = self._working(slot, opens_ns, period_ns)
        longest_ns = self._settings.jitter * period_ns
        closes_ns = self._closes(slot, nominal_ns)
        if closes_ns is not None:
            longest_ns = min(longest_ns, closes_ns - nominal_ns - 1)
        jitter_ns = int(longest_ns * share(table.seed[slot], table.visits[slot] + 1))
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
        """The moment itself while the kitchen works, else the next look of its rest or of its opening."""
        opens_ns = self._opens(slot, at_ns)
        if opens_ns == at_ns:
            return at_ns
        resting_ns = self._resting(slot, max(now_ns, at_ns))
        if resting_ns < opens_ns:
            return resting_ns
        return self._working(slot, opens_ns, self._periods[self._table.base[slot]])

    def _working(self, slot: int, opens_ns: int, period_ns: int) -> int:
        """The first look of an opening: its grid point, or its share of an opening too short to hold one."""
        if opens_ns >= NEVER_NS:
            return NEVER_NS
        at_ns = self._grid(slot, opens_ns - 1, period_ns)
        closes_ns = self._closes(slot, opens_ns)
        if closes_ns is None or at_ns < closes_ns:
            return at_ns
        return opens_ns + int(share(self._table.seed[slot], 0) * (closes_ns - opens_ns))

    def _resting(self, slot: int, after_ns: int) -> int:
        """The next look of its rest, or of its next rest if it works at this moment."""
        if not self._offhours_ns:
            return NEVER_NS
        closes_ns = self._closes(slot, after_ns)
        return self._grid(slot, after_ns if closes_ns is None else closes_ns, self._offhours_ns)

    def _opens(self, slot: int, at_ns: int) -> int:
        """The first moment from `at_ns` on at which its kitchen works; NEVER_NS if it does not open."""
        window = self.sites.windows[self._table.window[slot]]
        if window.always:
            return at_ns
        opens_wall_ns = window.opens(at_ns + self.wall_offset_ns)
        return NEVER_NS if opens_wall_ns is None else opens_wall_ns - self.wall_offset_ns

    def _closes(self, slot: int, at_ns: int) -> int | None:
        """When its kitchen closes; None if it rests at this moment, or never closes."""
        window = self.sites.windows[self._table.window[slot]]
        if window.always:
            return None
        closes_wall_ns = window.closes(at_ns + self.wall_offset_ns)
        return None if closes_wall_ns is None else closes_wall_ns - self.wall_offset_ns
