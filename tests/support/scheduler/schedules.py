"""Runs real schedulers in virtual time into states that operators look at: calm and overloaded."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.schedule import CameraPlanReport, SchedulerStatus
from engine.model.visit import FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import CameraPlan, CamerasUpserted, CapacityChanged, Event, StartVisit, Tick, VisitEnded
from engine.scheduler.status import camera_plan_report, scheduler_status

MONDAY_NOON_NS = round(datetime(2026, 10, 12, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * NS_PER_S

Answer = Callable[[str, int], FailureReason | None]
"""Maps a camera and the time its visit begins (ns) to the failure, None for a keyframe."""


@dataclass
class VirtualPatrol:
    """A scheduler whose visits take `visit_s` and end as `answer` returns."""

    settings: SchedulerSettings
    cameras: Sequence[CameraPlan]
    answer: Answer = lambda camera_id, now_ns: None
    visit_s: float = 3.0
    capacity: int = 100_000
    calendar: Calendar = field(default_factory=Calendar)
    wall_offset_ns: int = 0
    now_ns: int = 0

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.settings, self.calendar, wall_offset_ns=self.wall_offset_ns)
        self._landings: list[tuple[int, int, FailureReason | None]] = []
        self.handle(CapacityChanged(self.capacity))
        self.handle(CamerasUpserted(self.cameras))

    def handle(self, event: Event) -> None:
        for action in self.scheduler.handle(event, self.now_ns):
            if isinstance(action, StartVisit):
                ends_ns = self.now_ns + round(self.visit_s * NS_PER_S)
                outcome = self.answer(action.camera_id, self.now_ns)
                heapq.heappush(self._landings, (ends_ns, action.visit_id, outcome))

    def run(self, until_s: float) -> "VirtualPatrol":
        while True:
            wakeup_ns = self.scheduler.next_wakeup_ns()
            times = [*([] if wakeup_ns is None else [wakeup_ns]), *(landing[0] for landing in self._landings[:1])]
            if not times or min(times) > until_s * NS_PER_S:
                self.now_ns = round(until_s * NS_PER_S)
                return self
            self.now_ns = max(self.now_ns, min(times))
            if self._landings and self._landings[0][0] <= self.now_ns:
                _, visit_id, outcome = heapq.heappop(self._landings)
                self.handle(VisitEnded(visit_id, outcome))
            else:
                self.handle(Tick())

    @property
    def status(self) -> SchedulerStatus:
        return scheduler_status(self.scheduler, self.now_ns)

    def plan(self, camera_id: str) -> CameraPlanReport:
        return camera_plan_report(self.scheduler, camera_id, self.now_ns)


def camera(number: int, **changes: Any) -> CameraPlan:
    """Return a camera: 8 to a recorder, 40 to a platform, 100 to a county; every second one is a key point."""
    plain: dict[str, Any] = {
        "uplink": f"nvr-{number // 8}",
        "host": f"10.0.0.{number // 40}",
        "county": f"{130102 + number // 100}",
        "key_point": KeyPoint.COOKING if number % 2 else KeyPoint.STORAGE,
    }
    return CameraPlan(f"c{number:03}", **(plain | changes))


def calm() -> VirtualPatrol:
    """Return a patrol of 400 cameras that keeps its periods; three cameras fail."""
    quick = SchedulerSettings(key_period_s=120, ordinary_period_s=240, backoff_max_s=240)
    hurt = dict.fromkeys(("c150", "c250"), FailureReason.UNAUTHORIZED) | {"c050": FailureReason.TIMEOUT_KEYFRAME}
    return VirtualPatrol(quick, [camera(n) for n in range(400)], lambda camera_id, _: hurt.get(camera_id)).run(900)


def overloaded() -> VirtualPatrol:
    """Return a patrol of the same cameras with capacity for 12 visits, one platform out and one capped at one visit."""
    settings = SchedulerSettings(
        key_period_s=60, ordinary_period_s=120, backoff_max_s=240, visits_max=16, host_visits_max={"10.0.0.3": 1}
    )
    dead = {f"c{n:03}" for n in range(200, 240)}

    def answer(camera_id: str, now_ns: int) -> FailureReason | None:
        return FailureReason.UNREACHABLE if camera_id in dead and now_ns > 300 * NS_PER_S else None

    return VirtualPatrol(settings, [camera(n) for n in range(400)], answer, capacity=12).run(1200)
