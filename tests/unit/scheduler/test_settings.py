"""New settings, and clocks that jump: what is under way goes on, and many changes in a row put nothing off for ever."""

from typing import Any

import pytest

from engine.config.calendar import Calendar
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.events import Action, PushMissing, SettingsChanged, VisitExpired, WallClock
from tests.support.scheduler.scheduling import HOUR_S, LOST, SECOND, Patrol, cameras, key_cameras, settings, wall_ns


def change(patrol: Patrol, at_s: float | None = None, calendar: Calendar | None = None, **changes: Any) -> list[Action]:
    return patrol.handle(SettingsChanged(settings(**changes), calendar or Calendar()), at_s=at_s)


def due_in(patrol: Patrol, count: int) -> list[float]:
    return [patrol.plan(f"c{n:03}").due_in_s for n in range(count)]


def test_the_same_settings_once_more_change_no_time() -> None:
    patrol = Patrol(settings(jitter=0.4))
    patrol.handle(cameras(30))
    patrol.run(333)
    before = due_in(patrol, 30)
    change(patrol, jitter=0.4)
    assert due_in(patrol, 30) == before


def test_a_shorter_period_is_kept_from_the_next_one_on() -> None:
    patrol = Patrol(settings(period_s=3600))
    patrol.handle(cameras(20))
    patrol.run(4000)
    change(patrol, period_s=50)
    patrol.run(4051)
    assert len({start.camera_id for start in patrol.starts if start.at_s > 4000}) == 20


def test_a_longer_period_puts_off_no_look_that_was_due_sooner() -> None:
    patrol = Patrol(settings(period_s=50))
    patrol.handle(cameras(20))
    patrol.run(1000)
    before = due_in(patrol, 20)
    change(patrol, period_s=3600)
    assert due_in(patrol, 20) == before
    patrol.run(1051)
    assert min(due_in(patrol, 20)) > 0
    assert max(due_in(patrol, 20)) > 2000


@pytest.mark.parametrize("periods", [(100, 100), (100, 101), (60, 100)])
def test_settings_that_change_every_few_seconds_starve_nobody(periods: tuple[float, float]) -> None:
    patrol = Patrol(settings(jitter=0.5), checked=False)
    patrol.handle(cameras(20))
    for number, at_s in enumerate(range(0, 1500, 3)):
        change(patrol, at_s=at_s, jitter=0.5, period_s=periods[number % 2])
    for number in range(20):
        assert max(patrol.gaps(f"c{number:03}")) <= 2 * max(periods)


def test_settings_that_change_every_few_seconds_hide_no_missing_push() -> None:
    patrol = Patrol(checked=False)
    patrol.handle(cameras(1, push=True))
    for at_s in range(0, 500, 3):
        change(patrol, at_s=at_s)
    assert len(patrol.actions_of(PushMissing)) == 4


def test_of_two_changes_at_once_the_later_counts() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(cameras(20))
    patrol.run(5)
    change(patrol, visits_max=9)
    change(patrol, visits_max=3)
    assert patrol.status().visits_allowed == 3
    patrol.run(200)
    assert patrol.in_flight_max == 9, "the first was in force for no time, and its visits go on"
    assert patrol.status().in_flight <= 3


def test_a_lowered_cap_lets_visits_under_way_end_and_begins_no_more_until_it_is_kept() -> None:
    patrol = Patrol(settings(period_s=5, visits_max=20, stretch_max=1), takes_s=10)
    patrol.handle(cameras(50))
    patrol.run(32)
    assert patrol.status().in_flight == 20
    change(patrol, visits_max=5, period_s=5, stretch_max=1)
    assert patrol.status().in_flight == 20
    patrol.run(45)
    assert patrol.status().in_flight == 5


def test_a_higher_cap_lets_those_go_who_waited_for_an_uplink() -> None:
    patrol = Patrol(takes_s=50)
    patrol.handle(cameras(4, uplink="nvr"))
    patrol.run(10)
    assert patrol.status().waiting_uplink == 3
    change(patrol, visits_per_uplink_max=3)
    assert patrol.status().in_flight == 3


def test_a_higher_cap_lets_those_go_who_waited_for_a_platform() -> None:
    patrol = Patrol(settings(visits_per_host_max=1), takes_s=50)
    patrol.handle(cameras(4, host="h"))
    patrol.run(10)
    assert patrol.status().waiting_host == 3
    change(patrol, host_visits_max={"h": 3}, visits_per_host_max=1)
    assert patrol.status().in_flight == 3


def test_a_higher_rate_takes_hold_at_once() -> None:
    patrol = Patrol(settings(period_s=1000, host_starts_per_s_max=0.01, starts_per_s_max=0.1))
    patrol.handle(cameras(5, host="h"))
    patrol.run(160)
    assert len(patrol.starts) == 2
    change(patrol)
    patrol.run(161)
    assert len(patrol.starts) == 5


def test_a_shorter_time_out_of_orders_is_kept_by_those_that_begin_later() -> None:
    patrol = Patrol(settings(order_timeout_s=300), answer=lambda *_: LOST)
    patrol.handle(cameras(1))
    patrol.run(1)
    change(patrol, order_timeout_s=20)
    patrol.handle(cameras(1, name="d"))
    patrol.run(30)
    assert [action.camera_id for _, action in patrol.actions_of(VisitExpired)] == ["d000"]
    patrol.run(310)
    assert "c000" in [action.camera_id for _, action in patrol.actions_of(VisitExpired)]


