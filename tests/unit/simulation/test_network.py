"""The network of a rehearsal: what visits take, by recorder and county."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.config.schema import Settings
from engine.model.camera import Camera
from engine.simulation.network import Network
from tests.support.scheduler.simulations import PLAIN, report, scenario, settings

PERIOD = {"key_period_s": 300, "ordinary_period_s": 300}
SUBS: dict[str, Any] = {**PERIOD, "streams": {"key_point": "sub_with_main", "ordinary": "sub"}}
ALL_SUBS = PLAIN.model_copy(update={"sub_share": 1.0})


def network(cameras: int = 4) -> Network:
    rows = [
        Camera(f"c{n}", f"rtsp://10.0.0.{n}/1", region=f"13010{1 + n // 2}", uplink=f"nvr-{n // 2}")
        for n in range(cameras)
    ]
    return Network(scenario(rows, 1.0, world=PLAIN).fleet)


def test_a_percentile_is_of_the_means_of_minutes() -> None:
    measured = network()
    for minute in range(100):
        if minute < 90:
            measured.visited(0, 60_000.0)  # 1 Mbit/s for a minute
        if minute < 8:
            measured.visited(2, 600_000.0)
        measured.end_minute(60.0)
    figures = measured.json()
    assert figures["uplinks"]["busiest"] == {"nvr-1": pytest.approx(10, rel=0.05), "nvr-0": pytest.approx(1, rel=0.05)}
    assert figures["counties"]["max"] == pytest.approx(10, rel=0.05)
    assert figures["mbit_s_p95"] == pytest.approx(11, rel=0.05)
    assert figures["gbyte"] == pytest.approx((90 * 60_000 + 8 * 600_000) / 8e6, rel=0.001)


def test_the_busiest_twentieth_of_the_minutes_does_not_count() -> None:
    measured = network()
    for minute in range(100):
        if minute < 4:
            measured.visited(2, 600_000.0)
        measured.end_minute(60.0)
    assert measured.json()["uplinks"]["max"] == 0.0


@pytest.mark.parametrize("kbit_s", [0.001, 0.7, 1.0, 3.3, 1000.0, 123_456.0, 9e6])
def test_any_rate_is_measured_to_five_percent(kbit_s: float) -> None:
    measured = network()
    for _ in range(10):
        measured.visited(1, kbit_s * 60)
        measured.end_minute(60.0)
    assert 1000 * measured.json()["mbit_s_p95"] == pytest.approx(max(1.0, kbit_s), rel=0.055)


def test_more_than_the_greatest_rate_and_many_minutes_are_bounded() -> None:
    measured = network()
    measured.visited(0, 1e15)
    measured.end_minute(60.0)
    assert 8_000 < measured.json()["mbit_s_p95"] < 40_000
    measured._all._counts[0, 0] = np.iinfo(np.uint16).max
    measured.end_minute(60.0)
    assert measured.json()["mbit_s_p95"] == 0.0


def test_the_first_round_is_forgotten() -> None:
    measured = network()
    measured.visited(0, 60_000.0)
    measured.end_minute(60.0)
    measured.reset()
    measured.end_minute(60.0)
    assert (measured.json()["gbyte"], measured.json()["mbit_s_p95"]) == (0.0, 0.0)


def test_sub_streams_take_the_network_that_the_world_says() -> None:
    main = report(300, 2.0, plan=settings(**PERIOD), world=ALL_SUBS).figures
    subs = report(300, 2.0, plan=settings(**SUBS), world=ALL_SUBS).figures
    assert main["network"]["sub_visits"] == 0
    on_sub = subs["network"]["sub_visits"] / subs["visits"]
    expected = on_sub * 256 / 2000 + (1 - on_sub)
    assert on_sub > 0.85
    assert subs["network"]["gbyte"] == pytest.approx(expected * main["network"]["gbyte"], rel=0.1)
    assert subs["network"]["counties"]["max"] < 0.6 * main["network"]["counties"]["max"]
    assert subs["cpu"]["cores_busy_mean"] < 0.65 * main["cpu"]["cores_busy_mean"]
    assert subs["promises"]["broken"] == []


def test_a_world_without_sub_streams_is_visited_on_main_whatever_the_policy() -> None:
    none = PLAIN.model_copy(update={"sub_share": 0.0})
    chosen, plain = (report(200, 1.0, plan=settings(**plan), world=none).figures for plan in (SUBS, PERIOD))
    assert (chosen["network"]["sub_visits"], chosen["digest"]) == (0, plain["digest"])


def test_a_registry_says_which_cameras_have_a_sub_stream() -> None:
    rows = [Camera(f"c{n}", f"rtsp://10.0.0.{n}/1", region="130102") for n in range(20)]
    with_sub = [replace(row, sub_url=f"{row.url}/sub") for row in rows[:10]] + rows[10:]
    figures = report(with_sub, 2.0, plan=settings(**SUBS), world=PLAIN).figures
    assert 0.4 < figures["network"]["sub_visits"] / figures["visits"] < 0.5


def test_a_fault_on_a_sub_stream_is_confirmed_on_the_main_stream() -> None:
    faulty = report(200, 2.0, plan=settings(**SUBS), world=ALL_SUBS, faults="pictures").figures
    assert faulty["visits_by_class"]["suspicious"] > 0
    assert faulty["promises"]["broken"] == []


def test_settings_refuse_a_class_that_has_no_stream_of_its_own() -> None:
    with pytest.raises(ValueError, match="streams"):
        Settings.model_validate({"scheduler": {"streams": {"suspicious": "sub"}}})
