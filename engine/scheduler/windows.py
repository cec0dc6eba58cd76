"""When kitchens work: hours, holidays, working days in exchange and terms, asked by wall time. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar, Span
from engine.model.hours import DAYS, Hours, Intervals, parse_hours

SEARCH_DAYS = 400
"""A window that does not open in this many days never opens."""
_DAYS_KEPT = 4
_NEVER_KEPT_NS = 3600 * NS_PER_S
"""That it does not open is looked up anew after so long."""


class Window:
    """One pattern of hours in one region's terms. Wall times are nanoseconds since 1970 UTC."""

    def __init__(self, hours: Hours, calendar: Calendar, terms: tuple[Span, ...], holidays: tuple[Span, ...]) -> None:
        self.always = hours.always and not terms and not holidays
        self.timezone = calendar.timezone
        self._hours = hours
        self._zone = ZoneInfo(calendar.timezone)
        self._terms = terms
        self._holidays = holidays
        self._workdays = {one.date: DAYS.index(one.like) for one in calendar.workdays}
        self._days: dict[int, tuple[int, int, list[tuple[int, int]]]] = {}
        self._today: tuple[int, int, list[tuple[int, int]]] = (0, 0, [])
        self._shut: tuple[int, int, int | None] = (0, 0, None)  # from, until: when it opens

    def is_open(self, wall_ns: int) -> bool:
        """Whether the kitchen works at this moment."""
        return self.always or any(begin <= wall_ns < end for begin, end in self._day(wall_ns)[2])

    def opens(self, wall_ns: int) -> int | None:
        """The first moment from `wall_ns` on at which it works; None if there is none in SEARCH_DAYS days."""
        if self.always:
            return wall_ns
        if self._shut[0] <= wall_ns < self._shut[1]:
            return self._shut[2]
        at_ns = wall_ns
        for _ in range(SEARCH_DAYS):
            _, midnight_ns, intervals = self._day(at_ns)
            for begin, end in intervals:
                if at_ns < end:
                    if begin > wall_ns:
                        self._shut = (wall_ns, begin, begin)  # all that hang on this window ask the same in a holiday
                    return max(at_ns, begin)
            at_ns = midnight_ns
        self._shut = (wall_ns, wall_ns + _NEVER_KEPT_NS, None)
        return None

    def closes(self, wall_ns: int) -> int | None:
        """When it closes, if it works at this moment; None if it rests, or does not close for days."""
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
        """The local day of a moment: its begin, its end, its open intervals."""
        if self._today[0] <= wall_ns < self._today[1]:
            return self._today
        day = datetime.fromtimestamp(wall_ns // NS_PER_S, self._zone).date()
        found = self._days.get(day.toordinal())
        if found is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            found = self._days[day.toordinal()] = self._open_on(day)
        self._today = found
        return found

    def _open_on(self, day: date) -> tuple[int, int, list[tuple[int, int]]]:
        intervals = ((self._at(day, begin), self._at(day, end)) for begin, end in self._minutes(day))
        # Where clocks go forward, an interval may end before it begins.
        return self._at(day, 0), self._at(day, 1440), [(begin, end) for begin, end in intervals if begin < end]

    def _minutes(self, day: date) -> Intervals:
        like = self._workdays.get(day)
        if like is None and any(one.first <= day <= one.last for one in self._holidays):
            return ()
        if self._terms and not any(one.first <= day <= one.last for one in self._terms):
            return ()
        return self._hours.days[day.weekday() if like is None else like]

    def _at(self, day: date, minute: int) -> int:
        """A local time; one that is missing where clocks go forward comes an hour later (PEP 495, fold 0)."""
        day += timedelta(days=minute // 1440)
        minute %= 1440
        local = datetime.combine(day, time(minute // 60, minute % 60), self._zone)
        return round(local.timestamp()) * NS_PER_S


class Windows:
    """Patterns in use, each once; a camera holds the index of its own."""

    def __init__(self, calendar: Calendar, default_hours: str) -> None:
        self._calendar = calendar
        self._default = default_hours
        self._index: dict[tuple[str, tuple[Span, ...], tuple[Span, ...]], int] = {}
        self.all: list[Window] = []

    def of(self, site_id: str, region: str, hours: str) -> int:
        """The index of a camera's window: the calendar's hours of its canteen, else its own, else the default."""
        text = self._calendar.sites.get(site_id) or hours or self._default
        terms = _most_specific(self._calendar.terms, region)
        holidays = tuple(one for one in self._calendar.holidays if region.startswith(one.region))
        place = (text, terms, holidays)
        index = self._index.get(place)
        if index is None:
            index = self._index[place] = len(self.all)
            self.all.append(Window(parse_hours(text), self._calendar, terms, holidays))
        return index

    def never_open(self, wall_ns: int) -> Iterator[tuple[int, str]]:
        """Windows that do not open within SEARCH_DAYS days: index, and its hours in words."""
        for (text, terms, _), index in self._index.items():
            if self.all[index].opens(wall_ns) is None:
                hours = f"hours {text!r}" if text else "hours (all day)"
                yield index, f"{hours} in the terms of region {terms[0].region or 'any'}" if terms else hours


def calendar_never_open(calendar: Calendar, default_hours: str, wall_ns: int) -> list[str]:
    """The same without a registry: of the regions and canteens that the calendar names, and of the default hours."""
    windows = Windows(calendar, default_hours)
    for region in sorted({"", *(span.region for span in (*calendar.terms, *calendar.holidays))}):
        windows.of("", region, "")
    for site_id in calendar.sites:
        windows.of(site_id, "", "")
    return [
        f"{hours} do not come in the next {SEARCH_DAYS} days; mend the hours, or terms and holidays in "
        "scheduler.calendar_file"
        for _, hours in windows.never_open(wall_ns)
    ]


def _most_specific(terms: tuple[Span, ...], region: str) -> tuple[Span, ...]:
    """The terms of the longest region that contains this one: a county's own replace the province's."""
    containing = [one for one in terms if region.startswith(one.region)]
    longest = max((len(one.region) for one in containing), default=0)
    return tuple(one for one in containing if len(one.region) == longest)
