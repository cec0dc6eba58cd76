"""More work than the machine can do: what is stretched, in which order, how it is said, and how it ends."""

import itertools
from collections import Counter, defaultdict
from typing import Any

import pytest

from engine.config.schema import SchedulerSettings
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.events import CapacityChanged
from engine.scheduler.invariants import check_invariants
from engine.scheduler.periods.overload import INTERVAL_NS, Overload
from tests.support.scheduler.scheduling import Patrol, cameras, key_cameras, settings


def stretched(demand: list[float], capacity_per_s: int, chosen: SchedulerSettings | None = None) -> list[float]:
    """The factors after one interval in which cameras waited all the time and so many visits a second ended."""
    overload = Overload(chosen or settings())
    assert not overload.interval_ended(0)
    overload.record(waiting=True, ended=0, now_ns=0)
    overload.record(waiting=True, ended=capacity_per_s * 10, now_ns=INTERVAL_NS)
    assert overload.interval_ended(INTERVAL_NS)
    overload.adjust(demand, INTERVAL_NS)
    return overload.stretch


@pytest.mark.parametrize(
    ("demand", "capacity", "expected"),
    [
        ([100, 100, 10, 10], 300, [1, 1, 1, 1]),
        ([100, 100, 10, 10], 200, [1, 100 / (190 - 10 - 100 - 10), 1, 1]),
        ([100, 100, 40, 10], 170, [1, 8, 40 / (161.5 - 10 - 100 - 12.5), 1]),
        ([100, 100, 40, 0], 100, [100 / (95 - 12.5 - 5), 8, 8, 1]),
        ([100, 100, 40, 0], 10, [8, 8, 8, 1]),
        ([100, 0, 0, 0], 50, [100 / 47.5, 8, 8, 1]),
        ([100, 0, 0, 9000], 300, [1, 1, 1, 1]),
    ],
)
def test_ordinary_cameras_are_stretched_first_then_suspicious_ones_key_points_last(
    demand: list[float], capacity: int, expected: list[float]
) -> None:
    # What fits is 0.95 of what the machine was seen to carry, less what the offline take; 8 is stretch_max.
    assert stretched(demand, capacity) == pytest.approx(expected)


def test_no_factor_is_above_the_bound_and_a_bound_of_one_stretches_nothing() -> None:
    assert max(stretched([100, 100, 40, 10], 1, settings(stretch_max=3))) == 3
    assert stretched([100, 100, 40, 10], 1, settings(stretch_max=1)) == [1, 1, 1, 1]


def test_a_machine_that_ends_nothing_is_not_taken_for_a_slow_one() -> None:
    assert stretched([100, 100, 40, 10], 0) == [1, 1, 1, 1], "no feeder is there: that says nothing of its speed"


def overloaded(visits_max: int, keys: int = 100, others: int = 300, **changes: Any) -> Patrol:
    """Key points and ordinary cameras once in 100 s, visits of 5 s each."""
    patrol = Patrol(settings(visits_max=visits_max, **changes), takes_s=5, checked=False)
    patrol.handle(key_cameras(keys))
    patrol.handle(cameras(others))
    return patrol


def test_a_machine_that_keeps_the_periods_stretches_none() -> None:
    patrol = overloaded(visits_max=25)
    patrol.run(3000)
    assert set(patrol.stretch().values()) == {1.0}
    assert patrol.status().shed == {}
    assert patrol.status().capacity_per_s == 0.0


def test_key_points_keep_their_period_while_ordinary_cameras_are_stretched() -> None:
    patrol = overloaded(visits_max=12)  # 2.4 visits a second, 4 are wanted: 1 by key points
    patrol.run(1000)
    before = Counter(start.kind for start in patrol.starts)
    patrol.run(4000)
    looks = Counter(start.kind for start in patrol.starts)
    looks.subtract(before)
    assert looks["key_point"] == pytest.approx(3000, rel=0.01)
    assert looks["ordinary"] > 0.9 * 3000 * (2.4 - 1.0), "all that is left, and hardly any of it idle"
    stretch = patrol.stretch()
    assert stretch["key_point"] == 1.0
    assert 1.9 < stretch["ordinary"] < 2.7
    check_invariants(patrol.scheduler, patrol.now_ns)


