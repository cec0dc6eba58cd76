"""Queries of KPIs and their rows survive the way over the wire."""

from datetime import date

import pytest

from engine.model.kpi import Counts, KpiBy, KpiName, KpiQuery, KpiRow, KpiTable, Rate
from engine.serve.messages.kpis import query_message, query_of, table_message, table_of

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    "query",
    [
        KpiQuery(),
        KpiQuery("13", KpiBy.CANTEEN, DAY, DAY, each_day=True),
        KpiQuery("1399", KpiBy.CITY, DAY, DAY, each_hour=True),
        KpiQuery(each_hour=True),
    ],
)
def test_a_query_comes_back(query: KpiQuery) -> None:
    assert query_of(query_message(query)) == query


@pytest.mark.parametrize("hour", [None, 0, 23])
def test_a_row_says_its_hour_midnight_too(hour: int | None) -> None:
    row = KpiRow("139901", {KpiName.ONLINE: Rate(3, 4, 5, 1)}, Counts(), day=DAY, hour=hour)
    table = KpiTable(KpiBy.COUNTY, (row,), row, DAY, DAY)
    assert table_of(table_message(table, ""), KpiBy.COUNTY) == table
