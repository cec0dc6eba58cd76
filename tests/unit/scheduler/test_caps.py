"""Caps: visits in flight in all, on a recorder, on a platform; new visits a second; what feeders can carry."""

import itertools

import pytest

from engine.config.calendar import Calendar
from engine.model.visit import FailureReason
from engine.scheduler.events import (
    CameraPlan,
    CamerasUpserted,
    CapacityChanged,
    HostLimitsChanged,
    OutageBegan,
    PresumedOffline,
    SettingsChanged,
    StartVisit,
    VisitExpired,
)
from tests.support.scheduler.scheduling import LOST, Patrol, cameras, key_cameras, settings


def most_at_once(times: list[float], within_s: float) -> int:
    """The largest number of these within any stretch of time so long."""
    return max(sum(begin <= at_s < begin + within_s for at_s in times) for begin in times)


def test_no_more_visits_are_in_flight_than_allowed() -> None:
    patrol = Patrol(settings(visits_max=5), takes_s=3)
    patrol.handle(cameras(50))
    patrol.run(300)
    assert patrol.in_flight_max == 5


def test_a_recorder_is_visited_one_at_a_time_unless_more_is_configured() -> None:
    for most in (1, 3):
        patrol = Patrol(settings(visits_per_uplink_max=most), takes_s=3)
        patrol.handle(cameras(12, uplink="nvr"))
        patrol.run(300)
        assert patrol.in_flight_max == most


def test_a_platform_has_a_cap_and_single_ones_have_their_own() -> None:
    patrol = Patrol(settings(visits_per_host_max=4, host_visits_max={"big": 9}), takes_s=5)
    patrol.handle(cameras(40, host="small"))
    patrol.run(50)
    assert patrol.in_flight_max == 4
    patrol = Patrol(settings(visits_per_host_max=4, host_visits_max={"big": 9}), takes_s=5)
    patrol.handle(cameras(40, host="big"))
    patrol.run(50)
    assert patrol.in_flight_max == 9


def test_what_has_no_recorder_and_no_platform_is_not_capped() -> None:
    patrol = Patrol(settings(visits_per_host_max=1), takes_s=5)
    patrol.handle(CamerasUpserted([CameraPlan(f"c{n}", "", "") for n in range(20)]))
    patrol.run(1)
    assert patrol.status().in_flight == 20


def test_a_limit_of_a_platform_holds_beside_its_cap_and_visits_under_way_go_on() -> None:
    patrol = Patrol(settings(visits_per_host_max=9), takes_s=5)
    patrol.handle(HostLimitsChanged({"h": 3}))
    patrol.handle(cameras(60, host="h"))
    patrol.run(20)
    assert patrol.in_flight_max == 3
    patrol.handle(HostLimitsChanged({"h": 7, "unknown": 1}))
    assert patrol.status().in_flight == 7, "as soon as it is raised"
    patrol.handle(HostLimitsChanged({"h": 2}))
    assert patrol.status().in_flight == 7
    patrol.run(patrol.now_s + 6)
    assert patrol.status().in_flight == 2
    patrol.handle(HostLimitsChanged({"h": 100}))
    assert patrol.status().in_flight == 9, "never above the cap"
    patrol.handle(HostLimitsChanged({"h": 11}))
    patrol.handle(SettingsChanged(settings(visits_per_host_max=20), Calendar()))
    assert patrol.status().in_flight == 11, "settings end no limit"
    patrol.handle(HostLimitsChanged({}))
    assert patrol.status().in_flight == 20


def test_a_platform_without_visits_is_not_out_its_cameras_are_no_faults_and_nothing_spins() -> None:
    patrol = Patrol(settings(period_s=10), takes_s=1)
    patrol.handle(HostLimitsChanged({"h": 0}))
    patrol.handle(cameras(200, host="h"))
    patrol.handle(cameras(1, name="free"))
    patrol.run(300)
    assert {start.camera_id for start in patrol.starts} == {"free000"}
    assert not patrol.actions_of(OutageBegan)
    assert not patrol.actions_of(PresumedOffline)
    assert patrol.plan("c000").because[0] == "it waits for its platform h: other shards have all visits on it for now"
    events: list[int] = []
    quiet = Patrol(settings(period_s=10), watch=lambda event, actions, now_ns: events.append(now_ns))
    quiet.handle(HostLimitsChanged({"h": 0}))
    quiet.handle(cameras(200, host="h"))
    quiet.run(300)
    assert len(events) < 210, "each camera is due once, and then waits"
    patrol.handle(HostLimitsChanged({"h": 20}))
    patrol.run(patrol.now_s + 30)
    assert len({start.camera_id for start in patrol.starts}) == 201


