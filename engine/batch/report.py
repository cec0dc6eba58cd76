"""`patrol report`: makes the digest of a region from the ledger, the KPIs, the registry and the names of regions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from engine.hub.services.kpis import kpi_table, league_table
from engine.interchange.regions import Regions
from engine.ledger.projection import apply
from engine.model.findings import Finding, LedgerEvent, Step
from engine.model.kpi import KpiBy, KpiName, KpiQuery, KpiRow, LeagueQuery, Rate
from engine.notices.digest import (
    COUNTY_DIGITS,
    PROVINCE_DIGITS,
    Digest,
    FindingSnapshot,
    FindingsSummary,
    KpiLine,
    LeagueLine,
    Period,
    add_findings,
)
from engine.storage.db.kpis import Kpis
from engine.storage.db.store import Store


@dataclass(frozen=True, slots=True)
class Report:
    """A digest, and all findings that are overdue or supervised, the most urgent first."""

    digest: Digest
    pressing: tuple[FindingSnapshot, ...]


def report(store: Store, region: str, period: Period, timezone: str, regions: Regions, now_wall_ns: int) -> Report:
    """Make the digest of a region (GB/T 2260 prefix; empty: everything) from the database as it is now.

    FindingsSummary are as they were at the end of the period: their events are replayed up to then.
    """
    begin_ns, end_ns = period.wall_ns(timezone)
    events = store.findings.events_within(begin_ns, end_ns, region)
    findings = FindingsSummary(cases(events, end_ns), begin_ns)
    pressing = _with_cameras(store, findings.pressing)
    findings.pressing = list(pressing)
    of_canteens = len(region) == COUNTY_DIGITS
    # Within one city its name before every county's would add nothing.
    name_of = regions.name if len(region) > PROVINCE_DIGITS else regions.label
    names = {code: name_of(code) for code in findings.by_county}
    league = _canteens(store.kpis, region, period) if of_canteens else _counties(store.kpis, region, period, name_of)
    tallies = findings.by_canteen if of_canteens else findings.by_county
    canteens = _canteen_names(store, region, findings) if of_canteens else names
    sections, left_out = findings.sections(names)
    kpis, days = _headline(store.kpis, region, period)
    digest = Digest(
        region=region,
        region_name=regions.label(region) if region else "",
        period=period,
        timezone=timezone,
        made_wall_ns=now_wall_ns,
        so_far=now_wall_ns < end_ns,
        kpis=kpis,
        kpi_days=days,
        league=tuple(add_findings(league, tallies, canteens)),
        total=findings.total,
        by_severity=findings.by_severity,
        by_level=findings.by_level,
        sections=sections,
        left_out=left_out,
    )
    return Report(digest, pressing)


def cases(events: Iterable[LedgerEvent], end_wall_ns: int) -> Iterator[FindingSnapshot]:
    """Yield findings as their events before `end_wall_ns` left them; not those that were opened later.

    `events` are grouped by finding and in order.
    """
    for _, of_finding in groupby(events, attrgetter("finding_id")):
        finding: Finding | None = None
        overdue_ns = 0
        for event in of_finding:
            if event.at_wall_ns < end_wall_ns:
                finding = apply(finding, event)
                if event.step is Step.FELL_OVERDUE:
                    overdue_ns = overdue_ns or event.at_wall_ns
        if finding is not None:
            yield FindingSnapshot(finding, overdue_ns)


def _with_cameras(store: Store, pressing: Iterable[FindingSnapshot]) -> tuple[FindingSnapshot, ...]:
    """Add the names that the cameras have in the registry now."""
    all_cases = tuple(pressing)
    names = store.registry.names({case.finding.subject.camera_id for case in all_cases})
    return tuple(replace(case, camera_name=names.get(case.finding.subject.camera_id, "")) for case in all_cases)


def _headline(kpis: Kpis, region: str, period: Period) -> tuple[tuple[KpiLine, ...], int]:
    now, before = (
        kpi_table(kpis, KpiQuery(region, KpiBy.COUNTY, span.first, span.last)) for span in (period, period.before)
    )
    rates_before = before.total.rates if before.rows else {}
    return tuple(KpiLine(name, now.total.rates[name], rates_before.get(name)) for name in KpiName), _days(now.rows)


def _days(rows: Iterable[KpiRow]) -> int:
    return max((row.days for row in rows), default=0)


def _counties(kpis: Kpis, region: str, period: Period, name_of: Callable[[str], str]) -> list[LeagueLine]:
    table = league_table(kpis, LeagueQuery(region, KpiName.CLARITY, KpiBy.COUNTY, period.first, period.last))
    return [
        LeagueLine(row.place, row.row.region, name_of(row.row.region), row.row.rates, row.before) for row in table.rows
    ]


def _canteens(kpis: Kpis, region: str, period: Period) -> list[LeagueLine]:
    """The canteens of a county, the clearest first. They are not ranked: their numbers are too small."""
    table = kpi_table(kpis, KpiQuery(region, KpiBy.CANTEEN, period.first, period.last))
    rows = sorted(table.rows, key=lambda row: (_worse(row.rates[KpiName.CLARITY]), row.site_name, row.site_id))
    return [LeagueLine(None, row.site_id, row.site_name or row.site_id, row.rates) for row in rows]


def _worse(rate: Rate) -> float:
    return 2.0 if rate.value is None else 1.0 - rate.value


def _canteen_names(store: Store, region: str, findings: FindingsSummary) -> Mapping[str, str]:
    names = store.kpis.names(region)
    return {code: names.get(code, code) for code in findings.by_canteen}
