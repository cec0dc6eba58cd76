"""Windows: what must be seen while a kitchen works, and what need not while it rests."""

import itertools
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.config.calendar import Calendar
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.capacity_warnings import never_open
from engine.scheduler.events import CameraPlan, CamerasUpserted, CheckNow, PushMissing
from engine.scheduler.invariants import check_invariants
from engine.scheduler.periods.sites import Sites
from tests.support.scheduler.scheduling import HOUR_S, Patrol, Start, cameras, settings, wall_ns

MONDAY = "2026-03-02T00:00"
DAY_S = 24 * HOUR_S


def patrol_of(hours: str, days: float, count: int = 40, calendar: Calendar | None = None, **changes: Any) -> Patrol:
    """So many cameras of these hours from Monday midnight on, a look every 30 min, none in their rest."""
    chosen = settings(**{"period_s": 1800, "offhours_period_s": 0, **changes})
    patrol = Patrol(chosen, calendar, began=MONDAY, checked=False)
    patrol.handle(cameras(count, hours=hours))
    patrol.run(days * DAY_S)
    check_invariants(patrol.scheduler, patrol.now_ns)
    return patrol


def local(start: Start, zone: str = "Asia/Shanghai", began: str = MONDAY) -> datetime:
    return datetime.fromtimestamp(wall_ns(began, zone) / 1e9 + start.at_s, ZoneInfo(zone))


def later_looks(patrol: Patrol) -> list[Start]:
    """All but each camera's first, which comes whatever the hour."""
    return [start for start in patrol.starts if start.at_s > 60]


def test_whether_a_kitchen_works_is_told_by_its_canteens_hours() -> None:
    sites = Sites()
    sites.configure(Calendar(timezone="UTC", sites={"s1": "mon-fri 06:00-18:00"}), "00:00-24:00")
    for site_id in ("s1", "s2"):
        sites.acquire(site_id, "130102", "")
    noon_ns, evening_ns = wall_ns("2026-03-02T12:00", "UTC"), wall_ns("2026-03-02T20:00", "UTC")
    assert sites.is_open("s1", "130102", "", noon_ns)
    assert not sites.is_open("s1", "130102", "", evening_ns)
    assert sites.is_open("s2", "130102", "", evening_ns)
    assert sites.is_open("no camera", "", "", evening_ns)


def test_the_first_look_comes_whatever_the_hour() -> None:
    patrol = patrol_of("05:00-09:00", days=0.1)
    assert {start.camera_id for start in patrol.starts} == {f"c{n:03}" for n in range(40)}
    assert later_looks(patrol) == []


def test_a_camera_is_seen_in_every_period_of_its_hours_and_never_outside() -> None:
    patrol = patrol_of("05:30-13:30,16:00-19:00", days=3)
    hours = [later_look.hour + later_look.minute / 60 for later_look in map(local, later_looks(patrol))]
    assert all(5.5 <= hour < 13.5 or 16 <= hour < 19 for hour in hours)
    for number in range(40):
        times = [at_s for at_s in patrol.times(f"c{number:03}") if at_s > 60]
        assert len(times) == 3 * (16 + 6)
        # at most one period after opening, one apart, at most one before closing
        gaps = {round(later - earlier) for earlier, later in itertools.pairwise(times)}
        assert min(gaps) == 1800
        assert sorted(gaps)[1] > 2 * HOUR_S


def test_looks_begin_spread_over_the_first_period_after_opening() -> None:
    patrol = patrol_of("05:30-13:30", days=1, count=200)
    minutes = [(local(start).hour - 5) * 60 + local(start).minute - 30 for start in later_looks(patrol)]
    first = [minute for minute in minutes if minute < 30]
    assert len(first) == 200
    assert max(sum(low <= minute < low + 5 for minute in first) for low in range(0, 30, 5)) < 55


def test_jitter_does_not_push_a_look_out_of_its_hours() -> None:
    patrol = patrol_of("05:30-06:30", days=2, jitter=0.5)
    assert {local(start).hour for start in later_looks(patrol)} == {5, 6}
    assert all(local(start).minute < 30 for start in later_looks(patrol) if local(start).hour == 6)
    assert len(later_looks(patrol)) == 2 * 2 * 40


