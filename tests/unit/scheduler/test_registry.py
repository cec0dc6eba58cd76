"""Cameras that come, change, move and go while the patrol is under way, also in mid-visit."""

import itertools
from typing import Any

import pytest

from engine.config.calendar import Calendar
from engine.errors import RegistryError
from engine.model.camera import KeyPoint
from engine.model.visit import FailureReason
from engine.scheduler.events import (
    CameraPlan,
    CamerasRemoved,
    CamerasUpserted,
    PushMissing,
    SettingsChanged,
    VisitEnded,
)
from engine.scheduler.invariants import check_invariants
from engine.scheduler.table import CameraState
from tests.support.scheduler.scheduling import HOUR_S, LOST, Patrol, cameras, settings


def place(patrol: Patrol, camera: str) -> str:
    return patrol.plan(camera).place


def put(patrol: Patrol, *plans: CameraPlan) -> None:
    """The plans, and a moment for new cameras' first visits."""
    patrol.handle(CamerasUpserted(plans))
    patrol.run(patrol.now_s + 0.01)


def in_flight(camera: CameraPlan, takes_s: float = 10, **changes: Any) -> Patrol:
    """A patrol in which this camera is being visited since 0.01 s at the latest."""
    patrol = Patrol(settings(**changes), takes_s=takes_s)
    put(patrol, camera)
    assert place(patrol, camera.camera_id) == "flight"
    return patrol


def test_a_patrol_without_cameras_waits_for_nothing() -> None:
    patrol = Patrol()
    assert patrol.scheduler.next_wakeup_ns() is None
    assert patrol.run(100).status().cameras == 0
    with pytest.raises(RegistryError, match="import it first"):
        patrol.plan("nobody")


def test_a_camera_removed_in_mid_visit_is_not_visited_again() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    patrol.handle(CamerasRemoved(("c",)))
    assert patrol.status().cameras == 0
    assert patrol.status().in_flight == 1
    patrol.run(500)
    assert len(patrol.starts) == 1
    assert patrol.scheduler.next_wakeup_ns() is None


def test_a_camera_removed_in_mid_visit_holds_its_recorder_until_the_visit_ends() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    patrol.handle(CamerasRemoved(("c",)))
    put(patrol, CameraPlan("d", "u"))
    patrol.run(9)
    assert patrol.times("d") == []
    patrol.run(11)
    assert patrol.times("d") == [pytest.approx(10, abs=0.01)]


def test_a_camera_removed_in_mid_visit_whose_order_is_lost_expires_once() -> None:
    patrol = Patrol(settings(order_timeout_s=20), answer=lambda *_: LOST)
    patrol.handle(cameras(1))
    patrol.run(1)
    patrol.handle(CamerasRemoved(("c000",)))
    patrol.run(100)
    status = patrol.status()
    assert (status.started_total, status.ended_total, status.expired_total) == (1, 0, 1)
    assert patrol.scheduler.next_wakeup_ns() is None


def test_settings_may_change_while_a_removed_camera_is_still_in_flight() -> None:
    patrol = in_flight(CameraPlan("c", "u", hours="05:00-09:00"))
    patrol.handle(CamerasRemoved(("c",)))
    patrol.handle(SettingsChanged(settings(period_s=60), Calendar()))
    patrol.run(100)
    assert sum(camera_class.cameras for camera_class in patrol.status().classes) == 0


def test_a_camera_added_again_while_its_old_visit_is_in_flight_waits_for_it() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    patrol.handle(CamerasRemoved(("c",)))
    put(patrol, CameraPlan("c", "u"))
    assert place(patrol, "c") == "uplink"
    patrol.run(11)
    assert patrol.times("c") == [pytest.approx(0, abs=0.01), pytest.approx(10, abs=0.01)]
    patrol.run(500)
    assert set(patrol.gaps("c")[2:]) == {100}


def test_the_old_visit_of_a_camera_added_again_says_nothing_of_the_new_one() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    (old,) = patrol.flights
    patrol.handle(CamerasRemoved(("c",)))
    put(patrol, CameraPlan("c", "v"))
    assert place(patrol, "c") == "flight"
    patrol.handle(VisitEnded(old, FailureReason.REFUSED))
    assert patrol.plan("c").failures == 0
    assert patrol.status().in_flight == 1


