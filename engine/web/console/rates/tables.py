"""Rates as rows of tables: for CSV files, made of the same figures as the pages."""

from engine.web.console.page import Page
from engine.web.console.rates.league import change_points, why_no_place
from engine.web.console.rates.sums import KPIS, Sum
from patrol.v1.patrol_pb2 import Kpi, KpiRow, LeagueRow, Rate

_RATE_COLUMNS = ("rate", "numerator", "denominator", "not measured", "registered")
_DIGITS = 6


def rate_header(page: Page) -> list[str]:
    """Return the headings of the columns of all rates."""
    words = page.words()
    return [f"{words.kpi(kpi)} · {page.text(column)}" for kpi in KPIS for column in _RATE_COLUMNS]


def rate_cells(rates: dict[Kpi, Sum]) -> list[object]:
    """Return the cells of all rates; an empty cell for a rate that has no denominator."""
    return [cell for kpi in KPIS for cell in _cells(rates[kpi])]


def rates_of(row: KpiRow) -> dict[Kpi, Sum]:
    """Return the rates of a row by their kind."""
    return dict.fromkeys(KPIS, Sum()) | {rate.kpi: Sum().plus(rate) for rate in row.rates}


def league_cells(page: Page, row: LeagueRow) -> list[object]:
    """Return the cells of a row of the league."""
    before = row.before if row.HasField("before") else Rate()
    points = change_points(row)
    return [
        row.place or None,
        row.row.region,
        page.region_name(row.row.region),
        *_cells(Sum().plus(row.rate)),
        before.value if before.HasField("value") else None,
        None if points is None else round(points, 3),
        why_no_place(page, row),
    ]


def _cells(rate: Sum) -> list[object]:
    value = None if rate.value is None else round(rate.value, _DIGITS)
    return [value, rate.numerator, rate.denominator, rate.not_measured, rate.registered]
