"""`patrol kpi`: shows the KPIs and the league of counties, from the database or a running engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from engine.cli.database import open_to_read
from engine.cli.json_output import print_message
from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    client_of,
    settings_of,
)
from engine.cli.output_files import check_output
from engine.csv_cells import CsvWriter
from engine.errors import ConfigError, PatrolError
from engine.interchange.regions import hebei
from engine.model.kpi import HOUR_DAYS_MAX, KpiBy, KpiName, KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.terminal import kpis as shown
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.client import PatrolClient
    from engine.storage.db.kpis import Kpis

app = typer.Typer(help="KPIs with numerator, denominator and what was measured; see docs/kpis.md.")

_PAGE_ROWS = 1000
RegionOption = Annotated[str, typer.Option("--region", help="GB/T 2260 prefix: 13 is all of Hebei.")]
FromOption = Annotated[
    str, typer.Option("--from", help="First day, such as 2026-11-01. Default: the latest day counted.")
]
ToOption = Annotated[str, typer.Option("--to", help="Last day, included.")]


@app.callback(invoke_without_command=True)
def kpi(
    context: typer.Context,
    region: RegionOption = "",
    by: Annotated[KpiBy, typer.Option(help="What one row stands for.")] = KpiBy.COUNTY,
    first: FromOption = "",
    last: ToOption = "",
    each_day: Annotated[bool, typer.Option("--each-day", help="One row per day instead of one for all days.")] = False,
    each_hour: Annotated[
        bool,
        typer.Option("--each-hour", help="One row per hour that has ended, with the day as it had come by then."),
    ] = False,
    as_json: JsonOption = False,
    as_csv: Annotated[Path | None, typer.Option("--csv", help="CSV file to write instead of printing a table.")] = None,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Show KPIs by province, city, county or canteen. Over several days, camera-days are added up.

    Reads the database that the configuration names, whether the engine runs or not; with --server, asks that engine.
    Beside every rate is the number of cameras or canteens that were measured, of those registered.
    """
    if context.invoked_subcommand is not None:
        return
    if as_json and as_csv is not None:
        raise ConfigError("--json and --csv: give one of them")
    check_output(as_csv, "--csv")
    query = KpiQuery(_region(region), by, *_days(first, last), each_day, each_hour)
    if each_hour:
        _check_hours(query)
    with _opened(config, server, token, ca) as kpis:
        table = kpis.table(query)
    _check_counted(table.from_day, table.to_day)
    if as_csv is not None:
        _write_csv(table, as_csv)
    elif as_json:
        from engine.serve.messages.kpis import table_message

        print_message(table_message(table, ""))
    else:
        columns = [*shown.COLUMNS]
        show_table(OUT, columns, shown.table_rows(table, hebei().label))
        OUT.out(_days_text(table.from_day, table.to_day), highlight=False)


