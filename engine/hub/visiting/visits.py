"""Keeps the scheduler and the feeders in step: orders go out, and each comes back to the scheduler exactly once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.clock import NS_PER_S, ns, seconds, wall_ns
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.feed import wire
from engine.feed.fallback import fallback_order
from engine.hub.registry import Registry
from engine.hub.stories.stories import Stories
from engine.hub.visiting.camera_plan import order_of, plan_of, site_of
from engine.hub.visiting.dialogues import Dialogues
from engine.hub.visiting.feeder_pool import FeederPool, visits_allowed
from engine.hub.visiting.visit_traces import VisitTraces
from engine.metrics import Metrics
from engine.model.camera import Camera, CameraStream
from engine.model.keyframe import Keyframe
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.stories.events import EXPIRED
from engine.model.verdict import Verdict
from engine.model.visit import (
    NOT_JUDGED,
    CheckNowReport,
    FailureReason,
    FeedKind,
    VisitFailure,
    VisitOrder,
    VisitTimings,
)
from engine.runtime.log import logger, report
from engine.runtime.log_events import OUTAGE_BEGAN, OUTAGE_ENDED, PAUSE_ENDED, SUB_STREAM_SET_ASIDE, VISIT_EXPIRED
from engine.scheduler import capacity_warnings
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CamerasRemoved,
    CamerasUpserted,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    Event,
    HostLimitsChanged,
    Judged,
    OutageBegan,
    OutageEnded,
    PatrolPaused,
    PatrolResumed,
    PauseEnded,
    PresumedOffline,
    PushArrived,
    PushMissing,
    SettingsChanged,
    StartVisit,
    SubStreamSetAside,
    Tick,
    VisitEnded,
    VisitExpired,
    WallClock,
)
from engine.scheduler.host_shares import HostCap
from engine.scheduler.invariants import check_invariants
from engine.scheduler.status import camera_plan_report, pause_status, scheduler_status
from patrol.v1 import feed_pb2

SILENT_AFTER_NS = 10 * NS_PER_S
_CLOCK_JUMP_NS = NS_PER_S
_TURN_VISITS = 2
"""Longest visits that a turn of a shard on a platform lasts: that of the shard before may still be under way."""
_ROLES = {FeedKind.RTSP: "feeder", FeedKind.DEMUX: "demuxer"}
"""The process that carries out visits of each kind."""
_UNJUDGED = frozenset({*NOT_JUDGED, EXPIRED})
"""Outcomes of visits that are not judged."""


@dataclass(frozen=True, slots=True)
class HostUse:
    """What this engine does on a platform. `cap`: of all shards. `is_visited`: it has cameras or visits there."""

    cap: HostCap
    in_flight: int
    is_visited: bool


class Visits:
    """The scheduler with the pool of feeders. For the hub's thread.

    `send` sends a message to a feeder and returns whether it was taken. `on_pause_ended` is called with an ended pause.
    `traces`: None without traces.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        scheduler: Scheduler,
        send: Callable[[Sequence[wire.Frame], bytes], bool],
        metrics: Metrics,
        on_pause_ended: Callable[[Pause], None] = lambda _: None,
        stories: Stories | None = None,
        traces: VisitTraces | None = None,
    ) -> None:
        self._traces = traces
        self._settings = settings
        self._registry = registry
        self._scheduler = scheduler
        self._send = send
        self._metrics = metrics
        self._on_pause_ended = on_pause_ended
        self._stories = stories or Stories()
        self._unvisited: list[VisitFailure] = []
        self._wall_offset_ns: int | None = None
        self._feeders = FeederPool()
        self._capacity = 0
        self._turn_ns = 0
        self._out_since: dict[str, int] = {}
        self._fallbacks: set[int] = set()
        self.dialogues = Dialogues()

    def skip_visit_ids(self, last: int) -> None:
        """Give only visit ids above this one: those of a camera count up, also when it comes from another shard."""
        self._scheduler.dispatch.skip_visit_ids(last)

    def upsert(self, cameras: Sequence[Camera], now_ns: int) -> None:
        """Add cameras to the schedule, or reschedule those that changed."""
        self._handle(CamerasUpserted([plan_of(camera) for camera in cameras]), now_ns)

    def remove(self, camera_ids: Sequence[str], now_ns: int) -> None:
        """Remove cameras from the schedule."""
        self._handle(CamerasRemoved(tuple(camera_ids)), now_ns)

    def check_now(self, camera_ids: Sequence[str], now_ns: int, *, trace: bool = False) -> CheckNowReport:
        """Visit these cameras before all others, within the caps; returns what becomes of each. `trace`: `dialogues`
        then holds what is said, until it is told to forget it."""
        if trace:
            self.dialogues.want(camera_ids, now_ns)  # first: the scheduler may order the visits at once
        for action in self._handle(CheckNow(tuple(camera_ids)), now_ns):
            if isinstance(action, CheckNowAnswered):
                return action.report
        raise AssertionError("the scheduler did not answer a check-now")

    def pause(self, pause: Pause, now_ns: int) -> PauseStatus:
        """Stop visiting the cameras of a scope."""
        self._handle(PatrolPaused(pause), now_ns)
        return pause_status(self._scheduler, pause)

    def resume(self, scope: PauseScope, now_ns: int) -> PauseStatus | None:
        """Visit them again; returns the pause that ended, None if the scope was not paused."""
        actions = self._handle(PatrolResumed(scope), now_ns)
        ended = [action.pause for action in actions if isinstance(action, PauseEnded)]
        pause = next((pause for pause in ended if pause.scope == scope), None)
        return None if pause is None else pause_status(self._scheduler, pause)

    def configure(self, settings: Settings, calendar: Calendar, now_ns: int) -> None:
        """Apply new settings; visits in flight go on."""
        self._settings = settings
        self._handle(SettingsChanged(settings.scheduler, calendar), now_ns)

    def limit_hosts(self, limits: Mapping[str, int], now_ns: int) -> None:
        """Make no more visits at once on these platforms, in place of all limits before; visits in flight go on."""
        self._handle(HostLimitsChanged(limits), now_ns)

    def host_uses(self, names: Iterable[str]) -> dict[str, HostUse]:
        """Return what is done on these platforms now."""
        scheduler, find = self._settings.scheduler, self._scheduler.dispatch.hosts.find
        turn_s = _TURN_VISITS * self._settings.feed.deadline_s
        uses = {}
        for name in names:
            host, cap = find(name), scheduler.host_visits_max.get(name, scheduler.visits_per_host_max)
            in_flight = 0 if host is None else host.in_flight
            uses[name] = HostUse(HostCap(cap, turn_s), in_flight, is_visited=host is not None)
        return uses

    def judged(self, verdict: Verdict, main_next: bool, main_soon: bool, now_ns: int) -> None:
        """Tell the scheduler the verdict on a keyframe. `main_next`, `main_soon`: as in Judgement."""
        stream, announced = verdict.stream, verdict.announced
        self._handle(Judged(verdict.camera_id, verdict.state, announced, stream, main_next, main_soon), now_ns)

    def pushed(self, camera_id: str, now_ns: int) -> None:
        """Tell the scheduler that a gateway pushed a keyframe."""
        self._handle(PushArrived(camera_id), now_ns)

    def set_clock(self, wall_offset_ns: int, now_ns: int) -> None:
        """Set wall clock minus monotonic clock. A jump moves the kitchens' windows, and is logged."""
        if self._wall_offset_ns is None or abs(wall_offset_ns - self._wall_offset_ns) > _CLOCK_JUMP_NS:
            if self._wall_offset_ns is not None:
                jump_s = seconds(wall_offset_ns - self._wall_offset_ns)
                logger().warning("the wall clock jumped", seconds=round(jump_s, 3))
            self._wall_offset_ns = wall_offset_ns
            self._handle(WallClock(wall_offset_ns), now_ns)

    def status(self, now_ns: int) -> SchedulerStatus:
        """Return how the patrol keeps its periods."""
        return scheduler_status(self._scheduler, now_ns)

    def outages(self) -> dict[str, int]:
        """Return the platforms that are out now, each with its number of cameras."""
        return self._scheduler.dispatch.hosts.outages()

    def drain_periods(self) -> dict[str, tuple[int, int]]:
        """Return periods due and periods kept since the last call, by camera."""
        return self._scheduler.drain_periods()

    def plan(self, camera_id: str, now_ns: int) -> CameraPlanReport:
        """Return why a camera is due when it is. Raises RegistryError for an unknown id."""
        return camera_plan_report(self._scheduler, camera_id, now_ns)

    def is_working(self, camera: Camera, wall_ns: int) -> bool:
        """Return whether the camera's kitchen works at this moment."""
        return self._scheduler.timing.sites.is_open(*site_of(camera), wall_ns)

    def warnings(self, settings: Settings, calendar: Calendar, cores: int, wall_ns: int) -> list[str]:
        """Return what the operator should know about these settings, given the cameras in the schedule."""
        return capacity_warnings.warnings(self._scheduler, settings, calendar, cores, wall_ns)

    def next_wakeup_ns(self) -> int | None:
        """Return when `advance` must be called; None if nothing waits for a time."""
        return self._scheduler.next_wakeup_ns()

    def advance(self, now_ns: int, room: int) -> None:
        """Start the visits that are due. `room`: keyframes that may still come before the intake is full."""
        capacity = visits_allowed(self._feeders.capacity(), room)
        if capacity != self._capacity:
            self._capacity = capacity
            self._handle(CapacityChanged(capacity), now_ns)
        wakeup_ns = self._scheduler.next_wakeup_ns()
        if wakeup_ns is not None and now_ns >= wakeup_ns:
            self._handle(Tick(), now_ns)

    def fetched(self, keyframe: Keyframe, now_ns: int) -> bool:
        """End the visit that fetched this keyframe. False if no such visit is in flight: the keyframe is dropped."""
        order = self._feeders.end(keyframe.visit_id)
        if order is None or (order.camera_id, order.stream) != (keyframe.camera_id, keyframe.stream):
            return False
        self._observe(order, keyframe.timings, "keyframe")
        self._handle(VisitEnded(keyframe.visit_id, None), now_ns)
        return True

    def failed(self, failure: VisitFailure, now_ns: int) -> VisitFailure | None:
        """End a visit that brought no keyframe. Returns the failure if the camera is to be judged by it.

        Returns None if no such visit is in flight, if FFmpeg tries once more, or for one of NOT_JUDGED. A sub-stream
        that fails says nothing of its camera either: the scheduler has the main stream visited.
        """
        order = self._feeders.end(failure.visit_id)
        if order is None:
            return None
        retry = fallback_order(order, failure, self._settings.feed)
        if retry is not None:
            self._stories.tried_again(failure)
            self._fallbacks.add(order.visit_id)
            self._feeders.enqueue(retry)
            self._place()
            return None
        self._observe(order, failure.timings, failure.reason)
        self._handle(VisitEnded(failure.visit_id, failure.reason), now_ns)
        return None if failure.reason in NOT_JUDGED or order.stream is CameraStream.SUB else failure

    def heartbeat(self, name: str, status: feed_pb2.FeederStatus, now_ns: int) -> None:
        """Note that a feeder is alive, and how many visits it takes."""
        kind = wire.feeder_kind(status)
        if self._feeders.heartbeat(name, kind, status.capacity, status.stuck_threads, now_ns):
            logger().info("feeder ready", name=name, kind=kind, capacity=status.capacity)
        self._metrics.stuck_threads(self._feeders.stuck_threads)
        self._place()

    def feeder_lost(self, name: str, now_ns: int) -> None:
        """End the visits of a feeder that ended, as lost: they say nothing about the cameras."""
        for order in self._feeders.lost(name):
            self._observe(order, VisitTimings(), FailureReason.LOST)
            self._handle(VisitEnded(order.visit_id, FailureReason.LOST), now_ns)

    def silent_feeders(self, now_ns: int) -> set[str]:
        """Return the feeders whose heartbeat is overdue."""
        return self._feeders.silent(now_ns, SILENT_AFTER_NS)

    def drain_unvisited(self) -> list[VisitFailure]:
        """Return cameras that count as offline without a visit since the last call: their host is out, or no gateway
        sent a keyframe."""
        drained, self._unvisited = self._unvisited, []
        return drained

    @property
    def in_flight(self) -> int:
        """Visits ordered and not ended."""
        return self._feeders.in_flight + self._feeders.waiting

    def feeders_ready(self) -> dict[str, int]:
        """Return how many feeders and how many demuxers are alive, by the name of their role."""
        return {role: self._feeders.count(kind) for kind, role in _ROLES.items()}

    @property
    def feeders(self) -> int:
        """Feeders alive."""
        return len(self._feeders)

    def check_invariants(self) -> None:
        """Raise AssertionError if orders and schedule contradict each other as of the last event.

        Cameras that fell due since then have not had a turn yet, and do not count as passed over.
        """
        self._feeders.check_invariants()
        check_invariants(self._scheduler, self._turn_ns)

    def _handle(self, event: Event, now_ns: int) -> list[Action]:
        actions = self._scheduler.handle(event, now_ns)
        if not isinstance(event, Judged):  # the scheduler ignores most verdicts
            self._turn_ns = now_ns
        started = False
        for action in actions:
            if isinstance(action, StartVisit):
                self._start(action)
                started = True
            elif isinstance(action, VisitExpired):
                self._expire(action)
            else:
                self._note(action)
        if started or isinstance(event, VisitEnded):
            self._place()
        return actions

    def _note(self, action: Action) -> None:
        """Carry out an action that is no order."""
        if isinstance(action, PresumedOffline):
            detail = f"its platform {action.host} does not answer; one camera probes it, this one was not visited"
            self._unvisited.append(VisitFailure(action.camera_id, 0, action.reason, detail))
        elif isinstance(action, PushMissing):
            detail = f"no gateway sent a keyframe for {action.period_s:g} s"
            self._unvisited.append(VisitFailure(action.camera_id, 0, FailureReason.TIMEOUT_KEYFRAME, detail))
        elif isinstance(action, OutageBegan):
            self._out_since = {host: began_ns for host, began_ns in self._out_since.items() if host in self.outages()}
            self._out_since[action.host] = self._turn_ns
            report(OUTAGE_BEGAN, host=action.host, cameras=action.cameras)
        elif isinstance(action, OutageEnded):
            began_ns = self._out_since.pop(action.host, self._turn_ns)
            report(OUTAGE_ENDED, host=action.host, lasted_s=round(seconds(self._turn_ns - began_ns), 1))
        elif isinstance(action, SubStreamSetAside):
            self._metrics.sub_stream_set_aside(action.reason)
            camera = self._registry.cameras.get(action.camera_id)
            region, reason = "" if camera is None else camera.region, action.reason
            report(SUB_STREAM_SET_ASIDE, camera_id=action.camera_id, region=region, reason=reason, visits=action.visits)
        elif isinstance(action, PauseEnded):
            scope = action.pause.scope
            report(PAUSE_ENDED, kind=scope.kind, value=scope.value, paused_by=action.pause.who)
            self._on_pause_ended(action.pause)

    def _start(self, action: StartVisit) -> None:
        self._metrics.lag(action.camera_class.label, seconds(action.lag_ns))
        camera = self._registry.cameras[action.camera_id]
        deadline_ns = ns(self._settings.feed.deadline_s)
        order = order_of(camera, action.visit_id, action.stream, deadline_ns)
        order = replace(order, trace=self.dialogues.ordered(order, self._turn_ns))
        self._stories.ordered(order, action.camera_class.label)
        self._feeders.enqueue(order)
        if self._traces is not None:
            self._traces.ordered(order, camera, wall_ns())

    def _expire(self, action: VisitExpired) -> None:
        """End a visit that the scheduler gave up: no feeder answered within its deadline and grace."""
        order = self._feeders.end(action.visit_id) or self._feeders.drop_waiting(action.visit_id)
        if order is not None:
            self._observe(order, VisitTimings(), EXPIRED)
            report(VISIT_EXPIRED, camera_id=order.camera_id, region=order.region, visit_id=order.visit_id)

    def _place(self) -> None:
        refused: list[VisitOrder] = []
        for name, order in self._feeders.place():
            if not self._send(wire.pack_order(order), name.encode()):
                refused.append(order)
        for order in reversed(refused):
            self._feeders.not_taken(order.visit_id)
        if refused:
            logger().warning("a feeder does not take orders; they wait", orders=len(refused))

    def _observe(self, order: VisitOrder, timings: VisitTimings, outcome: str) -> None:
        if order.visit_id in self._fallbacks:
            self._fallbacks.discard(order.visit_id)
            self._metrics.fallback(outcome)
        is_unjudged = outcome in _UNJUDGED or (order.stream is CameraStream.SUB and outcome != "keyframe")
        if is_unjudged:
            self._stories.unjudged(order, outcome)
        self._metrics.visit_ended(order.via, outcome)
        camera = self._registry.cameras.get(order.camera_id)
        if camera is not None and camera.sub_url:
            self._metrics.stream_visited(order.stream, timings.received_bytes, failed=outcome != "keyframe")
        if self._traces is not None:
            self._traces.visited(order.visit_id, timings, outcome, wall_ns())
            if is_unjudged:
                self._traces.ended(order.visit_id, outcome, wall_ns())
        for stage, duration_ns in (
            ("connect", timings.connect_ns),
            ("keyframe_wait", timings.keyframe_ns),
            ("visit_total", timings.total_ns),
        ):
            if duration_ns:
                self._metrics.stage(stage, seconds(duration_ns))
