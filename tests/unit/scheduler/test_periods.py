"""Periods: how often a camera of each class is looked at, and when in its period. Time is what the test says it is."""

import itertools
import statistics
from collections import Counter

import pytest

from engine.model.camera import KeyPoint
from engine.model.verdict import State
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.events import CameraPlan, CamerasUpserted
from tests.support.scheduler.scheduling import SECOND, Patrol, Start, cameras, key_cameras, settings


def test_every_camera_is_visited_once_a_period() -> None:
    patrol = Patrol()
    patrol.handle(cameras(50))
    patrol.run(451)
    for number in range(50):
        first, *others = patrol.gaps(f"c{number:03}")
        assert 50 <= first <= 150  # from the first look to its own place in the grid
        assert len(others) >= 2
        assert set(others) == {100}


def test_each_class_has_its_own_period() -> None:
    chosen = settings(key_period_s=60, ordinary_period_s=150, suspicious_period_s=20, confirm_looks_max=0)
    patrol = Patrol(
        chosen, verdict=lambda camera, _: (State.UNKNOWN, State.OK) if camera == "s000" else (State.OK, State.OK)
    )
    for put in (key_cameras(1), cameras(1), cameras(1, name="s")):
        patrol.handle(put)
    patrol.run(900)
    assert set(patrol.gaps("k000")[1:]) == {60}
    assert set(patrol.gaps("c000")[1:]) == {150}
    assert set(patrol.gaps("s000")) == {20}
    kinds = {(start.camera_id, start.kind) for start in patrol.starts}
    assert kinds == {("k000", "key_point"), ("c000", "ordinary"), ("s000", "ordinary"), ("s000", "suspicious")}


def test_a_camera_that_is_required_is_a_key_point_whatever_it_looks_at() -> None:
    patrol = Patrol(settings(key_period_s=60, ordinary_period_s=600))
    patrol.handle(CamerasUpserted([CameraPlan("store", "u", key_point=KeyPoint.STORAGE, required=True)]))
    patrol.run(400)
    assert set(patrol.gaps("store")[1:]) == {60}


def test_which_places_are_key_points_is_configured() -> None:
    patrol = Patrol(settings(key_period_s=60, ordinary_period_s=150, key_points=(KeyPoint.STORAGE,)))
    patrol.handle(CamerasUpserted([CameraPlan("store", "u", key_point=KeyPoint.STORAGE)]))
    patrol.handle(CamerasUpserted([CameraPlan("stove", "v", key_point=KeyPoint.COOKING)]))
    assert (patrol.plan("store").kind, patrol.plan("stove").kind) == ("key_point", "ordinary")


def test_first_visits_are_spread_and_not_all_at_once() -> None:
    patrol = Patrol(settings(starts_per_s_max=10))
    patrol.handle(cameras(200))
    patrol.run(60)
    assert len({start.camera_id for start in patrol.starts}) == 200
    assert max(Counter(int(start.at_s) for start in patrol.starts).values()) <= 13


def test_a_small_county_is_seen_at_once_not_after_a_period() -> None:
    patrol = Patrol(settings(starts_per_s_max=400))
    patrol.handle(cameras(32))
    assert len(patrol.run(1).starts) == 32


def test_many_cameras_enabled_at_once_are_spread_like_new_ones() -> None:
    patrol = Patrol(settings(starts_per_s_max=10))
    patrol.handle(cameras(200, enabled=False))
    patrol.handle(cameras(200), at_s=1000)
    patrol.run(1060)
    assert len({start.camera_id for start in patrol.starts}) == 200
    assert max(start.lag_s for start in patrol.starts) < 15


def test_the_load_is_flat_over_the_period() -> None:
    patrol = Patrol(checked=False)
    patrol.handle(cameras(2000))
    patrol.run(400)
    ends = Counter(int(start.at_s // 10) for start in patrol.starts if 200 <= start.at_s < 400)
    assert len(ends) == 20
    # 200 a tenth of the period; a draw of phases deviates by its root, 14
    assert statistics.pstdev(ends.values()) < 28
    assert max(ends.values()) < 260


def test_jitter_comes_on_top_of_the_grid_and_does_not_add_up() -> None:
    patrol = Patrol(settings(jitter=0.2))
    patrol.handle(cameras(1))
    patrol.run(5000)
    _, first, *later = patrol.times("c000")
    offsets = [(at_s - first) % 100 for at_s in later]
    offsets = [offset if offset < 50 else offset - 100 for offset in offsets]
    assert max(offsets) - min(offsets) <= 20
    assert len({round(offset) for offset in offsets}) > 5
    assert len(later) >= 47


def test_a_look_that_comes_late_does_not_shift_the_grid() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=7)
    patrol.handle(cameras(3, uplink="nvr"))
    patrol.run(1000)
    for camera in ("c000", "c001", "c002"):
        due = [start.at_s - start.lag_s for start in patrol.starts if start.camera_id == camera][2:]
        assert {round(later - earlier) for earlier, later in itertools.pairwise(due)} == {100}


def test_the_most_overdue_camera_comes_first() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=30)
    patrol.handle(cameras(3))
    patrol.run(95)
    fresh = Patrol()
    fresh.handle(cameras(3))
    assert [start.camera_id for start in patrol.starts][:3] == [start.camera_id for start in fresh.run(50).starts]


