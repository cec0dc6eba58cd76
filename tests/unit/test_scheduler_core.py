"""The scheduler's policy, one sentence a test. Time is what the test says it is."""

import itertools

import pytest

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.scheduler.backoff import backoff_ns
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    CameraPlan,
    CamerasPut,
    CamerasRemoved,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    SettingsChanged,
    StartVisit,
    Tick,
    VisitEnded,
    VisitExpired,
)
from engine.scheduler.sites import Sites
from engine.types import FailureReason

SECOND = 1_000_000_000


def settings(**changes) -> SchedulerSettings:
    period = {f"{kind}_period_s": changes.pop("period_s", 100) for kind in ("key", "ordinary")}
    plain = {"jitter": 0, "starts_per_s_max": 10_000, "host_starts_per_s_max": 10_000}
    return SchedulerSettings(**{**period, **plain, **changes})


def cameras(count: int, uplink: str = "") -> CamerasPut:
    return CamerasPut([CameraPlan(f"c{n:03}", uplink or f"u{n}") for n in range(count)])


def started(actions) -> list[str]:
    return [action.camera_id for action in actions if isinstance(action, StartVisit)]


def run_until(scheduler: Scheduler, now_ns: int, until_ns: int, answer: FailureReason | None = None) -> list:
    """Tick as asked and answer each visit at once; returns (time, camera) of every start."""
    log = []
    while (wakeup_ns := scheduler.next_wakeup_ns()) is not None and wakeup_ns <= until_ns:
        now_ns = max(now_ns, wakeup_ns)
        actions = scheduler.handle(Tick(), now_ns)
        while actions:
            action = actions.pop(0)
            if isinstance(action, StartVisit):
                log.append((now_ns, action.camera_id))
                actions += scheduler.handle(VisitEnded(action.visit_id, answer), now_ns)
        scheduler.check_invariants(now_ns)
    return log


def test_whether_a_kitchen_works_is_told_by_its_canteens_hours() -> None:
    sites = Sites()
    sites.configure(Calendar(timezone="UTC", sites={"s1": "mon-fri 06:00-18:00"}), "00:00-24:00")
    for site_id in ("s1", "s2"):
        sites.join(site_id, "130102", "")
    monday_noon_ns = 1_772_452_800 * SECOND
    assert sites.is_open("s1", "130102", "", monday_noon_ns)
    assert not sites.is_open("s1", "130102", "", monday_noon_ns + 8 * 3600 * SECOND)
    assert sites.is_open("s2", "130102", "", monday_noon_ns + 8 * 3600 * SECOND)
    assert sites.is_open("never joined", "", "", monday_noon_ns)


def test_every_camera_is_visited_once_a_period() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(50), 0)
    log = run_until(scheduler, 0, 451 * SECOND)
    for number in range(50):
        times = [at_ns for at_ns, camera in log if camera == f"c{number:03}"]
        gaps = [round((later - earlier) / SECOND) for earlier, later in itertools.pairwise(times)]
        assert 50 <= gaps[0] <= 150  # from the first look to its own place in the grid
        assert len(gaps) >= 3
        assert set(gaps[1:]) == {100}


def test_first_visits_are_spread_and_not_all_at_once() -> None:
    scheduler = Scheduler(settings(starts_per_s_max=10))
    scheduler.handle(cameras(200), 0)
    log = run_until(scheduler, 0, 60 * SECOND)
    assert len({camera for _, camera in log}) == 200
    busiest = max(sum(1 for at_ns, _ in log if second <= at_ns / SECOND < second + 1) for second in range(60))
    assert busiest <= 13


def test_a_small_county_is_seen_at_once_not_after_a_period() -> None:
    scheduler = Scheduler(settings(starts_per_s_max=400))
    scheduler.handle(cameras(32), 0)
    assert len(run_until(scheduler, 0, SECOND)) == 32


def test_the_most_overdue_camera_comes_first() -> None:
    scheduler = Scheduler(settings(visits_max=1))
    actions = scheduler.handle(cameras(3), 0) + scheduler.handle(Tick(), 50 * SECOND)
    order = []
    for _ in range(3):
        (action,) = [one for one in actions if isinstance(one, StartVisit)]
        order.append(action.camera_id)
        actions = scheduler.handle(VisitEnded(action.visit_id, None), 50 * SECOND)
    fresh = Scheduler(settings())
    fresh.handle(cameras(3), 0)
    assert order == [camera for _, camera in run_until(fresh, 0, 50 * SECOND)]


def test_no_more_visits_are_in_flight_than_allowed() -> None:
    scheduler = Scheduler(settings(visits_max=5))
    scheduler.handle(cameras(20), 0)
    assert len(started(scheduler.handle(Tick(), SECOND))) <= 5
    assert scheduler.status(SECOND).in_flight == 5
    scheduler.check_invariants(0)


def test_an_uplink_is_visited_one_at_a_time() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(4, uplink="nvr"), 0)
    first = scheduler.handle(Tick(), SECOND)
    assert scheduler.status(SECOND).in_flight == 1
    visit_id = 1
    del first
    for _ in range(3):
        actions = scheduler.handle(VisitEnded(visit_id, None), SECOND)
        assert len(started(actions)) == 1
        visit_id += 1
        scheduler.check_invariants(0)


def test_a_busy_uplink_does_not_hold_up_others() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(10, uplink="nvr"), 0)
    scheduler.handle(CamerasPut([CameraPlan("free", "other")]), 0)
    scheduler.handle(Tick(), 10 * SECOND)
    assert scheduler.status(10 * SECOND).in_flight == 2


