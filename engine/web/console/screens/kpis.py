"""KPIs: rates by region and canteen over any days, with plots, the league, CSV, and the digest for print."""

import json
from datetime import date
from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.csv_replies import csv_file
from engine.web.console.page import Page
from engine.web.console.rates import tables
from engine.web.console.rates.league import change_points, why_no_place
from engine.web.console.rates.period import PRESETS, Period, asked_period, today_of
from engine.web.console.rates.sums import KPIS, RATES, Sum, ask_days, ask_hours, date_message, rows_of
from engine.web.console.screens.screen import Action, Screen
from engine.web.console.today import links
from engine.web.console.today.regions import asked_region, trail
from engine.web.errors import refusal
from engine.web.replies import PieceResponse
from patrol.v1.findings_pb2 import DigestPeriod, GetDigestRequest
from patrol.v1.patrol_pb2 import Kpi, KpiBy, KpiRow, QueryKpisRequest, QueryLeagueRequest, QueryLeagueResponse

BY = {
    "province": KpiBy.KPI_BY_PROVINCE,
    "city": KpiBy.KPI_BY_CITY,
    "county": KpiBy.KPI_BY_COUNTY,
    "canteen": KpiBy.KPI_BY_CANTEEN,
}
LEAGUE_BY = tuple(name for name in BY if name != "canteen")
_ROWS_SHOWN = 100
_REGIONS_LISTED_MAX = 400
_DIGEST_PERIODS = {"week": DigestPeriod.DIGEST_PERIOD_WEEK, "day": DigestPeriod.DIGEST_PERIOD_DAY}
_LANGUAGES = ("zh", "en")
DIGEST_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""The digest is a file of its own with its style inside; it has no script, no form and no link, and needs none."""


async def show(page: Page) -> Response:
    """Show rates by day or hour, and by region or canteen: `?region=13&by=county&period=7days`."""
    region, period, by = asked_region(page), asked_period(page), _asked_by(page)
    request = QueryKpisRequest(
        region_prefix=region,
        by=BY[by],
        from_day=date_message(period.first),
        to_day=date_message(period.last),
        page_size=_ROWS_SHOWN,
        page_token=forms.text(page.query, "page_token", 1024),
    )
    table = await page.call(request)
    times = await _times(page, region, period)
    rates = [kpi for kpi in KPIS if any(rate[kpi].registered for _, rate in times)] or list(KPIS)
    return await page.render(
        "kpis.html.jinja",
        tab="rates",
        table=table,
        total=tables.rates_of(table.total),
        rows=[(row, tables.rates_of(row)) for row in table.rows],
        times=times,
        by_hour=period.days == 1,
        plot=_plot(page, times, rates),
        kpis=KPIS,
        by=by,
        **_shared(page, region, period, {"by": by}),
    )


async def show_csv(page: Page) -> Response:
    """Send the rates by region or canteen as CSV; with `?times=1` by day, or for a single day by hour."""
    region, period, by = asked_region(page), asked_period(page), _asked_by(page)
    if forms.text(page.query, "times", 1):
        times = await _times(page, region, period)
        header = [page.text("hour") if period.days == 1 else page.text("day"), *tables.rate_header(page)]
        cells = [[str(time), *tables.rate_cells(rates)] for time, rates in times]
        return csv_file([header, *cells], _file_name("kpis-times", region, period))
    header = [page.text("code"), page.text("name"), page.text("days"), *tables.rate_header(page)]
    request = QueryKpisRequest(region_prefix=region, by=BY[by])
    rows = [
        [row.site_id or row.region, _name(page, row), row.days, *tables.rate_cells(tables.rates_of(row))]
        async for row in rows_of(page, request, period.first, period.last)
    ]
    return csv_file([header, *rows], _file_name(f"kpis-{by}", region, period))


async def show_league(page: Page) -> Response:
    """Show regions ordered by a rate: `?rate=clarity&by=county`."""
    region, period, by = asked_region(page), asked_period(page), _asked_by(page, LEAGUE_BY)
    rate = _asked_rate(page)
    league = await _league(page, region, period, by, rate)
    return await page.render(
        "kpis_league.html.jinja",
        tab="league",
        league=league,
        lines=[(row, change_points(row), why_no_place(page, row)) for row in league.rows],
        rate=rate,
        kpi=RATES[rate],
        by=by,
        **_shared(page, region, period, {"by": by, "rate": rate}),
    )


async def show_league_csv(page: Page) -> Response:
    """Send the league as CSV."""
    region, period, by = asked_region(page), asked_period(page), _asked_by(page, LEAGUE_BY)
    rate = _asked_rate(page)
    league = await _league(page, region, period, by, rate)
    header = [
        page.text(name)
        for name in (
            "place", "code", "name", "rate", "numerator", "denominator", "not measured", "registered",
            "rate before", "change in points", "why no place",
        )
    ]  # fmt: skip
    rows = [tables.league_cells(page, row) for row in league.rows]
    return csv_file([header, *rows], _file_name(f"league-{rate}-{by}", region, period))


async def show_digest(page: Page) -> Response:
    """Choose a digest: region, week or day, language."""
    region = asked_region(page)
    return await page.render(
        "kpis_digest.html.jinja",
        tab="digest",
        digest=_asked_digest(page),
        today=today_of(page),
        **_shared(page, region, asked_period(page), {}),
    )


async def digest_page(page: Page) -> Response:
    """Send the digest as `patrol report` prints it: a page of its own, ready to print."""
    chosen = _asked_digest(page)
    request = GetDigestRequest(
        region_prefix=asked_region(page),
        period=_DIGEST_PERIODS[chosen["length"]],
        with_html=True,
        language_code=chosen["language"],
    )
    if chosen["date"]:
        request.date.CopyFrom(date_message(date.fromisoformat(chosen["date"])))
    digest = await page.call(request)
    if not digest.html:
        message = "the digest has more than 3 MiB, which is the most; choose a smaller region, or a day"
        raise refusal("OUT_OF_RANGE", "DIGEST_TOO_LARGE", message)
    headers = {
        "Content-Security-Policy": DIGEST_CSP,
        "Cache-Control": "no-store",
        "Content-Language": chosen["language"],
    }
    return PieceResponse(digest.html.encode(), 200, headers, media_type="text/html; charset=utf-8")


async def _times(page: Page, region: str, period: Period) -> list[tuple[Any, dict[Kpi, Sum]]]:
    """Return the rates by day; of a single day by the hour, for those that have ended."""
    if period.days == 1:
        hours = await ask_hours(page, region, period.first)
        return [(f"{hour:02}:59", rates) for hour, rates in hours.items()]
    return list((await ask_days(page, region, period.first, period.last)).items())


async def _league(page: Page, region: str, period: Period, by: str, rate: str) -> QueryLeagueResponse:
    request = QueryLeagueRequest(region_prefix=region, kpi=RATES[rate], by=BY[by])
    request.from_day.CopyFrom(date_message(period.first))
    request.to_day.CopyFrom(date_message(period.last))
    reply: QueryLeagueResponse = await page.call(request)
    return reply


def _shared(page: Page, region: str, period: Period, query: dict[str, Any]) -> dict[str, Any]:
    """Return what the tabs and the filter of all three pages show."""
    return {
        "region": region,
        "period": period,
        "presets": PRESETS,
        "trail": trail(page, region),
        "query": {**query, **period.query},
        "choices": _choices(page, region),
        "rate_names": RATES,
        "links": links,
    }


def _choices(page: Page, region: str) -> list[tuple[str, str]]:
    """Return the regions to choose from: all that have cameras; of a whole country only provinces and cities."""
    codes = sorted(page.regions)
    if len(codes) > _REGIONS_LISTED_MAX:
        codes = sorted({region, *(code for code in codes if len(code) <= 4)} - {""})
    return [(code, page.region_name(code)) for code in codes if code.startswith(page.caller.region)]


def _plot(page: Page, times: list[tuple[Any, dict[Kpi, Sum]]], rates: list[Kpi]) -> str:
    """Return what the script plots, as JSON: times, and per cent of each rate; null where nothing was measured."""
    words = page.words()
    series = [{"name": words.kpi(kpi), "values": [_percent(found[kpi]) for _, found in times]} for kpi in rates]
    return json.dumps({"times": [str(time) for time, _ in times], "series": series})


def _percent(rate: Sum) -> float | None:
    return None if rate.value is None else round(rate.value * 100, 3)


def _asked_by(page: Page, allowed: Any = BY) -> str:
    region = asked_region(page)
    default = "canteen" if len(region) == 6 and "canteen" in allowed else "county"
    return forms.choice(page.query, "by", allowed, default)


def _asked_rate(page: Page) -> str:
    return forms.choice(page.query, "rate", RATES, "clarity")


def _asked_digest(page: Page) -> dict[str, str]:
    day = forms.text(page.query, "date", 10)
    if day:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise InvalidArgumentError("date", f"{day!r}; allowed: a day such as 2026-03-02, or none") from None
    return {
        "length": forms.choice(page.query, "length", _DIGEST_PERIODS, "week"),
        "language": forms.choice(page.query, "language", _LANGUAGES, page.language.code),
        "date": day,
    }


def _name(page: Page, row: KpiRow) -> str:
    return row.site_name or row.site_id or page.region_name(row.region)


def _file_name(what: str, region: str, period: Period) -> str:
    return f"{what}{'-' + region if region else ''}-{period.first}-{period.last}.csv"


SCREEN = Screen(
    "/kpis",
    "KPIs",
    (
        Action("/kpis", show, "kpis"),
        Action("/kpis/table.csv", show_csv, "kpis-csv"),
        Action("/kpis/league", show_league, "league"),
        Action("/kpis/league.csv", show_league_csv, "league-csv"),
        Action("/kpis/digest", show_digest, "digest"),
        Action("/kpis/digest.html", digest_page, "digest-page"),
    ),
)
