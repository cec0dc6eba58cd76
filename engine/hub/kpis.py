"""KPIs of the running engine: verdicts, periods and registry changes go into the pure book, what changes is written in
the writer's transaction, and questions are answered from what is written."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from queue import SimpleQueue

from engine.clock import wall_ns
from engine.indicators import (
    DayCounts,
    KpiBy,
    KpiChanges,
    KpiName,
    KpiQuery,
    KpiTable,
    LeagueQuery,
    LeagueTable,
    Rate,
)
from engine.kpi.book import Book
from engine.kpi.count import count_canteens
from engine.kpi.days import days_between
from engine.kpi.rates import league, rates, table_of
from engine.record.kpis import Kpis, Transaction
from engine.record.store import VisitRecord
from engine.types import Camera

_SHOW_INTERVAL_NS = 15_000_000_000


class KpiOffice:
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
        self._book = Book(timezone, cameras, clock_wall_ns())
        self._unwritten = KpiChanges()
        self._passed: SimpleQueue[Mapping[str, tuple[int, int]]] = SimpleQueue()
        self._show = show
        self._show_after_ns = 0
        for day, facts in record.restore(self._book.today):
            self._book.restore(day, facts)

    def configure(self, timezone: str, keep_days: int) -> None:
        """New settings."""
        with self._lock:
            self._book.configure(timezone)
            self._keep_days = keep_days

    def put(self, cameras: Iterable[Camera]) -> None:
        """Cameras are new or changed in the registry."""
        with self._lock:
            self._book.put(cameras, self._clock_wall_ns())

    def remove(self, camera_ids: Iterable[str]) -> None:
        """Cameras left the registry."""
        with self._lock:
            self._book.remove(camera_ids, self._clock_wall_ns())

    def periods(self, passed: Mapping[str, tuple[int, int]]) -> None:
        """Periods due and kept since the last call, by camera; counted with the next batch. Never waits."""
        if passed:
            self._passed.put(passed)

    def join(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Count these records and write what they change, in the transaction that writes them (engine.record.store).

        Until `committed` is called, the same is written again with the next records: a transaction that failed loses
        nothing, and a record counted twice counts once.
        """
        with self._lock:
            now_wall_ns = self._clock_wall_ns()
            self._book.advance(now_wall_ns)
            while not self._passed.empty():
                for camera_id, (due, kept) in self._passed.get().items():
                    self._book.periods(camera_id, due, kept, now_wall_ns)
            for record in records:
                self._book.observe(record.verdict, working=record.working, now_wall_ns=now_wall_ns)
            self._unwritten = self._unwritten.then(self._book.take())
        self._record.put(transaction, self._unwritten, self._keep_days)

    def committed(self) -> None:
        """The transaction of the last `join` is in the database; from the thread that wrote it."""
        self._unwritten = KpiChanges()
        now_wall_ns = self._clock_wall_ns()
        if now_wall_ns >= self._show_after_ns:
            self._show_after_ns = now_wall_ns + _SHOW_INTERVAL_NS
            with self._lock:
                counties = self._book.counties()
            self._show({county: rates(counts) for county, counts in counties.items()})

    @property
    def late_total(self) -> int:
        """Verdicts that came after their day was over."""
        return self._book.late_total

    async def table(self, query: KpiQuery) -> KpiTable:
        """The KPIs that are wanted, from what is written."""
        return await asyncio.to_thread(kpi_table, self._record, query)

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """The league table, from what is written."""
        return await asyncio.to_thread(league_table, self._record, query)


def kpi_table(record: Kpis, query: KpiQuery) -> KpiTable:
    """The KPIs that are wanted. Raises ValueError for a page token that is none of this list."""
    span = _span(record, query.from_day, query.to_day)
    if span is None:
        return table_of(query, (), {}, None)
    if query.by != KpiBy.CANTEEN:
        return table_of(query, record.counties(*span, query.region_prefix), {}, span)
    counted = [*record.canteens(*span, query.region_prefix)]
    for day, places, facts in record.under_way(*span, query.region_prefix):
        counted += (DayCounts(day, *one, counts) for one, counts in count_canteens(places, facts).items())
    return table_of(query, counted, record.names(query.region_prefix), span)


def league_table(record: Kpis, query: LeagueQuery) -> LeagueTable:
    """The league table; beside each rate that of as many days before."""
    wanted = KpiQuery(query.region_prefix, query.by, query.from_day, query.to_day)
    now = kpi_table(record, wanted)
    if now.from_day is None or now.to_day is None:
        return league(query, now, None)
    last = now.from_day - timedelta(days=1)
    first = last - timedelta(days=days_between(now.from_day, now.to_day) - 1)
    before = KpiQuery(query.region_prefix, query.by, first, last)
    return league(query, now, table_of(before, record.counties(first, last, query.region_prefix), {}, (first, last)))


def _span(record: Kpis, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The days that are meant: those given; without them the latest that there is."""
    if first is not None and last is not None:
        return first, last
    known = record.span()
    if known is None:
        return None
    if first is None and last is None:
        return known[1], known[1]
    return first or known[0], last or known[1]
