"""Converts KPIs and league tables to messages of patrol.v1 and back. Pure."""

from collections.abc import Iterable
from datetime import date

from google.type.date_pb2 import Date

from engine.errors import InvalidArgumentError
from engine.model.kpi import (
    HOUR_DAYS_MAX,
    Counts,
    KpiBy,
    KpiName,
    KpiQuery,
    KpiRow,
    KpiTable,
    LeagueQuery,
    LeagueRow,
    LeagueTable,
    Rate,
)
from patrol.v1 import patrol_pb2

_KPI_NUMBER = {kpi: getattr(patrol_pb2, f"KPI_{kpi.name}") for kpi in KpiName}
_BY_NUMBER = {by: getattr(patrol_pb2, f"KPI_BY_{by.name}") for by in KpiBy}
_KPI = {number: kpi for kpi, number in _KPI_NUMBER.items()}
_BY = {number: by for by, number in _BY_NUMBER.items()}


def day_of(message: Date, field: str) -> date | None:
    """Return the day in a message; None if it is unset. Raises InvalidArgumentError if there is no such day."""
    if not (message.year or message.month or message.day):
        return None
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise InvalidArgumentError(field, f"{error}; give year, month and day of a day that there is") from error


def day_message(day: date | None) -> Date | None:
    """Return a day as a message; None for None."""
    return None if day is None else Date(year=day.year, month=day.month, day=day.day)


def query_of(request: patrol_pb2.QueryKpisRequest) -> KpiQuery:
    """Return the query of a request; the caller sets its page. Raises InvalidArgumentError for bad days, and for hours
    of canteens or of too many days."""
    from_day, to_day = _span_of(request)
    if request.each_hour:
        if request.by == patrol_pb2.KPI_BY_CANTEEN:
            raise InvalidArgumentError(
                "by", "KPI_BY_CANTEEN has no hours; allowed with each_hour: county, city, province"
            )
        one_is_absent = (from_day is None) != (to_day is None)
        if one_is_absent or (from_day and to_day and (to_day - from_day).days >= HOUR_DAYS_MAX):
            allowed = f"the latest day (give neither), or a first and a last day of at most {HOUR_DAYS_MAX} days"
            raise InvalidArgumentError("from_day", f"does not suit each_hour; allowed: {allowed}")
    return KpiQuery(
        region_prefix=request.region_prefix,
        by=_BY.get(request.by, KpiBy.COUNTY),
        from_day=from_day,
        to_day=to_day,
        each_day=request.each_day,
        each_hour=request.each_hour,
    )


def query_message(query: KpiQuery) -> patrol_pb2.QueryKpisRequest:
    """Return a query, with its page, as a request."""
    return patrol_pb2.QueryKpisRequest(
        region_prefix=query.region_prefix,
        by=_BY_NUMBER[query.by],
        from_day=day_message(query.from_day),
        to_day=day_message(query.to_day),
        each_day=query.each_day,
        each_hour=query.each_hour,
        page_size=query.page_size,
        page_token=query.page_token,
    )


def league_query_of(request: patrol_pb2.QueryLeagueRequest) -> LeagueQuery:
    """Return the query of a request. Raises InvalidArgumentError for bad days or a share outside 0 to 1."""
    from_day, to_day = _span_of(request)
    measured_min = request.measured_share_min if request.HasField("measured_share_min") else LeagueQuery().measured_min
    if not 0.0 <= measured_min <= 1.0:
        raise InvalidArgumentError("measured_share_min", f"{measured_min:g}; allowed: 0 to 1")
    return LeagueQuery(
        region_prefix=request.region_prefix,
        kpi=_KPI.get(request.kpi, KpiName.CLARITY),
        by=_BY.get(request.by, KpiBy.COUNTY),
        from_day=from_day,
        to_day=to_day,
        measured_min=measured_min,
    )


def league_query_message(query: LeagueQuery) -> patrol_pb2.QueryLeagueRequest:
    """Return a query as a request."""
    return patrol_pb2.QueryLeagueRequest(
        region_prefix=query.region_prefix,
        kpi=_KPI_NUMBER[query.kpi],
        by=_BY_NUMBER[query.by],
        from_day=day_message(query.from_day),
        to_day=day_message(query.to_day),
        measured_share_min=query.measured_min,
    )


