"""`patrol report`: the digest of a region, joined from the ledger, the KPIs, the registry and the names of regions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from engine.hub.kpi_service import kpi_table, league_table
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
    """A digest, and all that is overdue or supervised, the most urgent first."""

    digest: Digest
    pressing: tuple[FindingSnapshot, ...]


def report(store: Store, region: str, period: Period, timezone: str, regions: Regions, now_wall_ns: int) -> Report:
    """The digest of a region (GB/T 2260 prefix, empty: everything), from what the database holds now.

    Findings are as they were at the end of the period: their events are replayed up to then.
    """
    begin_ns, end_ns = period.wall_ns(timezone)
    events = store.findings.events_within(begin_ns, end_ns, region)
    findings = FindingsSummary(cases(events, end_ns), begin_ns)
    named = _with_cameras(store, findings.pressing)
    findings.pressing = list(named)
    of_canteens = len(region) == COUNTY_DIGITS
    # Within a city its own name before that of every county says nothing.
    called = regions.name if len(region) > PROVINCE_DIGITS else regions.label
    names = {code: called(code) for code in findings.by_county}
    league = _canteens(store.kpis, region, period) if of_canteens else _counties(store.kpis, region, period, called)
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
    return Report(digest, named)


def cases(events: Iterable[LedgerEvent], end_wall_ns: int) -> Iterator[FindingSnapshot]:
    """Findings as their events before `end_wall_ns` left them; those that were opened later are not among them.

    `events`: finding by finding, each in its order.
    """
    for _, of_finding in groupby(events, attrgetter("finding_id")):
        finding: Finding | None = None
        missed_ns = 0
        for event in of_finding:
            if event.at_wall_ns < end_wall_ns:
                finding = apply(finding, event)
                if event.step is Step.FELL_OVERDUE:
                    missed_ns = missed_ns or event.at_wall_ns
        if finding is not None:
            yield FindingSnapshot(finding, missed_ns)


def _with_cameras(store: Store, pressing: Iterable[FindingSnapshot]) -> tuple[FindingSnapshot, ...]:
    """With the names that the registry has for the cameras now."""
    found = tuple(pressing)
    names = store.camera_names({case.finding.subject.camera_id for case in found})
    return tuple(replace(one, camera_name=names.get(one.finding.subject.camera_id, "")) for one in found)


def _headline(kpis: Kpis, region: str, period: Period) -> tuple[tuple[KpiLine, ...], int]:
    now, before = (
        kpi_table(kpis, KpiQuery(region, KpiBy.COUNTY, one.first, one.last)) for one in (period, period.before)
    )
    had = before.total.rates if before.rows else {}
    return tuple(KpiLine(name, now.total.rates[name], had.get(name)) for name in KpiName), _days(now.rows)


def _days(rows: Iterable[KpiRow]) -> int:
    return max((row.days for row in rows), default=0)


def _counties(kpis: Kpis, region: str, period: Period, called: Callable[[str], str]) -> list[LeagueLine]:
    table = league_table(kpis, LeagueQuery(region, KpiName.CLARITY, KpiBy.COUNTY, period.first, period.last))
    return [
        LeagueLine(one.place, one.row.region, called(one.row.region), one.row.rates, one.before) for one in table.rows
    ]


def _canteens(kpis: Kpis, region: str, period: Period) -> list[LeagueLine]:
    """The canteens of a county, the clearest first; they have no places, being too small to compete."""
    table = kpi_table(kpis, KpiQuery(region, KpiBy.CANTEEN, period.first, period.last))
    rows = sorted(table.rows, key=lambda row: (_worse(row.rates[KpiName.CLARITY]), row.site_name, row.site_id))
    return [LeagueLine(None, row.site_id, row.site_name or row.site_id, row.rates) for row in rows]


def _worse(rate: Rate) -> float:
    return 2.0 if rate.value is None else 1.0 - rate.value


def _canteen_names(store: Store, region: str, findings: FindingsSummary) -> Mapping[str, str]:
    known = store.kpis.names(region)
    return {code: known.get(code, code) for code in findings.by_canteen}