@pytest.mark.parametrize(("uplink", "host"), [("nvr", ""), ("", "platform")])
def test_a_busy_gate_does_not_hold_up_others(uplink: str, host: str) -> None:
    patrol = Patrol(settings(visits_per_host_max=1), takes_s=50)
    patrol.handle(cameras(100, uplink=uplink, host=host))
    patrol.handle(cameras(5, name="free"))
    patrol.run(10)
    assert {start.camera_id for start in patrol.starts if start.camera_id.startswith("free")} == {
        f"free{n:03}" for n in range(5)
    }
    assert patrol.status().in_flight == 6


def test_who_waits_longest_for_a_recorder_goes_next() -> None:
    patrol = Patrol(takes_s=7)
    patrol.handle(cameras(10, uplink="nvr"))
    patrol.run(69)
    fresh = Patrol()
    fresh.handle(cameras(10))
    assert [start.camera_id for start in patrol.starts] == [start.camera_id for start in fresh.run(1).starts]


def test_two_recorders_behind_one_platform_both_move_on() -> None:
    patrol = Patrol(settings(visits_per_host_max=1), takes_s=2)
    for name in "ab":
        patrol.handle(cameras(10, uplink=f"nvr-{name}", host="h", name=name))
    patrol.run(100)
    assert {len(patrol.times(f"{name}{n:03}")) for name in "ab" for n in range(10)} <= {1, 2, 3}
    patrol.run(1000)
    assert min(len(patrol.times(f"{name}{n:03}")) for name in "ab" for n in range(10)) >= 9


def test_new_visits_a_second_stay_under_the_rate_with_a_quarter_second_at_once() -> None:
    patrol = Patrol(settings(starts_per_s_max=20, period_s=10))
    patrol.handle(cameras(300))
    patrol.run(60)
    times = [start.at_s for start in patrol.starts]
    assert most_at_once(times, 1.0) <= 20 + 5
    assert most_at_once(times, 0.001) <= 5
    assert len(times) >= 0.97 * 20 * (60 - times[0])


def test_new_connections_to_a_platform_stay_under_its_rate_and_others_do_not_wait() -> None:
    patrol = Patrol(settings(host_starts_per_s_max=4, period_s=10, stretch_max=1))
    patrol.handle(cameras(200, host="slow"))
    patrol.handle(cameras(10, name="d", host="idle"))
    patrol.run(60)
    slow = [start.at_s for start in patrol.starts if start.camera_id < "d"]
    assert most_at_once(slow, 1.0) <= 4 + 1
    assert len(slow) >= 0.97 * 4 * 60
    assert max(start.lag_s for start in patrol.starts if start.camera_id >= "d") <= 3


@pytest.mark.parametrize("rate", [0.1, 0.5, 3.0])
def test_a_rate_of_less_than_one_burst_lets_one_go_at_a_time(rate: float) -> None:
    patrol = Patrol(settings(host_starts_per_s_max=rate, period_s=10, stretch_max=1))
    patrol.handle(cameras(20, host="h"))
    patrol.run(10 + 10 / rate)
    gaps = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(patrol.starts)]
    assert min(gaps) == pytest.approx(1 / rate, abs=0.01)
    assert len(patrol.starts) >= 10


def test_feeders_without_room_get_no_orders() -> None:
    patrol = Patrol(takes_s=5)
    patrol.handle(CapacityChanged(0))
    patrol.handle(cameras(5))
    assert patrol.run(10).starts == []
    actions = patrol.handle(CapacityChanged(3))
    assert len([action for action in actions if isinstance(action, StartVisit)]) == 3
    assert patrol.status().visits_allowed == 3
    patrol.handle(CapacityChanged(1_000_000))
    assert patrol.status().visits_allowed == 1000, "the configured cap stands"


def test_feeders_that_lose_room_end_what_is_under_way_first() -> None:
    patrol = Patrol(settings(period_s=20), takes_s=10)
    patrol.handle(cameras(30))
    patrol.run(5)
    assert patrol.status().in_flight == 30
    patrol.handle(CapacityChanged(2))
    patrol.run(500)
    assert patrol.status().in_flight <= 2


