"""Holds the counts by county of the latest days in memory, so that most KPI queries need no database. Pure.

RecentDays is immutable: each batch of changes makes a new one, so readers need no lock. It answers like
engine.storage.db.kpis; tests/property/test_kpi_recent_days.py compares the two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType

from engine.model.kpi import Counts, KpiChanges, RegionCounts

RECENT_DAYS = 64
"""Covers this month and the one before, with which a league compares it. A province of 170 counties takes 5 MB."""
_CODE_DIGITS = 6
_Counties = Mapping[str, Counts]


class RecentDays:
    """The counts of the last RECENT_DAYS days up to the newest day with counts.

    `days`: ordinals of all days that have counts in the database, however old. `counties`: counts by day, then by
    county; older days than the last RECENT_DAYS are ignored.
    """

    __slots__ = ("_counties", "_days", "_held_from")

    def __init__(self, days: Iterable[int] = (), counties: Mapping[int, _Counties] = MappingProxyType({})) -> None:
        self._days = tuple(sorted(days))
        self._held_from = self._days[-1] - RECENT_DAYS + 1 if self._days else 0
        self._counties = {day: by_county for day, by_county in counties.items() if day >= self._held_from}

    def with_changes(self, changes: KpiChanges, keep_days: int) -> "RecentDays":
        """Return the counts after `changes` are written.

        If they close a day, days before the last `keep_days` are dropped, as the database does.
        """
        if not changes.counties and not changes.closed:
            return self
        changed: dict[int, dict[str, Counts]] = {}
        for (day, county), counts in changes.counties.items():
            changed.setdefault(day, {})[county] = counts
        counties = self._counties | {
            day: {**self._counties.get(day, {}), **by_county} for day, by_county in changed.items()
        }
        days = {*self._days, *changed}
        if changes.closed:
            days = {day for day in days if day > max(changes.closed) - keep_days}
            counties = {day: by_county for day, by_county in counties.items() if day in days}
        return RecentDays(days, counties)

    def covers(self, first: date, last: date) -> bool:
        """Return whether every day of the span that has counts is held here."""
        return not self._within(self._days, first.toordinal(), min(last.toordinal(), self._held_from - 1))

    def span(self) -> tuple[date, date] | None:
        """Return the first and the last day that have counts, in the database too; None if no day has."""
        return (date.fromordinal(self._days[0]), date.fromordinal(self._days[-1])) if self._days else None

    def days(self, first: date, last: date, region_prefix: str = "") -> int:
        """Return the number of days of the span that have counts within the region."""
        return sum(any(self._counties_of(day, region_prefix)) for day in self._held(first, last))

    def regions(
        self, first: date, last: date, region_prefix: str, digits: int, *, each_day: bool = False
    ) -> Iterator[RegionCounts]:
        """Yield the sums of the counties by region, whose code has `digits` digits. `each_day`: one for each day."""
        sums: dict[tuple[str, int], Counts] = {}
        days: dict[tuple[str, int], set[int]] = {}
        for day in self._held(first, last):
            for county, counts in self._counties_of(day, region_prefix):
                key = (county[:digits], day if each_day else 0)
                sums[key] = sums[key].plus(counts) if key in sums else counts
                days.setdefault(key, set()).add(day)
        for (region, day), counts in sums.items():
            yield RegionCounts(region, "", day, counts, len(days[region, day]))

    def _held(self, first: date, last: date) -> tuple[int, ...]:
        return self._within(self._days, max(first.toordinal(), self._held_from), last.toordinal())

    def _counties_of(self, day: int, prefix: str) -> Iterator[tuple[str, Counts]]:
        """Yield the counties of a day within a region; a county without any camera left is not one any more."""
        end = prefix.ljust(_CODE_DIGITS, "9")
        for county, counts in self._counties[day].items():
            if counts.cameras > 0 and (not prefix or prefix <= county <= end):
                yield county, counts

    @staticmethod
    def _within(days: tuple[int, ...], first: int, last: int) -> tuple[int, ...]:
        return days[bisect_left(days, first) : bisect_right(days, last)]
