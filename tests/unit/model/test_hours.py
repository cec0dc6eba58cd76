"""Hours as registry and calendar write them, and the calendar file around them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.config.calendar import Calendar, load_calendar
from engine.errors import ConfigError
from engine.model.hours import ALWAYS, parse_hours
from engine.scheduler.periods.windows import SEARCH_DAYS, Window, Windows
from tests.support.expect import present
from tests.support.scheduler.scheduling import SECOND, wall_ns

FIVE = ((330, 810), (960, 1140))


def window(hours: str, zone: str = "Asia/Shanghai", region: str = "130102", **calendar: Any) -> Window:
    windows = Windows(Calendar.model_validate({"timezone": zone, **calendar}), "")
    return windows.by_index[windows.index_of("", region, hours)]


def local(at_ns: int | None, zone: str = "Asia/Shanghai") -> str | None:
    return None if at_ns is None else datetime.fromtimestamp(at_ns / SECOND, ZoneInfo(zone)).strftime("%m-%d %H:%M")


def opens(chosen: Window, at: str, zone: str = "Asia/Shanghai") -> str | None:
    return local(chosen.next_open(wall_ns(at, zone)), zone)


def closes(chosen: Window, at: str, zone: str = "Asia/Shanghai") -> str | None:
    return local(chosen.next_close(wall_ns(at, zone)), zone)


def open_minutes(chosen: Window, day: str, zone: str = "Asia/Shanghai") -> list[int]:
    """Minutes since midnight (as a clock on the wall shows them) at which it is open, over one local day."""
    begin = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone))
    begin_ns = round(begin.timestamp()) * SECOND
    end_ns = round((begin + timedelta(days=1)).timestamp()) * SECOND
    shown = [datetime.fromtimestamp(at / SECOND, ZoneInfo(zone)) for at in range(begin_ns, end_ns, 60 * SECOND)]
    return [moment.hour * 60 + moment.minute for moment in shown if chosen.is_open(round(moment.timestamp()) * SECOND)]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", ALWAYS.days),
        ("00:00-24:00", ALWAYS.days),
        ("05:30-13:30,16:00-19:00", (FIVE,) * 7),
        ("mon-fri 05:30-13:30,16:00-19:00", (FIVE,) * 5 + ((),) * 2),
        ("mon-fri 05:30-13:30,16:00-19:00; sat 06:00-12:00", (FIVE,) * 5 + (((360, 720),), ())),
        ("sat-mon 06:00-07:00", (((360, 420),), (), (), (), (), ((360, 420),), ((360, 420),))),
        ("wed,fri 06:00-07:00", ((), (), ((360, 420),), (), ((360, 420),), (), ())),
        ("mon 22:00-02:00", (((1320, 1440),), ((0, 120),), (), (), (), (), ())),
        ("sun 22:00-02:00", (((0, 120),), (), (), (), (), (), ((1320, 1440),))),
        ("mon 22:00-00:00", (((1320, 1440),), (), (), (), (), (), ())),
        ("mon 06:00-08:00,07:00-09:00,09:00-10:00", (((360, 600),), (), (), (), (), (), ())),
    ],
)
def test_hours_are_read_as_intervals_of_weekdays(text: str, days: tuple[tuple[tuple[int, int], ...], ...]) -> None:
    assert parse_hours(text).days == days


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("6:00-7:00", "'6:00-7:00' is no interval"),
        ("06:00", "'06:00' is no interval"),
        ("06:60-07:00", "is no interval"),
        ("25:00-26:00", "is past the end of a day"),
        ("24:00-01:00", "is past the end of a day"),
        ("06:00-24:30", "is past the end of a day"),
        ("06:00-06:00", "never opens; for the whole day write 00:00-24:00"),
        ("someday 06:00-07:00", "'someday' is no day; allowed: mon, tue"),
        ("mon-someday 06:00-07:00", "'mon-someday' is no day"),
        ("mon", "'mon' is no interval"),
        ("06:00-07:00;", "'' is no interval"),
        ("０６:00-07:00", "is no interval"),
    ],
)
def test_hours_that_mean_nothing_are_refused_with_what_is_allowed(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|never opens") as caught:
        parse_hours(text)
    assert what in str(caught.value)


def test_a_window_opens_and_closes_by_the_wall_clock() -> None:
    kitchen = window("mon-fri 05:30-13:30,16:00-19:00")
    assert opens(kitchen, "2026-03-02T04:00") == "03-02 05:30"
    assert opens(kitchen, "2026-03-02T06:00") == "03-02 06:00"
    assert opens(kitchen, "2026-03-02T13:30") == "03-02 16:00"
    assert opens(kitchen, "2026-03-06T19:00") == "03-09 05:30", "from Friday evening to Monday"
    assert closes(kitchen, "2026-03-02T06:00") == "03-02 13:30"
    assert closes(kitchen, "2026-03-02T14:00") is None
    assert kitchen.is_open(wall_ns("2026-03-02T05:30"))
    assert not kitchen.is_open(wall_ns("2026-03-02T13:30"))


def test_a_window_that_passes_midnight_closes_on_the_next_day() -> None:
    night = window("mon 22:00-02:00")
    assert opens(night, "2026-03-02T21:00") == "03-02 22:00"
    assert closes(night, "2026-03-02T23:00") == "03-03 02:00"
    assert opens(night, "2026-03-03T02:00") == "03-09 22:00"


def test_whole_days_in_a_row_are_one_opening() -> None:
    week = window("mon-fri 00:00-24:00")
    assert closes(week, "2026-03-03T12:00") == "03-07 00:00"
    assert opens(week, "2026-03-07T00:00") == "03-09 00:00"


def test_always_is_always() -> None:
    always = window("")
    assert always.always
    assert opens(always, "2026-03-02T03:00") == "03-02 03:00"
    assert closes(always, "2026-03-02T03:00") is None


def test_on_a_holiday_kitchens_rest_and_a_working_day_in_exchange_is_worked() -> None:
    kitchen = window(
        "mon-fri 06:00-18:00",
        holidays=[{"name": "National Day", "first": "2026-10-01", "last": "2026-10-07"}],
        workdays=[{"date": "2026-10-10", "like": "mon"}, {"date": "2026-10-04", "like": "tue"}],
    )
    assert opens(kitchen, "2026-09-30T20:00") == "10-04 06:00", "worked whatever the holidays say"
    assert opens(kitchen, "2026-10-04T18:00") == "10-08 06:00"
    assert opens(kitchen, "2026-10-09T18:00") == "10-10 06:00", "a Saturday worked like a Monday"
    assert opens(kitchen, "2026-10-10T18:00") == "10-12 06:00"


def test_a_holiday_of_a_region_is_one_for_its_counties_only() -> None:
    holidays = [{"region": "1301", "first": "2026-03-02", "last": "2026-03-02"}]
    assert opens(window("06:00-18:00", region="130102", holidays=holidays), "2026-03-02T00:00") == "03-03 06:00"
    assert opens(window("06:00-18:00", region="130202", holidays=holidays), "2026-03-02T00:00") == "03-02 06:00"
    assert opens(window("06:00-18:00", region="", holidays=holidays), "2026-03-02T00:00") == "03-02 06:00"


def test_kitchens_rest_outside_the_terms_and_a_countys_own_replace_the_provinces() -> None:
    terms = [
        {"region": "13", "first": "2026-09-01", "last": "2027-01-15"},
        {"region": "130102", "first": "2026-09-10", "last": "2027-01-10"},
    ]
    assert opens(window("06:00-18:00", region="130202", terms=terms), "2026-08-20T00:00") == "09-01 06:00"
    assert opens(window("06:00-18:00", region="130102", terms=terms), "2026-08-20T00:00") == "09-10 06:00"
    assert opens(window("06:00-18:00", region="140102", terms=terms), "2026-08-20T00:00") == "08-20 06:00"
    assert not window("", region="130202", terms=terms).always


def test_hours_of_a_canteen_in_the_calendar_stand_above_the_registrys_and_those_above_the_default() -> None:
    windows = Windows(Calendar(sites={"s1": "01:00-02:00"}), "03:00-04:00")
    opening = {
        case: opens(windows.by_index[windows.index_of(*case)], "2026-03-02T00:00")
        for case in [("s1", "", "05:00-06:00"), ("s2", "", "05:00-06:00"), ("s2", "", "")]
    }
    assert list(opening.values()) == ["03-02 01:00", "03-02 05:00", "03-02 03:00"]


def test_equal_windows_are_kept_once() -> None:
    windows = Windows(Calendar(), "")
    assert len({windows.index_of(f"s{n}", "130102", "06:00-18:00") for n in range(100)}) == 1


def test_a_window_that_does_not_open_in_a_year_never_opens_and_is_named() -> None:
    windows = Windows(Calendar.model_validate({"terms": [{"first": "2020-01-01", "last": "2020-01-02"}]}), "")
    index = windows.index_of("", "130102", "06:00-18:00")
    now_ns = wall_ns("2026-03-02T00:00")
    assert windows.by_index[index].next_open(now_ns) is None
    ((named, hours),) = windows.never_open(now_ns)
    assert named == index
    assert "06:00-18:00" in hours
    assert SEARCH_DAYS >= 366


def test_what_was_found_while_shut_holds_until_it_opens() -> None:
    kitchen = window("mon 06:00-07:00")
    asked = [f"2026-03-0{day}T{hour:02}:30" for day in range(2, 9) for hour in (5, 6, 7, 23)]
    fresh = [opens(window("mon 06:00-07:00"), at) for at in asked]
    assert [opens(kitchen, at) for at in asked] == fresh
    assert [opens(kitchen, at) for at in reversed(asked)] == fresh[::-1]


def test_where_clocks_go_forward_a_time_that_is_missing_comes_an_hour_later() -> None:
    zone = "Europe/Berlin"  # 2026-03-29, 02:00 becomes 03:00
    assert open_minutes(window("02:15-02:45", zone), "2026-03-29", zone) == [*range(195, 225)]
    assert open_minutes(window("01:30-03:10", zone), "2026-03-29", zone) == [*range(90, 120), *range(180, 190)]
    kitchen = window("02:15-03:10", zone)
    for at in ("2026-03-29T00:00", "2026-03-29T01:59", "2026-03-29T03:05"):
        opening_ns = present(kitchen.next_open(wall_ns(at, zone)))
        assert kitchen.is_open(opening_ns), at


def test_where_clocks_go_back_hours_follow_the_wall_clock() -> None:
    zone = "Europe/Berlin"  # 2026-10-25, 03:00 becomes 02:00
    kitchen = window("05:30-13:30", zone)
    assert opens(kitchen, "2026-10-24T13:30", zone) == "10-25 05:30"
    assert len(open_minutes(kitchen, "2026-10-25", zone)) == 480
    whole = window("mon-sat 00:00-24:00; sun 00:00-23:00", zone)
    assert len(open_minutes(whole, "2026-10-25", zone)) == 24 * 60, "a day of 25 hours, closed in the last"


def test_where_midnight_itself_is_missing_days_still_follow_each_other() -> None:
    zone = "America/Havana"  # 2026-03-08, 00:00 becomes 01:00
    day = window("mon-sat 00:00-24:00; sun 00:00-23:00", zone)
    assert opens(day, "2026-03-07T23:30", zone) == "03-07 23:30"
    assert closes(day, "2026-03-07T23:30", zone) == "03-08 23:00"


def write(folder: Path, text: str) -> str:
    path = folder / "calendar.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_calendar_file_is_read(tmp_path: Path) -> None:
    calendar = load_calendar(
        write(
            tmp_path,
            'timezone = "Asia/Urumqi"\n[[holidays]]\nfirst = 2026-10-01\nlast = 2026-10-07\n'
            '[[workdays]]\ndate = 2026-10-10\nlike = "thu"\n[sites]\n"s17" = "05:00-20:00"\n',
        )
    )
    assert (calendar.timezone, len(calendar.holidays), calendar.workdays[0].like) == ("Asia/Urumqi", 1, "thu")
    assert calendar.sites == {"s17": "05:00-20:00"}
    assert load_calendar("") == Calendar()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("timezone = ", "is not TOML"),
        ('timezone = "Mars/Olympus"', "timezone = 'Mars/Olympus': no such time zone"),
        ("[[holidays]]\nfirst = 2026-10-07\nlast = 2026-10-01", "first (2026-10-07) is after last (2026-10-01)"),
        ("[[holidays]]\nfirst = 2026-10-07", "holidays.0.last"),
        ("[[holidays]]\nfirst = 2026-10-01\nlast = 2026-10-02\nregion = 'Hebei'", "holidays.0.region"),
        ("[[workdays]]\ndate = 2026-10-10\nlike = 'caturday'", "workdays.0.like"),
        ("[sites]\ns17 = '6-7'", "'s17': '6-7' is no interval"),
        ("holliday = []", "holliday"),
    ],
)
def test_a_bad_calendar_is_refused_with_the_entry_that_is_wrong(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_calendar(write(tmp_path, text))
    assert what in str(caught.value)


def test_a_calendar_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scheduler\.calendar_file = .*: No such file"):
        load_calendar(str(tmp_path / "absent.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_calendar(str(tmp_path / "binary.toml"))
