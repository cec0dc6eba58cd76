"""`patrol cameras ...`: lists, imports and exports the registry of cameras; camera_commands has the rest."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import exit_codes
from engine.cli.camera_commands.edit import add, delete, edit
from engine.cli.camera_commands.import_output import import_json, show_check, show_import
from engine.cli.camera_commands.show import show_camera
from engine.cli.commands.platforms import disagree, pull_app
from engine.cli.database import say_created
from engine.cli.json_output import print_json, print_message
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
from engine.errors import ConfigError
from engine.interchange.camera_files import FileFormat, format_of
from engine.model.registry import CameraQuery, CameraStatus, ImportReport
from engine.model.verdict import State, UnknownReason
from engine.model.visit import FailureReason
from engine.redact import redact
from engine.terminal.formatting import score_text, state_of, state_text, why_text
from engine.terminal.tables import Cell, show_table
from engine.terminal.times import Times

app = typer.Typer(no_args_is_help=True, help="The registry of cameras, in a running engine or in its database.")


class Names(StrEnum):
    """Which set of column names a file uses."""

    OURS = "ours"
    GBT28181 = "gbt28181"


@app.command("import")
def import_cameras(
    file: Annotated[
        Path,
        typer.Argument(help="CSV or JSON Lines (.jsonl) with our column names or those of GB/T 28181."),
    ],
    keep_good: Annotated[bool, typer.Option("--keep-good", help="Import the good rows if others are bad.")] = False,
    stream_url: Annotated[
        str, typer.Option(help="URL for rows without one, for example rtsp://media:554/rtp/{parent_id}_{camera_id}.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be added and changed, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Add and change cameras from a file. Reports every bad row, and then imports nothing unless --keep-good is given.

    Ids that a spreadsheet has made numbers of are bad rows: docs/registry.md says how to keep them as text. `***` in a
    url stands for the password that the registry already has. Exit 1: some rows are bad. See docs/interchange.md.
    """
    from engine.batch.registry import open_registry
    from engine.batch.registry_files import RegistryFile
    from engine.batch.registry_preview import preview
    from engine.interchange.stream_url import StreamUrl

    settings = settings_of(config)
    rows = RegistryFile(file, settings, StreamUrl(stream_url) if stream_url else None)
    check = rows.check()
    if not as_json:
        show_check(check)
    if check.problems and not keep_good:
        if as_json:
            print_json(import_json(ImportReport(), check, dry_run))
        else:
            text = f"{len(check.problems)} problems; nothing was imported (--keep-good imports the good rows)"
            ERR.out(text, highlight=False)
        raise typer.Exit(exit_codes.NO)
    with open_registry(settings, server, token, ca, create=not dry_run) as registry:
        say_created(registry.created)
        changes = list(preview(registry, rows.cameras())) if dry_run else []
        report = registry.upsert(rows.cameras(), keep_good, dry_run=dry_run)
        if as_json:
            print_json(import_json(report, check, dry_run, changes))
        else:
            show_import(report, registry.name, changes if dry_run else None)
    raise typer.Exit(exit_codes.NO if check.problems or report.problems else exit_codes.OK)


