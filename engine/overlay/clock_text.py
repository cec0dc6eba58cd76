"""Parses date and time as cameras burn them into the picture. Pure.

A text that allows no sure answer gives none. Sure is what has one meaning but for the order of day and month: with the
year last, `03-01-2024` is the third of January or the first of March, and both dates are given. Weekdays, in English or
Chinese, have to fit the date: they stand beside it in many overlays, and show that a digit was misread.
"""

import datetime
import re
import unicodedata
from dataclasses import dataclass

YEARS = range(1970, 2100)
"""Years that a clock may show; one that was never set shows 1970 or 2000."""

_SPACE = r"[\s,]*"
_WEEKDAYS = {
    **{f"星期{name}": number for number, name in enumerate("一二三四五六日")},
    **{f"周{name}": number for number, name in enumerate("一二三四五六日")},
    **{f"礼拜{name}": number for number, name in enumerate("一二三四五六日")},
    "星期天": 6,
    "周天": 6,
    **{
        name: number
        for number, names in enumerate(
            (
                ("monday", "mon"),
                ("tuesday", "tues", "tue"),
                ("wednesday", "wed"),
                ("thursday", "thurs", "thu"),
                ("friday", "fri"),
                ("saturday", "sat"),
                ("sunday", "sun"),
            )
        )
        for name in names
    },
}
_WEEKDAY = "|".join(sorted(_WEEKDAYS, key=len, reverse=True))
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{2}(?=\d{2}:)|\d{1,2}(?!\d))")
_YEAR_LAST = re.compile(r"(?<![\d./-])(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4}(?=\d{2}:)|\d{4}(?!\d))")
_CHINESE = re.compile(r"(?<!\d)(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]")
_TIME = re.compile(r"(?<![\d:])(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?(?![\d:])")
_HALF = r"上午|下午|(?<![a-z])[ap]\.?m(?![a-z])\.?"
_HALF_BEFORE = re.compile(rf"(?:{_HALF}){_SPACE}$")
_HALF_AFTER = re.compile(rf"^{_SPACE}(?:{_HALF})")
_BETWEEN = re.compile(rf"{_SPACE}t?[(\[]?(?:(?:{_WEEKDAY})\.?)?[)\]]?{_SPACE}")
_ZEROS = re.compile(r"(?<=[\d:/.-])[oO](?=[\d:/.-]|$)")


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a clock in a picture shows, in the camera's own time.

    `time`: of the day; its second is 0 if none is shown. `has_seconds`: whether one is. `dates`: the day, or the two
    that it may be; empty if none is shown. `half_known`: whether it is sure which half of the day is meant; a clock of
    twelve hours may show AM or PM in a way that is not read.
    """

    time: datetime.time
    has_seconds: bool
    dates: tuple[datetime.date, ...] = ()
    half_known: bool = True


@dataclass(frozen=True, slots=True)
class _Date:
    dates: tuple[datetime.date, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Time:
    time: datetime.time
    has_seconds: bool
    half_known: bool
    start: int
    end: int


def parse_clock(text: str) -> ClockReading | None:
    """Return what the clock in one line of text shows; None if there is none, more than one, or it is not sure.

    A time of hours and minutes without a date is none: it may be anything else.
    """
    line = _normal(text)
    dates = _dates_in(line)
    if dates is None or len(dates) > 1:
        return None
    times = _times_in(_without(line, dates))
    if times is None or len(times) != 1:
        return None
    time = times[0]
    if not dates:
        if not time.has_seconds or _has_digits(line, time.start, time.end) or _weekdays_in(line):
            return None
        return ClockReading(time.time, True, (), time.half_known)
    date = dates[0]
    fitting = _fit_weekday(date.dates, line)
    if not fitting or not _stand_together(line, date, time):
        return None
    return ClockReading(time.time, time.has_seconds, fitting, time.half_known)


def is_date_only(text: str) -> bool:
    """Return whether a line shows a date and no time: its time stands in another line."""
    line = _normal(text)
    return bool(_dates_in(line)) and not _TIME.search(line)


def _normal(text: str) -> str:
    """Return the text with characters of full width made narrow, in lower case, with a letter O between digits read as
    the zero that it is."""
    return _ZEROS.sub("0", unicodedata.normalize("NFKC", text)).replace("−", "-").replace("–", "-").casefold()


def _dates_in(line: str) -> list[_Date] | None:
    """Return the dates in a line; None if one of them does not exist."""
    found = [_Date(_existing((match[1], match[2], match[3])), *match.span()) for match in _CHINESE.finditer(line)]
    found += [_Date(_existing((match[1], match[3], match[4])), *match.span()) for match in _YEAR_FIRST.finditer(line)]
    for match in _YEAR_LAST.finditer(line):
        either = (match[4], match[1], match[3]), (match[4], match[3], match[1])
        found.append(_Date(_existing(*either), *match.span()))
    return None if any(not date.dates for date in found) else found


def _without(line: str, dates: list[_Date]) -> str:
    """Return the line with its dates taken out, as long as it was: a time may follow a date without a space."""
    for date in dates:
        line = line[: date.start] + "\0" * (date.end - date.start) + line[date.end :]
    return line


def _existing(*candidates: tuple[str, str, str]) -> tuple[datetime.date, ...]:
    """Return the dates among (year, month, day) that exist, each once."""
    dates: dict[datetime.date, None] = {}
    for year, month, day in candidates:
        if int(year) not in YEARS:
            continue
        try:
            dates[datetime.date(int(year), int(month), int(day))] = None
        except ValueError:
            continue
    return tuple(dates)


def _times_in(line: str) -> list[_Time] | None:
    """Return the times of day in a line; None if one of them does not exist."""
    found: list[_Time] = []
    for match in _TIME.finditer(line):
        hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        before = _HALF_BEFORE.search(line[: match.start()])
        after = _HALF_AFTER.search(line[match.end() :])
        half = "" if (mark := before or after) is None else mark[0].strip(" ,.")
        counted = _hour_of_day(hour, half)
        if counted is None or minute > 59 or second > 59:
            return None
        start = before.start() if before else match.start()
        end = match.end() + (after.end() if after and not before else 0)
        sure = bool(half) or not 1 <= hour <= 12
        found.append(_Time(datetime.time(counted, minute, second), match[3] is not None, sure, start, end))
    return found


def _hour_of_day(hour: int, half: str) -> int | None:
    """Return the hour from 0 to 23; None if there is no such hour. `half`: the mark of the half of the day, or none."""
    if hour > 23:
        return None
    if not half:
        return hour
    is_afternoon = half[0] in "下p"
    if hour > 12:
        return hour if is_afternoon else None  # some show 13:00 PM
    if hour == 0:
        return None if is_afternoon else 0
    return hour % 12 + 12 * is_afternoon


def _weekdays_in(line: str) -> list[int]:
    return [_WEEKDAYS[match] for match in re.findall(rf"(?<![a-z])(?:{_WEEKDAY})(?![a-z])", line)]


def _fit_weekday(dates: tuple[datetime.date, ...], line: str) -> tuple[datetime.date, ...]:
    """Return the dates that are the weekday which the line shows, if it shows any."""
    shown = _weekdays_in(line)
    return tuple(date for date in dates if all(date.weekday() == day for day in shown))


def _stand_together(line: str, date: _Date, time: _Time) -> bool:
    """Return whether nothing but a weekday stands between date and time."""
    between = line[date.end : time.start] if date.end <= time.start else line[time.end : date.start]
    return _BETWEEN.fullmatch(between) is not None


def _has_digits(line: str, start: int, end: int) -> bool:
    return any(character.isdigit() for character in line[:start] + line[end:])
