"""The forms in which cameras show date and time, and what is too doubtful to be read."""

import datetime

import pytest

from engine.overlay.clock_text import is_date_only, parse_clock

FIRST_OF_MARCH = (datetime.date(2024, 3, 1),)
EITHER_ORDER = {datetime.date(2024, 3, 1), datetime.date(2024, 1, 3)}
NOON = datetime.time(12, 34, 56)
AFTERNOON = datetime.time(14, 34, 56)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-03-01 12:34:56", NOON),
        ("2024/03/01 12:34:56", NOON),
        ("2024-3-1 12:34:56", NOON),
        ("2024年03月01日 星期五 12:34:56", NOON),
        ("2024年03月01日星期五12:34:56", NOON),
        ("2024-03-01 Fri 12:34:56", NOON),
        ("2024-03-01 (Friday) 12:34:56", NOON),
        ("2024-03-0112:34:56", NOON),
        ("2024-03-01T12:34:56", NOON),
        ("2024-O3-01 12:34:56", NOON),
        ("２０２４－０３－０１　１２：３４：５６", NOON),
        ("2024-03-01 星期五 下午 02:34:56", AFTERNOON),
        ("2024-03-01 PM 02:34:56", AFTERNOON),
        ("2024-03-01 2:34:56 p.m.", AFTERNOON),
        ("12:34:56 2024-03-01", NOON),
        ("CAM 3 2024-03-01 12:34:56", NOON),
        ("2024-03-01 12:34:56 AM", datetime.time(0, 34, 56)),
        ("2024-03-01 12:34:56 PM", NOON),
    ],
)
def test_a_date_and_a_time_are_read(text: str, time: datetime.time) -> None:
    reading = parse_clock(text)
    assert reading is not None
    assert (reading.time, reading.dates, reading.has_seconds) == (time, FIRST_OF_MARCH, True)


@pytest.mark.parametrize("text", ["03-01-2024 12:34:56", "01/03/2024 12:34:56", "12:34:56 01.03.2024"])
def test_a_date_with_its_year_last_is_both_that_it_may_be(text: str) -> None:
    reading = parse_clock(text)
    assert reading is not None
    assert set(reading.dates) == EITHER_ORDER


def test_a_weekday_and_a_month_that_does_not_exist_decide_the_order() -> None:
    by_weekday = parse_clock("03-01-2024 Friday 12:34:56")
    by_month = parse_clock("13/03/2024 12:34:56")
    assert by_weekday is not None
    assert by_month is not None
    assert by_weekday.dates == FIRST_OF_MARCH
    assert by_month.dates == (datetime.date(2024, 3, 13),)


def test_a_time_alone_has_no_date() -> None:
    reading = parse_clock("12:34:56")
    assert reading is not None
    assert (reading.time, reading.dates) == (NOON, ())


def test_minutes_are_enough_beside_a_date() -> None:
    reading = parse_clock("2024-03-01 12:34")
    assert reading is not None
    assert not reading.has_seconds
    assert parse_clock("12:34") is None


def test_the_half_of_the_day_is_known_from_its_mark_or_from_the_hour() -> None:
    known = {text: parse_clock(text) for text in ("02:34:56", "02:34:56 PM", "14:34:56", "00:34:56")}
    assert {text: reading and reading.half_known for text, reading in known.items()} == {
        "02:34:56": False,
        "02:34:56 PM": True,
        "14:34:56": True,
        "00:34:56": True,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "后厨1",
        "2024-03-01",
        "2024-13-01 12:34:56",
        "2024-02-30 12:34:56",
        "1066-03-01 12:34:56",
        "2024-03-01 25:34:56",
        "2024-03-01 12:60:56",
        "2024-03-01 13:34:56 AM",
        "2024-03-01 Saturday 12:34:56",
        "2024年03月01日 星期六 12:34:56",
        "2024-03-01 12:3456",
        "2024-03-01 12:34:5",
        "2024-03/01 12:34:56",
        "2024-03-01 12:34:56 12:34:57",
        "2024-03-01 2024-03-02 12:34:56",
        "2024-03-01 x 12:34:56",
        "CAM1 12:34:56",
        "25.00fps 12:34:56",
        "192.168.1.64",
    ],
)
def test_what_is_doubtful_is_not_read(text: str) -> None:
    assert parse_clock(text) is None


def test_a_date_alone_is_told_from_a_clock() -> None:
    assert is_date_only("2024年03月01日 星期五")
    assert not is_date_only("2024-03-01 12:34:56")
    assert not is_date_only("后厨1")
