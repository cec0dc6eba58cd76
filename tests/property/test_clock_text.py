"""Whatever a camera shows in a known form is read as what it is, and no text makes the parser fail or guess."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from engine.overlay.clock_text import YEARS, parse_clock

moments = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2099, 12, 31, 23, 59, 59))  # noqa: DTZ001
WEEKDAYS = "一二三四五六日"
year_first = st.sampled_from(
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y/%m/%d %H:%M:%S",
        "%Y.%m.%d %H:%M:%S",
        "%Y-%m-%d%H:%M:%S",
        "%Y-%m-%d %a %H:%M:%S",
        "%Y-%m-%d %A %I:%M:%S %p",
        "%Y年%m月%d日 星期{} %H:%M:%S",
        "%Y年%m月%d日 {half} %I:%M:%S",
        "%H:%M:%S %Y-%m-%d",
    ]
)
year_last = st.sampled_from(["%m-%d-%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %a %I:%M:%S %p"])


def shown(moment: datetime.datetime, form: str) -> str:
    half = "上午" if moment.hour < 12 else "下午"
    return moment.strftime(form.replace("{}", WEEKDAYS[moment.weekday()]).replace("{half}", half))


@given(moment=moments, form=year_first)
def test_a_clock_with_its_year_first_is_read_exactly(moment: datetime.datetime, form: str) -> None:
    reading = parse_clock(shown(moment, form))
    assert reading is not None
    assert (reading.time, reading.dates) == (moment.time().replace(microsecond=0), (moment.date(),))


@given(moment=moments, form=year_last)
def test_a_clock_with_its_year_last_is_read_with_the_date_among_two(moment: datetime.datetime, form: str) -> None:
    reading = parse_clock(shown(moment, form))
    assert reading is not None
    assert reading.time == moment.time().replace(microsecond=0)
    assert moment.date() in reading.dates
    assert len(reading.dates) <= 2


@given(moment=moments, form=year_first, index=st.integers(0, 40), digit=st.sampled_from("0123456789"))
def test_a_misread_digit_beside_a_weekday_never_gives_another_day(
    moment: datetime.datetime, form: str, index: int, digit: str
) -> None:
    text = shown(moment, form)
    misread = text[:index] + digit + text[index + 1 :] if index < len(text) and text[index].isdigit() else text
    reading = parse_clock(misread)
    if reading is not None and "%a" in form and reading.dates:
        assert all(date.weekday() == moment.weekday() for date in reading.dates)


@given(
    text=st.text(st.sampled_from("0123456789:-/.年月日 APMapm上下午星期五周Fri,()T\0"), max_size=40)
    | st.text(max_size=40)
)
def test_any_text_is_read_within_bounds_or_not_at_all(text: str) -> None:
    reading = parse_clock(text)
    if reading is not None:
        assert all(date.year in YEARS for date in reading.dates)
        assert reading.has_seconds or reading.dates
