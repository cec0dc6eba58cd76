"""`patrol cameras ...`: the registry."""

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
from engine.cli.platforms import disagree, pull_app
from engine.errors import ConfigError
from engine.interchange.camera_files import FileFormat, format_of
from engine.model.registry import CameraQuery, RowProblem
from engine.model.verdict import State
from engine.terminal.formatting import clock_text, score_text, state_of, state_text, why
from engine.terminal.tables import Cell, show_table

app = typer.Typer(no_args_is_help=True, help="The registry of cameras of a running engine, or of its database.")


class Names(StrEnum):
    """What the columns of a file are called by."""

    OURS = "ours"
    GBT28181 = "gbt28181"


@app.command("import")
def import_cameras(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines (.jsonl), in our names or those of GB/T 28181.")],
    keep_good: Annotated[bool, typer.Option("--keep-good", help="Take the good rows although some are bad.")] = False,
    stream_url: Annotated[
        str, typer.Option(help="For rows without a url: rtsp://media:554/rtp/{parent_id}_{camera_id}")
    ] = "",
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Add and change cameras. Every bad row is named; then nothing is taken, unless --keep-good.

    `***` in a url stands for the password that is known. Exit 1: some rows are bad. docs/interchange.md has the rest.
    """
    from engine.batch.registry import open_registry
    from engine.batch.registry_files import RegistryFile
    from engine.interchange.stream_url import StreamUrl

    settings = settings_of(config)
    rows = RegistryFile(file, settings, StreamUrl(stream_url) if stream_url else None)
    found = rows.check()
    for note, number in found.notes.items():
        ERR.out(f"note: {note} ({number} rows)", highlight=False)
    _name_problems(found.problems)
    if found.problems and not keep_good:
        ERR.out(f"{len(found.problems)} problems; nothing was taken (--keep-good takes the good rows)", highlight=False)
        raise typer.Exit(1)
    with open_registry(settings, server, token, ca) as desk:
        report = desk.upsert(rows.cameras(), keep_good)
        _name_problems(report.problems)
        OUT.out(
            f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, in {desk.name}",
            highlight=False,
        )
    raise typer.Exit(1 if found.problems or report.problems else 0)


@app.command("export")
def export_cameras(
    file: Annotated[Path, typer.Argument(help="File to write; `-`: standard output.")],
    form: Annotated[FileFormat | None, typer.Option("--format", help="csv or jsonl; default: by the suffix.")] = None,
    names: Annotated[Names, typer.Option("--fields", help="ours, or those of GB/T 28181.")] = Names.OURS,
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    with_verdict: Annotated[bool, typer.Option("--with-verdict", help="What the engine says of each, too.")] = False,
    with_passwords: Annotated[
        bool, typer.Option("--with-passwords", help="Passwords of URLs too, from the database; the file is private.")
    ] = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Write the registry to a file that `patrol cameras import` takes back. Passwords of URLs are `***` in it."""
    from engine.batch.registry import open_database_registry, open_registry
    from engine.batch.registry_files import atomic_file, write_cameras

    if with_passwords and server:
        raise ConfigError("--with-passwords reads the database: passwords never leave an engine; leave --server out")
    settings = settings_of(config)
    to_stdout = str(file) == "-"
    form = form or format_of(file)
    out = nullcontext(sys.stdout) if to_stdout else atomic_file(file, form, private=with_passwords)
    reading = (
        open_database_registry(settings, with_passwords)
        if with_passwords
        else open_registry(settings, server, token, ca)
    )
    with reading as desk, out as sheet:
        statuses = desk.cameras(CameraQuery(region))
        number = write_cameras(statuses, sheet, form, gb_names=names is Names.GBT28181, with_verdict=with_verdict)
    ERR.out(f"{number} cameras of {desk.name}{'' if to_stdout else f', in {file}'}", highlight=False)


@app.command("reset-baseline")
def reset_baseline(
    camera_ids: Annotated[list[str], typer.Argument(help="Cameras.", metavar="CAMERA_ID...")],
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Learn anew what cameras show, after they were moved, cleaned or exchanged on purpose. Exit 1: an id not known."""
    with client_of(settings_of(config), server, token, ca) as client:
        reset, unknown = client.reset_baselines(camera_ids)
    OUT.out(f"{reset} reset" + (f", not known: {', '.join(unknown)}" if unknown else ""))
    raise typer.Exit(1 if unknown else 0)


@app.command("list")
def list_cameras(
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    site: Annotated[str, typer.Option(help="Canteen id.")] = "",
    state: Annotated[str, typer.Option(help="ok, fault, unknown or offline.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Cameras with what the engine says of them."""
    from engine.batch.registry import camera_json, open_registry

    if state and state not in set(State):
        raise ConfigError(f"--state {state!r}: allowed: {', '.join(State)}")
    query = CameraQuery(region, site, State(state) if state else None)
    with open_registry(settings_of(config), server, token, ca) as desk:
        if as_json:
            for status in desk.cameras(query):
                OUT.out(json.dumps(camera_json(status), ensure_ascii=False), highlight=False)
            return
        table: list[list[Cell]] = []
        for one in desk.cameras(query):
            latest = one.latest
            table.append(
                [
                    one.camera.camera_id,
                    one.camera.name,
                    one.camera.site_name or one.camera.site_id,
                    one.camera.region,
                    state_text(state_of(latest)),
                    "" if latest is None else ", ".join(latest.announced_kinds) or why(latest),
                    "" if latest is None else score_text(latest.scores.sharpness),
                    "" if latest is None else score_text(latest.scores.exposure),
                    "" if latest is None else clock_text(latest.at_wall_ns),
                ]
            )
        columns = ["camera", "name", "canteen", "region", "state", "why", "sharp", "expo", "seen"]
        show_table(OUT, columns, table, f"{len(table)} cameras in {desk.name}")


app.add_typer(pull_app, name="pull")
app.command("disagree")(disagree)


def _name_problems(problems: Sequence[RowProblem]) -> None:
    if problems:
        rows = [[str(p.line or "-"), p.column, p.value, p.message] for p in problems]
        show_table(ERR, ["line", "column", "value", "what"], rows)
