"""Days as the roll-ups count them: the date as a number, 20261124. Pure."""

from datetime import date, datetime, timedelta, tzinfo


def as_number(day: date) -> int:
    """20261124."""
    return day.year * 10_000 + day.month * 100 + day.day


def as_date(number: int) -> date:
    """The date of such a number."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def day_at(time_s: int, zone: tzinfo) -> int:
    """The day that it is in a zone at a time since 1970 UTC."""
    return as_number(datetime.fromtimestamp(time_s, zone).date())


def first_day_from(time_s: int, zone: tzinfo) -> int:
    """The first day that begins at this time or later."""
    at = datetime.fromtimestamp(time_s, zone)
    begun = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return as_number(at.date() if at == begun else at.date() + timedelta(days=1))
