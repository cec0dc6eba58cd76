"""Renders KPIs as tables and CSV: one row per region or canteen, measured / registered beside every rate."""

from collections.abc import Callable, Iterator, Sequence

from engine.model.kpi import KpiName, KpiRow, KpiTable, LeagueTable, Rate

COLUMNS = ("region", "name", "days", *(column for name in KpiName for column in (name.value, "measured")))
CSV_COLUMNS = (
    "from_day", "to_day", "day", "region", "name", "site_id", "days",
    *(f"{name}_{part}" for name in KpiName for part in ("rate", "numerator", "denominator", "measured", "registered")),
    "hour",
)  # fmt: skip


def rate_text(rate: Rate) -> str:
    """Return a rate like `97.4 % 95/98`, or a dash if its denominator is 0."""
    return "-" if rate.value is None else f"{100 * rate.value:.1f} % {rate.numerator}/{rate.denominator}"


def measured_text(rate: Rate) -> str:
    """Return measured of registered, like `98/100`."""
    return f"{rate.measured}/{rate.registered}"


def table_rows(table: KpiTable, region_name: Callable[[str], str]) -> list[list[str]]:
    """Return the cells under COLUMNS; a total comes last unless there is exactly one row, or the rows are hours."""
    rows = [_cells(row, row.site_name or region_name(row.region)) for row in table.rows]
    if len(rows) != 1 and all(row.hour is None for row in table.rows):
        rows.append(_cells(table.total, "all"))
    return rows


def league_rows(table: LeagueTable, region_name: Callable[[str], str]) -> list[list[str]]:
    """Return the cells of each line: place, region, name, rate, measured, rate of the period before."""
    return [
        [
            "-" if line.place is None else str(line.place),
            line.row.region or "-",
            region_name(line.row.region),
            rate_text(line.rate),
            measured_text(line.rate),
            "-" if line.before is None else rate_text(line.before),
        ]
        for line in table.rows
    ]


def csv_rows(table: KpiTable, region_name: Callable[[str], str]) -> Iterator[Sequence[str]]:
    """Yield the cells under CSV_COLUMNS; a rate whose denominator is 0 is empty."""
    for row in table.rows:
        yield (
            str(table.from_day or ""), str(table.to_day or ""), str(row.day or ""), row.region,
            row.site_name or region_name(row.region), row.site_id, str(row.days),
            *(str(cell) for name in KpiName for cell in _csv_rate(row.rates[name])),
            "" if row.hour is None else str(row.hour),
        )  # fmt: skip


def _cells(row: KpiRow, name: str) -> list[str]:
    rates = [text for kpi in KpiName for text in (rate_text(row.rates[kpi]), measured_text(row.rates[kpi]))]
    days = str(row.days) if row.day is None else row.day.isoformat()
    if row.hour is not None:
        days = f"{days} until {row.hour + 1:02}:00"
    return [row.region or "-", f"{name} {row.site_id}".strip(), days, *rates]


def _csv_rate(rate: Rate) -> tuple[object, ...]:
    value = "" if rate.value is None else f"{rate.value:.6f}"
    return value, rate.numerator, rate.denominator, rate.measured, rate.registered
