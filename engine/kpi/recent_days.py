"""Counts by county of the latest days, as they are written: what most questions are about, without the database.

A value: each batch of changes makes a new one, so that whoever reads needs no lock. It answers as
engine.storage.db.kpis does, which tests/property/test_kpi_recent_days.py holds it to.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType

from engine.model.kpi import Counts, KpiChanges, RegionCounts

RECENT_DAYS = 64
"""This month and the one before, with which a league compares it. A province of 170 counties takes 5 MB."""
_CODE_DIGITS = 6
_Counties = Mapping[str, Counts]


class RecentDays:
    """`days`: ordinals of all days that there are counts of, however old. `counties`: the counts of the latest of
    them, by day, by county; older ones than RECENT_DAYS before the newest day are passed over.
    """

    __slots__ = ("_counties", "_days", "_held_from")

    def __init__(self, days: Iterable[int] = (), counties: Mapping[int, _Counties] = MappingProxyType({})) -> None:
        self._days = tuple(sorted(days))
        self._held_from = self._days[-1] - RECENT_DAYS + 1 if self._days else 0
        self._counties = {day: some for day, some in counties.items() if day >= self._held_from}

    def after(self, changes: KpiChanges, keep_days: int) -> "RecentDays":
        """What there is once `changes` are written and, where a day is over, all before the last `keep_days` are
        forgotten (Kpis.put)."""
        if not changes.counties and not changes.closed:
            return self
        changed: dict[int, dict[str, Counts]] = {}
        for (day, county), counts in changes.counties.items():
            changed.setdefault(day, {})[county] = counts
        counties = self._counties | {day: {**self._counties.get(day, {}), **some} for day, some in changed.items()}
        days = {*self._days, *changed}
        if changes.closed:
            days = {day for day in days if day > max(changes.closed) - keep_days}
            counties = {day: some for day, some in counties.items() if day in days}
        return RecentDays(days, counties)

    def holds(self, first: date, last: date) -> bool:
        """Whether every day of the span that has counts is held here."""
        return not self._within(self._days, first.toordinal(), min(last.toordinal(), self._held_from - 1))

    def span(self) -> tuple[date, date] | None:
        """First and last day there are counts of; None before any."""
        return (date.fromordinal(self._days[0]), date.fromordinal(self._days[-1])) if self._days else None

    def days(self, first: date, last: date, region_prefix: str = "") -> int:
        """Days of the span that have counts."""
        return sum(any(self._of(day, region_prefix)) for day in self._held(first, last))

    def regions(
        self, first: date, last: date, region_prefix: str, digits: int, *, each_day: bool = False
    ) -> Iterator[RegionCounts]:
        """Sums of the counties of each region, whose code has so many digits."""
        sums: dict[tuple[str, int], Counts] = {}
        days: dict[tuple[str, int], set[int]] = {}
        for day in self._held(first, last):
            for county, counts in self._of(day, region_prefix):
                key = (county[:digits], day if each_day else 0)
                sums[key] = sums[key].plus(counts) if key in sums else counts
                days.setdefault(key, set()).add(day)
        for (region, day), counts in sums.items():
            yield RegionCounts(region, "", day, counts, len(days[region, day]))

    def _held(self, first: date, last: date) -> tuple[int, ...]:
        return self._within(self._days, max(first.toordinal(), self._held_from), last.toordinal())

    def _of(self, day: int, prefix: str) -> Iterator[tuple[str, Counts]]:
        """Counties that the last of their cameras has left are none any more."""
        end = prefix.ljust(_CODE_DIGITS, "9")
        for county, counts in self._counties[day].items():
            if counts.cameras > 0 and (not prefix or prefix <= county <= end):
                yield county, counts

    @staticmethod
    def _within(days: tuple[int, ...], first: int, last: int) -> tuple[int, ...]:
        return days[bisect_left(days, first) : bisect_right(days, last)]
