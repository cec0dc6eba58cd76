"""KPIs of the test's hub: one row a county, made of the registry."""

from dataclasses import replace
from datetime import date
from typing import Any

from engine.hub.registry import Registry
from engine.model.kpi import Counts, KpiName, KpiQuery, KpiRow, KpiTable, LeagueQuery, LeagueRow, LeagueTable, Rate


class Kpis:
    """Returns one row a county; every rate counts its cameras."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def table(self, query: KpiQuery) -> KpiTable:
        rows = [replace(self._row(region), **_time(query)) for region in self._regions(query.region_prefix)]
        begin = int(query.page_token or 0)
        page = tuple(rows[begin : begin + query.page_size])
        more = str(begin + len(page)) if begin + len(page) < len(rows) else ""
        return KpiTable(query.by, page, self._row(query.region_prefix), next_page_token=more)

    async def league(self, query: LeagueQuery) -> LeagueTable:
        rows = [self._row(region) for region in self._regions(query.region_prefix)]
        lines = tuple(LeagueRow(place, row, row.rates[query.kpi]) for place, row in enumerate(rows, 1))
        return LeagueTable(query.kpi, lines)

    def _regions(self, prefix: str) -> list[str]:
        regions = {camera.region for camera in self._registry.cameras.values()}
        return sorted(region for region in regions if region.startswith(prefix))

    def _row(self, region: str) -> KpiRow:
        number = sum(1 for camera in self._registry.cameras.values() if camera.region.startswith(region))
        return KpiRow(region, {kpi: Rate(number, number, number) for kpi in KpiName}, Counts())


def _time(query: KpiQuery) -> dict[str, Any]:
    """Return day and hour of a row, where the query asks for a row of each."""
    day = query.to_day or date(2026, 9, 1)
    if query.each_hour:
        return {"day": day, "hour": 0}
    return {"day": day} if query.each_day else {}