@app.command()
def league(
    region: RegionOption = "",
    name: Annotated[KpiName, typer.Option("--kpi", help="The KPI to rank by.")] = KpiName.CLARITY,
    by: Annotated[KpiBy, typer.Option(help="What is ranked: province, city or county.")] = KpiBy.COUNTY,
    first: FromOption = "",
    last: ToOption = "",
    measured_min: Annotated[
        float,
        typer.Option(
            "--measured-min", help="Least share that must be measured for a place in the ranking.", min=0, max=1
        ),
    ] = 0.5,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Rank counties, best first, beside the rate of the same number of days before. Equal rates share a place."""
    if by == KpiBy.CANTEEN:
        raise ConfigError("--by canteen: a league ranks provinces, cities or counties; use `patrol kpi --by canteen`")
    query = LeagueQuery(_region(region), name, by, *_days(first, last), measured_min)
    with _opened(config, server, token, ca) as kpis:
        table = kpis.league(query)
    _check_counted(table.from_day, table.to_day)
    if as_json:
        from engine.serve.messages.kpis import league_message

        print_message(league_message(table))
        return
    columns = ["place", "region", "name", name.value, "measured", "before"]
    show_table(OUT, columns, shown.league_rows(table, hebei().label))
    OUT.out(_days_text(table.from_day, table.to_day), highlight=False)


class KpiSource(Protocol):
    """Where KPIs come from: the database, or the API of an engine elsewhere."""

    def table(self, query: KpiQuery) -> KpiTable:
        """Return all rows of KPIs."""

    def league(self, query: LeagueQuery) -> LeagueTable:
        """Return regions ordered by a KPI."""


class _DatabaseKpis:
    def __init__(self, kpis: "Kpis") -> None:
        self._kpis = kpis

    def table(self, query: KpiQuery) -> KpiTable:
        from engine.hub.services.kpis import kpi_table

        return kpi_table(self._kpis, query)

    def league(self, query: LeagueQuery) -> LeagueTable:
        from engine.hub.services.kpis import league_table

        return league_table(self._kpis, query)


class _ApiKpis:
    def __init__(self, client: "PatrolClient") -> None:
        self._client = client

    def table(self, query: KpiQuery) -> KpiTable:
        query = replace(query, page_size=_PAGE_ROWS)
        page = self._client.kpis(query)
        rows = [*page.rows]
        while page.next_page_token:
            page = self._client.kpis(replace(query, page_token=page.next_page_token))
            rows += page.rows
        return replace(page, rows=tuple(rows))

    def league(self, query: LeagueQuery) -> LeagueTable:
        return self._client.league(query)


@contextmanager
def _opened(config: Path | None, server: str, token: str, ca: Path | None) -> Iterator[KpiSource]:
    """Open the engine at `server` if one is named, else the database of the configuration."""
    settings = settings_of(config)
    if server:
        with client_of(settings, server, token, ca) as client:
            yield _ApiKpis(client)
        return
    with open_to_read(settings) as store:
        yield _DatabaseKpis(store.kpis)


def _write_csv(table: KpiTable, path: Path) -> None:
    try:
        # The byte order mark tells Excel that the file is UTF-8.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = CsvWriter(file)
            writer.row(shown.CSV_COLUMNS)
            writer.rows(shown.csv_rows(table, hebei().label))
    except OSError as error:
        raise PatrolError(f"{path}: {error.strerror}; give another --csv file") from error
    ERR.out(f"wrote {path}", highlight=False)


def _region(text: str) -> str:
    if text and not (text.isascii() and text.isdecimal() and len(text) in (2, 4, 6)):
        raise ConfigError(f"--region {text!r}: allowed: a GB/T 2260 code of 2, 4 or 6 digits; leave it out for all")
    return text


def _days(first: str, last: str) -> tuple[date | None, date | None]:
    from_day, to_day = _day("--from", first), _day("--to", last)
    if from_day is not None and to_day is not None and to_day < from_day:
        raise ConfigError(f"--from {from_day} --to {to_day}: the last day lies before the first; exchange the two")
    return from_day, to_day


def _check_hours(query: KpiQuery) -> None:
    """Raise ConfigError if a query by hour is for canteens, or for more days than one can be."""
    if query.by == KpiBy.CANTEEN:
        raise ConfigError("--each-hour --by canteen: canteens have no hours; use --by county, city or province")
    first, last = query.from_day, query.to_day
    if (first is None) != (last is None) or (first and last and (last - first).days >= HOUR_DAYS_MAX):
        raise ConfigError(
            f"--each-hour: allowed: the latest day (neither --from nor --to), or up to {HOUR_DAYS_MAX} days; give both"
        )


def _check_counted(first: date | None, last: date | None) -> None:
    """Raise ConfigError if the one day that was given lies beyond all days that are counted."""
    if first is not None and last is not None and last < first:
        raise ConfigError(
            f"nothing is counted in these days: the first day is {first}, the last {last}; `patrol kpi` without --from "
            "and --to shows the latest day that is counted"
        )


def _day(option: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: allowed: a day like 2026-11-01") from error


def _days_text(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return "no day is counted yet; the engine counts while it runs"
    return f"day {first}" if first == last else f"days {first} to {last}"
