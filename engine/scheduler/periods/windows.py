"""Computes when kitchens work: hours, holidays, exchanged working days and terms, by wall time. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar, Span
from engine.model.hours import DAYS, Hours, Intervals, parse_hours

SEARCH_DAYS = 400
"""A window that does not open within this many days never opens."""
_DAYS_CACHED_MAX = 4
_NEVER_CACHED_NS = 3600 * NS_PER_S
"""How long the answer "it does not open" is cached."""


class Window:
    """One pattern of hours under one region's terms. Wall times are nanoseconds since 1970 UTC."""

    def __init__(self, hours: Hours, calendar: Calendar, terms: tuple[Span, ...], holidays: tuple[Span, ...]) -> None:
        self.always = hours.always and not terms and not holidays
        self.timezone = calendar.timezone
        self._hours = hours
        self._zone = ZoneInfo(calendar.timezone)
        self._terms = terms
        self._holidays = holidays
        self._workdays = {workday.date: DAYS.index(workday.like) for workday in calendar.workdays}
        self._days: dict[int, tuple[int, int, list[tuple[int, int]]]] = {}
        self._last_day: tuple[int, int, list[tuple[int, int]]] = (0, 0, [])
        self._closed: tuple[int, int, int | None] = (0, 0, None)  # from, until: when it opens

    def is_open(self, wall_ns: int) -> bool:
        """Return whether the kitchen works at this moment."""
        return self.always or any(begin <= wall_ns < end for begin, end in self._day(wall_ns)[2])

    def next_open(self, wall_ns: int) -> int | None:
        """Return the first moment from `wall_ns` on at which it works; None if there is none in SEARCH_DAYS days."""
        if self.always:
            return wall_ns
        if self._closed[0] <= wall_ns < self._closed[1]:
            return self._closed[2]
        at_ns = wall_ns
        for _ in range(SEARCH_DAYS):
            _, midnight_ns, intervals = self._day(at_ns)
            for begin, end in intervals:
                if at_ns < end:
                    if begin > wall_ns:
                        self._closed = (wall_ns, begin, begin)  # cached: all cameras of the window ask the same
                    return max(at_ns, begin)
            at_ns = midnight_ns
        self._closed = (wall_ns, wall_ns + _NEVER_CACHED_NS, None)
        return None

    def next_close(self, wall_ns: int) -> int | None:
        """Return when it closes, if it works at this moment; None if it rests, or does not close for a week."""
        if self.always:
            return None
        closes_ns = next((end for begin, end in self._day(wall_ns)[2] if begin <= wall_ns < end), None)
        for _ in range(len(DAYS)):
            if closes_ns is None:
                return None
            later = next((end for begin, end in self._day(closes_ns)[2] if begin == closes_ns), None)
            if later is None:
                return closes_ns
            closes_ns = later  # it works on past midnight
        return None

    def _day(self, wall_ns: int) -> tuple[int, int, list[tuple[int, int]]]:
        """Return the local day of a moment: its begin, its end, its open intervals."""
        if self._last_day[0] <= wall_ns < self._last_day[1]:
            return self._last_day
        date_ = datetime.fromtimestamp(wall_ns // NS_PER_S, self._zone).date()
        day = self._days.get(date_.toordinal())
        if day is None:
            if len(self._days) >= _DAYS_CACHED_MAX:
                self._days.clear()
            day = self._days[date_.toordinal()] = self._compute_day(date_)
        self._last_day = day
        return day

    def _compute_day(self, day: date) -> tuple[int, int, list[tuple[int, int]]]:
        bounds = ((self._wall_ns(day, begin), self._wall_ns(day, end)) for begin, end in self._intervals(day))
        # Where clocks go forward, an interval may end before it begins.
        intervals = [(begin, end) for begin, end in bounds if begin < end]
        return self._wall_ns(day, 0), self._wall_ns(day, 1440), intervals

    def _intervals(self, day: date) -> Intervals:
        """Return the open intervals of a day, in minutes since midnight."""
        like = self._workdays.get(day)
        if like is None and any(holiday.first <= day <= holiday.last for holiday in self._holidays):
            return ()
        if self._terms and not any(term.first <= day <= term.last for term in self._terms):
            return ()
        return self._hours.days[day.weekday() if like is None else like]

    def _wall_ns(self, day: date, minute: int) -> int:
        """Return a local time; one that is skipped where clocks go forward comes an hour later (PEP 495, fold 0)."""
        day += timedelta(days=minute // 1440)
        minute %= 1440
        local = datetime.combine(day, time(minute // 60, minute % 60), self._zone)
        return round(local.timestamp()) * NS_PER_S


class Windows:
    """The windows in use, each once; a camera stores the index of its own."""

    def __init__(self, calendar: Calendar, default_hours: str) -> None:
        self._calendar = calendar
        self._default_hours = default_hours
        self._index: dict[tuple[str, tuple[Span, ...], tuple[Span, ...]], int] = {}
        self.by_index: list[Window] = []

    def index_of(self, site_id: str, region: str, hours: str) -> int:
        """Return the window index of a camera: the calendar's hours of its canteen, else its own, else the default."""
        text = self._calendar.sites.get(site_id) or hours or self._default_hours
        terms = _most_specific(self._calendar.terms, region)
        holidays = tuple(holiday for holiday in self._calendar.holidays if region.startswith(holiday.region))
        key = (text, terms, holidays)
        index = self._index.get(key)
        if index is None:
            index = self._index[key] = len(self.by_index)
            self.by_index.append(Window(parse_hours(text), self._calendar, terms, holidays))
        return index

    def never_open(self, wall_ns: int) -> Iterator[tuple[int, str]]:
        """Yield each window that does not open within SEARCH_DAYS days: its index, and its hours in words."""
        for (text, terms, _), index in self._index.items():
            if self.by_index[index].next_open(wall_ns) is None:
                hours = f"hours {text!r}" if text else "hours (all day)"
                yield index, f"{hours} in the terms of region {terms[0].region or 'any'}" if terms else hours


def calendar_never_open(calendar: Calendar, default_hours: str, wall_ns: int) -> list[str]:
    """Return a warning for each pattern that never opens, without a registry: for the regions and canteens that the
    calendar names, and for the default hours.
    """
    windows = Windows(calendar, default_hours)
    for region in sorted({"", *(span.region for span in (*calendar.terms, *calendar.holidays))}):
        windows.index_of("", region, "")
    for site_id in calendar.sites:
        windows.index_of(site_id, "", "")
    return [
        f"{hours} do not come in the next {SEARCH_DAYS} days; mend the hours, or terms and holidays in "
        "scheduler.calendar_file"
        for _, hours in windows.never_open(wall_ns)
    ]


def _most_specific(terms: tuple[Span, ...], region: str) -> tuple[Span, ...]:
    """Return the terms of the longest region that contains this one: a county's own replace the province's."""
    containing = [term for term in terms if region.startswith(term.region)]
    longest = max((len(term.region) for term in containing), default=0)
    return tuple(term for term in containing if len(term.region) == longest)
