"""`patrol config ...`: checks and compares configuration files, and applies one to a running engine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import exit_codes
from engine.cli.json_output import print_json, print_message
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
from engine.clock import wall_ns
from engine.config import Settings, load
from engine.config.calendar import load_calendar
from engine.config.describe import rows, toml
from engine.config.diff import diff
from engine.errors import ConfigError
from engine.model.config_report import ConfigChange, ConfigReport
from engine.redact import MASK, redact
from engine.terminal.tables import show_table

app = typer.Typer(no_args_is_help=True, help="Check, compare and apply configuration files.")
FileArgument = Annotated[Path, typer.Argument(help="TOML file with the configuration.")]


@app.command("check")
def config_check(
    file: FileArgument,
    registry: Annotated[
        Path | None,
        typer.Option(help="CSV of the cameras: check that their periods, recorders, platforms and hours are possible."),
    ] = None,
    cameras: Annotated[
        int | None,
        typer.Option(min=1, max=4_000_000, help="The same check for this many cameras, all key points."),
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Cores of the machine. Default: as many as this machine has.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration file. Reports every wrong key, and what the file makes impossible, with the arithmetic.

    Exit 0: good; 1: usable, with warnings; 2: it cannot be used.
    """
    settings = load(file)
    count, warnings = _warnings(settings, registry, cameras, cores or os.cpu_count() or 1)
    if as_json:
        print_json({"file": str(file), "cameras": count, "warnings": warnings})
    else:
        for warning in warnings:
            OUT.out(f"warning: {warning}", highlight=False)
        fleet = "" if count is None else f" for {count:,} cameras"
        outcome = f"usable, {len(warnings)} warning{'s' if len(warnings) > 1 else ''}" if warnings else "good"
        OUT.out(f"{file}: {outcome}{fleet}", highlight=False)
    raise typer.Exit(exit_codes.NO if warnings else exit_codes.OK)


@app.command("show")
def config_show(
    config: ConfigOption = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print a configuration file to start from.")] = False,
) -> None:
    """Show every key with its value (secrets as ***), default, bounds, unit and meaning."""
    settings = settings_of(config)
    if as_toml:
        text = toml(settings)
        shown = "".join(map(redact, text.splitlines(keepends=True)))
        OUT.out(shown, end="", highlight=False)
        if shown != text:
            ERR.out(
                f"{MASK} stands for a secret of the file; put it in again before you use the output", highlight=False
            )
        return
    columns = ["key", "value", "default", "unit", "allowed", "reload", "API", "meaning"]
    table = [
        [
            f"{r.section}.{r.key}",
            redact(r.value),
            r.default,
            r.unit,
            r.allowed,
            "hot" if r.hot else "restart",
            "no" if r.file_only else "yes",
            r.meaning,
        ]
        for r in rows(settings)
    ]
    show_table(OUT, columns, table)


@app.command("diff")
def config_diff(old: FileArgument, new: FileArgument, as_json: JsonOption = False) -> None:
    """Show what differs between two files, and whether a change needs a restart (hot or restart).

    Exits as diff(1) does: 0: nothing differs; 1: something differs; 2: one of the files cannot be used.
    """
    changes = diff(load(old), load(new))
    if as_json:
        from engine.serve.messages.proto_json import message_json
        from engine.serve.messages.schedule import change_message

        restart = any(not change.hot for change in changes)
        print_json({"changes": [message_json(change_message(change)) for change in changes], "restart": restart})
    elif changes:
        _show_changes(changes)
    else:
        OUT.out("no key differs", highlight=False)
    raise typer.Exit(exit_codes.NO if changes else exit_codes.OK)


@app.command("apply")
def config_apply(
    file: FileArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would change, and change nothing.")] = False,
    revision: Annotated[
        str, typer.Option(help="Refuse unless the configuration in force has this revision (--dry-run prints it).")
    ] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Apply a file to the running engine, all keys at once. It holds until the engine reads its own file again; the
    engines of shards keep it.

    Exit 0: applied, or nothing to change (warnings are printed); 2: refused, with every reason, and nothing changes.
    """
    from engine.client import CallError

    load(file)  # reports every error in the file, with its name
    with client_of(settings_of(config), server, token, ca) as client:
        try:
            text = file.read_text(encoding="utf-8")
            report = client.diff_config(text) if dry_run else client.apply_config(text, expected_revision=revision)
        except CallError as error:
            if not error.violations:
                raise
            raise ConfigError("\n".join(description for _, description in error.violations)) from error
    if as_json:
        from engine.serve.messages.schedule import report_message

        print_message(report_message(report))
    else:
        _show_report(report, dry_run)


def _warnings(
    settings: Settings, registry: Path | None, cameras: int | None, cores: int
) -> tuple[int | None, list[str]]:
    """Return the number of cameras that were checked (None if none were given), and the warnings."""
    from engine.config.capacity import Fleet, Load, capacity_shortfalls
    from engine.scheduler.periods.windows import calendar_never_open

    if registry is not None and cameras is not None:
        raise ConfigError("--registry and --cameras: give one of them; a registry has its own number of cameras")
    calendar = load_calendar(settings.scheduler.calendar_file)
    if registry is None:
        warnings = calendar_never_open(calendar, settings.scheduler.hours, wall_ns())
        return cameras, [*capacity_shortfalls(settings, Fleet(Load(cameras or 0)), cores), *warnings]
    from engine.batch.registry_files import read_registry
    from engine.hub.visiting.camera_plan import plan_of
    from engine.scheduler import capacity_warnings
    from engine.scheduler.core import Scheduler
    from engine.scheduler.events import CamerasUpserted

    registered, problems = read_registry(registry, settings)
    scheduler = Scheduler(settings.scheduler, calendar)
    scheduler.handle(CamerasUpserted([plan_of(camera) for camera in registered]), 0)
    warnings = capacity_warnings.warnings(scheduler, settings, calendar, cores, wall_ns())
    if problems:
        bad = len({problem.index for problem in problems})
        warnings.append(f"{registry}: {bad:,} bad rows were left out; `patrol cameras import` names them")
    return len(registered), warnings


def _show_changes(changes: Sequence[ConfigChange]) -> None:
    table = [[change.key, change.old, change.new, "hot" if change.hot else "restart"] for change in changes]
    show_table(OUT, ["key", "old", "new", "reload"], table)


def _show_report(report: ConfigReport, dry_run: bool) -> None:
    if report.changes:
        _show_changes(report.changes)
    for warning in report.warnings:
        OUT.out(f"warning: {warning}", highlight=False)
    if dry_run:
        OUT.out(f"dry run: nothing was changed; in force is revision {report.revision}", highlight=False)
    elif report.applied:
        OUT.out(f"applied; in force is revision {report.revision}", highlight=False)
        OUT.out(
            "the engine's own file is unchanged: the next start or reload reads that one; engines of shards keep what "
            "was applied",
            highlight=False,
        )
    else:
        OUT.out(f"nothing to change while it runs; in force is revision {report.revision}", highlight=False)
