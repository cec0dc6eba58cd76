"""What comes from outside between periods: doubts of the judge, calls to check now, keyframes that gateways push."""

import itertools

import pytest

from engine.config.judge import JudgeSettings
from engine.judge.confirmation import apply_outcome
from engine.judge.state import JudgeState, Outcome
from engine.model.verdict import FaultKind, State
from engine.model.visit import FailureReason
from engine.scheduler.events import CameraPlan, CamerasUpserted, Judged, PushArrived, PushMissing, StartVisit
from tests.support.expect import present
from tests.support.scheduler.scheduling import Patrol, cameras, key_cameras, settings

DOUBT = (State.FAULT, State.OK)
SETTLED = (State.OK, State.OK)


def test_a_fault_seen_once_is_looked_at_again_soon() -> None:
    patrol = Patrol(settings(confirm_spacing_s=30), verdict=lambda *_: DOUBT)
    patrol.handle(cameras(1))
    patrol.run(31)
    assert patrol.gaps("c000") == [30]
    assert patrol.starts[-1].kind == "suspicious"


@pytest.mark.parametrize(
    ("said", "again_soon"),
    [
        ((State.FAULT, State.OK), True),
        ((State.UNKNOWN, State.OK), True),
        ((State.FAULT, State.UNKNOWN), True),
        ((State.FAULT, State.OFFLINE), True),
        ((State.OK, State.FAULT), True),
        ((State.FAULT, State.FAULT), False),
        ((State.UNKNOWN, State.UNKNOWN), False),
        ((State.OK, State.OK), False),
        ((State.OK, State.UNKNOWN), False),
    ],
)
def test_a_look_leaves_a_doubt_if_it_disagrees_with_what_is_announced(
    said: tuple[State, State], again_soon: bool
) -> None:
    patrol = Patrol(verdict=lambda *_: said)
    patrol.handle(cameras(1))
    patrol.run(1)
    assert (patrol.plan("c000").kind == "suspicious") == again_soon
    assert (patrol.plan("c000").due_in_s <= 30) == again_soon


def test_quick_looks_keep_their_spacing_and_their_number_then_comes_the_suspicious_period() -> None:
    chosen = settings(confirm_spacing_s=20, confirm_looks_max=3, suspicious_period_s=70, period_s=500)
    patrol = Patrol(chosen, verdict=lambda *_: DOUBT)
    patrol.handle(cameras(1))
    assert patrol.run(300).gaps("c000") == [20, 20, 20, 70, 70, 70]


def test_with_no_quick_looks_configured_the_suspicious_period_holds_at_once() -> None:
    patrol = Patrol(settings(confirm_looks_max=0, suspicious_period_s=70), verdict=lambda *_: DOUBT)
    patrol.handle(cameras(1))
    assert patrol.run(150).gaps("c000") == [70, 70]


def test_a_settled_camera_goes_back_to_its_own_period() -> None:
    patrol = Patrol(settings(confirm_spacing_s=20), verdict=lambda _, at_s: DOUBT if at_s < 30 else SETTLED)
    patrol.handle(cameras(1))
    patrol.run(600)
    assert patrol.gaps("c000")[:2] == [20, 20]
    assert set(patrol.gaps("c000")[3:]) == {100}
    assert patrol.plan("c000").kind == "ordinary"


def test_a_new_doubt_has_all_its_quick_looks_again() -> None:
    chosen = settings(confirm_spacing_s=20, confirm_looks_max=2, suspicious_period_s=70, period_s=300)
    patrol = Patrol(chosen, verdict=lambda _, at_s: SETTLED if 200 <= at_s < 800 else DOUBT)
    patrol.handle(cameras(1))
    patrol.run(1400)
    late = [at_s for at_s in patrol.times("c000") if at_s > 800]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(late)][:3] == [20, 20, 70]


def test_a_doubtful_camera_that_fails_backs_off_and_keeps_its_doubt() -> None:
    patrol = Patrol(
        settings(confirm_spacing_s=20, backoff_connect_first_s=60, suspicious_period_s=40),
        answer=lambda _, at_s: FailureReason.REFUSED if 10 < at_s < 50 else None,
        verdict=lambda *_: DOUBT,
    )
    patrol.handle(cameras(1))
    patrol.run(100)
    assert patrol.gaps("c000") == [20, 60]
    assert patrol.plan("c000").kind == "suspicious"


def test_a_verdict_that_comes_while_the_next_visit_is_under_way_counts_when_it_lands() -> None:
    patrol = Patrol(settings(confirm_spacing_s=20, suspicious_period_s=50), takes_s=5)
    patrol.handle(cameras(1))
    patrol.run(1)
    patrol.handle(Judged("c000", *DOUBT))
    assert patrol.plan("c000").kind == "suspicious"
    patrol.run(6)
    assert patrol.plan("c000").due_in_s == pytest.approx(49, abs=0.1), "its suspicious period, until the judge speaks"