def test_a_lag_is_counted_under_the_gate_that_caused_it() -> None:
    cases = {
        "uplink_cap": (settings(period_s=20, stretch_max=1), cameras(30, uplink="nvr")),
        "host_cap": (settings(period_s=20, visits_per_host_max=1, stretch_max=1), cameras(30, host="h")),
        "host_rate": (settings(period_s=20, host_starts_per_s_max=0.5, stretch_max=1), cameras(30, host="h")),
        "overload": (settings(period_s=20, visits_max=1, stretch_max=1), cameras(30)),
    }
    for reason, (chosen, put) in cases.items():
        patrol = Patrol(chosen, takes_s=2, checked=False)
        patrol.handle(put)
        patrol.run(600)
        shed = patrol.status().shed
        assert max(shed, key=lambda name: shed[name]) == reason
        assert sum(shed.values()) > 100, reason
        statistics = patrol.scheduler.statistics
        assert sum(statistics.periods_due) == pytest.approx(sum(statistics.periods_kept) + sum(shed.values()))


def test_a_plan_says_which_cap_a_camera_waits_on() -> None:
    said = {}
    for gate, chosen, put in (
        ("uplink", settings(), cameras(2, uplink="nvr")),
        ("host", settings(visits_per_host_max=1), cameras(2, host="h")),
        ("rate", settings(host_starts_per_s_max=0.1), cameras(2, host="h")),
        ("slot", settings(visits_max=1), cameras(2)),
    ):
        patrol = Patrol(chosen, takes_s=50)
        patrol.handle(put)
        patrol.run(1)
        (waits,) = [name for name in ("c000", "c001") if patrol.plan(name).place != "flight"]
        said[gate] = patrol.plan(waits).because[0]
    assert said == {
        "uplink": "it waits for its recorder nvr: 1 visits at a time",
        "host": "it waits for its platform h: 1 of 1 visits under way",
        "rate": "it waits for its platform h: 0.1 connections a second",
        "slot": "it waits for a free slot: 1 of 1 visits under way",
    }


def test_status_counts_who_waits_for_what() -> None:
    patrol = Patrol(settings(visits_max=3, visits_per_host_max=1), takes_s=50)
    patrol.handle(cameras(4, uplink="nvr"))
    patrol.handle(cameras(5, name="d", host="h"))
    patrol.handle(cameras(6, name="e"))
    patrol.run(10)
    status = patrol.status()
    assert (status.in_flight, status.visits_allowed) == (3, 3)
    assert status.ready + status.waiting_uplink + status.waiting_host == 4 + 5 + 6 - 3


def test_an_order_that_nobody_answers_expires_once_and_frees_what_it_held() -> None:
    patrol = Patrol(settings(order_timeout_s=20, visits_max=1, visits_per_host_max=1), answer=lambda *_: LOST)
    patrol.handle(cameras(3, uplink="nvr", host="h"))
    patrol.run(61)
    expired = patrol.actions_of(VisitExpired)
    assert [round(at_s) for at_s, _ in expired] == [20, 40, 60]
    assert len({action.visit_id for _, action in expired}) == 3
    assert len({action.camera_id for _, action in expired}) == 3
    assert patrol.status().expired_total == 3


def test_an_answer_after_its_time_is_passed_over() -> None:
    patrol = Patrol(settings(order_timeout_s=20), takes_s=25)
    patrol.handle(cameras(1))
    patrol.run(26)
    status = patrol.status()
    assert (status.ended_total, status.expired_total) == (0, 1)
    assert patrol.plan("c000").last_keyframe_ago_s is None


def test_ids_of_visits_count_up_and_none_is_given_twice() -> None:
    patrol = Patrol(settings(period_s=10), takes_s=1, answer=lambda *_: FailureReason.EXHAUSTED)
    patrol.handle(cameras(10))
    patrol.handle(key_cameras(10))
    patrol.run(200)
    ids = [action.visit_id for _, action in patrol.actions_of(StartVisit)]
    assert ids == list(range(1, len(ids) + 1))


def test_the_deadline_of_an_order_is_the_one_configured_when_it_began() -> None:
    patrol = Patrol(settings(order_timeout_s=20))
    patrol.handle(cameras(1))
    patrol.run(0.5)
    patrol.handle(SettingsChanged(settings(order_timeout_s=60), Calendar()))
    patrol.run(200)
    waits = [round(action.deadline_ns / 1e9 - at_s) for at_s, action in patrol.actions_of(StartVisit)]
    assert waits == [20, 60, 60]
