"""`patrol config ...`: configuration files."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import OUT, ConfigOption, settings_of
from engine.config import load
from engine.config.describe import rows, toml
from engine.config.diff import diff
from engine.console.tables import show_table

app = typer.Typer(no_args_is_help=True, help="Look at configuration files.")


@app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="TOML file.")]) -> None:
    """Say whether a file can be used; every wrong key is named."""
    load(file)
    OUT.out(f"{file}: good")


@app.command("show")
def config_show(
    config: ConfigOption = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="As a file to begin with.")] = False,
) -> None:
    """Every key with value, default, bounds, unit and meaning."""
    settings = settings_of(config)
    if as_toml:
        OUT.out(toml(settings), end="", highlight=False)
        return
    columns = ["key", "value", "default", "unit", "allowed", "reload", "meaning"]
    table = [
        [f"{r.section}.{r.key}", r.value, r.default, r.unit, r.allowed, "hot" if r.hot else "restart", r.meaning]
        for r in rows(settings)
    ]
    show_table(OUT, columns, table)


@app.command("diff")
def config_diff(
    old: Annotated[Path, typer.Argument(help="TOML file.")], new: Annotated[Path, typer.Argument(help="TOML file.")]
) -> None:
    """What differs between two files, and whether a restart is needed."""
    changes = diff(load(old), load(new))
    table = [[one.key, one.old, one.new, "hot" if one.hot else "restart"] for one in changes]
    show_table(OUT, ["key", "old", "new", "reload"], table)
