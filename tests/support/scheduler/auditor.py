"""Checks a scheduler from outside: from the events it received and the actions it returned, without its internals.

The scheduler's own invariants may share its errors; this check is written from the text of the policy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.classes import base_class
from engine.scheduler.core import Scheduler
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
    OutageBegan,
    OutageEnded,
    PresumedOffline,
    PushArrived,
    PushMissing,
    SettingsChanged,
    StartVisit,
    VisitEnded,
    VisitExpired,
    WallClock,
)
from engine.scheduler.periods.backoff import ceiling_ns, first_wait_s
from engine.scheduler.periods.windows import Window, Windows
from engine.scheduler.status import scheduler_status
from tests.support.scheduler.scheduling import SECOND
from tests.support.scheduler.stream_auditor import StreamAuditor

_MOMENT_NS = 2_000_000


class AuditError(AssertionError):
    """Raised when the scheduler broke its policy."""


@dataclass
class Seen:
    """What the auditor knows of one camera."""

    plan: CameraPlan
    window: Window
    since_ns: int  # its last look, or when it was put, enabled, or presumed
    visits: int = 0
    failed: bool = False
    not_before_ns: int = 0
    asked_ns: int | None = None
    arrived_ns: int = 0  # a pushed camera's last keyframe, or when it was missed or put
    settled: bool = True  # False: settings, clock or registry have changed since its last look or keyframe
    in_flight: set[int] = field(default_factory=set)


@dataclass
class Flight:
    """A visit under way, with the gates it was begun on."""

    seen: Seen
    uplink: str
    host: str
    deadline_ns: int
    probes: bool
    stream: CameraStream = CameraStream.MAIN


class Bucket:
    """Allows starts at this rate, with bursts of a quarter of a second's worth."""

    def __init__(self, per_s: float) -> None:
        self._per_ns = per_s / SECOND
        self._most = max(1.0, per_s / 4)
        self._held, self._at_ns = self._most, 0

    def take(self, now_ns: int) -> bool:
        self._held = min(self._most, self._held + (now_ns - self._at_ns) * self._per_ns)
        self._at_ns = now_ns
        self._held -= 1
        return self._held >= -1e-3


