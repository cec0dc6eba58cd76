"""`patrol spot-check`: draws canteens at random for people to inspect."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.json_output import print_message
from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    client_of,
    settings_of,
    times_of,
)
from engine.cli.output_files import check_output
from engine.csv_cells import CsvWriter
from engine.errors import ConfigError, PatrolError
from engine.model.spot_check import SPOT_CHECK_SITES_MAX, SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.terminal.tables import show_table
from engine.terminal.times import Times

_CSV_COLUMNS = ("draw_id", "county", "kind", "with_findings", "site_id", "site_name", "findings", "round")


def spot_check(
    size: Annotated[
        int, typer.Option(help="Canteens to draw; 0: scheduler.spot_check_sites.", min=0, max=SPOT_CHECK_SITES_MAX)
    ] = 0,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed. Default: one that nobody can know beforehand.", min=0, max=2**32 - 1),
    ] = None,
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Draw and show canteens, and store nothing.")] = False,
    check_now: Annotated[
        bool, typer.Option("--check-now", help="Visit the cameras of the drawn canteens at once.")
    ] = False,
    show: Annotated[int | None, typer.Option(help="Show an earlier draw by its number; 0: the latest.", min=0)] = None,
    earlier: Annotated[bool, typer.Option("--list", help="List the draws that --show can show.")] = False,
    as_json: JsonOption = False,
    as_csv: Annotated[Path | None, typer.Option("--csv", help="CSV file to write instead of printing tables.")] = None,
    utc: UtcOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Draw canteens at random, stratified by county, kind of school and earlier findings.

    No canteen is drawn twice before all of its stratum were drawn.
    """
    drawing = bool(size or seed is not None or region or dry_run or check_now)
    if drawing + (show is not None) + earlier > 1:
        raise ConfigError("--show and --list show earlier draws; leave the other options of the draw out")
    if as_csv is not None and (as_json or earlier):
        raise ConfigError("--csv writes the canteens of one draw; leave --json and --list out")
    check_output(as_csv, "--csv")
    settings = settings_of(config)
    with client_of(settings, server, token, ca) as client:
        if earlier:
            _show_headers(client.spot_checks(), as_json, times_of(settings, utc))
            return
        if show is not None:
            report = SpotCheckReport(client.spot_check(show))
        else:
            report = client.draw_spot_check(SpotCheckOrder(size, seed, region, dry_run, check_now))
    if as_json:
        from engine.serve.messages.spot_checks import drawn_message

        print_message(drawn_message(report))
        return
    if as_csv is not None:
        _write_csv(report.spot_check, as_csv)
    else:
        _show_tables(report.spot_check)
    _show_summary(report)


def _show_headers(headers: tuple[SpotCheckHeader, ...], as_json: bool, times: Times) -> None:
    if as_json:
        from engine.serve.messages.spot_checks import header_message

        for header in headers:
            print_message(header_message(header))
        return
    columns = ["draw", *times.head("at"), "region", "asked", "drawn", "of", "seed"]
    table = [
        [str(h.draw_id), times.day(h.at_wall_ns), h.region_prefix, *map(str, (h.size, h.drawn, h.canteens, h.seed))]
        for h in headers
    ]
    show_table(OUT, columns, table)


def _show_tables(check: SpotCheck) -> None:
    columns = ["county", "kind", "findings", "canteens", "drawn", "round", "left in round"]
    strata = [
        [stratum.county, stratum.kind, _yes(stratum.with_findings)]
        + [str(number) for number in (stratum.canteens, stratum.drawn, stratum.round, stratum.left_in_round)]
        for stratum in check.strata
    ]
    show_table(OUT, columns, strata)
    OUT.out()
    columns = ["county", "kind", "findings", "canteen", "name", "cameras at fault", "round"]
    drawn = [
        [
            canteen.county,
            canteen.kind,
            _yes(canteen.with_findings),
            canteen.site_id,
            canteen.site_name,
            str(canteen.findings),
            str(canteen.round),
        ]
        for canteen in check.drawn
    ]
    show_table(OUT, columns, drawn)
    OUT.out()


def _show_summary(report: SpotCheckReport) -> None:
    header = report.spot_check.header
    draw = f"draw {header.draw_id}" if header.draw_id else "dry run"
    OUT.out(
        f"{draw}: {header.drawn} of {header.canteens} canteens, {len(report.spot_check.strata)} strata, "
        f"seed {header.seed}",
        highlight=False,
    )
    for reason, number in report.spot_check.left_out.items():
        OUT.out(f"{number} cameras count for no canteen: {reason}", highlight=False)
    if report.check_now is not None:
        visits = report.check_now
        OUT.out(
            f"{visits.accepted} cameras are visited at once, {visits.already_in_flight} were being visited, "
            f"{visits.not_visited} are not visited by us",
            highlight=False,
        )


def _write_csv(check: SpotCheck, path: Path) -> None:
    try:
        # The byte order mark tells Excel that the file is UTF-8.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = CsvWriter(file)
            writer.row(_CSV_COLUMNS)
            for canteen in check.drawn:
                row = asdict(canteen) | {"draw_id": check.header.draw_id, "with_findings": _yes(canteen.with_findings)}
                writer.row(row[name] for name in _CSV_COLUMNS)
    except OSError as error:
        option = f"--show {check.header.draw_id}" if check.header.draw_id else f"--seed {check.header.seed}"
        raise PatrolError(
            f"{path}: {error.strerror}; give another --csv file, with {option} for the same draw"
        ) from error
    ERR.out(f"wrote {path}", highlight=False)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
