"""The judge of bench.rehearsal: what counts as the same, what as another, and what nobody can say."""

from pathlib import Path

import pytest

from bench.rehearsal import CASES, cameras_of, compared, measure, settings_of, simulated


def test_fifteen_percent_are_within_and_more_are_not() -> None:
    for live, within in ((100, True), (114, True), (88, True), (116, False), (84, False), (0, False)):
        assert compared("visits_per_s", [100, 101, 99], live)["within"] is within


def test_a_figure_in_which_the_seeds_themselves_differ_is_not_judged() -> None:
    row = compared("lag_s_p50 ordinary", [0.4, 0.6, 0.5], 5.0)
    assert row["within"] is None
    assert row["ratio"] == 10


def test_lags_that_no_clock_tells_apart_are_none() -> None:
    assert compared("lag_s_p50 key_point", [0, 0, 0], 0.015)["within"] is True
    assert compared("lag_s_p50 key_point", [0, 0, 0], 0.5)["within"] is False


def test_what_was_measured_of_a_patrol_adds_up(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "platform")
    cameras = cameras_of(case, "rtsp://127.0.0.1:1/cam")
    found = measure(simulated(settings_of(case, str(tmp_path)), cameras, 0.05, 1), 20)
    assert found["in_flight_max"] == found["in_flight_mean"] == 14, "the cap binds"
    assert found["visits_per_s"] == pytest.approx(14 / 1.05, rel=0.05), "Little's law"
    seen = 100 / found["achieved_period_s key_point"] + 100 / found["achieved_period_s ordinary"]
    assert seen == pytest.approx(found["visits_per_s"], rel=0.001)
    assert found["visits_per_s"] + found["periods_missed_per_s"] == pytest.approx(100 / 6.1 + 100 / 12.2, rel=0.15), (
        "some still wait"
    )
    assert found["lag_s_p99 key_point"] > found["lag_s_p50 key_point"] > 3
