"""KPIs of the running engine: counts verdicts, periods and registry changes, writes the counts in the writer's
transaction, and answers queries from what is written."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from engine.clock import wall_ns
from engine.config.schema import RecordSettings
from engine.kpi.counting import count_canteens
from engine.kpi.daily_counts import DailyCounts
from engine.kpi.days import Days, days_between
from engine.kpi.rates import league, rates, table_of
from engine.kpi.recent_days import RECENT_DAYS, RecentDays
from engine.model.camera import Camera
from engine.model.kpi import (
    KpiBy,
    KpiChanges,
    KpiName,
    KpiQuery,
    KpiTable,
    LeagueQuery,
    LeagueTable,
    Rate,
    RegionCounts,
)
from engine.storage.db.kpis import Kpis, Transaction
from engine.storage.db.store import VisitRecord

_SHOW_INTERVAL_NS = 15_000_000_000
_Span = tuple[date, date]


class KpiService:
    """Any thread may call. `keep_days`: days of counts that are kept, by the hour `keep_hours_days`.

    `show` is called with the day's rates, by county and KPI, every 15 s at most. `sub_counts`: visits on a sub-stream
    count for clarity.
    """

    def __init__(
        self,
        record: Kpis,
        timezone: str,
        keep_days: int,
        cameras: Iterable[Camera],
        clock_wall_ns: Callable[[], int] = wall_ns,
        show: Callable[[Mapping[str, Mapping[KpiName, Rate]]], None] = lambda _: None,
        keep_hours_days: int = RecordSettings().kpi_hours_days,
        sub_counts: bool = False,
    ) -> None:
        self._record = record
        self._keep_days = keep_days
        self._keep_hours_days = keep_hours_days
        self._clock_wall_ns = clock_wall_ns
        self._lock = threading.Lock()
        now_wall_ns = clock_wall_ns()
        today = Days(timezone).of(now_wall_ns)
        under_way = dict(record.restore(today))
        facts = under_way.pop(today, {})
        self._counts = DailyCounts(timezone, cameras, now_wall_ns, facts, sub_counts=sub_counts)
        for day, facts in under_way.items():
            self._counts.restore(day, facts)
        self._recent = RecentDays(*record.latest(RECENT_DAYS))
        self._unwritten = KpiChanges()
        self._written_keep_days = keep_days
        self._periods: SimpleQueue[Mapping[str, tuple[int, int]]] = SimpleQueue()
        self._show = show
        self._show_after_ns = 0

    def configure(self, timezone: str, keep_days: int, keep_hours_days: int, sub_counts: bool = False) -> None:
        """Apply new settings."""
        with self._lock:
            self._counts.configure(timezone, sub_counts=sub_counts)
            self._keep_days = keep_days
            self._keep_hours_days = keep_hours_days

    def upsert(self, cameras: Iterable[Camera]) -> None:
        """Add cameras, or replace those whose id is known."""
        with self._lock:
            self._counts.upsert(cameras, self._clock_wall_ns())

    def remove(self, camera_ids: Iterable[str]) -> None:
        """Remove cameras that left the registry."""
        with self._lock:
            self._counts.remove(camera_ids, self._clock_wall_ns())

    def add_periods(self, passed: Mapping[str, tuple[int, int]]) -> None:
        """Add periods due and periods kept, by camera; they are counted with the next transaction. Never blocks."""
        if passed:
            self._periods.put(passed)

    def count_in(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Count these records and write what they change, in the transaction that writes them.

        Until `committed` is called, the same counts are written again with the next records: a transaction that fails
        loses nothing, and a record that comes twice counts once.
        """
        with self._lock:
            now_wall_ns = self._clock_wall_ns()
            self._counts.advance(now_wall_ns)
            while not self._periods.empty():
                for camera_id, (due, kept) in self._periods.get().items():
                    self._counts.add_periods(camera_id, due, kept, now_wall_ns)
            for record in records:
                self._counts.observe(record.verdict, working=record.working, now_wall_ns=now_wall_ns)
            self._unwritten = self._unwritten.followed_by(self._counts.drain_changes())
            self._written_keep_days = self._keep_days
        self._record.write(transaction, self._unwritten, self._written_keep_days, self._keep_hours_days)

    def committed(self) -> None:
        """Note that the transaction of the last `count_in` is committed. For the thread that wrote it."""
        self._recent = self._recent.with_changes(self._unwritten, self._written_keep_days)
        self._unwritten = KpiChanges()
        now_wall_ns = self._clock_wall_ns()
        if now_wall_ns >= self._show_after_ns:
            self._show_after_ns = now_wall_ns + _SHOW_INTERVAL_NS
            with self._lock:
                counties = self._counts.counties()
            self._show({county: rates(counts) for county, counts in counties.items()})

    def drain_late_count(self) -> int:
        """Return how many verdicts since the last call came after their day was over; they count for no day."""
        with self._lock:
            return self._counts.drain_late_count()

    async def table(self, query: KpiQuery) -> KpiTable:
        """Return KPIs from what is written; canteens of a day that is not over yet, from memory. A shard reads all from
        the database: others write there too.

        Raises ValueError for a page token that is not of this list.
        """
        recent = self._recent
        if self._record.of_shard:
            return await asyncio.to_thread(kpi_table, self._record, query)
        span = _span(recent, query.from_day, query.to_day)
        if query.each_hour:
            return await asyncio.to_thread(hour_table, self._record, query, span)
        if query.by == KpiBy.CANTEEN or not (span is None or recent.covers(*span)):
            return await asyncio.to_thread(kpi_table, self._record, query, self._canteens)
        return await asyncio.to_thread(region_table, recent, query)

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Return a league table from what is written."""
        recent = self._recent
        span = _with_before(_span(recent, query.from_day, query.to_day))
        if self._record.of_shard or query.by == KpiBy.CANTEEN or not (span is None or recent.covers(*span)):
            return await asyncio.to_thread(league_table, self._record, query)
        return await asyncio.to_thread(_league, partial(region_table, recent), query)

    def _canteens(self, first: date, last: date, region_prefix: str) -> Iterator[RegionCounts]:
        for day in range(max(first.toordinal(), self._counts.today - 1), last.toordinal() + 1):
            with self._lock:
                counties = self._counts.canteens(day)
            for (_, county), canteens in counties.items():
                if county.startswith(region_prefix):
                    for canteen, counts in canteens.items():
                        yield RegionCounts(county, canteen, day, counts)


Canteens = Callable[[date, date, str], Iterable[RegionCounts]]
"""Returns counts of canteens in a region, for those of these days that are not over yet."""


class Counted(Protocol):
    """A source of counties' counts: the database, or its latest days in memory."""

    def span(self) -> _Span | None:
        """Return the first and last day with counts; None if there is none."""

    def days(self, first: date, last: date, region_prefix: str = "") -> int:
        """Return how many days of the span have counts."""

    def regions(
        self, first: date, last: date, region_prefix: str, digits: int, *, each_day: bool = False
    ) -> Iterable[RegionCounts]:
        """Return the sums of counties by region; a region's code has `digits` digits."""


