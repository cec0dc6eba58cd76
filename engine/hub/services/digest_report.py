"""Makes the digest of a region from the ledger, the KPIs, the registry and the names of regions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from engine.hub.services.kpis import kpi_table
from engine.interchange.regions import Regions
from engine.kpi.ranking import Performance, ranking
from engine.ledger.projection import apply
from engine.model.digest import DigestLine, DigestTally
from engine.model.findings import Finding, LedgerEvent, Step
from engine.model.kpi import KpiBy, KpiName, KpiQuery, KpiRow, Rate
from engine.notices.digest import (
    COUNTY_DIGITS,
    LISTED_MAX,
    PROVINCE_DIGITS,
    Digest,
    FindingSnapshot,
    FindingsSummary,
    KpiLine,
    Period,
)
from engine.storage.db.kpis import Kpis
from engine.storage.db.store import Store

_NO_RATE = Rate(0, 0)
_SHOWS_NO_FAULT = (Step.RECHECK_PASSED,)


@dataclass(frozen=True, slots=True)
class Report:
    """A digest, and all findings that are open at the end of its period, the most urgent first."""

    digest: Digest
    standing: tuple[FindingSnapshot, ...]


def report(
    store: Store,
    region: str,
    period: Period,
    timezone: str,
    regions: Regions,
    now_wall_ns: int,
    listed_max: int = LISTED_MAX,
) -> Report:
    """Make the digest of a region (GB/T 2260 prefix; empty: everything) from the database as it is now.

    Findings are as they were at the end of the period: their events are replayed up to then. `listed_max`: those that
    the sections list at most.
    """
    begin_ns, end_ns = period.wall_ns(timezone)
    events = store.findings.events_within(begin_ns, end_ns, region)
    findings = FindingsSummary(cases(events, end_ns), begin_ns)
    standing = _with_cameras(store, findings.standing)
    findings.standing = list(standing)
    of_canteens = len(region) == COUNTY_DIGITS
    # Within one city its name before every county's would add nothing.
    name_of = regions.name if len(region) > PROVINCE_DIGITS else regions.label
    names = {code: name_of(code) for code in findings.by_county}
    league = (
        _canteens(store.kpis, region, period, findings)
        if of_canteens
        else _counties(store.kpis, region, period, findings, name_of)
    )
    sections, left_out = findings.sections(names, listed_max)
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
        league=league,
        total=findings.total,
        by_severity=findings.by_severity,
        by_level=findings.by_level,
        sections=sections,
        left_out=left_out,
    )
    return Report(digest, standing)


def cases(events: Iterable[LedgerEvent], end_wall_ns: int) -> Iterator[FindingSnapshot]:
    """Yield findings as their events before `end_wall_ns` left them; not those that were opened later.

    `events` are grouped by finding and in order.
    """
    for _, of_finding in groupby(events, attrgetter("finding_id")):
        finding: Finding | None = None
        overdue_ns, exhibit = 0, ""
        for event in of_finding:
            if event.at_wall_ns < end_wall_ns:
                finding = apply(finding, event)
                if event.step is Step.FELL_OVERDUE:
                    overdue_ns = overdue_ns or event.at_wall_ns
                if event.evidence and event.step not in _SHOWS_NO_FAULT:
                    exhibit = event.evidence[0]
        if finding is not None:
            yield FindingSnapshot(finding, overdue_ns, exhibit=exhibit)


def _with_cameras(store: Store, standing: Iterable[FindingSnapshot]) -> tuple[FindingSnapshot, ...]:
    """Add the names that the cameras have in the registry now."""
    all_cases = tuple(standing)
    names = store.registry.names({case.finding.subject.camera_id for case in all_cases})
    return tuple(replace(case, camera_name=names.get(case.finding.subject.camera_id, "")) for case in all_cases)


def _headline(kpis: Kpis, region: str, period: Period) -> tuple[tuple[KpiLine, ...], int]:
    now, before = (
        kpi_table(kpis, KpiQuery(region, KpiBy.COUNTY, span.first, span.last)) for span in (period, period.before)
    )
    rates_before = before.total.rates if before.rows else {}
    days = max((row.days for row in now.rows), default=0)
    return tuple(KpiLine(name, now.total.rates[name], rates_before.get(name)) for name in KpiName), days


def _counties(
    kpis: Kpis, region: str, period: Period, findings: FindingsSummary, name_of: Callable[[str], str]
) -> tuple[DigestLine, ...]:
    table = kpi_table(kpis, KpiQuery(region, KpiBy.COUNTY, period.first, period.last))
    return _league({row.region: row for row in table.rows}, findings.by_county, name_of)


def _canteens(kpis: Kpis, region: str, period: Period, findings: FindingsSummary) -> tuple[DigestLine, ...]:
    """The canteens of a county in the order of their points. They get no places: their numbers are too small."""
    table = kpi_table(kpis, KpiQuery(region, KpiBy.CANTEEN, period.first, period.last))
    names = {**kpis.names(region), **{row.site_id: row.site_name for row in table.rows if row.site_name}}
    lines = _league({row.site_id: row for row in table.rows}, findings.by_canteen, lambda code: names.get(code, code))
    return tuple(replace(line, place=None) for line in lines)


def _league(
    rows: Mapping[str, KpiRow], tallies: Mapping[str, DigestTally], name_of: Callable[[str], str]
) -> tuple[DigestLine, ...]:
    """Return a line for each county or canteen with counts, in their ranking; then those that have only findings."""
    performances = {code: _performance(row, tallies.get(code, DigestTally())) for code, row in rows.items()}
    ranked = [
        DigestLine(
            rank.place,
            rank.code,
            name_of(rank.code),
            rows[rank.code].rates,
            tallies.get(rank.code, DigestTally()),
            rank.points,
        )
        for rank in ranking(performances)
    ]
    others = [DigestLine(None, code, name_of(code), {}, tallies[code]) for code in sorted(tallies) if code not in rows]
    return tuple(ranked + others)


def _performance(row: KpiRow, tally: DigestTally) -> Performance:
    clarity = row.rates.get(KpiName.CLARITY, _NO_RATE)
    return Performance(clarity, clarity.registered / max(1, row.days), tally.standing, tally.overdue)
