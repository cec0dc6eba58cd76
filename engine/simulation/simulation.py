"""The rehearsal itself: one scheduler, one world, virtual time. No clock: the same arguments give the same outcome."""

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
from engine.simulation.bottlenecks import bottlenecks
from engine.simulation.camera_model import NEVER_ANSWERED, CameraModel
from engine.simulation.faults import Faults
from engine.simulation.fleet import Fleet
from engine.simulation.judge_model import JudgeModel
from engine.simulation.machine import Machine
from engine.simulation.oracle import Oracle
from engine.simulation.recovery import Recovery
from engine.simulation.timeline import Timeline
from engine.simulation.world import World

LOOK_NS = 60 * NS_PER_S
SMALL = 512
"""Worlds up to so many cameras are checked after every event, larger ones every minute."""
_ROWS = 288
_KEYFRAME, _VERDICT_GOOD, _VERDICT_BAD = -1, -2, -3
_HASHED_AT_ONCE = 1 << 16
_TICK = Tick()


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is rehearsed, where, for how long. `wall_ns`: the wall clock at the beginning."""

    settings: Settings
    calendar: Calendar
    fleet: Fleet
    world: World
    faults: Faults
    cores: int
    span_ns: int
    seed: int
    wall_ns: int


class Simulation:
    """One run. `core`, `promises`, `course` and the totals say how it went."""

    def __init__(self, stage: Scenario, on_progress: Callable[[int], None] = lambda _: None) -> None:
        self.stage = stage
        settings, fleet = stage.settings, stage.fleet
        self.core = Scheduler(settings.scheduler, stage.calendar, wall_offset_ns=stage.wall_ns)
        self.nature = CameraModel(fleet, stage.world, stage.faults, settings.feed, stage.span_ns, stage.seed)
        self.machine = Machine(settings, stage.world, stage.cores)
        self.bottlenecks, crowded = bottlenecks(fleet, settings.scheduler, stage.world)
        self.promises = Oracle(fleet, settings.scheduler, crowded)
        self.recovery = Recovery(fleet, self.nature, self.promises.seen, settings.scheduler)
        self.course = Timeline(self.core, self.machine)
        self.failures: Counter[str] = Counter()
        self.presumed: Counter[str] = Counter()
        self.outages = self.events = self.visits = 0
        self.duration_ns = 0
        self._pictures = JudgeModel(settings.judge)
        self._progress = on_progress
        self._kbit_s = [one.kbit_s for one in stage.world.streams]
        self._heap: list[tuple[int, int, int, int]] = []  # when, visit, camera, what: see _answer
        self._kbit = 0.0
        self._allowed = -1
        self._now_ns = 0
        self._look_ns = LOOK_NS
        self._row_ns = max(LOOK_NS, -(-stage.span_ns // _ROWS // LOOK_NS) * LOOK_NS)
        self._log = array("q")
        self._hash = hashlib.blake2b(digest_size=16)
        self._adjust(0)
        self._hear(CamerasUpserted(fleet.plans), 0)
        self.course.begin(0)
        self._spread_ns = self.core.timing.first_spread_ns(len(fleet))
        self._first_round_ns = min(ns(settings.scheduler.ordinary_period_s), stage.span_ns // 2)

    @property
    def digest(self) -> str:
        """The same for the same sequence of actions."""
        self._flush_log()
        return self._hash.copy().hexdigest()

    def run(self) -> None:
        """From the beginning to the end."""
        span_ns = self.stage.span_ns
        self.advance(span_ns)
        self.promises.look(self.core, self.nature, span_ns)
        self.recovery.look(self.promises.working, span_ns)
        self.course.end(span_ns)

    def advance(self, until_ns: int) -> None:
        """Let everything happen that comes before this moment."""
        heap, nature, core = self._heap, self.nature, self.core
        small = len(self.stage.fleet) <= SMALL
        now_ns = self._now_ns
        while True:
            wakeup_ns = core.next_wakeup_ns()
            change_ns = nature.next_change_ns()
            at_ns = self._look_ns
            if wakeup_ns is not None and wakeup_ns < at_ns:
                at_ns = wakeup_ns
            if heap and heap[0][0] < at_ns:
                at_ns = heap[0][0]
            if change_ns is not None and change_ns < at_ns:
                at_ns = change_ns
            if at_ns >= until_ns:
                break
            now_ns = max(now_ns, at_ns)
            if change_ns is not None and change_ns <= now_ns:
                nature.advance(now_ns)
            if heap and heap[0][0] <= now_ns:
                self._answer(*heappop(heap))
            elif wakeup_ns is not None and wakeup_ns <= now_ns:
                self._hear(_TICK, now_ns)
            if small:
                self.promises.balance(core, now_ns)
            if now_ns >= self._look_ns:
                self._look(now_ns)
        self._now_ns = now_ns

    def _answer(self, now_ns: int, visit_id: int, camera: int, what: int) -> None:
        """A verdict is there, or a visit is over: with a keyframe, or with the number of a reason."""
        if what in (_VERDICT_GOOD, _VERDICT_BAD):
            state, announced = self._pictures.judge(camera, what == _VERDICT_BAD, now_ns)
            self._hear(Judged(self.stage.fleet.ids[camera], state, announced), now_ns)
            self._adjust(now_ns)
            return
        self._kbit -= self._kbit_s[self.stage.fleet.stream[camera]] if what == _KEYFRAME else 0.0
        if self.promises.over(visit_id):
            if what == _KEYFRAME:
                self.promises.seen[camera] = now_ns
                done_ns = self.machine.check(self.stage.fleet.stream[camera], now_ns)
                fault = self.nature.sees_fault(camera)
                # A verdict that changes nothing, on a machine that keeps up, need not be told: nobody heeds it.
                if fault or self._pictures.remembers(camera) or self._allowed < self.machine.feeders:
                    heappush(self._heap, (done_ns, 0, camera, _VERDICT_BAD if fault else _VERDICT_GOOD))
            else:
                self.failures[REASONS[what].value] += 1
        self._hear(VisitEnded(visit_id, None if what == _KEYFRAME else REASONS[what]), now_ns)
        self._adjust(now_ns)

    def _hear(self, event: Event, now_ns: int) -> None:
        self.events += 1
        for action in self.core.handle(event, now_ns):
            if type(action) is StartVisit:
                self._begin(action, now_ns)
            else:
                self._heed(action, now_ns)

    def _begin(self, action: StartVisit, now_ns: int) -> None:
        camera = self.stage.fleet.index[action.camera_id]
        self._log.extend((now_ns, action.visit_id, camera))
        if len(self._log) > _HASHED_AT_ONCE:
            self._flush_log()
        self.promises.begun(action.visit_id, camera, now_ns)
        course, kind = self.course, action.camera_class
        row = course.row
        row.started[kind] += 1
        course.row_lags[kind].add(action.lag_ns)
        self.visits += 1
        reason, duration_ns = self.nature.visit(camera)
        if self.stage.fleet.demux[camera] and duration_ns != NEVER_ANSWERED:
            duration_ns = self.machine.demux(duration_ns, now_ns)
        if duration_ns != NEVER_ANSWERED:
            self.duration_ns += duration_ns
            heappush(self._heap, (now_ns + duration_ns, action.visit_id, camera, reason))
            if reason < 0:
                self._kbit += self._kbit_s[self.stage.fleet.stream[camera]]
        if len(self.promises.flights) > row.in_flight_max:
            row.in_flight_max = len(self.promises.flights)
        if self._kbit > 1000 * row.mbit_s_max:
            row.mbit_s_max = self._kbit / 1000

    def _heed(self, action: Action, now_ns: int) -> None:
        if isinstance(action, VisitExpired):
            self.promises.expire(action.visit_id)
            self._log.extend((now_ns, -action.visit_id, -1))
        elif isinstance(action, PresumedOffline):
            self.presumed[action.reason.value] += 1
            self._log.extend((now_ns, 0, self.stage.fleet.index[action.camera_id]))
        elif isinstance(action, OutageBegan):
            self.outages += 1

    def _adjust(self, now_ns: int) -> None:
        """What the hub does after each turn: allow as many visits as the intake has room for."""
        allowed = self.machine.visits_allowed(now_ns)
        if allowed != self._allowed:
            self._allowed = allowed
            self._hear(CapacityChanged(allowed), now_ns)

    def _look(self, now_ns: int) -> None:
        """What is done once a minute."""
        self._look_ns += LOOK_NS
        self.promises.look(self.core, self.nature, now_ns)
        self.recovery.look(self.promises.working, now_ns)
        course = self.course
        if not course.first_rows and self._everybody_had_a_look(now_ns):
            course.end_first_round(now_ns)
        elif now_ns % self._row_ns == 0:
            course.end(now_ns)
            course.begin(now_ns)
            self._progress(round(seconds(now_ns) / 60))

    def _everybody_had_a_look(self, now_ns: int) -> bool:
        """Whether no camera that was never visited waits to be; after a while the first round counts as over anyhow."""
        if now_ns < self._spread_ns:
            return False
        table = self.core.table
        place = np.frombuffer(table.state, dtype=np.uint8)
        waiting = (place == CameraState.READY) | (place == CameraState.UPLINK) | (place == CameraState.HOST)
        waiting &= np.frombuffer(table.visits, dtype=np.uint32) == 0
        return now_ns >= self._first_round_ns or not waiting.any()

    def _flush_log(self) -> None:
        self._hash.update(self._log.tobytes())
        self._log = array("q")