def test_feeders_without_room_get_no_orders() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(CapacityChanged(0), 0)
    scheduler.handle(cameras(5), 0)
    assert started(scheduler.handle(Tick(), 10 * SECOND)) == []
    assert len(started(scheduler.handle(CapacityChanged(3), 10 * SECOND))) == 3


def test_a_camera_that_fails_is_offered_less_often() -> None:
    scheduler = Scheduler(settings(backoff_connect_first_s=30, backoff_max_s=120))
    scheduler.handle(cameras(1), 0)
    times = [at_ns / SECOND for at_ns, _ in run_until(scheduler, 0, 700 * SECOND, FailureReason.REFUSED)]
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
    assert gaps == [30, 60, 120, 120, 120, 120, 120]


def test_a_keyframe_ends_the_back_off() -> None:
    scheduler = Scheduler(settings(backoff_connect_first_s=30))
    scheduler.handle(cameras(1), 0)
    log = run_until(scheduler, 0, 10 * SECOND, FailureReason.REFUSED)
    log += run_until(scheduler, 10 * SECOND, 450 * SECOND, None)
    first, second, *later = [round((b[0] - a[0]) / SECOND) for a, b in itertools.pairwise(log)]
    assert first == 30
    assert 0 < second <= 100
    assert set(later) == {100}


def test_an_order_that_nobody_answers_expires_once() -> None:
    scheduler = Scheduler(settings(order_timeout_s=20))
    scheduler.handle(cameras(1), 0)
    (visit,) = [one for one in scheduler.handle(Tick(), SECOND) if isinstance(one, StartVisit)] or [None]
    at_ns = scheduler.next_wakeup_ns()
    actions = scheduler.handle(Tick(), at_ns + 30 * SECOND)
    expired = [one for one in actions if isinstance(one, VisitExpired)]
    assert len(expired) == 1
    assert scheduler.handle(VisitEnded(expired[0].visit_id, None), at_ns + 31 * SECOND) == []
    scheduler.check_invariants(0)
    assert scheduler.status(at_ns).expired_total == 1
    del visit


def test_check_now_jumps_the_queue_within_the_caps() -> None:
    scheduler = Scheduler(settings(visits_max=1))
    scheduler.handle(cameras(10), 0)
    first = scheduler.handle(Tick(), 50 * SECOND)
    actions = scheduler.handle(CheckNow(("c007", "c007", "nobody")), 50 * SECOND)
    (answer,) = [one for one in actions if isinstance(one, CheckNowAnswered)]
    in_flight = started(first)
    expected = 0 if in_flight == ["c007"] else 1
    assert answer.report.accepted == expected
    assert answer.report.unknown_ids == ("nobody",)
    assert started(scheduler.handle(VisitEnded(1, None), 51 * SECOND)) == ["c007"]


def test_check_now_says_which_cameras_are_not_visited() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(CamerasPut([CameraPlan("off", "u", enabled=False), CameraPlan("push", "u", push=True)]), 0)
    (answer,) = scheduler.handle(CheckNow(("off", "push")), 0)
    assert answer.report.not_visited_ids == ("off", "push")


def test_a_camera_removed_in_mid_visit_is_not_visited_again() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(1), 0)
    (visit,) = [one for one in scheduler.handle(Tick(), SECOND) if isinstance(one, StartVisit)]
    scheduler.handle(CamerasRemoved(("c000",)), SECOND)
    scheduler.handle(VisitEnded(visit.visit_id, None), 2 * SECOND)
    scheduler.check_invariants(2 * SECOND)
    assert scheduler.next_wakeup_ns() is None


def test_a_camera_that_is_disabled_while_it_waits_is_not_visited() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(3, uplink="nvr"), 0)
    scheduler.handle(Tick(), SECOND)
    scheduler.handle(CamerasPut([CameraPlan(f"c{n:03}", "nvr", enabled=False) for n in range(3)]), SECOND)
    scheduler.check_invariants(0)
    assert started(scheduler.handle(VisitEnded(1, None), 2 * SECOND)) == []
    scheduler.check_invariants(0)


def test_a_higher_cap_lets_those_go_who_waited_for_an_uplink() -> None:
    scheduler = Scheduler(settings())
    scheduler.handle(cameras(4, uplink="nvr"), 0)
    scheduler.handle(Tick(), 10 * SECOND)
    actions = scheduler.handle(SettingsChanged(settings(visits_per_uplink_max=3), Calendar()), 10 * SECOND)
    assert len(started(actions)) == 2
    scheduler.check_invariants(0)


def test_the_lag_is_that_of_the_longest_waiting_camera() -> None:
    scheduler = Scheduler(settings(visits_max=1))
    scheduler.handle(cameras(3, uplink="nvr"), 0)
    scheduler.handle(Tick(), 10 * SECOND)
    assert 9 < scheduler.status(10 * SECOND).lag_s_max <= 10


def test_the_same_events_give_the_same_actions() -> None:
    def log() -> list:
        scheduler = Scheduler(settings(jitter=0.3, seed=7))
        scheduler.handle(cameras(20), 0)
        return run_until(scheduler, 0, 500 * SECOND)

    assert log() == log()


@pytest.mark.parametrize("failures", [1, 2, 10, 250])
@pytest.mark.parametrize("reason", list(FailureReason))
def test_back_off_never_exceeds_its_ceiling(failures: int, reason: FailureReason) -> None:
    chosen = settings(backoff_max_s=1800)
    assert 30 * SECOND <= backoff_ns(failures, reason, 900 * SECOND, chosen) <= 1350 * SECOND
    assert backoff_ns(250, reason, 10_000 * SECOND, chosen) == 1800 * SECOND
