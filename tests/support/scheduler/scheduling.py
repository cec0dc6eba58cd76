"""Runs a scheduler in virtual time, with cameras that answer as the test says."""

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream, KeyPoint
from engine.model.schedule import CameraPlanReport, SchedulerStatus
from engine.model.visit import CheckNowReport, FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasUpserted,
    CheckNow,
    CheckNowAnswered,
    Event,
    Judged,
    StartVisit,
    Tick,
    VisitEnded,
)
from engine.scheduler.invariants import check_invariants
from engine.scheduler.status import camera_plan_report, scheduler_status

SECOND = 1_000_000_000
HOUR_S = 3600.0
LOST = "unanswered"
"""As an answer: the visit order never ends."""

Answer = Callable[[str, float], "FailureReason | str | None"]
Watch = Callable[[Event, list[Action], int], None]
Verdicts = Callable[[str, float], "tuple[Any, ...] | None"]


A = TypeVar("A", bound=Action)


class Start(NamedTuple):
    """A visit that began."""

    at_s: float
    camera_id: str
    kind: str
    lag_s: float
    stream: CameraStream = CameraStream.MAIN


def settings(period_s: float = 100, **changes: Any) -> SchedulerSettings:
    """Return settings that visit every camera once in `period_s`, without jitter and limits on starts."""
    plain = {"jitter": 0, "starts_per_s_max": 10_000, "host_starts_per_s_max": 10_000}
    return SchedulerSettings(**{"key_period_s": period_s, "ordinary_period_s": period_s, **plain, **changes})


def cameras(count: int, uplink: str = "", host: str = "", name: str = "c", **changes: Any) -> CamerasUpserted:
    """Return the event that adds cameras, each on its own recorder unless `uplink` is given."""
    return CamerasUpserted(
        [CameraPlan(f"{name}{n:03}", uplink or f"{name}u{n}", host, **changes) for n in range(count)]
    )


def key_cameras(count: int, **changes: Any) -> CamerasUpserted:
    """Return the event that adds key-point cameras."""
    return cameras(count, **{"name": "k", "key_point": KeyPoint.COOKING, **changes})


def wall_ns(text: str, zone: str = "Asia/Shanghai") -> int:
    """Convert a local time such as 2026-10-01T05:30 to nanoseconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


class Patrol:
    """Drives one scheduler and records its actions; all invariants are checked after every event.

    `answer(camera, at_s)`: how a visit ends (None: a keyframe), `takes_s` after it began. `verdict(camera, at_s)`: what
    the judge returns (the fields of Judged behind the camera), None for no verdict. `began`: the local time at which
    monotonic time is 0. `watch(event, actions, now_ns)` is called after every event.
    """

    def __init__(
        self,
        chosen: SchedulerSettings | None = None,
        calendar: Calendar | None = None,
        *,
        answer: Answer = lambda camera, at_s: None,
        verdict: Verdicts = lambda camera, at_s: None,
        takes_s: "float | Callable[[], float]" = 0.0,
        began: str = "",
        checked: bool = True,
        watch: Watch = lambda event, actions, now_ns: None,
    ) -> None:
        zone = (calendar or Calendar()).timezone
        self.scheduler = Scheduler(chosen or settings(), calendar, wall_offset_ns=wall_ns(began, zone) if began else 0)
        self.answer, self.verdict, self.takes_s = answer, verdict, takes_s
        self.now_ns = 0
        self.starts: list[Start] = []
        self.actions: list[tuple[float, Action]] = []
        self.flights: dict[int, str] = {}
        self.in_flight_max = 0
        self._checked = checked
        self._watch = watch
        self._ends: list[tuple[int, int]] = []

    @property
    def now_s(self) -> float:
        return self.now_ns / SECOND

    def handle(self, event: Event, at_s: float | None = None) -> list[Action]:
        """Handle an event, now or at `at_s` after everything before it; return the actions."""
        if at_s is not None:
            self.run(at_s)
        actions = self.scheduler.handle(event, self.now_ns)
        if self._checked:
            check_invariants(self.scheduler, self.now_ns)
        self._watch(event, actions, self.now_ns)
        for action in actions:
            self.actions.append((self.now_s, action))
            if isinstance(action, StartVisit):
                self.flights[action.visit_id] = action.camera_id
                label, lag_s = action.camera_class.label, action.lag_ns / SECOND
                self.starts.append(Start(self.now_s, action.camera_id, label, lag_s, action.stream))
                takes_s = self.takes_s() if callable(self.takes_s) else self.takes_s
                heapq.heappush(self._ends, (self.now_ns + round(takes_s * SECOND), action.visit_id))
        self.in_flight_max = max(self.in_flight_max, len(self.scheduler.dispatch.flights))
        return actions

    def run(self, until_s: float) -> "Patrol":
        """Advance the clock, with all wake-ups and ends of visits on the way."""
        until_ns = round(until_s * SECOND)
        while True:
            wakeup_ns = self.scheduler.next_wakeup_ns()
            times = [self._ends[0][0]] if self._ends else []
            times += [wakeup_ns] if wakeup_ns is not None else []
            if not times or min(times) > until_ns:
                self.now_ns = max(self.now_ns, until_ns)
                return self
            self.now_ns = max(self.now_ns, min(times))
            if self._ends and self._ends[0][0] <= self.now_ns:
                self._end(heapq.heappop(self._ends)[1])
            else:
                self.handle(Tick())

    def check_now(self, *camera_ids: str) -> CheckNowReport:
        answers = [
            action.report for action in self.handle(CheckNow(camera_ids)) if isinstance(action, CheckNowAnswered)
        ]
        assert len(answers) == 1
        return answers[0]

    def status(self) -> SchedulerStatus:
        return scheduler_status(self.scheduler, self.now_ns)

    def plan(self, camera_id: str) -> CameraPlanReport:
        return camera_plan_report(self.scheduler, camera_id, self.now_ns)

    def stretch(self) -> dict[str, float]:
        """Return the stretch of each class."""
        return {camera_class.name: camera_class.stretch for camera_class in self.status().classes}

    def times(self, camera_id: str) -> list[float]:
        """Return when the camera's visits began, in seconds."""
        return [start.at_s for start in self.starts if start.camera_id == camera_id]

    def streams(self, camera_id: str = "c000") -> str:
        """Return the streams of the camera's visits, in order: M for main, s for sub."""
        starts = [start for start in self.starts if start.camera_id == camera_id]
        return "".join("s" if start.stream is CameraStream.SUB else "M" for start in starts)

    def gaps(self, camera_id: str) -> list[int]:
        """Return the whole seconds between starts of the camera's visits."""
        return [round(later - earlier) for earlier, later in itertools.pairwise(self.times(camera_id))]

    def actions_of(self, kind: type[A]) -> list[tuple[float, A]]:
        """Return the actions of one kind, each with its time in seconds."""
        return [(at_s, action) for at_s, action in self.actions if isinstance(action, kind)]

    def _end(self, visit_id: int) -> None:
        camera_id = self.flights.pop(visit_id)
        how = self.answer(camera_id, self.now_s)
        if how == LOST:
            return
        self.handle(VisitEnded(visit_id, FailureReason(how) if how is not None else None))
        said = self.verdict(camera_id, self.now_s) if how is None else None
        if said is not None:
            self.handle(Judged(camera_id, *said))
