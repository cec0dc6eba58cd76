"""The scheduler's core: every enabled camera once a period, earliest deadline first, within the caps. Pure.

A camera is in exactly one place: waiting for its time (`_due`), ready but parked since its uplink is busy (in the
uplink's own queue, so that a busy recorder with a thousand cameras costs nothing to pass over), ready and waiting for
a slot (`_ready`), or in flight. Jitter is drawn from the camera's id and visit count: the same events give the same
actions.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.clock import NS_PER_S, ns
from engine.config.schema import SchedulerSettings
from engine.replies import CheckNowReport
from engine.scheduler.backoff import backoff_ns
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasPut,
    CamerasRemoved,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    Event,
    SettingsChanged,
    StartVisit,
    Tick,
    VisitEnded,
    VisitExpired,
)
from engine.scheduler.queues import DueQueue, TokenBucket

_URGENT_NS = -(1 << 62)
"""The time of a camera that jumps the queue: before all others."""


@dataclass(slots=True)
class _Uplink:
    in_flight: int = 0
    parked: deque[str] = field(default_factory=deque)


@dataclass(slots=True)
class _Camera:
    uplink: str
    plan: CameraPlan
    deadline_ns: int = 0
    visits: int = 0
    failures: int = 0
    visit_id: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """How the patrol keeps its period. `lag_ns_max`: how long the most overdue camera waits for its visit."""

    cameras: int
    in_flight: int
    ready: int
    lag_ns_max: int
    started_total: int
    ended_total: int
    expired_total: int


class SchedulerInvariantError(AssertionError):
    """The scheduler's books do not balance."""


