"""`patrol cameras ...`: the registry."""

import json
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
from engine.console.tables import Cell, show_table
from engine.console.words import clock_text, score_text, state_of, state_text, why
from engine.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The registry of cameras of a running engine, or of its database.")


@app.command("import")
def import_cameras(
    file: Annotated[Path, typer.Argument(help="CSV with a header; see docs/registry.md.")],
    keep_good: Annotated[bool, typer.Option(help="Take the good rows although some are bad.")] = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Add and change cameras. Every bad row is named; then nothing is taken, unless --keep-good."""
    from engine.desk import open_desk, read_registry

    settings = settings_of(config)
    found = read_registry(file, settings)
    if found.problems:
        columns = ["line", "column", "value", "what"]
        show_table(ERR, columns, [[str(p.line), p.column, p.value, p.message] for p in found.problems])
        if not keep_good:
            ERR.out(f"{len(found.problems)} problems; nothing was taken (--keep-good takes the good rows)")
            raise typer.Exit(1)
    with open_desk(settings, server, token, ca) as desk:
        report = desk.put(found.cameras)
        OUT.out(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, in {desk.name}")
    raise typer.Exit(1 if found.problems else 0)


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
    from engine.desk import camera_json, open_desk
    from engine.replies import CameraQuery
    from engine.types import State

    if state and state not in set(State):
        raise ConfigError(f"--state {state!r}: allowed: {', '.join(State)}")
    query = CameraQuery(region, site, State(state) if state else None)
    with open_desk(settings_of(config), server, token, ca) as desk:
        if as_json:
            for status in desk.list(query):
                OUT.out(json.dumps(camera_json(status), ensure_ascii=False), highlight=False)
            return
        table: list[list[Cell]] = []
        for one in desk.list(query):
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
