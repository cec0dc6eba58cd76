"""Pauses: who is not visited while somebody says so, and what becomes of them afterwards."""

from typing import Any

import pytest

from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.scheduler.events import (
    CameraPlan,
    CamerasUpserted,
    PatrolPaused,
    PatrolResumed,
    PauseEnded,
    PushMissing,
)
from tests.support.scheduler.scheduling import SECOND, Patrol, cameras, settings

BEGAN = "2026-03-02T12:00"


def patrol_of(*plans: CameraPlan, **changes: Any) -> Patrol:
    patrol = Patrol(settings(100, **changes), began=BEGAN)
    patrol.handle(CamerasUpserted(plans) if plans else cameras(4))
    patrol.run(patrol.now_s + 300)
    return patrol


def pause(patrol: Patrol, kind: PauseKind, value: str, lasts_s: float = 0) -> PauseScope:
    scope = PauseScope(kind, value)
    now_wall_ns = patrol.now_ns + patrol.scheduler.timing.wall_offset_ns
    until_ns = now_wall_ns + round(lasts_s * SECOND) if lasts_s else 0
    patrol.handle(PatrolPaused(Pause(scope, "the recorder is exchanged", "ops", now_wall_ns, until_ns)))
    return scope


TWO = (
    CameraPlan("here", "nvr-1", "media-1", county="130102"),
    CameraPlan("there", "nvr-2", "media-2", county="130203"),
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PauseKind.REGION, "1301"),
        (PauseKind.UPLINK, "nvr-1"),
        (PauseKind.HOST, "media-1"),
        (PauseKind.CAMERA, "here"),
    ],
)
def test_a_pause_holds_the_cameras_of_its_scope_and_no_other(kind: PauseKind, value: str) -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, kind, value)
    before = len(patrol.starts)
    patrol.run(patrol.now_s + 1000)
    assert {start.camera_id for start in patrol.starts[before:]} == {"there"}
    (status,) = patrol.status().pauses
    assert (status.cameras, status.pause.scope.value) == (1, value)


def test_periods_under_a_pause_are_due_and_not_kept_so_that_nobody_betters_coverage_by_one() -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, PauseKind.REGION, "")
    patrol.run(patrol.now_s + 1000)
    assert patrol.status().shed["paused"] == pytest.approx(20, abs=2)
    assert patrol.status().classes[1].coverage < 0.5


def test_a_resumed_camera_is_looked_at_within_half_a_period() -> None:
    patrol = patrol_of(*TWO)
    scope = pause(patrol, PauseKind.CAMERA, "here")
    patrol.run(patrol.now_s + 1000)
    resumed_s = patrol.now_s
    assert PauseEnded in map(type, patrol.handle(PatrolResumed(scope)))
    patrol.run(patrol.now_s + 51)
    assert any(start.camera_id == "here" and start.at_s >= resumed_s for start in patrol.starts)
    assert not patrol.status().pauses


def test_a_pause_with_an_end_ends_by_itself_and_on_time() -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, PauseKind.REGION, "13", lasts_s=500)
    began_s = patrol.now_s
    patrol.run(patrol.now_s + 1000)
    after = [start.at_s for start in patrol.starts if start.at_s > began_s]
    assert min(after) >= began_s + 500
    assert min(after) <= began_s + 551


def test_two_pauses_that_overlap_both_have_to_end() -> None:
    patrol = patrol_of(*TWO)
    first = pause(patrol, PauseKind.REGION, "13")
    pause(patrol, PauseKind.CAMERA, "here")
    patrol.handle(PatrolResumed(first))
    before = len(patrol.starts)
    patrol.run(patrol.now_s + 400)
    assert {start.camera_id for start in patrol.starts[before:]} == {"there"}


def test_resuming_what_is_not_paused_changes_nothing() -> None:
    patrol = patrol_of(*TWO)
    assert patrol.handle(PatrolResumed(PauseScope(PauseKind.HOST, "media-1"))) == []


def test_a_pause_takes_a_new_reason_and_end_and_stays_one() -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, PauseKind.CAMERA, "here")
    pause(patrol, PauseKind.CAMERA, "here", lasts_s=200)
    (status,) = patrol.status().pauses
    assert status.pause.until_wall_ns
    patrol.run(patrol.now_s + 300)
    assert not patrol.status().pauses


def test_who_waits_for_a_busy_recorder_waits_no_longer_when_it_is_paused() -> None:
    patrol = Patrol(settings(100), began=BEGAN)
    patrol.handle(cameras(6, uplink="nvr"))
    patrol.run(patrol.now_s + 101)
    pause(patrol, PauseKind.UPLINK, "nvr")
    patrol.run(patrol.now_s + 60)
    status = patrol.status()
    assert (status.in_flight, status.ready, status.waiting_uplink) == (0, 0, 0)


def test_a_paused_camera_is_not_visited_even_if_it_is_asked_for_and_the_answer_says_so() -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, PauseKind.CAMERA, "here")
    report = patrol.check_now("here", "there")
    assert (report.paused_ids, report.accepted) == (("here",), ("there",))
    assert report.first_visit_id > 0


def test_a_gateways_camera_that_is_paused_is_not_missed() -> None:
    patrol = patrol_of(CameraPlan("pushed", "", push=True))
    before = len(patrol.actions_of(PushMissing))
    assert before > 0
    pause(patrol, PauseKind.CAMERA, "pushed")
    patrol.run(patrol.now_s + 500)
    assert len(patrol.actions_of(PushMissing)) == before


def test_a_plan_says_who_paused_and_why_and_until_when() -> None:
    patrol = patrol_of(*TWO)
    pause(patrol, PauseKind.CAMERA, "here", lasts_s=3600)
    first = patrol.plan("here").because[0]
    assert first.startswith(
        "its patrol is paused by ops (the recorder is exchanged): until 2026-03-02 13:05:00 (Asia/Shanghai)"
    )
    assert "paused" not in " ".join(patrol.plan("there").because)


def test_a_camera_never_seen_waits_for_the_end_of_the_pause_too() -> None:
    patrol = Patrol(settings(100), began=BEGAN)
    scope = pause(patrol, PauseKind.REGION, "")
    patrol.handle(CamerasUpserted(TWO))
    patrol.run(patrol.now_s + 500)
    assert patrol.starts == []
    patrol.handle(PatrolResumed(scope))
    patrol.run(patrol.now_s + 101)
    assert {start.camera_id for start in patrol.starts} == {"here", "there"}
