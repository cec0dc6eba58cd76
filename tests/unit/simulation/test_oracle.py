"""The promises of a rehearsal: each that is broken is noticed, by books of its own."""

from array import array
from collections.abc import Collection

import numpy as np
import pytest

from engine.config.schema import SchedulerSettings
from engine.model.camera import Camera, KeyPoint
from engine.model.visit import FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import StartVisit, Tick, VisitEnded
from engine.simulation.camera_model import CameraModel
from engine.simulation.faults import Faults
from engine.simulation.fleet import Fleet, fleet_from_registry
from engine.simulation.oracle import BROKEN_MAX, Oracle
from tests.support.scheduler.simulations import PLAIN, at_ns, camera_model, scheduler_of

PLAN = SchedulerSettings(
    key_period_s=100,
    ordinary_period_s=200,
    visits_max=5,
    visits_per_host_max=3,
    host_starts_per_s_max=8,
    starts_per_s_max=100,
)


def fleet() -> Fleet:
    """Key points k0 to k9 on platform p0, others o0 to o9 on p1; two on a recorder."""
    cameras = [
        Camera(f"{kind}{n}", f"rtsp://p{number}/{n}", uplink=f"nvr-{kind}{n // 2}", key_point=point)
        for number, (kind, point) in enumerate((("k", KeyPoint.COOKING), ("o", KeyPoint.OTHER)))
        for n in range(10)
    ]
    return fleet_from_registry(cameras, PLAIN, PLAN, 1)


def oracle_of(plan: SchedulerSettings = PLAN, crowded: Collection[int] = ()) -> Oracle:
    marks = np.array([camera in crowded for camera in range(20)])
    return Oracle(fleet(), plan, marks)


def quiet_world() -> tuple[Scheduler, CameraModel]:
    cameras = fleet()
    return scheduler_of(cameras, PLAN), camera_model(cameras, Faults())


def test_what_is_kept_is_not_called_broken() -> None:
    kept = oracle_of()
    for visit_id, camera in enumerate((0, 2, 4, 10, 12), start=1):
        kept.visit_started(visit_id, camera, at_ns(visit_id))
    assert [kept.visit_ended(visit_id) for visit_id in (1, 2, 3, 4, 5)] == [True] * 5
    assert kept.ended == 5
    assert kept.broken == []


def test_a_visit_that_begins_twice_is_noticed() -> None:
    broken = oracle_of()
    broken.visit_started(7, 0, at_ns(1))
    broken.visit_started(7, 4, at_ns(2))
    assert broken.broken == ["visit 7 began twice"]


def test_an_order_that_ends_twice_is_counted_once_and_one_that_expires_late_is_noticed() -> None:
    broken = oracle_of()
    broken.visit_started(1, 0, at_ns(1))
    assert broken.visit_ended(1)
    assert not broken.visit_ended(1)
    broken.visit_expired(1)
    assert broken.broken == ["visit 1 expired, and had ended before"]
    assert (broken.ended, broken.expired) == (1, 0)


def test_a_cap_in_all_that_is_exceeded_is_noticed() -> None:
    broken = oracle_of()
    for visit_id, camera in enumerate((0, 2, 4, 10, 12, 14)):
        broken.visit_started(visit_id, camera, at_ns(visit_id))
    assert broken.broken == ["6 visits in flight, scheduler.visits_max is 5"]


def test_a_recorder_with_two_visits_is_noticed() -> None:
    broken = oracle_of()
    broken.visit_started(1, 0, at_ns(1))
    broken.visit_started(2, 1, at_ns(2))
    assert broken.broken == ["2 visits on recorder nvr-k0, scheduler.visits_per_uplink_max is 1"]


def test_a_platform_with_too_many_visits_is_noticed_by_its_own_cap() -> None:
    broken = oracle_of(PLAN.model_copy(update={"host_visits_max": {"p1": 1}}))
    for visit_id, camera in enumerate((0, 2, 4, 10)):
        broken.visit_started(visit_id, camera, at_ns(visit_id))
    assert broken.broken == []
    broken.visit_started(9, 12, at_ns(9))
    assert broken.broken == ["2 visits on platform p1, allowed 1"]


def test_connections_that_come_too_fast_are_noticed_even_within_a_second() -> None:
    broken = oracle_of(PLAN.model_copy(update={"visits_max": 100, "visits_per_host_max": 100}))
    for visit_id, camera in enumerate((0, 2)):  # 8 a second, a quarter of a second's worth at once
        broken.visit_started(visit_id, camera, at_ns(1))
    broken.visit_started(2, 4, at_ns(1.125))
    assert broken.broken == []
    broken.visit_started(3, 6, at_ns(1.2))
    assert broken.broken == [
        "more connections to platform p0 than scheduler.host_starts_per_s_max allows (8)"
    ]  # fmt: skip


def test_starts_that_come_too_fast_in_all_are_noticed() -> None:
    plan = PLAN.model_copy(update={"starts_per_s_max": 4, "host_starts_per_s_max": 100})
    broken = oracle_of(plan)
    broken.visit_started(1, 0, at_ns(1))
    broken.visit_started(2, 10, at_ns(1.25))
    assert broken.broken == []
    broken.visit_started(3, 12, at_ns(1.4))
    assert broken.broken == ["more visits began than scheduler.starts_per_s_max allows (4)"]