def table_message(table: KpiTable, next_page_token: str) -> patrol_pb2.QueryKpisResponse:
    """Return a page of KPIs as a reply."""
    return patrol_pb2.QueryKpisResponse(
        rows=map(_row_message, table.rows),
        total=_row_message(table.total),
        from_day=day_message(table.from_day),
        to_day=day_message(table.to_day),
        next_page_token=next_page_token,
    )


def table_of(message: patrol_pb2.QueryKpisResponse, by: KpiBy) -> KpiTable:
    """Return the page of KPIs in a reply; a reply holds rates, but no counts."""
    return KpiTable(
        by=by,
        rows=tuple(map(_row_of, message.rows)),
        total=_row_of(message.total),
        from_day=day_of(message.from_day, "from_day"),
        to_day=day_of(message.to_day, "to_day"),
        next_page_token=message.next_page_token,
    )


def league_message(table: LeagueTable) -> patrol_pb2.QueryLeagueResponse:
    """Return a league table as a reply."""
    rows = []
    for row in table.rows:
        message = patrol_pb2.LeagueRow(
            place=row.place or 0, row=_row_message(row.row), rate=rate_message(table.kpi, row.rate)
        )
        if row.before is not None:
            message.before.CopyFrom(rate_message(table.kpi, row.before))
        rows.append(message)
    return patrol_pb2.QueryLeagueResponse(
        rows=rows, from_day=day_message(table.from_day), to_day=day_message(table.to_day)
    )


def league_of(message: patrol_pb2.QueryLeagueResponse, kpi: KpiName) -> LeagueTable:
    """Return the league table in a reply."""
    rows = tuple(
        LeagueRow(
            place=row.place or None,
            row=_row_of(row.row),
            rate=rate_of(row.rate),
            before=rate_of(row.before) if row.HasField("before") else None,
        )
        for row in message.rows
    )
    return LeagueTable(kpi, rows, day_of(message.from_day, "from_day"), day_of(message.to_day, "to_day"))


def _span_of(request: patrol_pb2.QueryKpisRequest | patrol_pb2.QueryLeagueRequest) -> tuple[date | None, date | None]:
    from_day, to_day = day_of(request.from_day, "from_day"), day_of(request.to_day, "to_day")
    if from_day is not None and to_day is not None and to_day < from_day:
        raise InvalidArgumentError("to_day", f"{to_day} lies before from_day, {from_day}; exchange the two")
    return from_day, to_day


def _row_message(row: KpiRow) -> patrol_pb2.KpiRow:
    return patrol_pb2.KpiRow(
        region=row.region,
        site_id=row.site_id,
        site_name=row.site_name,
        day=day_message(row.day),
        days=row.days,
        hour=row.hour,
        rates=[rate_message(kpi, rate) for kpi, rate in row.rates.items()],
    )


def rates_of(messages: Iterable[patrol_pb2.Rate]) -> dict[KpiName, Rate]:
    """Return the rates in messages, without those that this version does not know."""
    return {_KPI[message.kpi]: rate_of(message) for message in messages if message.kpi in _KPI}


def _row_of(message: patrol_pb2.KpiRow) -> KpiRow:
    return KpiRow(
        region=message.region,
        rates=rates_of(message.rates),
        counts=Counts(),
        site_id=message.site_id,
        site_name=message.site_name,
        day=day_of(message.day, "day"),
        days=message.days,
        hour=message.hour if message.HasField("hour") else None,
    )


def rate_message(kpi: KpiName, rate: Rate) -> patrol_pb2.Rate:
    """Return one rate as a message."""
    return patrol_pb2.Rate(
        kpi=_KPI_NUMBER[kpi],
        numerator=rate.numerator,
        denominator=rate.denominator,
        registered=rate.registered,
        not_measured=rate.not_measured,
        value=rate.value,
    )


def rate_of(message: patrol_pb2.Rate) -> Rate:
    """Return the rate in a message."""
    return Rate(message.numerator, message.denominator, message.registered, message.not_measured)
