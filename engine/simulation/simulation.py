"""Runs a simulation: one scheduler, one world, virtual time. No clock: the same scenario gives the same outcome."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from engine.clock import NS_PER_S, ns, seconds
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.model.camera import CameraStream
from engine.scheduler.classes import REASONS
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CamerasUpserted,
    CapacityChanged,
    Event,
    Judged,
    OutageBegan,
    PresumedOffline,
    StartVisit,
    Tick,
    VisitEnded,
    VisitExpired,
)
from engine.scheduler.table import CameraState
from engine.simulation.bottlenecks import find_bottlenecks
from engine.simulation.camera_model import NEVER_ANSWERED, CameraModel
from engine.simulation.faults import Faults
from engine.simulation.fleet import Fleet
from engine.simulation.judge_model import JudgeModel
from engine.simulation.machine import Machine
from engine.simulation.network import Network
from engine.simulation.oracle import Oracle
from engine.simulation.recovery import Recovery
from engine.simulation.timeline import Timeline
from engine.simulation.world import World

CHECK_INTERVAL_NS = 60 * NS_PER_S
SMALL_FLEET_MAX = 512
"""Fleets up to this size are checked after every event, larger ones every minute."""
_KEYFRAME, _VERDICT_GOOD, _VERDICT_BAD, _SUB_VERDICT_GOOD, _SUB_VERDICT_BAD = range(-1, -6, -1)
_LOG_LENGTH_MAX = 1 << 16
_TICK = Tick()


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated, and for how long. `wall_ns`: the wall clock at the beginning. `rows_max`: steps of the
    timeline; the first round may add one."""

    settings: Settings
    calendar: Calendar
    fleet: Fleet
    world: World
    faults: Faults
    cores: int
    span_ns: int
    seed: int
    wall_ns: int
    rows_max: int = 288


