"""bench.accuracy.reporting.statistics: known values, and what must hold of any."""

import math

import numpy as np
import pytest

from bench.accuracy.camera import Rig
from bench.accuracy.findings import Episode
from bench.accuracy.reporting.kinds import kinds_table
from bench.accuracy.reporting.page import BEGIN, END, replace_tables
from bench.accuracy.reporting.statistics import auc, auc_interval, roc, shuffled_auc, wilson


def test_auc_counts_pairs_in_the_right_order_and_ties_by_half() -> None:
    assert auc([3.0, 4.0], [1.0, 2.0]) == 1.0
    assert auc([1.0, 2.0], [3.0, 4.0]) == 0.0
    assert auc([1.0, 2.0], [2.0, 1.0]) == 0.5
    assert auc([2.0], [1.0, 2.0, 3.0, 0.0]) == pytest.approx(2.5 / 4)


def test_auc_of_nothing_is_no_number() -> None:
    assert math.isnan(auc([], [1.0]))
    assert math.isnan(auc([1.0], []))


def test_auc_does_not_depend_on_the_figures_scale() -> None:
    random = np.random.default_rng(1)
    high, low = random.normal(1, 1, 50), random.normal(0, 1, 70)
    assert auc(np.exp(3 * high), np.exp(3 * low)) == auc(high, low)


def test_auc_is_the_area_under_the_roc() -> None:
    random = np.random.default_rng(2)
    high, low = random.integers(3, 12, 40).astype(float), random.integers(0, 9, 60).astype(float)
    false, hit = roc(list(high), list(low))
    assert false[0] == hit[0] == 0.0
    assert false[-1] == hit[-1] == 1.0
    assert np.trapezoid(hit, false) == pytest.approx(auc(high, low))


def test_wilsons_interval_has_the_published_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    for hits, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        interval = wilson(hits, trials)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_a_rate_of_nothing_is_no_number_and_says_nothing() -> None:
    interval = wilson(0, 0)
    assert math.isnan(interval.value)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_the_interval_of_an_auc_holds_it_and_narrows_with_scenes() -> None:
    random = np.random.default_rng(3)

    def scenes(count: int, mean: float) -> dict[str, list[float]]:
        return {str(n): list(random.normal(mean, 1, 20) + random.normal(0, 0.5)) for n in range(count)}

    few = auc_interval(scenes(4, 1.5), scenes(4, 0.0), seed=1)
    many = auc_interval(scenes(60, 1.5), scenes(60, 0.0), seed=1)
    for interval in (few, many):
        assert interval.low <= interval.value <= interval.high
    assert many.high - many.low < few.high - few.low


def test_the_same_seed_gives_the_same_interval() -> None:
    high, low = {"a": [1.0, 2.0], "b": [0.5, 3.0]}, {"a": [0.0, 1.5], "b": [1.0]}
    assert auc_interval(high, low, seed=5) == auc_interval(high, low, seed=5)


def test_shuffled_labels_tell_nothing() -> None:
    assert shuffled_auc(list(np.arange(200.0, 400.0)), list(np.arange(200.0)), seed=1) == pytest.approx(0.5, abs=0.02)


def test_the_tables_go_between_the_marks_of_a_page_and_nowhere_else() -> None:
    rate = {"value": 1.0, "low": 0.9, "high": 1.0, "n": 30}
    area = {"value": 0.99, "low": 0.98, "high": 1.0}
    result = {
        "seed": 1, "cameras": 2, "scenes": ["a"], "data": "data",
        "hit_rate": {"covered": 1.0}, "hits": {"covered": rate},
        "auc": {"sharpness": 0.99, "sharpness_baseline": 0.99, "asked": "all", "intervals": {"sharpness": area},
                "everything": {"sharpness": area}},
        "films": {"false_alarm_days": 0}, "frames": {"false_alarm_rate": 0.004, "hits_lost": 1.0},
        "labels_right": {"wrong": 0}, "greasing": {"in_time": {"value": 1.0, "n": 3}},
        "told_apart": rate, "motion_told": rate,
        "false_alarm_rate": 0.0, "unknown_rate": 0.0, "shuffled_auc": {"sharpness": 0.5},
        "planted": {"lost": 0.1}, "causes": {"covered": {"covered": 30}},
    }  # fmt: skip
    page = f"before\n{BEGIN}\nof another run\n{END}\nafter\n"
    written = replace_tables(page, result)
    assert written.startswith("before\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "of another run" not in written
    assert "| covered | 100.0% | 90.0% to 100.0% | 30 | covered 30 |" in written
    assert replace_tables(written, result) == written
    with pytest.raises(ValueError, match="has no <!-- accuracy: begin -->"):
        replace_tables("a page", result)


def _episode(truth: str, name: str, *, counted: bool = True) -> Episode:
    rig = Rig("room", "whole", "D1", "h264", 512, "day", False)
    return Episode(rig, truth, truth, 20.0, "", counted, "fault", name, True, 2, "fault", name, True, None)


@pytest.mark.parametrize(
    ("motion", "defocus", "told"),
    [
        (["motion"] * 4, ["defocus"] * 4, 1.0),
        (["motion"] * 4, ["motion"] * 4, 0.0),  # all blurs named alike tell nothing apart
        (["motion", "motion", "motion", "defocus"], ["defocus", "grease"], 0.5),
    ],
)
def test_motion_is_told_from_defocus_if_both_have_their_names(
    motion: list[str], defocus: list[str], told: float
) -> None:
    episodes = [_episode("motion", name) for name in motion] + [_episode("defocus", name) for name in defocus]
    episodes.append(_episode("motion", "defocus", counted=False))
    assert kinds_table(episodes, [], seed=1)["motion_told"]["value"] == told
