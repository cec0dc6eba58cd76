"""Percentiles of lags: exact enough, of all visits or of the last minutes."""

import random

import numpy as np
import pytest

from engine.scheduler.lag_histogram import LagHistogram, LagWindow
from tests.support.scheduler.simulations import at_ns


def histogram(lags_s: list[float]) -> LagHistogram:
    lags = LagHistogram()
    for lag_s in lags_s:
        lags.add(at_ns(lag_s))
    return lags


@pytest.mark.parametrize("scale_s", [0.02, 1, 30, 4000])
def test_percentiles_are_off_by_three_percent_at_most(scale_s: float) -> None:
    draws = random.Random(7)
    lags_s = [draws.expovariate(1 / scale_s) for _ in range(5000)]
    found = histogram(lags_s)
    for share in (0.1, 0.5, 0.9, 0.99, 1):
        true_s = float(np.quantile(lags_s, share, method="inverted_cdf"))
        assert found.percentile_s(share) == pytest.approx(true_s, rel=1 / 32, abs=0.001)


def test_no_lags_are_no_lag() -> None:
    assert LagHistogram().percentile_s(0.99) == 0
    assert histogram([0, 0, 0]).percentile_s(0.99) == 0


def test_the_longest_lag_is_exact() -> None:
    assert histogram([0.1, 77.777, 3]).max_ns == at_ns(77.777)


def test_two_histograms_together_say_what_one_of_all_says() -> None:
    draws = random.Random(8)
    lags_s = [draws.uniform(0, 50) for _ in range(1000)]
    both = histogram(lags_s[:300])
    both.merge(histogram(lags_s[300:]))
    whole = histogram(lags_s)
    assert both.max_ns == whole.max_ns
    assert [both.percentile_s(n / 20) for n in range(21)] == [whole.percentile_s(n / 20) for n in range(21)]


def test_a_window_keeps_the_current_minute_and_the_one_before() -> None:
    window = LagWindow()
    window.add(at_ns(10), at_ns(0))
    window.add(at_ns(1), at_ns(61))
    assert window.percentile_s(1, at_ns(61)) == pytest.approx(10, rel=1 / 32)
    assert window.percentile_s(1, at_ns(122)) == pytest.approx(1, rel=1 / 32)
    assert window.percentile_s(1, at_ns(500)) == 0