class Simulation:
    """One run of a scenario. `scheduler`, `oracle`, `timeline` and the totals have the results."""

    def __init__(
        self,
        scenario: Scenario,
        on_progress: Callable[[int], None] = lambda _: None,
        machine: Machine | None = None,
    ) -> None:
        """`machine`: one that other simulations use too; None: one of its own, of the scenario's cores."""
        self.scenario = scenario
        settings, fleet, world = scenario.settings, scenario.fleet, scenario.world
        self.scheduler = Scheduler(settings.scheduler, scenario.calendar, wall_offset_ns=scenario.wall_ns)
        self.camera_model = CameraModel(fleet, world, scenario.faults, settings.feed, scenario.span_ns, scenario.seed)
        self.machine = machine or Machine(settings, world, scenario.cores)
        self.bottlenecks, is_crowded = find_bottlenecks(fleet, settings.scheduler, world)
        self.oracle = Oracle(fleet, settings.scheduler, is_crowded)
        self.recovery = Recovery(fleet, self.camera_model, self.oracle.last_keyframe, settings.scheduler)
        self.timeline = Timeline(self.scheduler, self.machine)
        self.failures: Counter[str] = Counter()
        self.presumed: Counter[str] = Counter()
        self.outages = self.events = self.visits = 0
        self.duration_ns = 0
        self._judge_model = JudgeModel(settings.judge)
        self._on_progress = on_progress
        self.network = Network(fleet)
        self.sub_visits = 0
        self._kbit_s = [stream.kbit_s for stream in world.streams]
        self._sub_kbit_s = [stream.sub_kbit_s for stream in world.streams]
        self._on_sub = bytearray(len(fleet))
        """By camera: whether its visit under way, or its last one, is on the sub-stream."""
        self._pending: list[tuple[int, int, int, int]] = []  # a heap of when, visit, camera, outcome: see _answer
        self._kbit = 0.0
        self._allowed = -1
        self._now_ns = 0
        self._next_check_ns = CHECK_INTERVAL_NS
        row_ns = -(-scenario.span_ns // scenario.rows_max // CHECK_INTERVAL_NS) * CHECK_INTERVAL_NS
        self._row_ns = max(CHECK_INTERVAL_NS, row_ns)
        self._log = array("q")
        self._hash = hashlib.blake2b(digest_size=16)
        self._update_capacity(0)
        self._handle(CamerasUpserted(fleet.plans), 0)
        self.timeline.begin_row(0)
        self._first_spread_ns = self.scheduler.timing.first_spread_ns(len(fleet))
        self._first_round_max_ns = min(ns(settings.scheduler.ordinary_period_s), scenario.span_ns // 2)

    @property
    def digest(self) -> str:
        """A hash that is the same for the same sequence of actions."""
        self._flush_log()
        return self._hash.copy().hexdigest()

    def run(self) -> None:
        """Run from the beginning to the end."""
        span_ns = self.scenario.span_ns
        self.advance(span_ns)
        self.oracle.check(self.scheduler, self.camera_model, span_ns)
        self.recovery.update(self.oracle.kitchen_works, span_ns)
        self.timeline.end_row(span_ns)

    def stop(self, now_ns: int) -> None:
        """Lose the engine: its visits end without an answer, and nothing happens before `resume`."""
        self._pending.clear()
        self._kbit = 0.0
        self.oracle.engine_lost()
        self.timeline.end_row(now_ns)
        self.timeline.begin_row(now_ns)

    def resume(self, machine: Machine, now_ns: int) -> None:
        """Go on with another engine, which knows the cameras, and not when they were visited."""
        settings = self.scenario.settings
        self.machine = machine
        self.scheduler = Scheduler(settings.scheduler, self.scenario.calendar, wall_offset_ns=self.scenario.wall_ns)
        self.timeline.restart(self.scheduler, machine, now_ns)
        self._allowed = -1
        self._next_check_ns = (now_ns // CHECK_INTERVAL_NS + 1) * CHECK_INTERVAL_NS
        self._update_capacity(now_ns)
        self._handle(CamerasUpserted(self.scenario.fleet.plans), now_ns)

    def advance(self, until_ns: int) -> None:
        """Run all that happens before this moment."""
        pending, camera_model, scheduler = self._pending, self.camera_model, self.scheduler
        is_small = len(self.scenario.fleet) <= SMALL_FLEET_MAX
        now_ns = self._now_ns
        while True:
            wakeup_ns = scheduler.next_wakeup_ns()
            change_ns = camera_model.next_change_ns()
            at_ns = self._next_check_ns
            if wakeup_ns is not None and wakeup_ns < at_ns:
                at_ns = wakeup_ns
            if pending and pending[0][0] < at_ns:
                at_ns = pending[0][0]
            if change_ns is not None and change_ns < at_ns:
                at_ns = change_ns
            if at_ns >= until_ns:
                break
            now_ns = max(now_ns, at_ns)
            if change_ns is not None and change_ns <= now_ns:
                camera_model.advance(now_ns)
            if pending and pending[0][0] <= now_ns:
                self._answer(*heappop(pending))
            elif wakeup_ns is not None and wakeup_ns <= now_ns:
                self._handle(_TICK, now_ns)
            if is_small:
                self.oracle.check_scheduler(scheduler, now_ns)
            if now_ns >= self._next_check_ns:
                self._check(now_ns)
        self._now_ns = now_ns

    def _answer(self, now_ns: int, visit_id: int, camera: int, outcome: int) -> None:
        """Give the scheduler a verdict or the end of a visit. `outcome`: a verdict, _KEYFRAME, or a reason number."""
        if outcome <= _VERDICT_GOOD:
            stream = CameraStream.SUB if outcome <= _SUB_VERDICT_GOOD else CameraStream.MAIN
            is_bad = outcome in (_VERDICT_BAD, _SUB_VERDICT_BAD)
            state, announced, *main = self._judge_model.judge(camera, is_bad, now_ns, stream)
            self._handle(Judged(self.scenario.fleet.ids[camera], state, announced, stream, *main), now_ns)
            self._update_capacity(now_ns)
            return
        if outcome == _KEYFRAME:
            self._kbit -= self._kbit_s_of(camera)
        if self.oracle.visit_ended(visit_id):
            if outcome == _KEYFRAME:
                self.oracle.last_keyframe[camera] = now_ns
                on_sub = bool(self._on_sub[camera])
                done_ns = self.machine.check(self.scenario.fleet.stream[camera], now_ns, on_sub=on_sub)
                fault = self.camera_model.sees_fault(camera)
                # On a machine that keeps up, a verdict that changes nothing is left out: the scheduler ignores it.
                if fault or self._judge_model.has_history(camera) or self._allowed < self.machine.feeders:
                    good, bad = (_SUB_VERDICT_GOOD, _SUB_VERDICT_BAD) if on_sub else (_VERDICT_GOOD, _VERDICT_BAD)
                    heappush(self._pending, (done_ns, 0, camera, bad if fault else good))
            else:
                self.failures[REASONS[outcome].value] += 1
        self._handle(VisitEnded(visit_id, None if outcome == _KEYFRAME else REASONS[outcome]), now_ns)
        self._update_capacity(now_ns)

    def _handle(self, event: Event, now_ns: int) -> None:
        self.events += 1
        for action in self.scheduler.handle(event, now_ns):
            if type(action) is StartVisit:
                self._start_visit(action, now_ns)
            else:
                self._record(action, now_ns)

    def _start_visit(self, action: StartVisit, now_ns: int) -> None:
        camera = self.scenario.fleet.index[action.camera_id]
        self._log.extend((now_ns, action.visit_id, camera))
        if len(self._log) > _LOG_LENGTH_MAX:
            self._flush_log()
        self.oracle.visit_started(action.visit_id, camera, now_ns)
        timeline, camera_class = self.timeline, action.camera_class
        row = timeline.row
        row.started[camera_class] += 1
        timeline.row_lags[camera_class].add(action.lag_ns)
        self.visits += 1
        self._on_sub[camera] = on_sub = action.stream is CameraStream.SUB
        self.sub_visits += on_sub
        reason, duration_ns = self.camera_model.visit(camera)
        if self.scenario.fleet.demux[camera] and duration_ns != NEVER_ANSWERED:
            duration_ns = self.machine.demux(duration_ns, now_ns)
        if duration_ns != NEVER_ANSWERED:
            self.duration_ns += duration_ns
            heappush(self._pending, (now_ns + duration_ns, action.visit_id, camera, reason))
            if reason < 0:
                kbit_s = self._kbit_s_of(camera)
                self._kbit += kbit_s
                self.network.visited(camera, kbit_s * seconds(duration_ns))
        if len(self.oracle.flights) > row.in_flight_max:
            row.in_flight_max = len(self.oracle.flights)
        if self._kbit > 1000 * row.mbit_s_max:
            row.mbit_s_max = self._kbit / 1000

    def _kbit_s_of(self, camera: int) -> float:
        """Return the bandwidth of the visit under way."""
        return (self._sub_kbit_s if self._on_sub[camera] else self._kbit_s)[self.scenario.fleet.stream[camera]]

    def _record(self, action: Action, now_ns: int) -> None:
        """Record an action other than a visit's start."""
        if isinstance(action, VisitExpired):
            self.oracle.visit_expired(action.visit_id)
            self._log.extend((now_ns, -action.visit_id, -1))
        elif isinstance(action, PresumedOffline):
            self.presumed[action.reason.value] += 1
            self._log.extend((now_ns, 0, self.scenario.fleet.index[action.camera_id]))
        elif isinstance(action, OutageBegan):
            self.outages += 1

    def _update_capacity(self, now_ns: int) -> None:
        """Allow as many visits as the intake has room for, as the hub does after each turn."""
        allowed = self.machine.visits_allowed(now_ns)
        if allowed != self._allowed:
            self._allowed = allowed
            self._handle(CapacityChanged(allowed), now_ns)

    def _check(self, now_ns: int) -> None:
        """Check the promises and update the timeline, once a minute."""
        self._next_check_ns += CHECK_INTERVAL_NS
        self.oracle.check(self.scheduler, self.camera_model, now_ns)
        self.recovery.update(self.oracle.kitchen_works, now_ns)
        timeline = self.timeline
        self.network.end_minute(seconds(CHECK_INTERVAL_NS))
        if not timeline.first_round_rows and self._is_first_round_over(now_ns):
            timeline.end_first_round(now_ns)
            self.network.reset()
        elif now_ns % self._row_ns == 0:
            timeline.end_row(now_ns)
            timeline.begin_row(now_ns)
            self._on_progress(round(seconds(now_ns) / 60))

    def _is_first_round_over(self, now_ns: int) -> bool:
        """Return whether no camera that was never visited waits for its visit; after a while, True in any case."""
        if now_ns < self._first_spread_ns:
            return False
        table = self.scheduler.table
        state = np.frombuffer(table.state, dtype=np.uint8)
        waiting = (state == CameraState.READY) | (state == CameraState.UPLINK) | (state == CameraState.HOST)
        waiting &= np.frombuffer(table.visits, dtype=np.uint32) == 0
        return now_ns >= self._first_round_max_ns or not waiting.any()

    def _flush_log(self) -> None:
        self._hash.update(self._log.tobytes())
        self._log = array("q")