@app.command("export")
def export_cameras(
    file: Annotated[Path, typer.Argument(help="File to write; `-` is standard output.")],
    form: Annotated[
        FileFormat | None, typer.Option("--format", help="csv or jsonl. Default: by the suffix of the file.")
    ] = None,
    names: Annotated[Names, typer.Option("--fields", help="Column names: ours, or those of GB/T 28181.")] = Names.OURS,
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    with_verdict: Annotated[bool, typer.Option("--with-verdict", help="Add the verdict on each camera.")] = False,
    with_passwords: Annotated[
        bool,
        typer.Option(
            "--with-passwords",
            help="Include passwords of URLs, read from the database; only the owner may read the file.",
        ),
    ] = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Write the registry to a file that `patrol cameras import` can read. Passwords in URLs are replaced by `***`."""
    from engine.batch.registry import open_database_registry, open_registry
    from engine.batch.registry_files import atomic_file, write_cameras

    if with_passwords and server:
        raise ConfigError("--with-passwords reads the database: passwords never leave an engine; leave --server out")
    settings = settings_of(config)
    to_stdout = str(file) == "-"
    check_output(None if to_stdout else file, "FILE")
    form = form or format_of(file)
    output = nullcontext(sys.stdout) if to_stdout else atomic_file(file, form, private=with_passwords)
    opened = (
        open_database_registry(settings, with_passwords)
        if with_passwords
        else open_registry(settings, server, token, ca)
    )
    with opened as registry, output as stream:
        statuses = registry.cameras(CameraQuery(region))
        number = write_cameras(statuses, stream, form, gb_names=names is Names.GBT28181, with_verdict=with_verdict)
    ERR.out(f"{number} cameras of {registry.name}{'' if to_stdout else f', in {file}'}", highlight=False)


@app.command("reset-baseline")
def reset_baseline(
    camera_ids: Annotated[list[str], typer.Argument(help="Ids of cameras.", metavar="CAMERA_ID...")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Forget the baselines of cameras that were moved, cleaned or exchanged, so that new ones are learned.

    Exit 1: some ids are not in the registry.
    """
    with client_of(settings_of(config), server, token, ca) as client:
        reset, unknown = client.reset_baselines(camera_ids)
    if as_json:
        from engine.serve.messages.resource_names import camera_name
        from patrol.v1 import cameras_pb2

        print_message(cameras_pb2.ResetBaselineResponse(reset=reset, missing=map(camera_name, unknown)))
        raise typer.Exit(1 if unknown else 0)
    OUT.out(f"{reset} reset" + (f", not known: {', '.join(unknown)}" if unknown else ""))
    raise typer.Exit(exit_codes.NO if unknown else exit_codes.OK)


@app.command("list")
def list_cameras(
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    site: Annotated[str, typer.Option(help="Only this canteen (its id).")] = "",
    state: Annotated[str, typer.Option(help="Only cameras in this state: ok, fault, unknown or offline.")] = "",
    utc: UtcOption = False,
    reason: Annotated[
        list[str] | None,
        typer.Option(help="Only cameras whose latest visit has this reason, like unauthorized; repeat it for more."),
    ] = None,
    operator: Annotated[
        bool,
        typer.Option("--operator", help="Only the operator's list: offline for a reason of `ledger.operator_reasons`."),
    ] = False,
    platform_disagrees: Annotated[
        bool,
        typer.Option(
            "--platform-disagrees",
            help="Only cameras that the media platform calls online and the engine offline, or the reverse.",
        ),
    ] = False,
    wide: Annotated[bool, typer.Option("--wide", help="Show the detail of each verdict, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List cameras with their latest verdicts."""
    from engine.batch.registry import open_registry
    from engine.interchange.platform_claims import disagreement
    from engine.serve.messages.convert import status_message

    if state and state not in set(State):
        raise ConfigError(f"--state {state!r}: allowed: {', '.join(State)}")
    settings = settings_of(config)
    reasons = _reasons(reason or [])
    if operator:
        state, reasons = State.OFFLINE, {*reasons, *settings.ledger.operator_reasons}
    query = CameraQuery(region, site, State(state) if state else None)
    times = times_of(settings, utc)
    with open_registry(settings, server, token, ca) as registry:
        cameras = (
            status
            for status in registry.cameras(query)
            if (not reasons or (status.latest is not None and status.latest.reason in reasons))
            and (not platform_disagrees or disagreement(status) is not None)
        )
        if as_json:
            for status in cameras:
                print_message(status_message(status, redact))
            return
        table = [_row(status, times, wide) for status in cameras]
        columns = ["camera", "name", "canteen", "region", "state", "why", "sharp", "expo", *times.head("seen")]
        columns += ["detail"] if wide else []
        show_table(OUT, columns, table, f"{len(table)} cameras in {registry.name}")


def _row(status: CameraStatus, times: Times, wide: bool) -> list[Cell]:
    camera, latest = status.camera, status.latest
    return [
        camera.camera_id,
        camera.name,
        camera.site_name or camera.site_id,
        camera.region,
        state_text(state_of(latest)),
        "" if latest is None else ", ".join(latest.announced_kinds) or why_text(latest),
        "" if latest is None else score_text(latest.scores.sharpness),
        "" if latest is None else score_text(latest.scores.exposure),
        "" if latest is None else times.recent(latest.at_wall_ns),
        *([("" if latest is None else latest.detail)] if wide else []),
    ]


def _reasons(given: Sequence[str]) -> set[str]:
    """Return the reasons asked for. Raises ConfigError if a verdict never has one of them."""
    known = {*FailureReason, *UnknownReason}
    for word in given:
        if word not in known:
            raise ConfigError(f"--reason {word!r}: allowed: {', '.join(sorted(known))}")
    return set(given)


app.command("show")(show_camera)
app.command("add")(add)
app.command("edit")(edit)
app.command("delete")(delete)
app.add_typer(pull_app, name="pull")
app.command("disagree")(disagree)