def test_a_camera_moved_to_another_recorder_in_flight_keeps_the_one_it_was_begun_on() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    put(patrol, CameraPlan("c", "v"), CameraPlan("on-u", "u"), CameraPlan("on-v", "v"))
    patrol.run(1)
    assert place(patrol, "on-u") == "uplink"
    assert patrol.times("on-v"), "the recorder it moved to is free"
    patrol.run(500)
    assert len(patrol.times("on-u")) >= 4
    assert len(patrol.times("c")) >= 4


def test_a_camera_moved_while_it_waits_for_its_recorder_need_not_wait_any_more() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    put(patrol, CameraPlan("d", "u"))
    assert place(patrol, "d") == "uplink"
    put(patrol, CameraPlan("d", "v"))
    assert place(patrol, "d") == "flight"


def test_a_camera_moved_while_it_waits_for_its_platform_need_not_wait_any_more() -> None:
    patrol = in_flight(CameraPlan("c", "u", "h"), visits_per_host_max=1)
    put(patrol, CameraPlan("d", "v", "h"))
    assert place(patrol, "d") == "host"
    put(patrol, CameraPlan("d", "v", "other"))
    assert place(patrol, "d") == "flight"


def test_of_one_camera_twice_in_a_list_the_later_counts() -> None:
    patrol = Patrol()
    patrol.handle(CamerasUpserted([CameraPlan("c", "u", enabled=True), CameraPlan("c", "v", enabled=False)]))
    patrol.handle(
        CamerasUpserted([CameraPlan("d", "u", enabled=False), CameraPlan("d", "v", key_point=KeyPoint.COOKING)])
    )
    patrol.run(300)
    assert patrol.times("c") == []
    assert patrol.plan("d").kind == "key_point"
    assert len(patrol.times("d")) >= 3
    assert patrol.status().cameras == 2


def test_a_camera_removed_twice_or_never_known_is_no_matter() -> None:
    patrol = Patrol()
    patrol.handle(cameras(2))
    patrol.handle(CamerasRemoved(("c000", "c000", "nobody")))
    assert patrol.status().cameras == 1


def test_a_registry_imported_once_more_changes_no_time() -> None:
    patrol = Patrol(settings(jitter=0.3))
    patrol.handle(cameras(30))
    patrol.run(333)
    before = [patrol.plan(f"c{n:03}").due_in_s for n in range(30)]
    patrol.handle(cameras(30))
    assert [patrol.plan(f"c{n:03}").due_in_s for n in range(30)] == before


def test_a_registry_imported_every_few_seconds_starves_nobody() -> None:
    patrol = Patrol(settings(jitter=0.3), checked=False)
    for at_s in range(0, 1000, 3):
        patrol.handle(cameras(20), at_s=at_s)
    assert min(len(patrol.times(f"c{n:03}")) for n in range(20)) >= 8


def test_a_camera_whose_class_changes_gets_the_time_of_its_new_class() -> None:
    patrol = Patrol(settings(key_period_s=50, ordinary_period_s=3000))
    patrol.handle(cameras(10))
    patrol.run(2000)
    patrol.handle(cameras(10, key_point=KeyPoint.COOKING))
    patrol.run(2051)
    assert {start.camera_id for start in patrol.starts if start.at_s > 2000} == {f"c{n:03}" for n in range(10)}


def test_hours_that_never_come_are_mended_by_an_import() -> None:
    shut = Calendar.model_validate({"terms": [{"region": "13", "first": "2020-01-01", "last": "2020-01-02"}]})
    patrol = Patrol(settings(offhours_period_s=0), shut, began="2026-03-02T12:00")
    patrol.handle(CamerasUpserted([CameraPlan("c", "u", county="130102")]))
    patrol.run(HOUR_S)
    assert len(patrol.times("c")) == 1, "a first look comes whatever the hour"
    assert patrol.plan("c").because == ("its hours never come: see the calendar, and `hours` in the registry",)
    patrol.handle(CamerasUpserted([CameraPlan("c", "u", county="140102")]))
    patrol.run(HOUR_S + 101)
    assert len(patrol.times("c")) == 2