@pytest.mark.parametrize("minutes", [1, 5, 20])
def test_hours_shorter_than_the_period_hold_one_look(minutes: int) -> None:
    patrol = patrol_of(f"11:50-{11 + (50 + minutes) // 60}:{(50 + minutes) % 60:02}", days=4)
    looks = [local(start) for start in later_looks(patrol)]
    assert all(0 <= (look.hour - 11) * 60 + look.minute - 50 < minutes for look in looks)
    for number in range(40):
        assert len(patrol.times(f"c{number:03}")) == 1 + 4
    assert len({look.minute * 60 + look.second for look in looks}) > 20, "spread over the opening"


def test_a_kitchen_that_works_past_midnight_is_seen_past_midnight() -> None:
    patrol = patrol_of("mon 22:00-02:00", days=3, period_s=3 * HOUR_S)
    looks = [local(start) for start in later_looks(patrol)]
    assert {(look.day, look.hour) for look in looks} <= {(2, 22), (2, 23), (3, 0), (3, 1)}
    assert any(look.hour < 2 for look in looks)
    assert {len(patrol.times(f"c{n:03}")) for n in range(40)} <= {2, 3}


def test_on_weekends_and_holidays_nobody_looks_and_a_day_in_exchange_is_patrolled() -> None:
    calendar = Calendar.model_validate(
        {
            "holidays": [{"first": "2026-03-03", "last": "2026-03-04"}],
            "workdays": [{"date": "2026-03-07", "like": "mon"}],
        }
    )
    patrol = patrol_of("mon-fri 06:00-08:00", days=7, calendar=calendar)
    assert {local(start).day for start in later_looks(patrol)} == {2, 5, 6, 7}


def test_outside_a_regions_terms_its_kitchens_rest() -> None:
    calendar = Calendar.model_validate({"terms": [{"region": "13", "first": "2026-03-03", "last": "2026-06-30"}]})
    patrol = Patrol(settings(period_s=1800, offhours_period_s=0), calendar, began=MONDAY)
    patrol.handle(
        CamerasUpserted([CameraPlan("hebei", "u", county="130102"), CameraPlan("shanxi", "v", county="140102")])
    )
    patrol.run(DAY_S)
    assert len(patrol.times("hebei")) == 1
    assert len(patrol.times("shanxi")) > 40
    patrol.run(2 * DAY_S)
    assert len(patrol.times("hebei")) > 40


def test_hours_come_from_the_calendar_then_the_registry_then_the_settings() -> None:
    calendar = Calendar(sites={"s1": "01:00-02:00"})
    patrol = Patrol(settings(period_s=1800, offhours_period_s=0, hours="05:00-06:00"), calendar, began=MONDAY)
    plans = [
        CameraPlan("a", "u", site_id="s1", hours="03:00-04:00"),
        CameraPlan("b", "v", site_id="s2", hours="03:00-04:00"),
        CameraPlan("c", "w", site_id="s2"),
    ]
    patrol.handle(CamerasUpserted(plans))
    patrol.run(DAY_S)
    hours = {
        camera: {local(later_look).hour for later_look in later_looks(patrol) if later_look.camera_id == camera}
        for camera in "abc"
    }
    assert hours == {"a": {1}, "b": {3}, "c": {5}}


def test_in_its_rest_a_camera_is_looked_at_now_and_then_if_so_configured() -> None:
    patrol = patrol_of("06:00-18:00", days=4, offhours_period_s=3 * HOUR_S)
    for number in range(40):
        mine = [
            local(later_look)
            for later_look in later_looks(patrol)
            if later_look.camera_id == f"c{number:03}" and later_look.at_s > DAY_S
        ]
        resting = [start for start in mine if not 6 <= start.hour < 18]
        assert len(resting) in (9, 10, 11, 12)
        assert len(mine) - len(resting) == 3 * 24, "looks in its rest take nothing from those in its hours"


