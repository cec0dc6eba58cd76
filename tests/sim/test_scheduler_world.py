"""The scheduler against a small world in virtual time: cameras that answer, fail, hang or are lost; seeded."""

import heapq
import itertools
import random

import pytest

from engine.config.schema import SchedulerSettings
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    CameraPlan,
    CamerasPut,
    CamerasRemoved,
    CapacityChanged,
    CheckNow,
    StartVisit,
    Tick,
    VisitEnded,
    VisitExpired,
)
from engine.types import FailureReason

SECOND = 1_000_000_000


class World:
    """Feeds one scheduler, checks its promises after every event, and keeps the log of both."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.settings = SchedulerSettings(
            key_period_s=60, ordinary_period_s=60, visits_max=12, visits_per_uplink_max=2, starts_per_s_max=20,
            backoff_stream_first_s=10, backoff_max_s=90, order_timeout_s=15, jitter=0.2, stretch_max=1, seed=seed,
        )  # fmt: skip
        self.scheduler = Scheduler(self.settings, first_visit_id=1000)
        self.uplinks = {f"c{n}": f"u{n % 9}" for n in range(60)}
        self.dead = {f"c{n}" for n in range(0, 60, 10)}
        self.flights: dict[int, str] = {}
        self.ended: dict[int, str] = {}
        self.answers: list[tuple[int, int, FailureReason | None]] = []
        self.visits: dict[str, list[int]] = {camera: [] for camera in self.uplinks}
        self.log: list[object] = []

    def feed(self, event: object, now_ns: int) -> None:
        actions = self.scheduler.handle(event, now_ns)
        self.log.append((now_ns, event, tuple(actions)))
        self.scheduler.check_invariants(now_ns)
        for action in actions:
            if isinstance(action, StartVisit):
                self.start(action, now_ns)
            elif isinstance(action, VisitExpired):
                assert self.flights.pop(action.visit_id) == action.camera_id
                self.ended[action.visit_id] = "expired"
        assert len(self.flights) <= self.settings.visits_max
        for uplink in set(self.uplinks.values()):
            assert sum(self.uplinks[c] == uplink for c in self.flights.values()) <= 2

    def start(self, action: StartVisit, now_ns: int) -> None:
        assert action.visit_id not in self.flights
        assert action.visit_id not in self.ended
        self.flights[action.visit_id] = action.camera_id
        self.visits[action.camera_id].append(now_ns)
        fate = self.random.random()
        if fate < 0.03:
            return  # the order is lost: nobody ever answers
        failure = FailureReason.TIMEOUT_KEYFRAME if action.camera_id in self.dead or fate < 0.08 else None
        heapq.heappush(self.answers, (now_ns + round(self.random.uniform(0.2, 5) * SECOND), action.visit_id, failure))

    def run(self, until_s: int) -> None:
        now_ns = 0
        self.feed(CamerasPut([CameraPlan(c, u) for c, u in self.uplinks.items()]), 0)
        next_whim_ns = 7 * SECOND
        while now_ns < until_s * SECOND:
            wakeup_ns = self.scheduler.next_wakeup_ns()
            times = [next_whim_ns, *([wakeup_ns] if wakeup_ns is not None else [])]
            now_ns = max(now_ns, min([*times, *([self.answers[0][0]] if self.answers else [])]))
            if self.answers and self.answers[0][0] <= now_ns:
                _, visit_id, failure = heapq.heappop(self.answers)
                if self.flights.pop(visit_id, None) is not None:
                    self.ended[visit_id] = str(failure)
                self.feed(VisitEnded(visit_id, failure), now_ns)
            elif next_whim_ns <= now_ns:
                next_whim_ns += 7 * SECOND
                self.whim(now_ns)
            else:
                self.feed(Tick(), now_ns)

    def whim(self, now_ns: int) -> None:
        camera = self.random.choice(list(self.uplinks))
        match self.random.randrange(4):
            case 0:
                self.feed(CheckNow((camera, "nobody")), now_ns)
            case 1:
                self.feed(CapacityChanged(self.random.choice([4, 12, 1000])), now_ns)
            case 2:
                self.feed(CamerasRemoved((camera,)), now_ns)
                self.feed(CamerasPut([CameraPlan(camera, self.uplinks[camera])]), now_ns)
            case _:
                self.feed(CamerasPut([CameraPlan(camera, self.uplinks[camera], enabled=False)]), now_ns)
                self.feed(CamerasPut([CameraPlan(camera, self.uplinks[camera])]), now_ns)


@pytest.mark.parametrize("seed", range(6))
def test_caps_hold_and_every_order_ends_once_whatever_the_world_does(seed: int) -> None:
    world = World(seed)
    world.run(until_s=1800)
    status = world.scheduler.status(1800 * SECOND)
    assert status.started_total == sum(map(len, world.visits.values()))
    assert status.started_total == len(world.ended) + len(world.flights)
    for camera, times in world.visits.items():
        gaps = [(later - earlier) / SECOND for earlier, later in itertools.pairwise(times)]
        # A period or the longest back-off, an expiry before it, and a queue: never longer than that unseen.
        assert max(gaps) < 180, camera
        assert len(times) >= 12


def test_the_log_of_a_day_can_be_replayed() -> None:
    world = World(99)
    world.run(until_s=900)
    again = Scheduler(world.settings, first_visit_id=1000)
    for now_ns, event, actions in world.log:
        assert tuple(again.handle(event, now_ns)) == actions