def test_classes_share_contested_slots_by_weight() -> None:
    chosen = settings(period_s=1, visits_max=4, key_weight=6, ordinary_weight=2, stretch_max=1)
    patrol = Patrol(chosen, takes_s=1, checked=False)
    patrol.handle(key_cameras(100))
    patrol.handle(cameras(100))
    patrol.run(400)
    looks = Counter(start.kind for start in patrol.starts if start.at_s > 100)
    assert looks["key_point"] / looks["ordinary"] == pytest.approx(3, rel=0.02)


def test_a_class_that_had_nothing_to_do_does_not_shut_the_others_out_later() -> None:
    patrol = Patrol(settings(period_s=1, visits_max=1, stretch_max=1), takes_s=1, checked=False)
    patrol.handle(cameras(50))
    patrol.run(300)
    patrol.handle(key_cameras(50))
    patrol.run(330)
    assert {start.kind for start in patrol.starts if start.at_s > 302} == {"key_point", "ordinary"}


def test_the_lag_is_that_of_the_longest_waiting_camera() -> None:
    patrol = Patrol(settings(visits_max=1), takes_s=1000)
    patrol.handle(cameras(3, uplink="nvr"))
    patrol.run(10)
    assert 9 < patrol.status().lag_s_max <= 10


def test_the_same_events_give_the_same_actions_and_another_seed_gives_others() -> None:
    def log(seed: int) -> list[Start]:
        patrol = Patrol(settings(jitter=0.3, seed=seed))
        patrol.handle(cameras(20))
        return patrol.run(500).starts

    assert log(7) == log(7)
    assert log(7) != log(8)


def test_status_counts_looks_periods_and_achieved_gaps_by_class() -> None:
    patrol = Patrol(settings(key_period_s=50))
    patrol.handle(cameras(10))
    patrol.handle(key_cameras(5))
    patrol.run(2000)
    classes = {camera_class.name: camera_class for camera_class in patrol.status().classes}
    assert classes["ordinary"].cameras == 10
    assert classes["key_point"].cameras == 5
    assert classes["key_point"].achieved_period_s == pytest.approx(50, abs=1)
    assert classes["ordinary"].achieved_period_s == pytest.approx(100, abs=1)
    assert classes["key_point"].coverage == classes["ordinary"].coverage == 1.0
    assert classes["key_point"].looks_total == sum(start.kind == "key_point" for start in patrol.starts)


@pytest.mark.parametrize("reason", sorted(NOT_JUDGED))
def test_a_visit_that_our_own_fault_ended_is_no_look_and_is_made_up_soon(reason: FailureReason) -> None:
    broken = {"from_s": 500.0, "until_s": 510.0}
    patrol = Patrol(
        settings(backoff_stream_first_s=20),
        answer=lambda _, at_s: reason if broken["from_s"] <= at_s < broken["until_s"] else None,
    )
    patrol.handle(cameras(50))
    patrol.run(2000)
    lost = [start.camera_id for start in patrol.starts if 500 <= start.at_s < 510]
    assert lost
    for camera in lost:
        again = next(at_s for at_s in patrol.times(camera) if at_s >= 510)
        assert again - 510 <= 20
    ordinary = next(camera_class for camera_class in patrol.status().classes if camera_class.name == "ordinary")
    assert ordinary.cameras == 50, "our own fault is held against nobody"
    assert ordinary.coverage < 1.0
    assert patrol.status().shed == {"internal": len(lost)}


def test_accounts_of_periods_add_up() -> None:
    patrol = Patrol(settings(visits_max=2, stretch_max=3), takes_s=9)
    patrol.handle(cameras(60))
    patrol.run(4000)
    statistics = patrol.scheduler.statistics
    assert sum(statistics.periods_due) == pytest.approx(sum(statistics.periods_kept) + sum(statistics.shed.values()))
    assert sum(statistics.shed.values()) > 0


def test_a_plan_says_why_a_camera_is_due_when_it_is() -> None:
    patrol = Patrol()
    patrol.handle(cameras(1))
    before = patrol.plan("c000")
    assert before.because == ("it was never visited: first visits are spread over what the caps allow",)
    patrol.run(300)
    plan = patrol.plan("c000")
    assert (plan.kind, plan.place, plan.period_s) == ("ordinary", "due", 100)
    assert 0 < plan.due_in_s <= 100
    assert plan.last_visit_ago_s == plan.last_keyframe_ago_s == pytest.approx(100 - plan.due_in_s, abs=0.01)
    assert plan.because == ("ordinary: one visit in 100 s",)
    assert patrol.now_ns == 300 * SECOND