def test_key_points_are_stretched_when_nothing_else_is_left_to_take_from() -> None:
    patrol = overloaded(visits_max=3, stretch_max=4)  # 0.6 visits a second
    patrol.run(4000)
    stretch = patrol.stretch()
    assert stretch["ordinary"] == 4.0
    assert stretch["key_point"] > 1.5


def test_within_a_class_all_are_stretched_alike() -> None:
    patrol = overloaded(visits_max=12)
    patrol.run(1000)
    patrol.run(6000)
    looks = [len([at_s for at_s in patrol.times(f"c{n:03}") if at_s > 1000]) for n in range(300)]
    assert max(looks) <= 1.25 * min(looks)
    for number in range(300):
        assert max(patrol.gaps(f"c{number:03}")) <= 100 * 4


def test_the_queue_does_not_grow() -> None:
    patrol = overloaded(visits_max=8)
    waiting = []
    for at_s in range(1000, 5000, 100):
        patrol.run(at_s)
        waiting.append(patrol.status().ready)
    assert max(waiting) <= 40
    assert max(start.lag_s for start in patrol.starts if start.at_s > 1000) < 100


def test_it_is_said_in_status_and_plan() -> None:
    patrol = overloaded(visits_max=12)
    patrol.run(3000)
    status = patrol.status()
    assert status.demand_per_s == pytest.approx(4.0)
    assert status.capacity_per_s == pytest.approx(2.4, rel=0.25)
    ordinary = next(camera_class for camera_class in status.classes if camera_class.name == "ordinary")
    assert ordinary.period_s == 100
    assert ordinary.achieved_period_s == pytest.approx(100 * 3 / 1.4, rel=0.15)
    assert ordinary.coverage == pytest.approx(1.4 / 3, rel=0.15)
    assert set(status.shed) == {"overload"}
    statistics = patrol.scheduler.statistics
    assert sum(statistics.periods_due) == pytest.approx(sum(statistics.periods_kept) + status.shed["overload"])
    plan = next(plan for plan in map(patrol.plan, [f"c{n:03}" for n in range(300)]) if plan.place == "due")
    assert plan.stretch > 1.5
    assert f"stretched by {plan.stretch:.2f} since the machine cannot keep it" in plan.because[-1]


def test_it_ends_within_minutes_and_nobody_is_left_with_a_stretched_period() -> None:
    patrol = overloaded(visits_max=100)
    patrol.run(1000)
    patrol.handle(CapacityChanged(5))
    patrol.run(4000)
    assert patrol.stretch()["ordinary"] > 5
    patrol.handle(CapacityChanged(100))
    patrol.run(4400)
    assert set(patrol.stretch().values()) == {1.0}
    patrol.run(4700)
    for name in [f"c{n:03}" for n in range(300)] + [f"k{n:03}" for n in range(100)]:
        assert len([at_s for at_s in patrol.times(name) if at_s >= 4400]) in (2, 3, 4), name


