"""Converts times to days of the kitchens' time zone, and back. Days are ordinals (datetime.date.toordinal). Pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NS_PER_S = 1_000_000_000


class Days:
    """The days of a time zone. The last answer is cached, since the times that come in are mostly of one day."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        self._day = (0, 0, 0)  # begin, end, ordinal

    def of(self, wall_ns: int) -> int:
        """Return the ordinal of the day that a time belongs to."""
        begin_ns, end_ns, ordinal = self._day
        if not begin_ns <= wall_ns < end_ns:
            day = datetime.fromtimestamp(wall_ns // _NS_PER_S, self._zone).date()
            ordinal = day.toordinal()
            self._day = (self.begin_ns(ordinal), self.begin_ns(ordinal + 1), ordinal)
        return ordinal

    def begin_ns(self, ordinal: int) -> int:
        """Return when a day begins. If the clocks skip midnight, it begins at the time they show instead."""
        midnight = datetime.combine(date.fromordinal(ordinal), time(), self._zone)
        return round(midnight.timestamp()) * _NS_PER_S


def days_between(first: date, last: date) -> int:
    """Return the number of days from `first` to `last`, both included."""
    return (last - first) // timedelta(days=1) + 1
