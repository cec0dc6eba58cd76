"""A clock is held against the arrival in the cameras' time zone."""

import datetime
from zoneinfo import ZoneInfo

import pytest

from engine.clock import NS_PER_S
from engine.overlay.clock_rules import ClockCheck, ClockSign, check_clock
from engine.overlay.clock_text import parse_clock

SHANGHAI = ZoneInfo("Asia/Shanghai")
ARRIVAL_NS = int(datetime.datetime(2024, 3, 1, 14, 0, 0, tzinfo=SHANGHAI).timestamp()) * NS_PER_S


def checked(text: str, limit_s: float = 60.0, arrival_ns: int = ARRIVAL_NS, zone: ZoneInfo = SHANGHAI) -> ClockCheck:
    reading = parse_clock(text)
    assert reading is not None
    return check_clock(reading, arrival_ns, zone, limit_s)


@pytest.mark.parametrize(
    ("text", "sign", "offset_s"),
    [
        ("2024-03-01 14:00:00", ClockSign.RIGHT, 0),
        ("2024-03-01 13:59:00", ClockSign.RIGHT, -60),
        ("2024-03-01 13:58:59", ClockSign.WRONG, -61),
        ("2024-03-01 14:01:01", ClockSign.WRONG, 61),
        ("1970-01-01 14:00:00", ClockSign.WRONG, -1_709_251_200),
        ("03-01-2024 14:00:00", ClockSign.RIGHT, 0),
        ("01/03/2024 14:00:00", ClockSign.RIGHT, 0),
        ("14:05:00", ClockSign.WRONG, 300),
        ("2024-03-01 02:00:10", ClockSign.UNSURE, 0),
        ("2024-03-01 02:00:10 AM", ClockSign.WRONG, -43_190),
        ("2024-03-01 02:05:00", ClockSign.WRONG, -42_900),
    ],
)
def test_the_offset_decides(text: str, sign: ClockSign, offset_s: int) -> None:
    assert checked(text) == ClockCheck(sign, offset_s)


def test_the_time_zone_is_the_cameras() -> None:
    assert checked("2024-03-01 14:00:00", zone=ZoneInfo("UTC")).offset_s == 8 * 3600
    assert checked("2024-03-01 06:00:00", zone=ZoneInfo("UTC")).sign is ClockSign.RIGHT


def test_a_time_alone_is_compared_across_midnight() -> None:
    before_midnight_ns = ARRIVAL_NS + (10 * 3600 - 5) * NS_PER_S
    assert checked("00:00:05", arrival_ns=before_midnight_ns) == ClockCheck(ClockSign.RIGHT, 10)


def test_a_clock_without_seconds_is_right_within_its_minute() -> None:
    half_past_ns = ARRIVAL_NS + 30 * NS_PER_S
    assert checked("2024-03-01 14:00", arrival_ns=half_past_ns, limit_s=0).sign is ClockSign.RIGHT
    assert checked("2024-03-01 13:58", arrival_ns=half_past_ns) == ClockCheck(ClockSign.WRONG, -91)


def test_the_limit_is_a_setting() -> None:
    assert checked("2024-03-01 14:05:00", limit_s=600).sign is ClockSign.RIGHT