def test_after_it_the_load_is_as_flat_as_before() -> None:
    patrol = overloaded(visits_max=100)
    patrol.run(1000)
    patrol.handle(CapacityChanged(5))
    patrol.run(2500)
    patrol.handle(CapacityChanged(100))
    patrol.run(5000)

    def tenths(from_s: float) -> list[int]:
        return sorted(
            Counter(int(start.at_s // 10) for start in patrol.starts if from_s <= start.at_s < from_s + 100).values()
        )

    assert tenths(4800) == tenths(800)


def test_quick_looks_are_not_stretched_and_the_suspicious_period_is() -> None:
    chosen = settings(visits_max=4, confirm_spacing_s=30, confirm_looks_max=2, suspicious_period_s=60, stretch_max=4)
    patrol = Patrol(
        chosen,
        takes_s=5,
        verdict=lambda camera, at_s: (State.FAULT, State.OK) if camera == "s000" and at_s > 2000 else None,
        checked=False,
    )
    patrol.handle(key_cameras(200))
    patrol.handle(cameras(1, name="s"))
    patrol.run(4000)
    assert patrol.stretch()["suspicious"] == 4.0
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(patrol.times("s000")) if earlier > 2005]
    assert all(30 <= gap < 100 for gap in gaps[:2])
    assert all(240 <= gap < 320 for gap in gaps[2:5])


def test_failing_cameras_take_least_of_a_machine_that_is_short() -> None:
    patrol = Patrol(
        settings(visits_max=6, backoff_max_s=10, backoff_connect_first_s=10),
        takes_s=5,
        answer=lambda camera, _: FailureReason.REFUSED if camera < "d" else None,
        checked=False,
    )
    patrol.handle(cameras(300))
    patrol.handle(key_cameras(100))
    patrol.run(3000)
    looks = Counter(start.kind for start in patrol.starts if start.at_s > 1000)
    assert looks["key_point"] == pytest.approx(2000, rel=0.05)
    assert 0 < looks["offline"] < 500


COUNTIES = {"130101": 600, "130102": 6, "130103": 60}


def province(**changes: Any) -> Patrol:
    """A huge county, a middling and a small one, on a machine that can do two thirds of what they want."""
    patrol = Patrol(settings(visits_max=22, **changes), takes_s=5, checked=False)
    for county, count in COUNTIES.items():
        patrol.handle(cameras(count, name=f"{county}-", county=county))
    return patrol


def test_under_overload_a_small_county_gets_its_share_and_waits_no_longer_than_a_huge_one() -> None:
    patrol = province()
    patrol.run(4000)
    lags: dict[str, list[float]] = defaultdict(list)
    looks: Counter[str] = Counter()
    for start in patrol.starts:
        if start.at_s > 1000:
            lags[start.camera_id[:6]].append(start.lag_s)
            looks[start.camera_id[:6]] += 1
    shares = {county: looks[county] / count for county, count in COUNTIES.items()}
    assert max(shares.values()) / min(shares.values()) < 1.1
    assert max(lags["130102"]) <= max(lags["130101"])
    assert max(map(max, lags.values())) < 60


def test_the_worst_lag_by_county_is_shown() -> None:
    patrol = province()
    patrol.run(200)
    lags = patrol.status().county_lags
    assert set(lags) <= set(COUNTIES)
    assert list(lags.values()) == sorted(lags.values(), reverse=True)
    since = [start for start in patrol.starts if start.at_s > 80]
    worst = max(start.lag_s for start in since if start.camera_id.startswith("130101"))
    assert lags["130101"] == pytest.approx(worst, abs=0.01)


def test_no_platform_starves_another() -> None:
    patrol = Patrol(settings(visits_max=22, visits_per_host_max=20), takes_s=5, checked=False)
    patrol.handle(cameras(600, name="big", host="big"))
    patrol.handle(cameras(30, name="small", host="small"))
    patrol.run(4000)
    looks = Counter(
        "big" if start.camera_id.startswith("big") else "small" for start in patrol.starts if start.at_s > 1000
    )
    assert looks["small"] / 30 >= looks["big"] / 600 >= 19


def test_a_platform_at_its_cap_slows_down_nobody_else() -> None:
    patrol = Patrol(settings(visits_per_host_max=2), takes_s=5, checked=False)
    patrol.handle(cameras(300, name="big", host="big"))
    patrol.handle(cameras(100, name="free"))
    patrol.run(3000)
    free = [start for start in patrol.starts if start.camera_id.startswith("free")]
    assert max(start.lag_s for start in free) < 0.01
    assert {len(patrol.times(f"free{n:03}")) for n in range(100)} <= {29, 30, 31}
    assert set(patrol.status().shed) == {"host_cap"}
    assert set(patrol.stretch().values()) == {1.0}, "a platform's cap is no overload of the machine"
