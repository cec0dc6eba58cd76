"""Converts between dates and the day numbers of the roll-up tables, like 20261124. Pure."""

from datetime import date, datetime, timedelta, tzinfo


def as_number(day: date) -> int:
    """Return the day number of a date, like 20261124."""
    return day.year * 10_000 + day.month * 100 + day.day


def as_date(number: int) -> date:
    """Return the date of a day number."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def day_at(time_s: int, zone: tzinfo) -> int:
    """Return the day number of a time, in seconds since 1970 UTC, in a time zone."""
    return as_number(datetime.fromtimestamp(time_s, zone).date())


def first_day_from(time_s: int, zone: tzinfo) -> int:
    """Return the number of the first day that begins at this time (seconds since 1970 UTC) or later."""
    at = datetime.fromtimestamp(time_s, zone)
    begun = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return as_number(at.date() if at == begun else at.date() + timedelta(days=1))