def test_a_lower_ceiling_brings_those_back_who_were_left_alone_for_long() -> None:
    patrol = Patrol(settings(period_s=3600, backoff_max_s=3600), answer=lambda *_: FailureReason.REFUSED)
    patrol.handle(cameras(1))
    patrol.run(3 * HOUR_S)
    while patrol.plan("c000").due_in_s < 3000:
        patrol.run(patrol.now_s + 600)
    change(patrol, period_s=3600, backoff_max_s=300)
    assert patrol.plan("c000").due_in_s <= 300


def test_which_places_are_key_points_may_change() -> None:
    patrol = Patrol(settings(key_period_s=50, ordinary_period_s=1000))
    patrol.handle(key_cameras(5))
    patrol.run(200)
    change(patrol, key_period_s=50, ordinary_period_s=1000, key_points=())
    patrol.run(1200)
    assert patrol.plan("k000").kind == "ordinary"
    assert {
        camera_class.name: camera_class.cameras for camera_class in patrol.status().classes if camera_class.cameras
    } == {"ordinary": 5}
    assert len([start for start in patrol.starts if start.at_s > 250]) <= 5


def test_a_calendar_may_change_what_is_open() -> None:
    patrol = Patrol(settings(offhours_period_s=0), began="2026-03-02T12:00")
    patrol.handle(cameras(10))
    patrol.run(500)
    holiday = Calendar.model_validate({"holidays": [{"first": "2026-03-02", "last": "2026-03-02"}]})
    change(patrol, calendar=holiday, offhours_period_s=0)
    patrol.run(11 * HOUR_S)
    assert not [start for start in patrol.starts if start.at_s > 500]
    patrol.run(12 * HOUR_S + 101)
    assert len({start.camera_id for start in patrol.starts if start.at_s >= 12 * HOUR_S}) == 10


def test_many_changes_leave_nothing_behind() -> None:
    patrol = Patrol(checked=False)
    patrol.handle(cameras(5))
    for at_s in range(500):
        change(patrol, at_s=at_s)
    assert len(patrol.scheduler.dispatch._earlier_settings) <= 1
    assert len(patrol.scheduler.due.entries) < 5000


def test_a_wall_clock_that_jumps_moves_windows_and_nothing_else() -> None:
    patrol = Patrol(settings(jitter=0.4), began="2026-03-02T12:00")
    patrol.handle(cameras(10))
    patrol.handle(cameras(10, name="d", hours="05:00-20:00"))
    patrol.run(333)
    always = due_in(patrol, 10)
    open_now = [patrol.plan(f"d{n:03}").due_in_s for n in range(10)]
    patrol.handle(WallClock(wall_ns("2026-03-02T13:00") - patrol.now_ns))
    assert due_in(patrol, 10) == always
    assert [patrol.plan(f"d{n:03}").due_in_s for n in range(10)] == open_now, "still in their hours"
    patrol.handle(WallClock(wall_ns("2026-03-02T22:00") - patrol.now_ns))
    assert due_in(patrol, 10) == always
    assert not any(patrol.plan(f"d{n:03}").window_open for n in range(10))
    patrol.run(HOUR_S)
    assert [start for start in patrol.starts if start.camera_id < "d" and start.at_s > 3000]


def test_a_clock_set_forward_into_working_hours_brings_the_looks_within_a_period() -> None:
    patrol = Patrol(settings(offhours_period_s=0), began="2026-03-02T21:00")
    patrol.handle(cameras(10, hours="05:00-20:00"))
    patrol.run(500)
    patrol.handle(WallClock(wall_ns("2026-03-03T06:00") - patrol.now_ns))
    patrol.run(601)
    assert len({start.camera_id for start in patrol.starts if start.at_s > 500}) == 10


def test_a_clock_that_jumps_to_and_fro_starves_nobody() -> None:
    patrol = Patrol(settings(jitter=0.4), began="2026-03-02T12:00", checked=False)
    patrol.handle(cameras(20, hours="05:00-20:00"))
    noon_ns = wall_ns("2026-03-02T12:00")
    for number, at_s in enumerate(range(0, 1000, 2)):
        patrol.handle(WallClock(noon_ns + number % 2 * 3 * SECOND), at_s=at_s)
    assert min(len(patrol.times(f"c{n:03}")) for n in range(20)) >= 8


def test_back_off_and_doubt_survive_a_change() -> None:
    patrol = Patrol(
        settings(confirm_spacing_s=30),
        answer=lambda camera, _: FailureReason.REFUSED if camera < "d" else None,
        verdict=lambda *_: (State.FAULT, State.OK),
    )
    patrol.handle(cameras(1))
    patrol.handle(cameras(1, name="d"))
    patrol.run(5)
    before = [patrol.plan(name).due_in_s for name in ("c000", "d000")]
    change(patrol, confirm_spacing_s=30)
    assert [patrol.plan(name).due_in_s for name in ("c000", "d000")] == before
    assert [patrol.plan(name).kind for name in ("c000", "d000")] == ["offline", "suspicious"]
