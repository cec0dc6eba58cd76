"""KPIs of the running engine: verdicts, periods and registry changes go into the pure book, what changes is written in
the writer's transaction, and questions are answered from what is written."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from engine.clock import wall_ns
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
    """Any thread may call. `keep_days`: of counties and canteens. `show` hears the day's rates now and then."""

    def __init__(
        self,
        record: Kpis,
        timezone: str,
        keep_days: int,
        cameras: Iterable[Camera],
        clock_wall_ns: Callable[[], int] = wall_ns,
        show: Callable[[Mapping[str, Mapping[KpiName, Rate]]], None] = lambda _: None,
    ) -> None:
        self._record = record
        self._keep_days = keep_days
        self._clock_wall_ns = clock_wall_ns
        self._lock = threading.Lock()
        now_wall_ns = clock_wall_ns()
        today = Days(timezone).of(now_wall_ns)
        under_way = dict(record.restore(today))
        self._book = DailyCounts(timezone, cameras, now_wall_ns, under_way.pop(today, {}))
        for day, facts in under_way.items():
            self._book.restore(day, facts)
        self._recent = RecentDays(*record.latest(RECENT_DAYS))
        self._unwritten = KpiChanges()
        self._joined_keep_days = keep_days
        self._passed: SimpleQueue[Mapping[str, tuple[int, int]]] = SimpleQueue()
        self._show = show
        self._show_after_ns = 0

    def configure(self, timezone: str, keep_days: int) -> None:
        """New settings."""
        with self._lock:
            self._book.configure(timezone)
            self._keep_days = keep_days

    def put(self, cameras: Iterable[Camera]) -> None:
        """Cameras are new or changed in the registry."""
        with self._lock:
            self._book.upsert(cameras, self._clock_wall_ns())

    def remove(self, camera_ids: Iterable[str]) -> None:
        """Cameras left the registry."""
        with self._lock:
            self._book.remove(camera_ids, self._clock_wall_ns())

    def periods(self, passed: Mapping[str, tuple[int, int]]) -> None:
        """Periods due and kept since the last call, by camera; counted with the next batch. Never waits."""
        if passed:
            self._passed.put(passed)

    def join(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Count these records and write what they change, in the transaction that writes them.

        Until `committed` is called, the same is written again with the next records: a transaction that failed loses
        nothing, and a record counted twice counts once.
        """
        with self._lock:
            now_wall_ns = self._clock_wall_ns()
            self._book.advance(now_wall_ns)
            while not self._passed.empty():
                for camera_id, (due, kept) in self._passed.get().items():
                    self._book.add_periods(camera_id, due, kept, now_wall_ns)
            for record in records:
                self._book.observe(record.verdict, working=record.working, now_wall_ns=now_wall_ns)
            self._unwritten = self._unwritten.followed_by(self._book.drain_changes())
            self._joined_keep_days = self._keep_days
        self._record.put(transaction, self._unwritten, self._joined_keep_days)

    def committed(self) -> None:
        """The transaction of the last `join` is in the database; from the thread that wrote it."""
        self._recent = self._recent.with_changes(self._unwritten, self._joined_keep_days)
        self._unwritten = KpiChanges()
        now_wall_ns = self._clock_wall_ns()
        if now_wall_ns >= self._show_after_ns:
            self._show_after_ns = now_wall_ns + _SHOW_INTERVAL_NS
            with self._lock:
                counties = self._book.counties()
            self._show({county: rates(counts) for county, counts in counties.items()})

    def take_late(self) -> int:
        """Verdicts since the last call that came when their day was over; they count for none."""
        with self._lock:
            return self._book.drain_late_count()

    async def table(self, query: KpiQuery) -> KpiTable:
        """The KPIs that are wanted, from what is written; canteens of a day that is not over yet, as they stand."""
        recent = self._recent
        span = _span(recent, query.from_day, query.to_day)
        if query.by == KpiBy.CANTEEN or not (span is None or recent.covers(*span)):
            return await asyncio.to_thread(kpi_table, self._record, query, self._canteens)
        return await asyncio.to_thread(region_table, recent, query)

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """The league table, from what is written."""
        recent = self._recent
        span = _with_before(_span(recent, query.from_day, query.to_day))
        if query.by == KpiBy.CANTEEN or not (span is None or recent.covers(*span)):
            return await asyncio.to_thread(league_table, self._record, query)
        return await asyncio.to_thread(_league, partial(region_table, recent), query)

    def _canteens(self, first: date, last: date, region_prefix: str) -> Iterator[RegionCounts]:
        for day in range(max(first.toordinal(), self._book.today - 1), last.toordinal() + 1):
            with self._lock:
                counties = self._book.canteens(day)
            for (_, county), canteens in counties.items():
                if county.startswith(region_prefix):
                    for canteen, counts in canteens.items():
                        yield RegionCounts(county, canteen, day, counts)


Canteens = Callable[[date, date, str], Iterable[RegionCounts]]
"""Counts of canteens on those of these days that are not over yet, in a region."""


class Counted(Protocol):
    """Who knows the counts of counties: the database, or the memory of its latest days."""

    def span(self) -> _Span | None:
        """First and last day; None before any."""

    def days(self, first: date, last: date, region_prefix: str = "") -> int:
        """Days of the span that have counts."""

    def regions(
        self, first: date, last: date, region_prefix: str, digits: int, *, each_day: bool = False
    ) -> Iterable[RegionCounts]:
        """Sums of the counties of each region, whose code has so many digits."""


def kpi_table(record: Kpis, query: KpiQuery, under_way: Canteens | None = None) -> KpiTable:
    """The KPIs that are wanted. `under_way`: who knows them; without it they are counted from the database.

    Raises ValueError for a page token that is none of this list.
    """
    if query.by != KpiBy.CANTEEN:
        return region_table(record, query)
    span = _span(record, query.from_day, query.to_day)
    if span is None:
        return table_of(query, (), None, 0)
    prefix = query.region_prefix
    counted = [*record.canteens(*span, prefix)]
    if under_way is not None:
        counted += under_way(*span, prefix)
    else:
        for day, places, facts in record.under_way(*span, prefix):
            counted += (RegionCounts(*one, day, counts) for one, counts in count_canteens(places, facts).items())
    return table_of(query, counted, span, record.days(*span, prefix), record.names(prefix))


def region_table(counted: Counted, query: KpiQuery) -> KpiTable:
    """The KPIs of regions, which are what counties add up to; ValueError as above."""
    span = _span(counted, query.from_day, query.to_day)
    if span is None:
        return table_of(query, (), None, 0)
    prefix = query.region_prefix
    # One that asks for less than a row stands for gets rows of just what was asked for.
    digits = max(query.by.digits, len(prefix))
    rows = counted.regions(*span, prefix, digits, each_day=query.each_day)
    return table_of(query, rows, span, counted.days(*span, prefix))


def league_table(record: Kpis, query: LeagueQuery) -> LeagueTable:
    """The league table; beside each rate that of as many days before."""
    return _league(partial(kpi_table, record), query)


def _league(ask: Callable[[KpiQuery], KpiTable], query: LeagueQuery) -> LeagueTable:
    wanted = KpiQuery(query.region_prefix, query.by, query.from_day, query.to_day)
    now = ask(wanted)
    before = None if now.from_day is None or now.to_day is None else _before(now.from_day, now.to_day)
    return league(query, now, before and ask(replace(wanted, from_day=before[0], to_day=before[1])))


def _before(first: date, last: date) -> _Span | None:
    """As many days just before these; None before the first day of the calendar."""
    end = first.toordinal() - 1
    begin = max(date.min.toordinal(), end - days_between(first, last) + 1)
    return (date.fromordinal(begin), date.fromordinal(end)) if end >= date.min.toordinal() else None


def _with_before(span: _Span | None) -> _Span | None:
    """Both together, as a league compares them."""
    before = span and _before(*span)
    return (before[0], span[1]) if span and before else span


def _span(counted: Counted, first: date | None, last: date | None) -> _Span | None:
    """The days that are meant: those given; without them the latest that there is."""
    if first is not None and last is not None:
        return first, last
    known = counted.span()
    if known is None:
        return None
    if first is None and last is None:
        return known[1], known[1]
    return first or known[0], last or known[1]
