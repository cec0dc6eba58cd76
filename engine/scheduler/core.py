"""The scheduler's core: who is visited when. Pure: events in, actions out, `now_ns` in, `next_wakeup_ns()` out.

A camera stands in exactly one place (table.Place): waiting for its time (DUE), wanting a slot (READY), parked because
its recorder or platform is busy (UPLINK, HOST), in flight, or idle. It moves a bounded number of places a visit, each
move O(log n). This module takes the events; timing.py says when each camera wants its next visit, dispatch.py which of
those that want one go. docs/scheduler.md has the model.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.visit import FailureReason
from engine.scheduler.check_now import check_now
from engine.scheduler.classes import REASONS, is_suspicious
from engine.scheduler.deterministic_random import seed_of
from engine.scheduler.dispatch import Dispatch
from engine.scheduler.events import (
    Action,
    Arrived,
    CameraPlan,
    CamerasPut,
    CamerasRemoved,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    Event,
    Judged,
    PatrolPaused,
    PatrolResumed,
    PauseEnded,
    Presumed,
    PushMissing,
    SettingsChanged,
    Tick,
    VisitEnded,
    VisitExpired,
    WallClock,
)
from engine.scheduler.heap import SlotHeap, ms_of
from engine.scheduler.overload import Overload
from engine.scheduler.pauses import Pauses
from engine.scheduler.statistics import Statistics
from engine.scheduler.table import DOUBT, ENABLED, FAILING, GONE, PROBE, PUSH, URGENT, CameraState, Table
from engine.scheduler.timing import Timing

_REASON_NUMBER = {reason: number for number, reason in enumerate(REASONS)}
_DUE, _FLIGHT, _IDLE = int(CameraState.DUE), int(CameraState.FLIGHT), int(CameraState.IDLE)


class Scheduler:
    """See the module. `first_visit_id`: ids count up from here and are never 0. `wall_offset_ns`: see WallClock."""

    def __init__(
        self,
        settings: SchedulerSettings,
        calendar: Calendar | None = None,
        *,
        first_visit_id: int = 1,
        wall_offset_ns: int = 0,
    ) -> None:
        self.settings = settings
        self.table = Table()
        self.overload = Overload(settings)
        self.tally = Statistics()
        self.timing = Timing(self.table, settings, calendar or Calendar(), wall_offset_ns, self.overload, self.tally)
        self.dispatch = Dispatch(
            self.table, settings, self.timing, self.tally, first_visit_id, self._presume, self._revive
        )
        self.pauses = Pauses(self.table, self.dispatch.uplinks, self.dispatch.hosts, self.tally.counties)
        self.due = SlotHeap(self.table.place, self.table.release, CameraState.DUE)
        self._handlers: dict[type[Any], Callable[[Any, int, list[Action]], None]] = {
            VisitEnded: self._on_end,
            Judged: self._on_judged,
            Arrived: self._on_arrived,
            Tick: self._on_tick,
            CheckNow: self._on_check_now,
            CamerasPut: self._on_put,
            CamerasRemoved: self._on_removed,
            CapacityChanged: self._on_capacity,
            SettingsChanged: self._on_settings,
            WallClock: self._on_wall_clock,
            PatrolPaused: self._on_paused,
            PatrolResumed: self._on_resumed,
        }

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take an event; returns what is to be done because of it, in order."""
        handler = self._handlers.get(type(event))
        if handler is None:
            raise TypeError(f"{type(event).__name__} is no scheduler event")
        actions: list[Action] = []
        if type(event) is Judged and not self._heeds(event):
            return actions  # most verdicts change nothing; whoever is due by now has its Tick
        ended = self.tally.ended
        handler(event, now_ns, actions)
        for scope in self.pauses.over(now_ns + self.timing.wall_offset_ns):
            self._on_resumed(PatrolResumed(scope), now_ns, actions)
        self._expire(now_ns, actions)
        self._ripen(now_ns, actions)
        waiting = self.dispatch.start(now_ns, actions)
        overload = self.overload
        overload.note(waiting, self.tally.ended - ended, now_ns)
        if overload.due(now_ns):
            overload.adjust(self.timing.demand_per_s(now_ns), now_ns)
        return actions

    def next_wakeup_ns(self) -> int | None:
        """When a Tick is wanted at the latest; None while only other events can change anything."""
        wakeup = self.dispatch.next_wakeup_ns()
        head = self.due.head()
        if head >= 0:
            release_ns = ms_of(self.table.release[head]) * 1_000_000
            wakeup = release_ns if wakeup is None else min(wakeup, release_ns)
        end_wall_ns = self.pauses.next_end_wall_ns()
        if end_wall_ns is not None:
            end_ns = end_wall_ns - self.timing.wall_offset_ns
            wakeup = end_ns if wakeup is None else min(wakeup, end_ns)
        return wakeup

    def take_periods(self) -> dict[str, tuple[int, int]]:
        """Periods due and kept since the last call, by camera."""
        return self.tally.take_periods()

    def _on_tick(self, event: Tick, now_ns: int, actions: list[Action]) -> None:
        """Whatever is due is found by what follows every event."""

    def _on_end(self, event: VisitEnded, now_ns: int, actions: list[Action]) -> None:
        slot = self.dispatch.flights.pop(event.visit_id, None)
        if slot is not None:
            self.tally.ended += 1
            self._land(slot, event.failure, now_ns, actions)

    def _heeds(self, event: Judged) -> bool:
        """Whether this verdict leaves a doubt, or settles one."""
        slot = self.table.slots.get(event.camera_id)
        if slot is None:
            return False
        flags = self.table.flags[slot]
        return not flags & (PUSH | FAILING) and bool(flags & DOUBT or is_suspicious(event.state, event.announced))

    def _on_judged(self, event: Judged, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        slot = table.slots[event.camera_id]
        flags = table.flags[slot]
        doubtful = is_suspicious(event.state, event.announced)
        self.timing.count(slot, -1)
        table.flags[slot] = flags | DOUBT if doubtful else flags & ~DOUBT
        self.timing.count(slot, 1)
        if not doubtful:
            table.looks[slot] = 0
        if table.place[slot] == _DUE:
            self.timing.after_verdict(slot, now_ns)
            self._put_due(slot)

    def _on_arrived(self, event: Arrived, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        slot = table.slots.get(event.camera_id)
        if slot is not None and table.flags[slot] & PUSH:
            table.seen[slot] = now_ns
            if table.place[slot] == _DUE:
                self.timing.after_arrival(slot, now_ns)
                self._put_due(slot)

    def _on_capacity(self, event: CapacityChanged, now_ns: int, actions: list[Action]) -> None:
        self.dispatch.capacity = event.visits_max

    def _on_wall_clock(self, event: WallClock, now_ns: int, actions: list[Action]) -> None:
        self.timing.wall_offset_ns = event.offset_ns
        self._replace_due(now_ns, always=False)

    def _on_settings(self, event: SettingsChanged, now_ns: int, actions: list[Action]) -> None:
        self.settings = event.settings
        self.overload.configure(event.settings)
        self.timing.configure(event.settings, event.calendar)
        self.dispatch.configure(event.settings, now_ns)
        self._replace_due(now_ns)

    def _on_check_now(self, event: CheckNow, now_ns: int, actions: list[Action]) -> None:
        actions.append(CheckNowAnswered(check_now(self.table, self.dispatch, self.pauses, event.camera_ids, now_ns)))

    def _on_paused(self, event: PatrolPaused, now_ns: int, actions: list[Action]) -> None:
        self.pauses.put(event.pause)
        for slot, place in enumerate(self.table.place):
            if place in (CameraState.READY, CameraState.UPLINK, CameraState.HOST) and self.pauses.holds(
                event.pause.scope, slot
            ):
                self.dispatch.leave(slot, now_ns)
                self._pass_over(slot, now_ns)

    def _on_resumed(self, event: PatrolResumed, now_ns: int, actions: list[Action]) -> None:
        pause = self.pauses.take(event.scope)
        if pause is not None:
            actions.append(PauseEnded(pause))
            slots = range(self.table.size)
            freed = [one for one in slots if self.table.ids[one] and self.pauses.holds(event.scope, one)]
            self._catch_up(np.array([one for one in freed if self.pauses.of(one) is None], dtype=np.intp), now_ns)

    def _on_put(self, event: CamerasPut, now_ns: int, actions: list[Action]) -> None:
        table, timing = self.table, self.timing
        fresh: list[int] = []
        plans = {plan.camera_id: plan for plan in event.cameras}  # of two with one id the later counts
        table.reserve(len(plans.keys() - table.slots.keys()))
        for plan in plans.values():
            slot = table.slots.get(plan.camera_id)
            if slot is None:
                slot = self._add(plan.camera_id)
            place, was = table.place[slot], self._schedule_key(slot)
            if place == _FLIGHT:
                self._describe(slot, plan)  # it is placed anew when it lands
                continue
            self.dispatch.leave(slot, now_ns)
            self._describe(slot, plan)
            if not plan.enabled:
                table.flags[slot] &= ~URGENT
                continue
            if place == _IDLE and not table.visits[slot]:
                fresh.append(slot)
                continue
            if place == _IDLE or was[0] != plan.push:
                timing.anew(slot, now_ns)
            elif was != self._schedule_key(slot) and not table.flags[slot] & URGENT:
                timing.after_change(slot, now_ns)
            self._put_due(slot)
        timing.first(fresh, now_ns)
        for slot in fresh:
            table.place[slot] = _DUE
        self.due.push_all(fresh)

    def _schedule_key(self, slot: int) -> tuple[bool, int, int]:
        """What its times depend on: whether it is pushed, its class, its window."""
        table = self.table
        return bool(table.flags[slot] & PUSH), table.base[slot], table.window[slot]

    def _add(self, camera_id: str) -> int:
        table = self.table
        slot = table.add(camera_id)
        table.seed[slot] = seed_of(self.settings.seed, camera_id)
        table.credit[slot] = table.seed[slot] & 255  # so that of cameras put off together each comes in its turn
        table.uplink[slot] = table.host[slot] = table.flight_uplink[slot] = table.flight_host[slot] = -1
        table.place[slot] = _IDLE
        return slot

    def _on_removed(self, event: CamerasRemoved, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        for camera_id in event.camera_ids:
            slot = table.slots.get(camera_id)
            if slot is None:
                continue
            table.forget(slot)
            if table.place[slot] == _FLIGHT:
                table.flags[slot] |= GONE
            else:
                self.dispatch.leave(slot, now_ns)
                self._drop(slot)

    def _describe(self, slot: int, plan: CameraPlan) -> None:
        """The columns that come from the registry; a visit under way keeps the gates it was begun with."""
        table, timing, dispatch = self.table, self.timing, self.dispatch
        timing.count(slot, -1)
        uplink, host = dispatch.uplinks.join(plan.uplink), dispatch.hosts.join(plan.host)
        dispatch.uplinks.leave(table.uplink[slot])
        dispatch.hosts.leave(table.host[slot])
        table.uplink[slot], table.host[slot] = uplink, host
        timing.describe(slot, plan)
        table.county[slot] = self.tally.counties.index(plan.county)
        flags = table.flags[slot] & ~(ENABLED | PUSH)
        if plan.push:
            flags = PUSH | (flags & PROBE)
        table.flags[slot] = flags | (ENABLED if plan.enabled else 0)
        timing.count(slot, 1)

    def _drop(self, slot: int) -> None:
        """The slot of a camera that is gone."""
        table = self.table
        self.timing.count(slot, -1)
        self.dispatch.uplinks.leave(table.uplink[slot])
        self.dispatch.hosts.leave(table.host[slot])
        self.timing.forget(slot)
        table.free(slot)

    def _put_due(self, slot: int) -> None:
        self.table.place[slot] = _DUE
        self.due.push(slot)

    def _replace_due(self, now_ns: int, always: bool = True) -> None:
        """Periods, windows or the wall clock have changed: every camera that waits for its time gets a new one.

        `always`: also those whose kitchen never closes.
        """
        table = self.table
        moved = [always or not window.always for window in self.timing.sites.windows]
        for slot in range(table.size):
            if table.place[slot] == _DUE and moved[table.window[slot]]:
                self.timing.after_change(slot, now_ns)
                self._put_due(slot)

    def _expire(self, now_ns: int, actions: list[Action]) -> None:
        while visit_id := self.dispatch.expired(now_ns):
            slot = self.dispatch.flights.pop(visit_id)
            self.tally.expired += 1
            actions.append(VisitExpired(visit_id, self.table.ids[slot]))
            self._land(slot, FailureReason.INTERNAL, now_ns, actions)

    def _ripen(self, now_ns: int, actions: list[Action]) -> None:
        """Cameras whose time has come want a slot from now on."""
        table, due = self.table, self.due
        while (slot := due.head()) >= 0 and table.release[slot] <= now_ns:
            due.pop()
            paused = self.pauses.of(slot) is not None
            if table.flags[slot] & PUSH:
                if not paused:
                    actions.append(PushMissing(table.ids[slot], self.timing.period_s(slot)))
                self.timing.after_arrival(slot, now_ns)
                self._put_due(slot)
            elif paused:
                self._pass_over(slot, now_ns)
            elif self.timing.put_off(slot, now_ns):
                self._put_due(slot)
            else:
                table.blocked[slot] = 0
                if not self.dispatch.start_at_once(slot, now_ns, actions):
                    self.dispatch.make_ready(slot)
        self.dispatch.wake(now_ns)

    def _pass_over(self, slot: int, now_ns: int) -> None:
        """Its time has come, or it waits, and it is paused: it misses this period."""
        self.table.flags[slot] &= ~URGENT
        self.timing.passed_over(slot, self._last_reason(slot), "paused", now_ns)
        self._put_due(slot)

    def _presume(self, slot: int, now_ns: int, actions: list[Action]) -> None:
        """Its platform is out: offline for this period, without a visit that would only knock once more."""
        table, reason = self.table, self._last_reason(slot)
        actions.append(Presumed(table.ids[slot], self.dispatch.hosts.all[table.host[slot]].name, reason))
        self.dispatch.leave(slot, now_ns)
        self.tally.presumed += 1
        self.timing.passed_over(slot, reason, "outage", now_ns)
        self._put_due(slot)

    def _last_reason(self, slot: int) -> FailureReason:
        table = self.table
        return REASONS[table.reason[slot]] if table.flags[slot] & FAILING else FailureReason.UNREACHABLE

    def _revive(self, host: int, now_ns: int) -> None:
        """A platform is back."""
        self._catch_up(np.flatnonzero(np.frombuffer(self.table.host, dtype=np.int32) == host), now_ns)

    def _catch_up(self, slots: npt.NDArray[np.intp], now_ns: int) -> None:
        """Of these cameras those that failed or were passed over are looked at within half a period."""
        table = self.table
        due_ns = self.timing.periods(table.base) * (1.0 - self.settings.jitter)  # two looks may be so near each other
        overdue = np.frombuffer(table.seen, dtype=np.int64) < now_ns - due_ns
        flags = np.frombuffer(table.flags, dtype=np.uint8)
        wanted = (overdue | ((flags & FAILING) != 0)) & ((flags & PUSH) == 0)
        wanted &= np.frombuffer(table.place, dtype=np.uint8) == _DUE
        for slot in slots[wanted[slots]].tolist():
            self.timing.after_outage(slot, now_ns)
            self._put_due(slot)

    def _land(self, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]) -> None:
        """A visit is over: what it held is free, and the camera gets its next time."""
        table = self.table
        self.dispatch.land(slot, failure, now_ns, actions)
        flags = table.flags[slot]
        if flags & GONE:
            self._drop(slot)
            return
        timing = self.timing
        if flags & PUSH:
            timing.after_arrival(slot, now_ns)
        elif failure is None and not flags & FAILING:
            timing.after_success(slot, now_ns)
        else:
            timing.count(slot, -1)  # it may change its class
            if failure is None:
                timing.after_success(slot, now_ns)
            else:
                if failure != FailureReason.INTERNAL:
                    table.reason[slot] = _REASON_NUMBER[failure]
                timing.after_failure(slot, failure, now_ns)
            timing.count(slot, 1)
        if flags & ENABLED:
            self._put_due(slot)