def test_a_camera_whose_hours_change_is_not_visited_at_its_old_time() -> None:
    patrol = Patrol(settings(period_s=600, offhours_period_s=0), began="2026-03-02T12:00")
    put(patrol, CameraPlan("c", "u"))
    patrol.run(HOUR_S)
    patrol.handle(CamerasUpserted([CameraPlan("c", "u", hours="05:00-09:00")]))
    seen = len(patrol.times("c"))
    patrol.run(16 * HOUR_S)
    assert len(patrol.times("c")) == seen
    patrol.run(18 * HOUR_S)
    assert len(patrol.times("c")) > seen


def test_a_camera_that_is_disabled_while_it_waits_is_not_visited() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    patrol.handle(cameras(3, uplink="u", name="d"))
    patrol.handle(cameras(3, uplink="u", name="d", enabled=False))
    patrol.run(500)
    assert {start.camera_id for start in patrol.starts} == {"c"}
    assert patrol.plan("d000").because == ("it is disabled in the registry: nobody visits it",)


def test_a_camera_disabled_in_flight_is_not_visited_again_until_it_is_enabled() -> None:
    patrol = in_flight(CameraPlan("c", "u"))
    patrol.handle(CamerasUpserted([CameraPlan("c", "u", enabled=False)]))
    patrol.run(500)
    assert len(patrol.times("c")) == 1
    put(patrol, CameraPlan("c", "u"))
    patrol.run(601)
    assert len(patrol.times("c")) == 2


def test_a_failing_camera_that_is_enabled_after_days_is_not_days_late() -> None:
    patrol = Patrol(answer=lambda *_: FailureReason.REFUSED)
    patrol.handle(cameras(1))
    patrol.run(500)
    patrol.handle(cameras(1, enabled=False))
    patrol.handle(cameras(1), at_s=200_000)
    assert patrol.starts[-1].at_s == 200_000
    assert patrol.starts[-1].lag_s == 0


def test_a_camera_that_becomes_pushed_is_given_its_period_before_it_is_missed() -> None:
    patrol = Patrol()
    patrol.handle(cameras(1))
    patrol.run(250)
    patrol.handle(cameras(1, push=True))
    patrol.run(349)
    assert patrol.actions_of(PushMissing) == []
    patrol.run(351)
    assert len(patrol.actions_of(PushMissing)) == 1


def test_a_camera_that_is_no_longer_pushed_is_visited_within_its_period() -> None:
    patrol = Patrol()
    patrol.handle(cameras(1, push=True))
    patrol.run(250)
    patrol.handle(cameras(1))
    patrol.run(351)
    assert len(patrol.times("c000")) == 1
    assert patrol.run(1000).plan("c000").kind == "ordinary"


def test_slots_recorders_and_platforms_are_given_anew() -> None:
    patrol = Patrol(takes_s=1)
    for generation in range(20):
        patrol.handle(
            cameras(50, name=f"g{generation}-", host=f"h{generation}", county=f"{generation:06}", hours="05:00-09:00")
        )
        patrol.run(patrol.now_s + 0.5)
        patrol.handle(CamerasRemoved([f"g{generation}-{n:03}" for n in range(50)]))
        patrol.run(patrol.now_s + 5)
    scheduler = patrol.scheduler
    assert scheduler.table.size <= 100
    assert len(scheduler.dispatch.uplinks.names) <= 100
    assert len(scheduler.dispatch.hosts.by_index) <= 2
    assert list(scheduler.table.state) == [CameraState.FREE] * scheduler.table.size


def test_every_canteen_may_have_hours_and_a_county_of_its_own() -> None:
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 5)]
    hours = [f"{begin}-{end}" for begin, end in itertools.permutations(times, 2)][:66_000]
    patrol = Patrol(checked=False)
    plans = [CameraPlan(f"c{n}", "", county=f"{n:06}", hours=hours[n]) for n in range(len(hours))]
    patrol.handle(CamerasUpserted(plans))
    check_invariants(patrol.scheduler, 0)
    assert len(patrol.scheduler.timing.sites.windows) == 66_001
    assert patrol.plan("c65999").window_open == patrol.scheduler.timing.sites.windows[-1].is_open(0)
