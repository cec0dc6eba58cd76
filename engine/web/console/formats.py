"""Writes times, numbers and shares for people, in a language and in the kitchens' time zone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup, escape

from engine.web.console.languages import Language

NOTHING = "–"
_SECOND_NS = 1_000_000_000


class Formats:
    """`now_ns`: of the page. `zone`: the kitchens' time zone."""

    def __init__(self, language: Language, zone: ZoneInfo, now_ns: int) -> None:
        self._language = language
        self.zone = zone
        self.now = datetime.fromtimestamp(now_ns / _SECOND_NS, UTC)

    def when(self, time: Timestamp) -> Markup:
        """Return a time as `3 minutes ago`, with date and clock as its title; a dash if it is not set."""
        if not _is_set(time):
            return Markup(NOTHING)  # noqa: S704 (a constant)
        return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
            _utc(time).isoformat(timespec="seconds"), self.clock(time), self.ago(time)
        )

    def at(self, time: Timestamp) -> Markup:
        """Return date and clock, with `3 minutes ago` as their title; a dash if the time is not set."""
        if not _is_set(time):
            return Markup(NOTHING)  # noqa: S704 (a constant)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            _utc(time).isoformat(timespec="seconds"), self.ago(time), self.clock(time)
        )

    def ago(self, time: Timestamp) -> str:
        """Return the distance of a time from now, such as `3 minutes ago` or `in 2 hours`."""
        delta = _utc(time) - self.now
        return str(format_timedelta(delta, add_direction=True, threshold=1.2, locale=self._language.locale))

    def clock(self, time: Timestamp) -> str:
        """Return date and clock in the kitchens' time zone."""
        pattern = "yyyy-MM-dd HH:mm:ss"
        return str(format_datetime(_utc(time), pattern, tzinfo=self.zone, locale=self._language.locale))

    def day(self, day: Any) -> str:
        """Return a google.type.Date, or a date."""
        if not isinstance(day, date):
            if not day.year:
                return NOTHING
            day = date(day.year, day.month, day.day)
        return str(format_date(day, "yyyy-MM-dd", locale=self._language.locale))

    def seconds(self, seconds: float) -> str:
        """Return a length of time, such as `3 minutes`."""
        return str(format_timedelta(timedelta(seconds=seconds), threshold=1.2, locale=self._language.locale))

    def number(self, number: float, digits: int = 0) -> str:
        """Return a number with as many digits after the point as asked for."""
        return f"{number:,.{digits}f}"  # both languages write it so; Babel takes forty times as long

    def share(self, part: float, whole: float) -> str:
        """Return part / whole in percent; a dash if the whole is 0."""
        return self.percent(part / whole) if whole else NOTHING

    def percent(self, value: float) -> str:
        """Return a share, 0 to 1, in percent. Only what is whole is written as 100 %."""
        if 0.999 <= value < 1.0:
            value = 0.999
        return f"{value * 100:,.1f}%"

    def size(self, number_bytes: float) -> str:
        """Return a number of bytes, such as `1.4 MB`."""
        for unit in ("B", "kB", "MB", "GB"):
            if number_bytes < 1000:
                return f"{self.number(number_bytes, 0 if unit == 'B' else 1)} {unit}"
            number_bytes /= 1000
        return f"{self.number(number_bytes, 1)} TB"

    def lines(self, text: str) -> Markup:
        """Return a text with its line breaks."""
        return Markup("<br>").join(escape(line) for line in text.splitlines())


def _is_set(time: Timestamp) -> bool:
    return bool(time.seconds or time.nanos)


def _utc(time: Timestamp) -> datetime:
    return time.ToDatetime(UTC)