class Auditor:
    """Checks every event and action.

    `unseen_periods_max`: the most periods that a camera whose window is always open may go unvisited; 0: not checked.
    `asked_s_max`: the longest wait of a camera after CheckNow; 0: not checked.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        calendar: Calendar,
        wall_offset_ns: int = 0,
        unseen_periods_max: float = 0.0,
        asked_s_max: float = 0.0,
    ) -> None:
        self._scheduler = scheduler
        self._settings = scheduler.settings
        self._wall_offset_ns = wall_offset_ns
        self._unseen_periods_max = unseen_periods_max
        self._asked_s_max = asked_s_max
        self._capacity = 1_000_000
        self._limits: Mapping[str, int] = {}
        self._last_id = self._events = 0
        self._started = self._ended = self._expired = self._presumed = 0
        self.cameras: dict[str, Seen] = {}
        self.flights: dict[int, Flight] = {}
        self._streams = StreamAuditor(scheduler.settings)
        self._out: dict[str, int] = {}  # platform -> no probe before
        self._configure(self._settings, calendar, 0)

    def watch(self, event: Event, actions: list[Action], now_ns: int) -> None:
        """Check an event and the actions it caused. Raises AuditError."""
        ended_host = self._hear(event, now_ns)
        for action in actions:
            self._see(action, now_ns)
        if ended_host in self._out:
            self._fail(f"a camera of {ended_host} answered, and its outage goes on")
        self._promises(now_ns)

    def _configure(self, settings: SchedulerSettings, calendar: Calendar, now_ns: int) -> None:
        self._settings = settings
        self._streams.configure(settings)
        self._windows = Windows(calendar, settings.hours)
        self._starts = Bucket(settings.starts_per_s_max)
        self._host_starts: dict[str, Bucket] = {}
        for seen in self.cameras.values():
            seen.window = self._window(seen.plan)
            seen.not_before_ns = 0
            seen.arrived_ns, seen.settled = now_ns, False

    def _window(self, plan: CameraPlan) -> Window:
        return self._windows.by_index[self._windows.index_of(plan.site_id, plan.county, plan.hours)]

    def _hear(self, event: Event, now_ns: int) -> str:
        """Record the event; return the platform that it shows to be alive, empty if none."""
        match event:
            case VisitEnded():
                return self._end(event, now_ns)
            case CamerasUpserted():
                for plan in event.cameras:
                    self._put(plan, now_ns)
            case CamerasRemoved():
                for camera_id in event.camera_ids:
                    self.cameras.pop(camera_id, None)
                    self._streams.forget(camera_id)
            case Judged() if event.camera_id in self.cameras:
                self._streams.judged(event)
            case CapacityChanged():
                self._capacity = event.visits_max
            case SettingsChanged():
                self._configure(event.settings, event.calendar, now_ns)
            case HostLimitsChanged():
                self._limits = event.limits
            case WallClock():
                self._wall_offset_ns = event.offset_ns
                for seen in self.cameras.values():
                    seen.settled = False
            case PushArrived() if event.camera_id in self.cameras:
                seen = self.cameras[event.camera_id]
                seen.arrived_ns, seen.settled = now_ns, True
            case CheckNow():
                for camera_id in event.camera_ids:
                    asked = self.cameras.get(camera_id)
                    if asked and asked.plan.enabled and not asked.plan.push and not asked.in_flight:
                        asked.asked_ns = now_ns if asked.asked_ns is None else asked.asked_ns
                        self._streams.asked(camera_id)
        return ""

    def _put(self, plan: CameraPlan, now_ns: int) -> None:
        seen = self.cameras.get(plan.camera_id)
        if seen is None:
            self.cameras[plan.camera_id] = Seen(plan, self._window(plan), now_ns, arrived_ns=now_ns)
            return
        if (plan.enabled and not seen.plan.enabled) or plan.push != seen.plan.push:
            seen.since_ns = seen.arrived_ns = now_ns
            seen.not_before_ns = 0
        if not plan.enabled or plan.push:
            seen.asked_ns = None
        if plan.push:
            seen.failed = False
        if plan.sub != seen.plan.sub:
            self._streams.forget(plan.camera_id)
        if plan != seen.plan:
            seen.arrived_ns, seen.settled = now_ns, False
        seen.plan, seen.window = plan, self._window(plan)

    def _end(self, event: VisitEnded, now_ns: int) -> str:
        flight = self.flights.pop(event.visit_id, None)
        if flight is None:
            return ""
        self._ended += 1
        self._land(flight, event.visit_id, event.failure, now_ns)
        return flight.host if event.failure is None else ""

    def _land(self, flight: Flight, visit_id: int, failure: FailureReason | None, now_ns: int) -> None:
        seen, settings = flight.seen, self._settings
        if seen is self.cameras.get(seen.plan.camera_id):
            self._streams.ended(seen.plan.camera_id, flight.stream, failure)
        seen.in_flight.discard(visit_id)
        seen.since_ns = now_ns
        if failure is None:
            seen.failed, seen.not_before_ns = False, 0
        elif failure not in NOT_JUDGED:
            if flight.probes and flight.host in self._out:
                self._out[flight.host] = now_ns + round(settings.outage_probe_s * SECOND)
            if flight.stream is CameraStream.SUB:
                return  # it proves nothing about the camera
            seen.failed = not seen.plan.push
            first_ns = round((1 - settings.jitter) * first_wait_s(failure, settings) * SECOND)
            seen.not_before_ns = now_ns + min(first_ns, round((1 - settings.jitter) * self._ceiling_ns(seen)))

    def _see(self, action: Action, now_ns: int) -> None:
        match action:
            case StartVisit():
                self._start(action, now_ns)
            case VisitExpired():
                flight = self.flights.pop(action.visit_id, None)
                if flight is None or flight.deadline_ns > now_ns:
                    self._fail(f"visit {action.visit_id} expired, and was not under way that long")
                else:
                    self._expired += 1
                    self._land(flight, action.visit_id, FailureReason.LOST, now_ns)
            case PresumedOffline():
                self._presume(action, now_ns)
            case OutageBegan():
                self._out[action.host] = now_ns + round(self._settings.outage_probe_s * SECOND)
            case OutageEnded():
                self._out.pop(action.host, None)
            case PushMissing():
                seen = self.cameras[action.camera_id]
                if seen.settled and now_ns - seen.arrived_ns < self._period_ns(seen) - _MOMENT_NS:
                    self._fail(f"{action.camera_id} is missed, and a keyframe arrived within its period")
                seen.arrived_ns, seen.settled = now_ns, True
            case CheckNowAnswered():
                pass

    def _start(self, action: StartVisit, now_ns: int) -> None:
        camera = action.camera_id
        seen = self.cameras.get(camera)
        if seen is None or not seen.plan.enabled or seen.plan.push:
            self._fail(f"{camera} is visited, and nobody wants it visited")
            return
        if action.visit_id <= self._last_id:
            self._fail(f"visit id {action.visit_id} came after {self._last_id}")
        if seen.in_flight:
            self._fail(f"{camera} is visited twice at once")
        self._judge_time(action, seen, now_ns)
        flight = Flight(seen, seen.plan.uplink, seen.plan.host, action.deadline_ns, False, action.stream)
        if flight.host in self._out and seen.asked_ns is None:
            flight.probes = True
            if any(other.probes and other.host == flight.host for other in self.flights.values()):
                self._fail(f"two cameras probe {flight.host} at once")
            if now_ns < self._out[flight.host]:
                self._fail(f"{camera} probes {flight.host} too soon")
        wrong = self._streams.started(seen.plan, action.stream, probes=flight.probes)
        if wrong:
            self._fail(wrong)
        self.flights[action.visit_id] = flight
        self._last_id = action.visit_id
        self._started += 1
        self._judge_caps(flight, now_ns)
        seen.in_flight.add(action.visit_id)
        seen.asked_ns, seen.settled = None, True
        seen.visits += 1

    def _judge_time(self, action: StartVisit, seen: Seen, now_ns: int) -> None:
        camera, asked = action.camera_id, seen.asked_ns is not None
        if not asked and now_ns < seen.not_before_ns - _MOMENT_NS:
            self._fail(f"{camera} failed, and is visited {(seen.not_before_ns - now_ns) / SECOND:.1f} s too soon")
        if (action.camera_class.label == "offline") != seen.failed:
            self._fail(f"{camera} is visited as {action.camera_class.label}, and its last visit says otherwise")
        if asked or not seen.visits or not seen.settled or self._settings.offhours_period_s:
            return  # what was due when a change came need not be given up
        if not seen.window.is_open(now_ns - action.lag_ns + self._wall_offset_ns):
            self._fail(f"{camera} is visited while its kitchen rests")

    def _judge_caps(self, flight: Flight, now_ns: int) -> None:
        settings = self._settings
        allowed = min(settings.visits_max, self._capacity)
        if len(self.flights) > allowed:
            self._fail(f"{len(self.flights)} visits are in flight, allowed {allowed}")
        on_uplink = sum(other.uplink == flight.uplink for other in self.flights.values())
        if flight.uplink and on_uplink > settings.visits_per_uplink_max:
            self._fail(f"{on_uplink} visits hang on recorder {flight.uplink}")
        on_host = sum(other.host == flight.host for other in self.flights.values())
        cap = settings.host_visits_max.get(flight.host, settings.visits_per_host_max)
        if flight.host and on_host > min(cap, self._limits.get(flight.host, cap)):
            self._fail(f"{on_host} visits hang on platform {flight.host}")
        if not self._starts.take(now_ns):
            self._fail("visits begin faster than allowed")
        bucket = self._host_starts.setdefault(flight.host, Bucket(settings.host_starts_per_s_max))
        if flight.host and not bucket.take(now_ns):
            self._fail(f"connections to {flight.host} come faster than allowed")

    def _presume(self, action: PresumedOffline, now_ns: int) -> None:
        self._presumed += 1
        seen = self.cameras[action.camera_id]
        if action.host not in self._out:
            self._fail(f"{action.camera_id} is presumed offline, and {action.host} is not out")
        seen.since_ns = now_ns

    def _promises(self, now_ns: int) -> None:
        """Check what must hold at any time; the costly checks only after every fourth event."""
        late = [visit_id for visit_id, flight in self.flights.items() if flight.deadline_ns < now_ns - _MOMENT_NS]
        if late:
            self._fail(f"the order of visit {late[0]} should have expired")
        self._events += 1
        if self._events % 4:
            return
        status, settings = scheduler_status(self._scheduler, now_ns), self._settings
        books = (status.started_total, status.ended_total, status.expired_total, status.presumed_total)
        if books != (self._started, self._ended, self._expired, self._presumed):
            self._fail(f"the scheduler counts {books}, seen were {self._started, self._ended, self._expired}")
        if status.outages != tuple(sorted(self._out)):
            self._fail(f"out are {status.outages}, heard of was {sorted(self._out)}")
        stretch = {camera_class.name: camera_class.stretch for camera_class in status.classes}
        if stretch["key_point"] > 1 and min(stretch["ordinary"], stretch["suspicious"]) < settings.stretch_max - 1e-3:
            self._fail(f"key points are stretched before all others: {stretch}")
        for camera, seen in self.cameras.items():
            self._judge_wait(camera, seen, now_ns)

    def _judge_wait(self, camera: str, seen: Seen, now_ns: int) -> None:
        period_ns = self._period_ns(seen)
        if seen.plan.push:
            if seen.plan.enabled and seen.window.always and now_ns - seen.arrived_ns > period_ns + _MOMENT_NS:
                self._fail(f"nothing arrived of {camera} for more than its period, and nobody is told")
            return
        if self._asked_s_max and seen.asked_ns is not None and now_ns - seen.asked_ns > self._asked_s_max * SECOND:
            self._fail(f"{camera} was asked for {(now_ns - seen.asked_ns) / SECOND:.0f} s ago")
        if not self._unseen_periods_max or not seen.plan.enabled or seen.in_flight or not seen.window.always:
            return
        allowed_ns = max(round(self._unseen_periods_max * period_ns), 2 * self._ceiling_ns(seen) if seen.failed else 0)
        if now_ns - seen.since_ns > allowed_ns:
            self._fail(f"{camera} was not looked at for {(now_ns - seen.since_ns) / SECOND:.0f} s")

    def _period_ns(self, seen: Seen) -> int:
        base = base_class(seen.plan.key_point, seen.plan.required, self._settings)
        period_s = self._settings.key_period_s if base.label == "key_point" else self._settings.ordinary_period_s
        return round(period_s * SECOND)

    def _ceiling_ns(self, seen: Seen) -> int:
        return ceiling_ns(self._period_ns(seen), self._settings)

    def _fail(self, sentence: str) -> None:
        raise AuditError(sentence)