def kpi_table(record: Kpis, query: KpiQuery, under_way: Canteens | None = None) -> KpiTable:
    """Return KPIs from the database. `under_way`: counts of days that are not over; without it they are counted
    from the database. Raises ValueError for a page token that is not of this list."""
    span = _span(record, query.from_day, query.to_day)
    if query.each_hour:
        return hour_table(record, query, span)
    if query.by != KpiBy.CANTEEN:
        return region_table(record, query)
    if span is None:
        return table_of(query, (), None, 0)
    prefix = query.region_prefix
    counted = [*record.canteens(*span, prefix)]
    if under_way is not None:
        counted += under_way(*span, prefix)
    else:
        for day, places, facts in record.under_way(*span, prefix):
            counted += (RegionCounts(*place, day, counts) for place, counts in count_canteens(places, facts).items())
    return table_of(query, counted, span, record.days(*span, prefix), record.names(prefix))


def region_table(counted: Counted, query: KpiQuery) -> KpiTable:
    """Return KPIs of regions as sums of counties. Raises ValueError for a page token that is not of this list."""
    span = _span(counted, query.from_day, query.to_day)
    if span is None:
        return table_of(query, (), None, 0)
    prefix = query.region_prefix
    # One that asks for less than a row stands for gets rows of just what was asked for.
    digits = max(query.by.digits, len(prefix))
    rows = counted.regions(*span, prefix, digits, each_day=query.each_day)
    return table_of(query, rows, span, counted.days(*span, prefix))


def hour_table(record: Kpis, query: KpiQuery, span: _Span | None) -> KpiTable:
    """Return KPIs of regions by hour, each as the day had come when the hour ended.

    Raises ValueError for a page token that is not of this list.
    """
    if span is None:
        return table_of(query, (), None, 0)
    digits = max(query.by.digits, len(query.region_prefix))
    rows = record.hours(*span, query.region_prefix, digits)
    return table_of(query, rows, span, record.days(*span, query.region_prefix))


def league_table(record: Kpis, query: LeagueQuery) -> LeagueTable:
    """Return a league table; beside each rate stands the rate of as many days before."""
    return _league(partial(kpi_table, record), query)


def _league(table: Callable[[KpiQuery], KpiTable], query: LeagueQuery) -> LeagueTable:
    wanted = KpiQuery(query.region_prefix, query.by, query.from_day, query.to_day)
    now = table(wanted)
    before = None if now.from_day is None or now.to_day is None else _before(now.from_day, now.to_day)
    return league(query, now, before and table(replace(wanted, from_day=before[0], to_day=before[1])))


def _before(first: date, last: date) -> _Span | None:
    """Return the span of as many days just before these; None if it would begin before the calendar does."""
    end = first.toordinal() - 1
    begin = max(date.min.toordinal(), end - days_between(first, last) + 1)
    return (date.fromordinal(begin), date.fromordinal(end)) if end >= date.min.toordinal() else None


def _with_before(span: _Span | None) -> _Span | None:
    """Return a span that also covers the days it is compared with."""
    before = span and _before(*span)
    return (before[0], span[1]) if span and before else span


def _span(counted: Counted, first: date | None, last: date | None) -> _Span | None:
    """Return the days given; without them the latest day that has counts."""
    if first is not None and last is not None:
        return first, last
    known = counted.span()
    if known is None:
        return None
    if first is None and last is None:
        return known[1], known[1]
    return first or known[0], last or known[1]
