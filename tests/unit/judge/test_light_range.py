"""The usual range of a camera's light: what widens it, what it forgets, and when it is known."""

import pytest

from engine.judge.optics.light_range import LIGHT_BYTES, LightRange, beyond, is_known, learned, left
from tests.support.judge_states import HOUR_NS

DAY_NS = 24 * HOUR_NS
SEASON_DAYS = 120.0


def after(light: LightRange, *visits: tuple[float, float]) -> LightRange:
    """Return the range after good visits, each an hour since the epoch and its light in stops from the mean."""
    last_ns = 0
    for hour, stops in visits:
        at_ns = round(hour * HOUR_NS)
        light = learned(light, stops, 0.0, at_ns, last_ns, SEASON_DAYS)
        last_ns = at_ns
    return light


def test_the_light_is_known_after_visits_in_twelve_hours_and_most_of_a_day() -> None:
    short = after(LightRange(), *((9 + hour, 0.0) for hour in range(12)))
    assert not is_known(short, 20 * HOUR_NS)
    assert is_known(short, 29 * HOUR_NS)
    often = after(LightRange(), *((9 + visit / 20, 0.0) for visit in range(40)))
    assert often.visits == 2
    assert not is_known(often, 100 * HOUR_NS)


def test_what_the_first_day_brings_is_usual_and_later_outliers_widen_by_half() -> None:
    light = after(LightRange(), *((9 + hour, 0.0) for hour in range(12)), (21, -1.0))
    assert light.low == pytest.approx(-1.0)
    light = after(light, (45, -2.0))
    assert light.low == pytest.approx(-1.5, abs=0.02)
    assert light.high == pytest.approx(0.0)


def test_the_distance_from_the_range_has_its_sign() -> None:
    light = LightRange(mean=0.2, low=-0.5, high=0.6)
    assert beyond(light, 0.0) == beyond(light, 0.3) == beyond(light, -0.6) == 0.0
    assert beyond(light, 1.4) == pytest.approx(1.0)
    assert beyond(light, -1.7) == pytest.approx(-1.0)


def test_the_range_follows_the_mean_of_the_baseline() -> None:
    light = learned(LightRange(), -0.8, 0.25, HOUR_NS, 0, SEASON_DAYS)
    assert light.mean == pytest.approx(-0.2)


def test_what_was_seen_long_ago_is_forgotten() -> None:
    dark = LightRange(visits=50, low=-2.0, high=0.5)
    at_ns = 9 * HOUR_NS + 60 * DAY_NS
    half = learned(dark, 0.0, 0.0, at_ns, at_ns - 60 * DAY_NS, SEASON_DAYS)
    assert half.low == pytest.approx(-1.0)
    assert half.high == pytest.approx(0.25)


def test_light_that_is_back_within_a_day_becomes_usual_and_light_that_stayed_away_does_not() -> None:
    usual = LightRange(visits=50)
    away = left(left(left(usual, -1.2, 20 * HOUR_NS), -1.6, 22 * HOUR_NS), -1.3, 23 * HOUR_NS)
    assert away.away == pytest.approx(-1.6)
    assert away.away_since_wall_ns == 20 * HOUR_NS
    back = learned(away, 0.0, 0.0, 33 * HOUR_NS, 9 * HOUR_NS, SEASON_DAYS)
    assert back.low == pytest.approx(-1.6, abs=0.02)
    assert (back.away, back.away_since_wall_ns) == (0.0, 0)
    mended = learned(away, 0.0, 0.0, 57 * HOUR_NS, 9 * HOUR_NS, SEASON_DAYS)
    assert mended.low == pytest.approx(0.0)


def test_a_range_comes_back_from_its_bytes_and_nonsense_does_not() -> None:
    light = LightRange(7, 5, 0.25, -0.5, 0.75, -1.5, 99)
    blob = light.to_bytes()
    assert len(blob) == LIGHT_BYTES
    assert LightRange.from_bytes(blob) == light
    assert LightRange.from_bytes(light._replace(mean=float("nan")).to_bytes()) is None
    assert LightRange.from_bytes(light._replace(low=1.0).to_bytes()) is None