def test_books_of_the_scheduler_that_say_otherwise_are_noticed() -> None:
    scheduler, _ = quiet_world()
    kept = oracle_of()
    kept.check_scheduler(scheduler, 0)
    assert kept.broken == []
    scheduler.statistics.ended += 1
    kept.check_scheduler(scheduler, 0)
    assert "the scheduler counts 0 visits, 1 ended, 0 expired; 0 ended, 0 expired, 0 are in flight" in kept.broken
    assert len(kept.broken) == 2, "the scheduler's own invariants notice it too"


def patrolled(scheduler: Scheduler, watched: Oracle, unseen: set[str], until_s: float) -> None:
    """Visits that take no time; those of `unseen` bring a keyframe that nobody tells the promises of."""
    now_ns, index = 0, watched._fleet.index
    while now_ns < at_ns(until_s):
        now_ns = max(now_ns, scheduler.next_wakeup_ns() or 0)
        actions = scheduler.handle(Tick(), now_ns)
        while actions:
            action = actions.pop(0)
            assert isinstance(action, StartVisit)
            if action.camera_id not in unseen:
                watched.last_keyframe[index[action.camera_id]] = now_ns
            actions += scheduler.handle(VisitEnded(action.visit_id, None), now_ns)


@pytest.mark.parametrize(("unseen", "kind"), [("k3", "key point"), ("o3", "ordinary")])
def test_a_camera_that_is_not_seen_within_twice_its_period_is_noticed(unseen: str, kind: str) -> None:
    scheduler, world = quiet_world()
    watched = oracle_of()
    until_s = 230 if kind == "key point" else 430
    patrolled(scheduler, watched, {unseen}, until_s)
    watched.check_bounds(scheduler, world, at_ns(until_s))
    (sentence,) = watched.broken
    assert sentence.startswith(f"{kind} camera {unseen} can be reached and was not seen for 2.")
    assert sentence.endswith("allowed: 2")


def test_nobody_is_promised_a_camera_that_cannot_be_reached() -> None:
    scheduler, world = quiet_world()
    watched = oracle_of()
    patrolled(scheduler, watched, {"k3"}, 230)
    world.unreachable_reason[watched._fleet.index["k3"]] = 1
    watched.check_bounds(scheduler, world, at_ns(230))
    assert watched.broken == []
    world.unreachable_reason[watched._fleet.index["k3"]] = 0
    world.reachable_since[watched._fleet.index["k3"]] = at_ns(100)
    watched.check_bounds(scheduler, world, at_ns(230))
    assert watched.broken == [], "it is back for 130 s"


def test_no_bound_is_promised_behind_a_gate_that_cannot_carry_its_cameras() -> None:
    scheduler, world = quiet_world()
    for crowded, many in ((set(), 1), ({3}, 0)):
        watched = oracle_of(crowded=crowded)
        patrolled(scheduler_of(fleet(), PLAN), watched, {"k3"}, 230)
        watched.check_bounds(scheduler, world, at_ns(230))
        assert len(watched.broken) == many
        assert watched.unseen_periods_max[0] > 2, "it is told all the same"


def test_a_stretched_period_is_waited_for_as_much_longer_and_a_while_after_it_is_over() -> None:
    scheduler, world = quiet_world()
    watched = oracle_of()

    def unseen_since(seen_s: float, now_s: float) -> list[str]:
        """What is said of key points that were seen then; the others are seen all the time."""
        watched.last_keyframe[:] = array("q", [at_ns(seen_s)] * 10 + [at_ns(now_s)] * 10)
        watched.broken.clear()
        watched.check_bounds(scheduler, world, at_ns(now_s))
        return watched.broken

    scheduler.overload.stretch[0] = 2.5
    assert unseen_since(0, 290) == []
    scheduler.overload.stretch[0] = 1.0
    assert unseen_since(0, 480) == [], "2 periods and 3 more: one in 2.5 of its own, rounded up"
    (sentence,) = unseen_since(0, 510)
    assert sentence.endswith("was not seen for 5.10 periods, allowed: 5")
    (sentence,) = unseen_since(600, 810)
    assert sentence.endswith("was not seen for 2.10 periods, allowed: 2"), "what excused it is over"


def test_a_failure_is_no_keyframe() -> None:
    scheduler, world = quiet_world()
    watched = oracle_of()
    now_ns = 0
    while now_ns < at_ns(230):
        now_ns = max(now_ns, scheduler.next_wakeup_ns() or 0)
        for action in scheduler.handle(Tick(), now_ns):
            if hasattr(action, "visit_id"):
                scheduler.handle(VisitEnded(action.visit_id, FailureReason.REFUSED), now_ns)
    watched.check_bounds(scheduler, world, at_ns(230))
    assert watched.broken, "all cameras can be reached, and none was seen"


def test_the_list_of_broken_promises_is_bounded() -> None:
    broken = oracle_of()
    for _ in range(3 * BROKEN_MAX):
        broken.visit_expired(1)
    assert len(broken.broken) == BROKEN_MAX