def test_the_look_in_its_rest_does_not_come_while_it_still_works() -> None:
    patrol = patrol_of("06:00-18:00", days=2, offhours_period_s=12 * HOUR_S, count=100)
    for number in range(100):
        working = [
            start for start in later_looks(patrol) if start.camera_id == f"c{number:03}" and 6 <= local(start).hour < 18
        ]
        assert len(working) == 2 * 24


def test_a_window_that_never_opens_is_looked_at_in_its_rest_only_or_never() -> None:
    shut = Calendar.model_validate({"terms": [{"first": "2020-01-01", "last": "2020-01-02"}]})
    assert len(patrol_of("", days=2, count=1, calendar=shut).starts) == 1
    assert 8 <= len(patrol_of("", days=2, count=1, calendar=shut, offhours_period_s=6 * HOUR_S).starts) <= 9
    (said,) = never_open(patrol_of("", days=1).scheduler, settings(), shut, wall_ns(MONDAY))
    assert "40 cameras have no period to keep" in said


def test_check_now_looks_whatever_the_hour() -> None:
    patrol = patrol_of("06:00-18:00", days=0.9, count=1)
    before = len(patrol.starts)
    patrol.handle(CheckNow(("c000",)))
    assert len(patrol.starts) == before + 1
    patrol.run(DAY_S + 5 * HOUR_S)
    assert len(patrol.starts) == before + 1, "and the rest goes on after it"


def test_back_off_and_quick_looks_end_with_the_hours() -> None:
    patrol = Patrol(
        settings(period_s=1800, offhours_period_s=0),
        began="2026-03-02T17:00",
        answer=lambda camera, _: FailureReason.REFUSED if camera < "d" else None,
        verdict=lambda *_: (State.FAULT, State.OK),
    )
    patrol.handle(cameras(1, hours="06:00-18:00"))
    patrol.handle(cameras(1, name="d", hours="06:00-18:00"))
    patrol.run(13 * HOUR_S)
    assert max(start.at_s for start in patrol.starts) < HOUR_S
    assert {patrol.plan(name).kind for name in ("c000", "d000")} == {"offline", "suspicious"}
    patrol.run(13.6 * HOUR_S)
    assert {start.camera_id for start in patrol.starts if start.at_s > 13 * HOUR_S} == {"c000", "d000"}


def test_a_push_is_expected_while_the_kitchen_works_only() -> None:
    patrol = Patrol(settings(period_s=1800), began=MONDAY)
    patrol.handle(cameras(1, push=True, hours="06:00-18:00"))
    patrol.run(DAY_S)
    missing = [at_s / HOUR_S for at_s, _ in patrol.actions_of(PushMissing)]
    assert missing == [6.5 + 0.5 * n for n in range(23)]


def test_a_day_without_daylight_saving_and_one_with_it_are_patrolled_by_the_wall_clock() -> None:
    for zone, day in (
        ("Asia/Shanghai", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
    ):
        began = f"{day}T00:00"
        patrol = Patrol(settings(period_s=1800, offhours_period_s=0), Calendar(timezone=zone), began=began)
        patrol.handle(cameras(10, hours="05:30-13:30"))
        patrol.run(22 * HOUR_S)
        looks = [local(start, zone, began) for start in later_looks(patrol)]
        assert min(looks).strftime("%H:%M") >= "05:30"
        assert max(looks).strftime("%H:%M") < "13:30"
        assert len(looks) == 10 * 16, zone


def test_demand_is_what_is_open_now() -> None:
    patrol = patrol_of("06:00-18:00", days=0.1, count=40, period_s=100, offhours_period_s=1000)
    assert patrol.status().demand_per_s == pytest.approx(0.04)
    patrol.run(7 * HOUR_S)
    assert patrol.status().demand_per_s == pytest.approx(0.4)


def test_a_plan_says_that_the_kitchen_rests() -> None:
    patrol = patrol_of("06:00-18:00", days=0.1, count=1)
    assert "its kitchen rests now: no visits until it works again" in patrol.plan("c000").because
    resting = patrol_of("06:00-18:00", days=0.1, count=1, offhours_period_s=7200)
    assert "its kitchen rests now: one visit in 7200 s until it works again" in resting.plan("c000").because
