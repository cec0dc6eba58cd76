"""Hours end one after the other, whatever the clocks of the zone do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.kpi.hours import HOURS, HourEnds

S = 10**9
HOUR_NS = 3600 * S


def at(text: str, zone: str = "Asia/Shanghai") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * S


def read(ends: HourEnds, now_wall_ns: int) -> list[str]:
    return [f"{datetime.fromordinal(day):%m-%d} {hour}" for day, hour in ends.drain(now_wall_ns)]


def test_an_hour_is_returned_once_it_has_ended_and_only_once() -> None:
    ends = HourEnds("Asia/Shanghai", at("2026-03-02T09:20:00"))
    assert read(ends, at("2026-03-02T09:59:59")) == []
    assert read(ends, at("2026-03-02T10:00:00")) == ["03-02 9"]
    assert read(ends, at("2026-03-02T10:00:00")) == []
    assert read(ends, at("2026-03-02T13:30:00")) == ["03-02 10", "03-02 11", "03-02 12"]


def test_the_last_hour_of_a_day_belongs_to_that_day() -> None:
    ends = HourEnds("Asia/Shanghai", at("2026-03-02T22:30:00"))
    assert read(ends, at("2026-03-03T00:00:01")) == ["03-02 22", "03-02 23"]


def test_of_a_long_time_only_the_last_day_is_returned() -> None:
    ends = HourEnds("Asia/Shanghai", at("2026-03-02T09:20:00"))
    found = read(ends, at("2026-03-09T09:20:00"))
    assert (len(found), found[0], found[-1]) == (HOURS, "03-08 9", "03-09 8")


@pytest.mark.parametrize(
    ("zone", "begin", "ended"),
    [
        ("Asia/Kathmandu", "2026-03-02T09:50:00", ["03-02 9", "03-02 10"]),  # 5:45 from UTC
        ("Europe/Berlin", "2026-10-25T01:30:00", ["10-25 1", "10-25 2", "10-25 2", "10-25 3"]),  # 2 o'clock comes twice
        ("Europe/Berlin", "2026-03-29T01:30:00", ["03-29 1", "03-29 3"]),  # there is no 2 o'clock
    ],
)
def test_hours_are_those_of_the_zone(zone: str, begin: str, ended: list[str]) -> None:
    begin_ns = at(begin, zone)
    ends = HourEnds(zone, begin_ns)
    found: list[str] = []
    for minute in range(len(ended) * 60):
        found += read(ends, begin_ns + minute * 60 * S)
    assert found == ended


def test_another_zone_holds_from_the_next_end_on() -> None:
    ends = HourEnds("Asia/Shanghai", at("2026-03-02T09:20:00"))
    ends.configure("UTC")
    assert read(ends, at("2026-03-02T10:00:00")) == ["03-02 1"]
    assert datetime.fromtimestamp(at("2026-03-02T10:00:00") / S, UTC).hour == 2