def test_a_verdict_on_a_camera_that_is_gone_or_failing_changes_nothing() -> None:
    patrol = Patrol(answer=lambda *_: FailureReason.REFUSED)
    patrol.handle(cameras(1))
    patrol.run(1)
    before = patrol.plan("c000")
    patrol.handle(Judged("c000", *DOUBT))
    patrol.handle(Judged("nobody", *DOUBT))
    assert patrol.plan("c000") == before


@pytest.mark.parametrize(("confirm_n", "confirm_m"), [(1, 1), (2, 3), (3, 5)])
def test_as_many_quick_looks_come_as_the_judge_needs_to_announce(confirm_n: int, confirm_m: int) -> None:
    judge = JudgeSettings(confirm_n=confirm_n, confirm_m=confirm_m)
    history = apply_outcome(JudgeState(), Outcome(State.OK), 0, judge)

    def verdict(camera: str, at_s: float) -> tuple[State, State]:
        nonlocal history
        history = apply_outcome(history, Outcome(State.FAULT, (FaultKind.BLURRED,)), round(at_s * 1e9), judge)
        return State.FAULT, present(history.announced)

    patrol = Patrol(settings(confirm_spacing_s=30, period_s=1000), verdict=verdict)
    patrol.handle(cameras(1))
    patrol.run(400)
    assert patrol.gaps("c000") == [30] * (confirm_n - 1)
    assert patrol.plan("c000").kind == "ordinary", "announced, and no longer in doubt"
    patrol.verdict = lambda *_: (State.OK, State.FAULT)
    patrol.check_now("c000")
    assert patrol.plan("c000").kind == "ordinary"
    patrol.run(401)
    assert patrol.plan("c000").kind == "suspicious", "in order where a fault stands announced"


def test_check_now_jumps_the_queue() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(key_cameras(30))
    patrol.handle(cameras(10))
    patrol.run(5)
    report = patrol.check_now("c007", "c007", "nobody")
    assert (len(report.accepted), len(report.in_flight), report.unknown_ids) == (1, 0, ("nobody",))
    patrol.run(11)
    assert patrol.starts[1].camera_id == "c007"
    assert patrol.starts[1].lag_s == pytest.approx(5, abs=0.1)


def test_check_now_keeps_to_the_caps() -> None:
    patrol = Patrol(settings(visits_max=2), takes_s=10)
    patrol.handle(cameras(20, uplink="nvr"))
    patrol.handle(cameras(20, name="d"))
    patrol.run(3)
    patrol.check_now(*(f"c{n:03}" for n in range(20)), *(f"d{n:03}" for n in range(20)))
    patrol.run(200)
    assert patrol.in_flight_max == 2
    ends: dict[str, float] = {}
    for start in patrol.starts:
        if start.camera_id < "d":
            assert start.at_s >= ends.get("nvr", 0.0) - 1e-6
            ends["nvr"] = start.at_s + 10


def test_check_now_jumps_the_queue_at_recorder_and_platform_too() -> None:
    for where in ({"uplink": "nvr"}, {"host": "h"}):
        patrol = Patrol(settings(visits_per_host_max=1), takes_s=10)
        patrol.handle(cameras(20, **where))
        patrol.run(5)
        last = [f"c{n:03}" for n in range(20) if patrol.plan(f"c{n:03}").place != "flight"][-1]
        patrol.check_now(last)
        patrol.run(11)
        assert patrol.starts[1].camera_id == last


def test_calls_to_check_now_are_served_in_the_order_in_which_they_came() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(cameras(30))
    patrol.run(1)
    waiting = [f"c{n:03}" for n in range(30) if patrol.plan(f"c{n:03}").place == "ready"]
    asked = [waiting[20], waiting[10], waiting[25], waiting[5]]
    for camera in asked:
        patrol.run(patrol.now_s + 0.5)
        patrol.check_now(camera)
    patrol.run(45)
    assert [start.camera_id for start in patrol.starts][1:5] == asked


def test_check_now_takes_a_camera_out_of_its_back_off_and_back_to_its_grid() -> None:
    patrol = Patrol(settings(period_s=1000), answer=lambda _, at_s: FailureReason.REFUSED if at_s < 50 else None)
    patrol.handle(cameras(1))
    patrol.run(55)
    assert patrol.plan("c000").due_in_s > 0
    patrol.check_now("c000")
    assert len(patrol.times("c000")) == 2
    patrol.run(3500)
    assert set(patrol.gaps("c000")[2:]) == {1000}


