"""Whatever is written, in whatever order: the memory of the latest days answers as the database does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hub.services.kpis import region_table
from engine.kpi.recent_days import RECENT_DAYS, RecentDays
from engine.model.kpi import Counts, KpiBy, KpiChanges, KpiQuery
from engine.storage.db.database import connect, parse_url
from engine.storage.db.kpis import Kpis
from engine.storage.db.tables import kpi_canteens, kpi_counties, metadata

FIRST = date(2026, 1, 1).toordinal()
COUNTIES = ("130102", "130103", "130202", "1301", "13", "110101", "")
PREFIXES = ("", "1", "13", "130", "1301", "13010", "130102", "130103", "14")
DAYS = st.integers(0, 4) | st.integers(RECENT_DAYS - 3, RECENT_DAYS + 3) | st.integers(0, 3 * RECENT_DAYS)
COUNTS = st.builds(Counts, *(st.integers(0, 3) for _ in Counts._fields)).map(
    lambda counts: counts if counts.cameras else Counts()  # of a county that the last of its cameras has left
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[KpiChanges, int]:
    """Counts of some counties on some days, perhaps a day that is over, and for how long days are kept."""
    days = st.tuples(DAYS.map(lambda day: FIRST + day), st.sampled_from(COUNTIES))
    closed = draw(st.lists(DAYS.map(lambda day: FIRST + day), max_size=1))
    return KpiChanges(counties=draw(st.dictionaries(days, COUNTS, max_size=12)), closed=tuple(closed)), draw(
        st.sampled_from((32, RECENT_DAYS, 400))
    )


@st.composite
def queries(draw: st.DrawFn) -> KpiQuery:
    day = st.none() | DAYS.map(lambda day: date.fromordinal(FIRST + day))
    return KpiQuery(
        region_prefix=draw(st.sampled_from(PREFIXES)),
        by=draw(st.sampled_from((KpiBy.PROVINCE, KpiBy.CITY, KpiBy.COUNTY))),
        from_day=draw(day),
        to_day=draw(day),
        each_day=draw(st.booleans()),
        page_size=draw(st.sampled_from((0, 2))),
    )


@dataclass(frozen=True)
class Both:
    """A database with what is written of KPIs, and the memory that is to know it too."""

    engine: sa.Engine
    kpis: Kpis

    def read(self) -> RecentDays:
        return RecentDays(*self.kpis.latest(RECENT_DAYS))

    def play(self, written: list[tuple[KpiChanges, int]]) -> RecentDays:
        with self.engine.begin() as transaction:
            for table in (kpi_counties, kpi_canteens):
                transaction.execute(sa.delete(table))
        recent = self.read()
        for change, keep_days in written:
            with self.engine.begin() as transaction:
                self.kpis.write(transaction, change, keep_days, keep_days)
            recent = recent.with_changes(change, keep_days)
        return recent


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("recent")
    engine = connect(parse_url(f"sqlite:///{folder}/kpis.db"))
    metadata.create_all(engine)
    yield Both(engine, Kpis(engine))
    engine.dispose()


@pytest.mark.long
@given(written=st.lists(changes(), max_size=8), asked=st.lists(queries(), min_size=1, max_size=12))
@settings(max_examples=250, deadline=None)
def test_what_is_held_gives_the_table_that_the_database_gives(
    both: Both, written: list[tuple[KpiChanges, int]], asked: list[KpiQuery]
) -> None:
    recent = both.play(written)
    for way in (recent, both.read()):  # kept up, and read at a start
        assert way.span() == both.kpis.span()
        for query in asked:
            known = way.span()
            oldest, newest = known or (None, None)
            first, last = query.from_day or (oldest if query.to_day else newest), query.to_day or newest
            if first is None or last is None or way.covers(first, last):
                assert region_table(way, query) == region_table(both.kpis, query)


@given(written=st.lists(changes(), max_size=8))
@settings(max_examples=150, deadline=None)
def test_the_latest_days_are_held_and_no_others(both: Both, written: list[tuple[KpiChanges, int]]) -> None:
    recent = both.play(written)
    span = both.kpis.span()
    if span is None:
        assert recent.covers(date.min, date.max)
        return
    since = span[1] - timedelta(days=RECENT_DAYS - 1)
    assert recent.covers(since, span[1])
    assert recent.covers(date.min, span[1]) == (span[0] >= since)
    assert sum(map(len, recent._counties.values())) <= RECENT_DAYS * len(COUNTIES)


@given(asked=queries())
@settings(max_examples=50, deadline=None)
def test_before_any_day_both_know_none(both: Both, asked: KpiQuery) -> None:
    assert region_table(both.play([]), asked) == region_table(both.kpis, asked)
