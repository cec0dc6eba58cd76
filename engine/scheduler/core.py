"""The scheduler's core: takes events and decides which cameras are visited. Pure: events in, actions out; `now_ns` in,
`next_wakeup_ns()` out.

A camera is always in exactly one state (table.CameraState): waiting for its time (DUE), waiting for a slot (READY),
waiting because its recorder or platform is busy (UPLINK, HOST), in flight, or idle. It changes its state a bounded
number of times a visit, each in O(log n). This module handles the events; timing.py decides when each camera is due,
dispatch.py which of the due cameras start. docs/scheduler.md has the model.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.catch_up import to_catch_up
from engine.scheduler.check_now import check_now
from engine.scheduler.classes import REASONS, is_suspicious
from engine.scheduler.deterministic_random import seed_of
from engine.scheduler.dispatch import Dispatch
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasRemoved,
    CamerasUpserted,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    Event,
    HostLimitsChanged,
    Judged,
    PatrolPaused,
    PatrolResumed,
    PauseEnded,
    PresumedOffline,
    PushArrived,
    PushMissing,
    SettingsChanged,
    Tick,
    VisitEnded,
    VisitExpired,
    WallClock,
)
from engine.scheduler.heap import SlotHeap, ceil_ms
from engine.scheduler.pauses import Pauses
from engine.scheduler.periods.overload import Overload
from engine.scheduler.periods.timing import Timing
from engine.scheduler.statistics import Statistics
from engine.scheduler.table import ENABLED, FAILING, PROBING, PUSH, REMOVED, SUSPICIOUS, URGENT, CameraState, Table

_REASON_NUMBER = {reason: number for number, reason in enumerate(REASONS)}
_DUE, _FLIGHT, _IDLE = int(CameraState.DUE), int(CameraState.FLIGHT), int(CameraState.IDLE)
_WAITING = (CameraState.READY, CameraState.UPLINK, CameraState.HOST)


class Scheduler:
    """The state machine; see the module. `first_visit_id`: visit ids count up from here and are never 0.
    `wall_offset_ns`: see WallClock.
    """

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
        self.statistics = Statistics()
        self.timing = Timing(
            self.table, settings, calendar or Calendar(), wall_offset_ns, self.overload, self.statistics
        )
        callbacks = (self._presume_offline, self._catch_up_host)
        self.dispatch = Dispatch(self.table, settings, self.timing, self.statistics, first_visit_id, *callbacks)
        self.pauses = Pauses(self.table, self.dispatch.uplinks, self.dispatch.hosts, self.statistics.counties)
        self.due = SlotHeap(self.table.state, self.table.release, CameraState.DUE)
        self._handlers: dict[type[Any], Callable[[Any, int, list[Action]], None]] = {
            VisitEnded: self._on_visit_ended,
            Judged: self._on_judged,
            PushArrived: self._on_push_arrived,
            Tick: self._on_tick,
            CheckNow: self._on_check_now,
            CamerasUpserted: self._on_upserted,
            CamerasRemoved: self._on_removed,
            CapacityChanged: self._on_capacity,
            HostLimitsChanged: self._on_host_limits,
            SettingsChanged: self._on_settings,
            WallClock: self._on_wall_clock,
            PatrolPaused: self._on_paused,
            PatrolResumed: self._on_resumed,
        }

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Handle an event and return the actions to take, in order. Raises TypeError if it is no event."""
        handler = self._handlers.get(type(event))
        if handler is None:
            raise TypeError(f"{type(event).__name__} is no scheduler event")
        actions: list[Action] = []
        if type(event) is Judged and not self._is_relevant(event):
            return actions  # most verdicts change nothing; cameras that are due by now have their Tick
        ended_before = self.statistics.ended
        handler(event, now_ns, actions)
        for scope in self.pauses.ended(now_ns + self.timing.wall_offset_ns):
            self._on_resumed(PatrolResumed(scope), now_ns, actions)
        self._expire_visits(now_ns, actions)
        self._release_due(now_ns, actions)
        waiting = self.dispatch.start_ready(now_ns, actions)
        overload = self.overload
        overload.record(waiting, self.statistics.ended - ended_before, now_ns)
        if overload.interval_ended(now_ns):
            overload.adjust(self.timing.demand_per_s(now_ns), now_ns)
        return actions

    def next_wakeup_ns(self) -> int | None:
        """Return when the next Tick is wanted; None while only other events can change anything."""
        wakeup_ns = self.dispatch.next_wakeup_ns()
        head = self.due.head()
        if head >= 0:
            release_ns = ceil_ms(self.table.release[head]) * 1_000_000
            wakeup_ns = release_ns if wakeup_ns is None else min(wakeup_ns, release_ns)
        end_wall_ns = self.pauses.next_end_wall_ns()
        if end_wall_ns is not None:
            end_ns = end_wall_ns - self.timing.wall_offset_ns
            wakeup_ns = end_ns if wakeup_ns is None else min(wakeup_ns, end_ns)
        return wakeup_ns

    def drain_periods(self) -> dict[str, tuple[int, int]]:
        """Return periods due and kept since the last call, by camera."""
        return self.statistics.drain_periods()

    def _on_tick(self, event: Tick, now_ns: int, actions: list[Action]) -> None:
        """Nothing: `handle` looks for due cameras after every event."""

    def _on_visit_ended(self, event: VisitEnded, now_ns: int, actions: list[Action]) -> None:
        slot = self.dispatch.flights.pop(event.visit_id, None)
        if slot is not None:
            self.statistics.ended += 1
            self._end_visit(slot, event.failure, now_ns, actions)

    def _is_relevant(self, event: Judged) -> bool:
        """Return whether this verdict makes its camera suspicious, ends that, or may decide the stream of a visit."""
        slot = self.table.slots.get(event.camera_id)
        if slot is None:
            return False
        flags = self.table.flags[slot]
        if flags & (PUSH | FAILING):
            return False
        if flags & SUSPICIOUS or is_suspicious(event.state, event.announced):
            return True
        return bool(self.table.stream[slot]) and self.dispatch.streams.is_news(slot, event)

    def _on_judged(self, event: Judged, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        slot = table.slots[event.camera_id]
        flags = table.flags[slot]
        suspicious = event.main_soon or is_suspicious(event.state, event.announced)
        if table.stream[slot]:
            self.dispatch.streams.judged(slot, event, suspicious, actions)
            if not suspicious and not flags & SUSPICIOUS:
                return
        self.timing.count(slot, -1)
        table.flags[slot] = flags | SUSPICIOUS if suspicious else flags & ~SUSPICIOUS
        self.timing.count(slot, 1)
        if not suspicious:
            table.rechecks[slot] = 0
        if table.state[slot] == _DUE:
            self.timing.after_verdict(slot, now_ns)
            self._push_due(slot)

    def _on_push_arrived(self, event: PushArrived, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        slot = table.slots.get(event.camera_id)
        if slot is not None and table.flags[slot] & PUSH:
            table.last_keyframe[slot] = now_ns
            if table.state[slot] == _DUE:
                self.timing.after_push(slot, now_ns)
                self._push_due(slot)

    def _on_capacity(self, event: CapacityChanged, now_ns: int, actions: list[Action]) -> None:
        self.dispatch.capacity = event.visits_max

    def _on_host_limits(self, event: HostLimitsChanged, now_ns: int, actions: list[Action]) -> None:
        self.dispatch.limit_hosts(event.limits, now_ns)

    def _on_wall_clock(self, event: WallClock, now_ns: int, actions: list[Action]) -> None:
        self.timing.wall_offset_ns = event.offset_ns
        self._reschedule_due(now_ns, always_open=False)

    def _on_settings(self, event: SettingsChanged, now_ns: int, actions: list[Action]) -> None:
        self.settings = event.settings
        self.overload.configure(event.settings)
        self.timing.configure(event.settings, event.calendar)
        self.dispatch.configure(event.settings, now_ns)
        self._reschedule_due(now_ns)

    def _on_check_now(self, event: CheckNow, now_ns: int, actions: list[Action]) -> None:
        report = check_now(self.table, self.dispatch, self.pauses, event.camera_ids, now_ns)
        actions.append(CheckNowAnswered(report))

    def _on_paused(self, event: PatrolPaused, now_ns: int, actions: list[Action]) -> None:
        self.pauses.add(event.pause)
        for slot, state in enumerate(self.table.state):
            if state in _WAITING and self.pauses.in_scope(event.pause.scope, slot):
                self.dispatch.withdraw(slot, now_ns)
                self._skip_paused(slot, now_ns)

    def _on_resumed(self, event: PatrolResumed, now_ns: int, actions: list[Action]) -> None:
        pause = self.pauses.remove(event.scope)
        if pause is not None:
            actions.append(PauseEnded(pause))
            ids, pauses = self.table.ids, self.pauses
            in_scope = [slot for slot in range(self.table.size) if ids[slot] and pauses.in_scope(event.scope, slot)]
            self._catch_up(
                np.array([slot for slot in in_scope if pauses.pause_of(slot) is None], dtype=np.intp), now_ns
            )

    def _on_upserted(self, event: CamerasUpserted, now_ns: int, actions: list[Action]) -> None:
        table, timing = self.table, self.timing
        unvisited: list[int] = []
        plans = {plan.camera_id: plan for plan in event.cameras}  # of two with one id the later counts
        table.reserve(len(plans.keys() - table.slots.keys()))
        for plan in plans.values():
            slot = table.slots.get(plan.camera_id)
            if slot is None:
                slot = self._add(plan.camera_id)
            state, key_before = table.state[slot], timing.schedule_key(slot)
            if state == _FLIGHT:
                self._set_plan(slot, plan)  # it is rescheduled when its visit ends
                continue
            self.dispatch.withdraw(slot, now_ns)
            self._set_plan(slot, plan)
            if not plan.enabled:
                table.flags[slot] &= ~URGENT
                continue
            if state == _IDLE and not table.visits[slot]:
                unvisited.append(slot)
                continue
            if state == _IDLE or key_before[0] != plan.push:
                timing.reschedule(slot, now_ns)
            elif key_before != timing.schedule_key(slot) and not table.flags[slot] & URGENT:
                timing.after_change(slot, now_ns)
            self._push_due(slot)
        timing.schedule_first(unvisited, now_ns)
        for slot in unvisited:
            table.state[slot] = _DUE
        self.due.push_all(unvisited)

    def _add(self, camera_id: str) -> int:
        table = self.table
        slot = table.add(camera_id)
        table.seed[slot] = seed_of(self.settings.seed, camera_id)
        table.credit[slot] = table.seed[slot] & 255  # so that cameras skipped in an overload take turns
        table.uplink[slot] = table.host[slot] = table.flight_uplink[slot] = table.flight_host[slot] = -1
        table.state[slot] = _IDLE
        return slot

    def _on_removed(self, event: CamerasRemoved, now_ns: int, actions: list[Action]) -> None:
        table = self.table
        for camera_id in event.camera_ids:
            slot = table.slots.get(camera_id)
            if slot is None:
                continue
            table.remove_id(slot)
            if table.state[slot] == _FLIGHT:
                table.flags[slot] |= REMOVED
            else:
                self.dispatch.withdraw(slot, now_ns)
                self._free_slot(slot)

    def _set_plan(self, slot: int, plan: CameraPlan) -> None:
        """Write the columns that come from the registry; a visit under way keeps the gates it began with."""
        table, timing, dispatch = self.table, self.timing, self.dispatch
        timing.count(slot, -1)
        uplink, host = dispatch.uplinks.acquire(plan.uplink), dispatch.hosts.acquire(plan.host)
        dispatch.uplinks.release(table.uplink[slot])
        dispatch.hosts.release(table.host[slot])
        table.uplink[slot], table.host[slot] = uplink, host
        timing.set_plan(slot, plan)
        self.dispatch.streams.set_plan(slot, has_sub=plan.sub and not plan.push)
        table.county[slot] = self.statistics.counties.index_of(plan.county)
        flags = table.flags[slot] & ~(ENABLED | PUSH)
        if plan.push:
            flags = PUSH | (flags & PROBING)
        table.flags[slot] = flags | (ENABLED if plan.enabled else 0)
        timing.count(slot, 1)

    def _free_slot(self, slot: int) -> None:
        """Free the slot of a camera that left the registry."""
        table = self.table
        self.timing.count(slot, -1)
        self.dispatch.uplinks.release(table.uplink[slot])
        self.dispatch.hosts.release(table.host[slot])
        self.timing.remove(slot)
        table.free(slot)

    def _push_due(self, slot: int) -> None:
        self.table.state[slot] = _DUE
        self.due.push(slot)

    def _reschedule_due(self, now_ns: int, always_open: bool = True) -> None:
        """Reschedule every camera in DUE after a change of periods, windows or wall clock. `always_open`: also those
        whose kitchen never closes.
        """
        table = self.table
        affected = [always_open or not window.always for window in self.timing.sites.windows]
        for slot in range(table.size):
            if table.state[slot] == _DUE and affected[table.window[slot]]:
                self.timing.after_change(slot, now_ns)
                self._push_due(slot)

    def _expire_visits(self, now_ns: int, actions: list[Action]) -> None:
        while visit_id := self.dispatch.expired_visit(now_ns):
            slot = self.dispatch.flights.pop(visit_id)
            self.statistics.expired += 1
            actions.append(VisitExpired(visit_id, self.table.ids[slot]))
            self._end_visit(slot, FailureReason.LOST, now_ns, actions)

    def _release_due(self, now_ns: int, actions: list[Action]) -> None:
        """Start the cameras whose time has come, or make them ready."""
        table, due = self.table, self.due
        while (slot := due.head()) >= 0 and table.release[slot] <= now_ns:
            due.pop()
            paused = self.pauses.pause_of(slot) is not None
            if table.flags[slot] & PUSH:
                if not paused:
                    actions.append(PushMissing(table.ids[slot], self.timing.period_s(slot)))
                self.timing.after_push(slot, now_ns)
                self._push_due(slot)
            elif paused:
                self._skip_paused(slot, now_ns)
            elif self.timing.shed_for_overload(slot, now_ns):
                self._push_due(slot)
            else:
                table.wait_reason[slot] = 0
                if not self.dispatch.start_immediately(slot, now_ns, actions):
                    self.dispatch.make_ready(slot)
        self.dispatch.wake_hosts(now_ns)

    def _skip_paused(self, slot: int, now_ns: int) -> None:
        """Skip a paused camera that is due or waits: it misses this period."""
        self.table.flags[slot] &= ~URGENT
        self.timing.after_skip(slot, self._last_reason(slot), "paused", now_ns)
        self._push_due(slot)

    def _presume_offline(self, slot: int, now_ns: int, actions: list[Action]) -> None:
        """Count a camera whose platform is in an outage as offline for this period, without a pointless visit."""
        table, reason = self.table, self._last_reason(slot)
        actions.append(PresumedOffline(table.ids[slot], self.dispatch.hosts.by_index[table.host[slot]].name, reason))
        self.dispatch.withdraw(slot, now_ns)
        self.statistics.presumed += 1
        self.timing.after_skip(slot, reason, "outage", now_ns)
        self._push_due(slot)

    def _last_reason(self, slot: int) -> FailureReason:
        table = self.table
        return REASONS[table.failure_reason[slot]] if table.flags[slot] & FAILING else FailureReason.UNREACHABLE

    def _catch_up_host(self, host: int, now_ns: int) -> None:
        """Catch up with the cameras of a platform whose outage has ended."""
        self._catch_up(np.flatnonzero(np.frombuffer(self.table.host, dtype=np.int32) == host), now_ns)

    def _catch_up(self, slots: npt.NDArray[np.intp], now_ns: int) -> None:
        """Schedule those of these cameras that failed or are behind their period within half a period."""
        for slot in to_catch_up(self.table, self.timing, slots, self.settings.jitter, now_ns):
            self.timing.after_outage(slot, now_ns)
            self._push_due(slot)

    def _end_visit(self, slot: int, failure: FailureReason | None, now_ns: int, actions: list[Action]) -> None:
        """Free what a visit held, and schedule the camera's next one."""
        table = self.table
        self.dispatch.end_visit(slot, failure, now_ns, actions)
        flags = table.flags[slot]
        if flags & REMOVED:
            self._free_slot(slot)
            return
        timing = self.timing
        sub_failed = bool(table.stream[slot]) and self.dispatch.streams.ended(slot, failure, actions)
        if flags & PUSH:
            timing.after_push(slot, now_ns)
        elif sub_failed:
            timing.after_sub_failure(slot, self.dispatch.streams.retry_ns, now_ns)
        elif failure is None and not flags & FAILING:
            timing.after_success(slot, now_ns)
        else:
            timing.count(slot, -1)  # its class may change
            if failure is None:
                timing.after_success(slot, now_ns)
            else:
                if failure not in NOT_JUDGED:
                    table.failure_reason[slot] = _REASON_NUMBER[failure]
                timing.after_failure(slot, failure, now_ns)
            timing.count(slot, 1)
        if flags & ENABLED:
            self._push_due(slot)
