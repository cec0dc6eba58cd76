"""The plan of chaos and its checks: each thing that may break is said."""

from dataclasses import replace

from bench.api_watchers import WatchCounts
from bench.chaos import checks
from bench.chaos.checks import Sample
from bench.chaos.deeds import Outcome
from bench.chaos.engine import ProcessUse
from bench.chaos.plan import Deed, Fault, plan

KILL_WORKER = Fault(30.0, Deed.KILL, "worker")


def test_a_plan_is_the_same_for_the_same_seed_and_has_every_fault_before_any_comes_twice() -> None:
    faults = plan(600, 7, 10)
    assert faults == plan(600, 7, 10)
    assert faults != plan(600, 8, 10)
    names = [fault.name for fault in faults]
    kinds = len(set(names))
    assert kinds == 14
    assert len(set(names[:kinds])) == kinds
    times = [fault.at_s for fault in faults]
    assert times == sorted(times)
    assert times[0] >= 10
    assert times[-1] <= 590


def test_a_slow_recovery_a_lasting_fault_and_one_that_no_metric_shows_are_said() -> None:
    good = Outcome(KILL_WORKER, 1.2, shown=True)
    assert list(checks.broken([good, Outcome(Fault(5, Deed.STARVE), 0.1, shown=None)])) == []
    assert list(checks.broken([replace(good, recovery_s=2.5)])) == [
        "kill worker at 30 s: whole again after 2.5 s, allowed: 2 s"
    ]
    assert list(checks.broken([replace(good, recovery_s=None, shown=False)])) == [
        "kill worker at 30 s: not whole again after a minute",
        "kill worker at 30 s: no metric shows it",
    ]
    frozen = Outcome(Fault(30.0, Deed.FREEZE, "hub"), 12.0, shown=True)
    assert list(checks.broken([frozen])) == []
    assert checks.recoveries([good, replace(good, recovery_s=1.6)]) == {
        "kill worker": {"times": 2, "median_s": 1.4, "longest_s": 1.6}
    }


def test_what_watchers_missed_is_said() -> None:
    assert list(checks.watched(WatchCounts(received=9, cut=3))) == []
    assert list(checks.watched(WatchCounts(lost=2, twice=1))) == [
        "watchers: 2 verdicts lost",
        "watchers: 1 verdicts received twice",
    ]


def test_orders_that_never_end_and_forgotten_cameras_are_said() -> None:
    assert list(checks.drained(0, 0)) == []
    assert list(checks.drained(3, None)) == [
        "3 visits in flight after a pause of everything: orders that never end",
        "keyframes in the queue: the metrics do not answer",
    ]
    assert list(checks.forgotten({"a": 3.0, "b": 50.0}, 24)) == ["1 cameras were not judged for 24 s, b for 50 s"]


def test_memory_and_descriptors_that_grow_are_said() -> None:
    def sampled(growth_mb: float, growth: int) -> list[Sample]:
        return [
            Sample(at, {"hub": ProcessUse(200 + at * growth_mb / 100, 50 + at * growth // 100)}, 8.0, 0.0)
            for at in range(100)
        ]

    assert list(checks.grown(sampled(20, 10))) == []
    assert list(checks.grown(sampled(200, 10))) == ["hub: memory grew from 274 to 374 MB"]
    assert list(checks.grown(sampled(20, 40))) == ["hub: open descriptors grew from 64 to 84"]


def test_the_slope_of_memory_is_told_an_hour_and_a_restart_does_not_bend_it() -> None:
    samples = [
        Sample(at, {"hub": ProcessUse(200 + at / 360 + (80 if at == 700 else 0), 50)}, 8.0, 0.0) for at in range(1000)
    ]
    assert checks.slopes(samples) == {"hub": {"mb": 10.0, "descriptors": 0.0}}
    assert checks.median_rate(samples) == 8.0


def test_a_lag_that_grows_is_said() -> None:
    steady = [Sample(at, {}, 8.0, 0.4 + at % 2) for at in range(100)]
    assert list(checks.lagging(steady)) == []
    assert list(checks.lagging([replace(sample, lag_s=sample.at_s / 10) for sample in steady])) == [
        "lag grew from 3.7 to 8.7 s"
    ]
