"""Sums of rates: numerators and denominators of several regions add up to those of all of them."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date

from google.type.date_pb2 import Date

from engine.errors import InvalidArgumentError
from engine.web.console.page import Page
from patrol.v1.patrol_pb2 import Kpi, KpiBy, KpiRow, QueryKpisRequest, Rate

KPIS: tuple[Kpi, ...] = (
    Kpi.KPI_CLARITY,
    Kpi.KPI_ONLINE,
    Kpi.KPI_KEY_POINT_COVERAGE,
    Kpi.KPI_PATROL_COVERAGE,
    Kpi.KPI_DISPLAY_SCREEN,
)
"""In the order in which they are shown."""
RATES = {Kpi.Name(kpi).removeprefix("KPI_").lower(): kpi for kpi in KPIS}
"""By their name in URLs."""
ROWS_PAGE = 1000
ROWS_MAX = 50_000


@dataclass(frozen=True)
class Sum:
    """A rate as the API has it, of one region or of several together."""

    numerator: int = 0
    denominator: int = 0
    registered: int = 0
    not_measured: int = 0

    @property
    def value(self) -> float | None:
        """numerator / denominator; None if nothing counts."""
        return self.numerator / self.denominator if self.denominator else None

    def plus(self, rate: Rate) -> "Sum":
        """Return this with another rate added."""
        return Sum(
            self.numerator + rate.numerator,
            self.denominator + rate.denominator,
            self.registered + rate.registered,
            self.not_measured + rate.not_measured,
        )


def sums(rows: Iterable[KpiRow]) -> dict[Kpi, Sum]:
    """Return the rates of several rows together."""
    found = dict.fromkeys(KPIS, Sum())
    for row in rows:
        for rate in row.rates:
            if rate.kpi in found:
                found[rate.kpi] = found[rate.kpi].plus(rate)
    return found


async def ask_days(page: Page, region: str, first: date, last: date) -> dict[date, dict[Kpi, Sum]]:
    """Return the rates of a region for each day that has counts. Raises HttpError."""
    request = QueryKpisRequest(region_prefix=region, by=KpiBy.KPI_BY_PROVINCE, each_day=True)
    by_day: dict[date, list[KpiRow]] = {}
    async for row in rows_of(page, request, first, last):
        by_day.setdefault(day_of(row.day), []).append(row)
    return {day: sums(rows) for day, rows in sorted(by_day.items())}


async def ask_hours(page: Page, region: str, day: date) -> dict[int, dict[Kpi, Sum]]:
    """Return the rates of a day as it had come by the end of each hour. Raises HttpError."""
    request = QueryKpisRequest(region_prefix=region, by=KpiBy.KPI_BY_PROVINCE, each_hour=True)
    by_hour: dict[int, list[KpiRow]] = {}
    async for row in rows_of(page, request, day, day):
        by_hour.setdefault(row.hour, []).append(row)
    return {hour: sums(rows) for hour, rows in sorted(by_hour.items())}


async def rows_of(page: Page, request: QueryKpisRequest, first: date, last: date) -> AsyncIterator[KpiRow]:
    """Yield all rows of a query for these days, page by page.

    Raises HttpError, and InvalidArgumentError for more than ROWS_MAX rows.
    """
    request.from_day.CopyFrom(date_message(first))
    request.to_day.CopyFrom(date_message(last))
    request.page_size = ROWS_PAGE
    number = 0
    while True:
        reply = await page.call(request)
        number += len(reply.rows)
        if number > ROWS_MAX:
            raise InvalidArgumentError("region", f"has more than {ROWS_MAX} rows; choose a smaller region or period")
        for row in reply.rows:
            yield row
        if not reply.next_page_token:
            return
        request.page_token = reply.next_page_token


def date_message(day: date) -> Date:
    """Return a day as the API has it."""
    return Date(year=day.year, month=day.month, day=day.day)


def day_of(message: Date) -> date:
    """Return a day of the API."""
    return date(message.year, message.month, message.day)