class Scheduler:
    """See the module. `first_visit_id`: ids count up from here and are never 0."""

    def __init__(self, settings: SchedulerSettings, first_visit_id: int = 1) -> None:
        self._settings = settings
        self._cameras: dict[str, _Camera] = {}
        self._uplinks: dict[str, _Uplink] = {}
        self._due: DueQueue[str] = DueQueue()
        self._ready: DueQueue[str] = DueQueue()
        self._flights: dict[int, str] = {}
        self._flight_uplinks: dict[int, str] = {}
        self._expiry: deque[tuple[int, int]] = deque()
        self._bucket = TokenBucket(settings.starts_per_s_max)
        self._capacity: int | None = None
        self._next_visit_id = max(1, first_visit_id)
        self._blocked_until_ns: int | None = None
        self.started_total = self.ended_total = self.expired_total = 0

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take an event; returns what is to be done because of it, in order."""
        actions: list[Action] = []
        if isinstance(event, VisitEnded):
            self._end(event, now_ns)
        elif isinstance(event, CamerasPut):
            self._put(event.cameras, now_ns)
        elif isinstance(event, CamerasRemoved):
            for camera_id in event.camera_ids:
                self._remove(camera_id)
        elif isinstance(event, CheckNow):
            actions.append(CheckNowAnswered(self._check_now(event.camera_ids, now_ns)))
        elif isinstance(event, CapacityChanged):
            self._capacity = event.visits_max
        elif isinstance(event, SettingsChanged):
            self._settings = event.settings
            self._bucket = TokenBucket(event.settings.starts_per_s_max)
            self._unpark()
        elif not isinstance(event, Tick):
            raise TypeError(f"{type(event).__name__} is no scheduler event")
        self._expire(now_ns, actions)
        self._ripen(now_ns)
        self._start(now_ns, actions)
        return actions

    def next_wakeup_ns(self) -> int | None:
        """When a Tick is wanted at the latest; None while only other events can change anything."""
        times = []
        head = self._due.first()
        if head is not None:
            times.append(head[0])
        if self._expiry:
            times.append(self._expiry[0][0])
        if self._blocked_until_ns is not None:
            times.append(self._blocked_until_ns)
        return min(times, default=None)

    def status(self, now_ns: int) -> SchedulerStatus:
        """Figures for operators; looks at the heads of the queues only."""
        lags = [0]
        for queue in (self._ready, self._due):
            head = queue.first()
            if head is not None and head[0] > _URGENT_NS:
                lags.append(now_ns - head[0])
        heads = (uplink.parked[0] for uplink in self._uplinks.values() if uplink.parked)
        lags.extend(now_ns - self._cameras[camera_id].deadline_ns for camera_id in heads)
        return SchedulerStatus(
            cameras=len(self._cameras),
            in_flight=len(self._flights),
            ready=len(self._ready) + self._parked,
            lag_ns_max=max(lags),
            started_total=self.started_total,
            ended_total=self.ended_total,
            expired_total=self.expired_total,
        )

    def check_invariants(self) -> None:
        """Raise SchedulerInvariantError unless every camera is in its one place and no cap is exceeded."""
        if self.started_total != self.ended_total + self.expired_total + len(self._flights):
            raise SchedulerInvariantError(
                f"started {self.started_total} visits, ended {self.ended_total}, expired {self.expired_total}, "
                f"but {len(self._flights)} are in flight"
            )
        if len(self._flights) > self._settings.visits_max:
            raise SchedulerInvariantError(f"{len(self._flights)} visits in flight, allowed {self._settings.visits_max}")
        parked = {camera_id for uplink in self._uplinks.values() for camera_id in uplink.parked}
        for camera_id, camera in self._cameras.items():
            places = [camera_id in self._due, camera_id in self._ready, camera_id in parked, camera.visit_id != 0]
            wanted = 1 if camera.plan.enabled and not camera.plan.push else int(camera.visit_id != 0)
            if sum(places) != wanted:
                raise SchedulerInvariantError(f"camera {camera_id} is in {sum(places)} places, wanted {wanted}")
        for name, uplink in self._uplinks.items():
            held = sum(1 for c in self._flights.values() if c in self._cameras and self._cameras[c].uplink == name)
            if uplink.in_flight < held:
                raise SchedulerInvariantError(f"uplink {name} counts {uplink.in_flight} visits, {held} are in flight")

    @property
    def _parked(self) -> int:
        return sum(len(uplink.parked) for uplink in self._uplinks.values())

    def _put(self, cameras: Sequence[CameraPlan], now_ns: int) -> None:
        spread_ns = self._spread_ns(len(cameras))
        for plan in cameras:
            camera = self._cameras.get(plan.camera_id)
            if camera is None:
                camera = self._cameras[plan.camera_id] = _Camera(plan.uplink, plan)
                camera.deadline_ns = now_ns + round(self._share(plan.camera_id, 0) * spread_ns)
            elif camera.plan == plan:
                continue
            else:
                self._unplace(plan.camera_id, camera)
                camera.plan = plan
                if not camera.visit_id:
                    camera.uplink = plan.uplink
            if not camera.visit_id:
                self._place(plan.camera_id, camera)

    def _spread_ns(self, count: int) -> int:
        """First visits are spread over a period, or over what the start rate allows where that is quicker."""
        quickest_ns = round(2 * (len(self._cameras) + count) / self._settings.starts_per_s_max * NS_PER_S)
        return min(ns(self._settings.period_s), quickest_ns)

    def _remove(self, camera_id: str) -> None:
        camera = self._cameras.pop(camera_id, None)
        if camera is not None:
            self._unplace(camera_id, camera)

    def _place(self, camera_id: str, camera: _Camera) -> None:
        if camera.plan.enabled and not camera.plan.push:
            self._due.put(camera_id, camera.deadline_ns)

    def _unplace(self, camera_id: str, camera: _Camera) -> None:
        self._due.remove(camera_id)
        self._ready.remove(camera_id)
        uplink = self._uplinks.get(camera.uplink)
        if uplink is not None and camera_id in uplink.parked:
            uplink.parked.remove(camera_id)

    def _check_now(self, camera_ids: Sequence[str], now_ns: int) -> CheckNowReport:
        accepted = in_flight = 0
        unknown: list[str] = []
        not_visited: list[str] = []
        for camera_id in dict.fromkeys(camera_ids):
            camera = self._cameras.get(camera_id)
            if camera is None:
                unknown.append(camera_id)
            elif not camera.plan.enabled or camera.plan.push:
                not_visited.append(camera_id)
            elif camera.visit_id:
                in_flight += 1
            else:
                self._unplace(camera_id, camera)
                camera.deadline_ns = now_ns
                camera.urgent = True
                self._make_ready(camera_id, camera)
                accepted += 1
        return CheckNowReport(accepted, in_flight, tuple(unknown), tuple(not_visited))

    def _end(self, event: VisitEnded, now_ns: int) -> None:
        camera_id = self._flights.pop(event.visit_id, None)
        if camera_id is None:
            return
        self.ended_total += 1
        self._land(camera_id, event.visit_id, event.failure is not None, now_ns)

    def _expire(self, now_ns: int, actions: list[Action]) -> None:
        while self._expiry:
            at_ns, visit_id = self._expiry[0]
            if visit_id in self._flights:
                if at_ns > now_ns:
                    return
                camera_id = self._flights.pop(visit_id)
                self.expired_total += 1
                self._land(camera_id, visit_id, True, now_ns)
                actions.append(VisitExpired(visit_id, camera_id))
            self._expiry.popleft()

    def _land(self, camera_id: str, visit_id: int, failed: bool, now_ns: int) -> None:
        """A visit is over: free its uplink, and give the camera its next time."""
        name = self._flight_uplinks.pop(visit_id)
        uplink = self._uplinks[name]
        uplink.in_flight -= 1
        if uplink.parked and uplink.in_flight < self._settings.visits_per_uplink_max:
            freed = uplink.parked.popleft()
            self._make_ready(freed, self._cameras[freed])
        elif not uplink.in_flight and not uplink.parked:
            del self._uplinks[name]
        camera = self._cameras.get(camera_id)
        if camera is None or camera.visit_id != visit_id:
            return
        camera.visit_id = 0
        camera.uplink = camera.plan.uplink
        camera.failures = camera.failures + 1 if failed else 0
        camera.deadline_ns = now_ns + self._wait_ns(camera_id, camera)
        self._place(camera_id, camera)

    def _wait_ns(self, camera_id: str, camera: _Camera) -> int:
        """From the end of a visit to the next: the period, or longer after failures; early by up to the jitter."""
        settings = self._settings
        period_ns = ns(settings.period_s)
        wait_ns = period_ns
        if camera.failures:
            wait_ns = backoff_ns(camera.failures, settings.backoff_first_s, settings.backoff_max_s)
        return round(wait_ns * (1.0 - settings.jitter * self._share(camera_id, camera.visits)))

    def _unpark(self) -> None:
        """The caps may have changed: whoever waits for an uplink tries again."""
        for uplink in self._uplinks.values():
            while uplink.parked:
                camera_id = uplink.parked.popleft()
                self._make_ready(camera_id, self._cameras[camera_id])

    def _ripen(self, now_ns: int) -> None:
        """Cameras whose time has come wait for a slot from now on."""
        while True:
            head = self._due.first()
            if head is None or head[0] > now_ns:
                return
            camera_id = self._due.pop()
            self._make_ready(camera_id, self._cameras[camera_id])

    def _make_ready(self, camera_id: str, camera: _Camera) -> None:
        self._ready.put(camera_id, _URGENT_NS if camera.urgent else camera.deadline_ns)

    def _start(self, now_ns: int, actions: list[Action]) -> None:
        self._blocked_until_ns = None
        allowed = self._settings.visits_max
        if self._capacity is not None:
            allowed = min(allowed, self._capacity)
        while len(self._flights) < allowed and (head := self._ready.first()) is not None:
            camera_id = head[1]
            camera = self._cameras[camera_id]
            uplink = self._uplinks.setdefault(camera.uplink, _Uplink())
            if camera.uplink and uplink.in_flight >= self._settings.visits_per_uplink_max:
                self._ready.pop()
                if camera.urgent:
                    uplink.parked.appendleft(camera_id)
                else:
                    uplink.parked.append(camera_id)
                continue
            if not self._bucket.take(now_ns):
                self._blocked_until_ns = self._bucket.next_ns(now_ns)
                return
            self._ready.pop()
            actions.append(self._launch(camera_id, camera, uplink, now_ns))

    def _launch(self, camera_id: str, camera: _Camera, uplink: _Uplink, now_ns: int) -> StartVisit:
        visit_id = self._next_visit_id
        self._next_visit_id += 1
        uplink.in_flight += 1
        camera.visits += 1
        camera.visit_id = visit_id
        camera.urgent = False
        self._flights[visit_id] = camera_id
        self._flight_uplinks[visit_id] = camera.uplink
        deadline_ns = now_ns + ns(self._settings.order_timeout_s)
        self._expiry.append((deadline_ns, visit_id))
        self.started_total += 1
        return StartVisit(visit_id, camera_id, deadline_ns)

    def _share(self, camera_id: str, visit: int) -> float:
        """A number of [0, 1) that is always the same for the same camera, visit and seed."""
        digest = hashlib.blake2b(f"{self._settings.seed}/{camera_id}/{visit}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
