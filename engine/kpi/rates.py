"""Computes rates, tables and leagues from counts. Pure; docs/kpis.md has the definitions in words."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from engine.kpi.counting import NO_COUNTS
from engine.model.kpi import (
    WHOLE_DAY,
    Counts,
    KpiName,
    KpiQuery,
    KpiRow,
    KpiTable,
    LeagueQuery,
    LeagueRow,
    LeagueTable,
    Rate,
    RegionCounts,
)

_Key = tuple[str, str, int, int]
"""(region, canteen, day, hour). Canteen is empty for a region; day is 0 for the whole span."""


def rates(counts: Counts) -> dict[KpiName, Rate]:
    """Return the five rates. What was not measured counts as registered, but is never in a numerator."""
    cameras, canteens = counts.cameras, counts.canteens
    unvisited = cameras - counts.cameras_visited
    return {
        KpiName.CLARITY: Rate(
            counts.cameras_clear, counts.cameras_measured, cameras, cameras - counts.cameras_measured
        ),
        KpiName.ONLINE: Rate(counts.cameras_online, counts.cameras_enabled, cameras, unvisited),
        KpiName.KEY_POINT_COVERAGE: Rate(
            counts.canteens_covered, canteens, canteens, canteens - counts.canteens_measured
        ),
        # A visit just before its period counts for it, so more periods may have been kept than were due.
        KpiName.PATROL_COVERAGE: Rate(
            min(counts.periods_kept, counts.periods_due), counts.periods_due, cameras, unvisited
        ),
        KpiName.DISPLAY_SCREEN: Rate(counts.screens_shown, canteens, canteens, canteens - counts.screens_measured),
    }


def table_of(
    query: KpiQuery,
    counted: Iterable[RegionCounts],
    span: tuple[date, date] | None,
    days_total: int,
    names: Mapping[str, str] | None = None,
) -> KpiTable:
    """Return the table of `counted`. Counts of one region or canteen add up over days, unless the query has `each_day`
    or `each_hour`. The total of hours is empty: each hour holds those before it.

    `span`: first and last day of the counts; None if there are none. `days_total`: days of the span that have counts.
    `names`: canteen names by id. Raises ValueError if the page token is invalid.
    """
    sums: dict[_Key, Counts] = {}
    days: dict[_Key, int] = {}
    for region, canteen, day, counts, number, hour in counted:
        key = (region, canteen, day if query.each_day or query.each_hour else 0, hour)
        sums[key] = sums[key].plus(counts) if key in sums else counts
        days[key] = days.get(key, 0) + number
    total = NO_COUNTS
    for counts in () if query.each_hour else sums.values():
        total = total.plus(counts)
    after = _key_of(query.page_token) if query.page_token else None
    keys = sorted(key for key in sums if after is None or key > after)
    shown = keys[: query.page_size or None]
    rows = tuple(
        KpiRow(
            region=region,
            rates=rates(sums[region, canteen, day, hour]),
            counts=sums[region, canteen, day, hour],
            site_id=canteen,
            site_name=(names or {}).get(canteen, ""),
            day=date.fromordinal(day) if day else None,
            days=days[region, canteen, day, hour],
            hour=None if hour == WHOLE_DAY else hour,
        )
        for region, canteen, day, hour in shown
    )
    return KpiTable(
        by=query.by,
        rows=rows,
        total=KpiRow(query.region_prefix, rates(total), total, days=days_total),
        from_day=span[0] if span else None,
        to_day=span[1] if span else None,
        next_page_token=_token_of(shown[-1]) if len(shown) < len(keys) else "",
    )


def league(query: LeagueQuery, now: KpiTable, before: KpiTable | None) -> LeagueTable:
    """Return the regions ranked by one KPI. `before`: the table of as many days just before; None if there is none.

    A region gets no place if it has no rate, or if the rate leaves out too many of its cameras: those without a picture
    (clarity), or those that were disabled (online).
    """
    earlier = {row.region: row.rates[query.kpi] for row in before.rows} if before is not None else {}
    placed: list[LeagueRow] = []
    others: list[LeagueRow] = []
    for row in now.rows:
        rate = row.rates[query.kpi]
        line = LeagueRow(None, row, rate, earlier.get(row.region))
        (placed if _has_place(query, rate) else others).append(line)
    placed.sort(
        key=lambda line: (-_value(line.rate), -line.rate.measured / max(1, line.rate.registered), line.row.region)
    )
    place, last = 0, -1.0
    for number, line in enumerate(placed, 1):
        if _value(line.rate) != last:
            place, last = number, _value(line.rate)
        placed[number - 1] = replace(line, place=place)
    return LeagueTable(query.kpi, (*placed, *others), now.from_day, now.to_day)


def _has_place(query: LeagueQuery, rate: Rate) -> bool:
    if rate.value is None:
        return False
    if query.kpi not in (KpiName.CLARITY, KpiName.ONLINE):
        return True
    return rate.denominator >= query.measured_min * rate.registered


def _value(rate: Rate) -> float:
    return -1.0 if rate.value is None else rate.value


def _token_of(key: _Key) -> str:
    region, canteen, day, hour = key
    return f"{region},{day}{'' if hour == WHOLE_DAY else f':{hour}'},{canteen}"


def _key_of(token: str) -> _Key:
    region, _, rest = token.partition(",")
    time, comma, canteen = rest.partition(",")
    day, colon, hour = time.partition(":")
    digits = [day, *([hour] if colon else []), *([region] if region else [])]
    if not comma or not all(part.isdecimal() for part in digits):
        raise ValueError(f"page_token {token[:80]!r} is not from this list; send next_page_token of the page before")
    return region, canteen, int(day), int(hour) if colon else WHOLE_DAY