def test_check_now_says_which_cameras_are_under_way_and_which_are_not_visited() -> None:
    patrol = Patrol(takes_s=10)
    patrol.handle(CamerasUpserted([CameraPlan("off", "u", enabled=False), CameraPlan("push", "u", push=True)]))
    patrol.handle(cameras(1))
    patrol.run(5)
    report = patrol.check_now("off", "push", "c000")
    assert (len(report.accepted), len(report.in_flight), report.not_visited_ids) == (0, 1, ("off", "push"))


def test_asked_twice_it_is_visited_once() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(cameras(5))
    patrol.run(5)
    waiting = next(f"c{n:03}" for n in range(5) if patrol.plan(f"c{n:03}").place == "ready")
    assert [patrol.check_now(waiting).accepted for _ in range(3)] == [(waiting,)] * 3
    patrol.run(45)
    assert patrol.times(waiting) == [pytest.approx(10, abs=0.01)]


def test_a_camera_disabled_while_asked_for_can_be_asked_for_again() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(cameras(3))
    patrol.run(1)
    waiting = next(f"c{n:03}" for n in range(3) if patrol.plan(f"c{n:03}").place == "ready")
    patrol.check_now(waiting)
    patrol.handle(CamerasUpserted([CameraPlan(waiting, "u", enabled=False)]))
    patrol.run(400)
    patrol.handle(CamerasUpserted([CameraPlan(waiting, "u")]))
    assert patrol.check_now(waiting).accepted == (waiting,)
    patrol.run(412)
    assert 400 <= patrol.times(waiting)[0] <= 412


def test_a_camera_changed_while_asked_for_is_still_visited_first() -> None:
    patrol = Patrol(settings(visits_max=1, offhours_period_s=0), takes_s=10, began="2026-03-02T12:00")
    patrol.handle(cameras(9))
    patrol.run(1)
    waiting = [f"c{n:03}" for n in range(9) if patrol.plan(f"c{n:03}").place == "ready"][-1]
    patrol.check_now(waiting)
    patrol.handle(CamerasUpserted([CameraPlan(waiting, "u", hours="03:00-04:00")]))
    patrol.run(11)
    assert patrol.starts[1].camera_id == waiting


def test_a_plan_says_that_somebody_asked() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=10)
    patrol.handle(cameras(3))
    patrol.run(1)
    waiting = next(f"c{n:03}" for n in range(3) if patrol.plan(f"c{n:03}").place == "ready")
    patrol.check_now(waiting)
    assert patrol.plan(waiting).because[0] == "somebody asked for it (check now): it goes before all others"


def test_a_pushed_camera_is_never_visited_and_missed_once_a_period() -> None:
    patrol = Patrol()
    patrol.handle(cameras(3, push=True))
    patrol.run(350)
    assert patrol.actions_of(StartVisit) == []
    missing = patrol.actions_of(PushMissing)
    assert [round(at_s) for at_s, action in missing if action.camera_id == "c000"] == [100, 200, 300]
    assert missing[0][1] == PushMissing("c000", 100.0)


def test_a_keyframe_that_arrives_within_the_period_keeps_a_pushed_camera_online() -> None:
    patrol = Patrol()
    patrol.handle(cameras(2, push=True))
    for at_s in range(50, 1000, 90):
        patrol.handle(PushArrived("c000"), at_s=at_s)
    assert {action.camera_id for _, action in patrol.actions_of(PushMissing)} == {"c001"}
    assert patrol.plan("c000").last_keyframe_ago_s == pytest.approx(0)
    patrol.run(1200)
    assert {action.camera_id for at_s, action in patrol.actions_of(PushMissing) if at_s > 1000} == {"c000", "c001"}


def test_the_period_of_a_pushed_camera_is_that_of_its_class() -> None:
    patrol = Patrol(settings(key_period_s=50, ordinary_period_s=200))
    patrol.handle(key_cameras(1, push=True))
    patrol.handle(cameras(1, push=True))
    patrol.run(210)
    missed = [action.camera_id for _, action in patrol.actions_of(PushMissing)]
    assert (missed.count("k000"), missed.count("c000")) == (4, 1)


def test_what_arrives_of_cameras_that_are_visited_or_unknown_changes_nothing() -> None:
    patrol = Patrol()
    patrol.handle(cameras(1))
    patrol.run(150)
    before = patrol.plan("c000")
    patrol.handle(PushArrived("c000"))
    patrol.handle(PushArrived("nobody"))
    assert patrol.plan("c000") == before


def test_a_disabled_pushed_camera_is_not_missed() -> None:
    patrol = Patrol()
    patrol.handle(cameras(1, push=True, enabled=False))
    assert patrol.run(500).actions_of(PushMissing) == []
    assert patrol.scheduler.next_wakeup_ns() is None
