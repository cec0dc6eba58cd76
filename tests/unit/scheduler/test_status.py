"""What the scheduler tells operators, of patrols in virtual time."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from engine.clock import NS_PER_S
from engine.config.schema import SchedulerSettings
from engine.model.visit import FailureReason
from engine.scheduler.events import CheckNow
from tests.support.expect import present
from tests.support.scheduler.schedules import MONDAY_NOON_NS, VirtualPatrol, calm, camera, overloaded

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_an_empty_scheduler_has_a_status() -> None:
    status = VirtualPatrol(SchedulerSettings(), []).status
    assert (status.cameras, status.lag_s_max, status.busy_hosts, status.uplinks, status.hosts) == (0, 0, (), 0, 0)


def test_visits_begun_a_second_are_those_of_late() -> None:
    patrol = calm()
    assert patrol.status.starts_per_s == pytest.approx(2.5, rel=0.4)  # 200 / 120 s + 200 / 240 s
    patrol.now_ns += 60 * NS_PER_S  # a minute in which nothing happens
    assert patrol.status.starts_per_s == 0


def test_recorders_and_platforms_are_counted_with_those_in_use() -> None:
    patrol = calm()
    status = patrol.status
    assert (status.uplinks, status.hosts) == (50, 10)
    assert status.uplinks_busy == status.in_flight > 0  # one visit at a time on each
    assert sum(host.in_flight for host in status.busy_hosts) == status.in_flight
    assert {host.cap for host in status.busy_hosts} == {64}


def test_platforms_for_which_cameras_wait_come_first_with_their_own_caps() -> None:
    status = overloaded().status
    first, *others = status.busy_hosts
    assert (first.name, first.cap, first.out) == ("10.0.0.3", 1, False)
    assert first.in_flight <= 1, "none, while the next of its cameras waits for a slot of the whole patrol"
    assert first.waiting == status.waiting_host > 20
    assert not any(host.waiting for host in others)
    assert [host.in_flight for host in others] == sorted((host.in_flight for host in others), reverse=True)


def test_a_platform_that_is_out_is_marked_while_its_probe_is_under_way() -> None:
    patrol = overloaded()
    assert patrol.status.outages == ("10.0.0.5",)
    patrol.handle(CheckNow(("c200",)))
    patrol.run(1202)
    marked = {host.name for host in patrol.status.busy_hosts if host.out}
    assert marked == {"10.0.0.5"}


def test_what_is_allowed_now_stands_beside_the_cap() -> None:
    status = overloaded().status
    assert (status.in_flight, status.visits_allowed, status.visits_max) == (12, 12, 16)


def test_classes_without_periods_of_their_own_have_none_due() -> None:
    due = {camera_class.name: camera_class.periods_due for camera_class in calm().status.classes}
    assert due["suspicious"] == due["offline"] == 0
    assert due["key_point"] > 200 * 5


def test_a_plan_says_when_the_kitchen_works_again() -> None:
    kitchens = [camera(0, hours="mon-fri 05:30-11:00"), camera(1), camera(2, hours="mon-fri 05:30-13:00")]
    patrol = VirtualPatrol(SchedulerSettings(), kitchens, wall_offset_ns=MONDAY_NOON_NS).run(600)
    rests, always, works = (patrol.plan(camera.camera_id) for camera in kitchens)
    opens = datetime.fromtimestamp(rests.window_opens_wall_ns / NS_PER_S, SHANGHAI)
    assert (rests.window_open, f"{opens:%a %H:%M}", rests.timezone) == (False, "Tue 05:30", "Asia/Shanghai")
    for kitchen in (always, works):
        assert kitchen.window_open
        assert kitchen.window_opens_wall_ns == 0


def test_a_plan_tells_a_camera_that_fails_from_one_that_is_looked_at() -> None:
    patrol = VirtualPatrol(
        SchedulerSettings(),
        [camera(0), camera(1)],
        lambda camera_id, _: FailureReason.NO_VIDEO if camera_id == "c000" else None,
    ).run(60)
    fails, looked = patrol.plan("c000"), patrol.plan("c001")
    assert (fails.kind, fails.last_reason, fails.failures, fails.last_keyframe_ago_s) == (
        "offline",
        "no_video",
        1,
        None,
    )
    assert "backed off" in fails.because[0]
    assert (looked.kind, looked.last_reason, looked.failures) == ("key_point", "", 0)
    assert 0 <= present(looked.last_keyframe_ago_s) < 60
