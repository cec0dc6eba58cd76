"""Simulates small worlds for the scheduler in virtual time: cameras that answer, fail, flap or hang, and people who
interfere. Everything is drawn from a seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream, KeyPoint
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasRemoved,
    CamerasUpserted,
    CapacityChanged,
    CheckNow,
    Event,
    HostLimitsChanged,
    PushArrived,
    SettingsChanged,
    WallClock,
)
from tests.support.scheduler.auditor import AuditError, Auditor
from tests.support.scheduler.scheduling import LOST, SECOND, Patrol, wall_ns

_AT_ONCE_MAX = 300
_ALL_ASKED_S = 140.0
NOON = "2026-03-02T12:00"
FAILURES = (FailureReason.REFUSED, FailureReason.TIMEOUT_KEYFRAME, FailureReason.UNAUTHORIZED)


class ReplayError(AuditError):
    """Raised when the scheduler answers the same events differently the second time."""


@dataclass(frozen=True)
class WorldPlan:
    """The parameters of a world."""

    name: str
    lasts_s: float
    settings: dict[str, Any]
    hours: str = ""
    interference: bool = False
    broken: bool = False
    outage: bool = False
    streams: bool = False
    unseen_periods_max: float = 0.0
    asked_s_max: float = 0.0


_QUICK: dict[str, Any] = {
    "key_period_s": 60, "ordinary_period_s": 120, "suspicious_period_s": 40, "confirm_spacing_s": 10,
    "visits_max": 30, "visits_per_uplink_max": 2, "visits_per_host_max": 12, "starts_per_s_max": 20,
    "host_starts_per_s_max": 8, "backoff_stream_first_s": 10, "backoff_connect_first_s": 15,
    "backoff_lasting_first_s": 30, "backoff_max_s": 90, "order_timeout_s": 15, "jitter": 0.2, "outage_cameras_min": 5,
    "outage_probe_s": 10, "outage_probe_max_s": 40,
}  # fmt: skip

WORLDS = (
    WorldPlan("calm", 600, _QUICK, unseen_periods_max=1.9, asked_s_max=60),
    WorldPlan("broken", 900, _QUICK, broken=True, unseen_periods_max=2.1, asked_s_max=60),
    WorldPlan("outage", 900, _QUICK, broken=True, outage=True, unseen_periods_max=2.1),
    WorldPlan("hours", 9000, {**_QUICK, "offhours_period_s": 0, "ordinary_period_s": 400, "key_period_s": 300},
         hours="11:50-12:20,13:00-13:02", asked_s_max=60),
    WorldPlan("overload", 1500, {**_QUICK, "visits_max": 1, "stretch_max": 2}, broken=True, unseen_periods_max=6),
    WorldPlan("streams", 900, {**_QUICK, "streams": {"key_point": "sub_with_main", "ordinary": "sub"}, "main_every": 4},
         broken=True, outage=True, streams=True, unseen_periods_max=2.1),
    WorldPlan("interference", 900, _QUICK, broken=True, outage=True, interference=True),
)  # fmt: skip


class World:
    """Forty cameras on four platforms. `log`: every event with its time and the scheduler's actions."""

    def __init__(self, plan: WorldPlan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self._chance = random.Random(f"{plan.name} {seed}")
        self.settings = SchedulerSettings(**{**plan.settings, "seed": seed})
        self.calendar = Calendar()
        self.log: list[tuple[int, Event, tuple[Action, ...]]] = []
        self.cameras = {f"c{n:02}": self._camera(n) for n in range(40)}
        self._dead = set(self._chance.sample(sorted(self.cameras), 6)) if plan.broken else set()
        self._flapping = set(self._chance.sample(sorted(self.cameras), 6)) if plan.broken else set()
        self._turns: dict[str, int] = {}
        self._last_ns = self._at_once = 0
        self.patrol = Patrol(
            self.settings, self.calendar, answer=self._answer, verdict=self._verdict, takes_s=self._takes_s,
            began=NOON, watch=self._watch,
        )  # fmt: skip
        self.auditor = Auditor(
            self.patrol.scheduler, self.calendar, wall_ns(NOON), plan.unseen_periods_max, plan.asked_s_max
        )

    def run(self) -> "World":
        """Run to the end. Raises the error of the first check that fails, with a note of world, seed and time."""
        try:
            self.patrol.handle(CamerasUpserted(list(self.cameras.values())))
            at_s = 0.0
            while at_s < self.plan.lasts_s:
                at_s += 7.0
                self.patrol.run(at_s)
                self._push(at_s)
                if self.plan.interference:
                    self._interfere()
                elif at_s == _ALL_ASKED_S:
                    self.patrol.check_now(*self.cameras)
                elif self._chance.random() < 0.1:
                    self.patrol.check_now(self._chance.choice(sorted(self.cameras)))
        except AssertionError as error:
            error.add_note(f"world {self.plan.name!r}, seed {self.seed}, after {self.patrol.now_s:.3f} s")
            raise
        return self

    def replay(self) -> None:
        """Replay the log to a second scheduler. Raises ReplayError if its actions differ."""
        again = Scheduler(self.settings, self.calendar, wall_offset_ns=wall_ns(NOON))
        for now_ns, event, actions in self.log:
            if tuple(again.handle(event, now_ns)) != actions:
                raise ReplayError(f"told the same, it answers differently at {now_ns / SECOND:.3f} s")

    def _watch(self, event: Event, actions: list[Action], now_ns: int) -> None:
        self.log.append((now_ns, event, tuple(actions)))
        self._at_once = self._at_once + 1 if now_ns == self._last_ns else 0
        self._last_ns = now_ns
        if self._at_once > _AT_ONCE_MAX:
            raise AuditError(f"{_AT_ONCE_MAX} events at one moment, and it does not come to rest")
        self.auditor.watch(event, actions, now_ns)

    def _camera(self, number: int) -> CameraPlan:
        return CameraPlan(
            camera_id=f"c{number:02}",
            uplink=f"u{number // 5}",
            host=f"h{number % 4}" if number % 10 else "",
            county=f"1301{number % 3:02}",
            hours=self.plan.hours if number % 3 else "",
            key_point=KeyPoint.COOKING if number % 4 == 0 else KeyPoint.OTHER,
            push=number in (7, 8),
            sub=self.plan.streams and number % 5 != 0,
        )

    def _answer(self, camera: str, at_s: float) -> FailureReason | str | None:
        if self.plan.outage and 300 <= at_s < 600 and self.cameras[camera].host == "h1":
            return FailureReason.REFUSED
        if self.plan.streams and camera.endswith("3") and self.patrol.streams(camera)[-1] == "s":
            return FailureReason.NOT_FOUND
        if camera in self._dead:
            return FAILURES[int(camera[1:]) % 3]
        if camera in self._flapping:
            self._turns[camera] = self._turns.get(camera, 0) + 1
            return FailureReason.TIMEOUT_KEYFRAME if self._turns[camera] % 2 else None
        fate = self._chance.random() if self.plan.broken else 1.0
        return LOST if fate < 0.01 else FailureReason.EXHAUSTED if fate < 0.02 else None

    def _verdict(self, camera: str, at_s: float) -> tuple[Any, ...] | None:
        if not self.plan.broken:
            return None
        said = self._chance.choice([(State.OK, State.OK)] * 8 + [(State.FAULT, State.OK), (State.OK, State.FAULT)])
        if not self.plan.streams or not self.cameras[camera].sub:
            return said
        stream = CameraStream.SUB if self.patrol.streams(camera)[-1] == "s" else CameraStream.MAIN
        soon = self._chance.random() < 0.05
        return *said, stream, soon or self._chance.random() < 0.1, soon

    def _takes_s(self) -> float:
        return self._chance.uniform(0.2, 5.0 if self._chance.random() < 0.9 else 14.0)

    def _push(self, at_s: float) -> None:
        if self._chance.random() < 0.2:
            self.patrol.handle(PushArrived("c07"))

    def _interfere(self) -> None:
        interference: list[Callable[[str], None]] = [
            lambda camera: self._handle(CheckNow((camera, "nobody"))),
            lambda camera: self._handle(CapacityChanged(self._chance.choice([2, 12, 1000]))),
            lambda camera: self._handle(HostLimitsChanged(self._chance.choice([{}, {"h1": 0}, {"h1": 2, "h2": 1}]))),
            self._remove_and_put,
            self._disable_and_enable,
            self._move,
            self._settings,
            lambda camera: self._handle(WallClock(wall_ns(NOON) + self._chance.randrange(-9, 9) * 3600 * SECOND)),
        ]
        flying = sorted(set(self.patrol.flights.values()) & self.cameras.keys())
        known = flying if flying and self._chance.random() < 0.5 else sorted(self.cameras)
        self._chance.choice(interference)(self._chance.choice(known))

    def _remove_and_put(self, camera: str) -> None:
        self._handle(CamerasRemoved((camera,)))
        self.patrol.run(self.patrol.now_s + self._chance.choice([0.0, 1.0, 20.0]))
        self._handle(CamerasUpserted([self.cameras[camera]] * 2))

    def _disable_and_enable(self, camera: str) -> None:
        plan = self.cameras[camera]
        self._handle(CamerasUpserted([_changed(plan, enabled=False)]))
        self.patrol.run(self.patrol.now_s + self._chance.choice([0.0, 1.0, 20.0]))
        self._handle(CamerasUpserted([plan]))

    def _move(self, camera: str) -> None:
        number = self._chance.randrange(12)
        changes = {
            "uplink": self._chance.choice(["", f"u{number}"]), "host": f"h{number % 4}",
            "required": self._chance.random() < 0.3, "hours": self._chance.choice(["", "06:00-18:00"]),
            "push": self._chance.random() < 0.1, "sub": self._chance.random() < 0.5,
        }  # fmt: skip
        self.cameras[camera] = _changed(self.cameras[camera], **changes)
        self._handle(CamerasUpserted([self.cameras[camera]]))

    def _settings(self, camera: str) -> None:
        changes: dict[str, Any] = {
            "visits_max": self._chance.choice([5, 30]), "visits_per_uplink_max": self._chance.choice([1, 2, 3]),
            "key_period_s": self._chance.choice([30, 60, 200]), "order_timeout_s": self._chance.choice([15, 40]),
            "host_starts_per_s_max": self._chance.choice([0.5, 8]), "offhours_period_s": self._chance.choice([0, 600]),
            "stretch_max": self._chance.choice([1, 8]),
        }  # fmt: skip
        changed = SchedulerSettings(**{**self.plan.settings, "seed": self.seed, **changes})
        self._handle(SettingsChanged(changed, self.calendar))

    def _handle(self, event: Event) -> None:
        self.patrol.handle(event)


def _changed(plan: CameraPlan, **changes: Any) -> CameraPlan:
    return plan._replace(**{name: value for name, value in changes.items() if name in plan._fields})
