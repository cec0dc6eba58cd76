"""`patrol db`: upgrades and checks the schema of the database, makes and restores copies of it."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.database import say_created
from engine.cli.json_output import print_json
from engine.cli.options import OUT, ConfigOption, JsonOption, settings_of
from engine.cli.output_files import check_output

app = typer.Typer(no_args_is_help=True, help="The database: its schema, and copies of it.")


@app.command()
def upgrade(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Upgrade the database that the configuration names to this program's schema; create it if there is none.

    Stop the engine first. The upgrade is one transaction: it is done completely or not at all.
    """
    from engine.storage.db import schema

    url = settings_of(config).record.url
    before, after = schema.upgrade(url)
    if before == schema.EMPTY:
        say_created(schema.name(url))
    if as_json:
        print_json({"schemaBefore": before, "schema": after})
    elif before == after:
        OUT.out(f"the schema is {after} already; nothing to do", highlight=False)
    else:
        OUT.out(f"schema {before or 'empty'} -> {after}", highlight=False)


@app.command()
def current(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the schema of the database, and the one that this program needs."""
    from engine.storage.db import schema

    url = settings_of(config).record.url
    schema.require_existing(url)
    present = schema.current(url)
    if as_json:
        print_json({"schema": present, "schemaNeeded": schema.head()})
    else:
        OUT.out(f"schema {present}, this program needs {schema.head()}", highlight=False)


@app.command()
def check(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check that `patrol run` can start on this database. Exit 2: it cannot, and the message says why."""
    from engine.storage.db import schema

    url = settings_of(config).record.url
    schema.require_existing(url)
    schema.check(url)
    if as_json:
        print_json({"schema": schema.head(), "usable": True})
    else:
        OUT.out("the engine can start on this database", highlight=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write the copy to; it must not exist yet.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Copy a SQLite database as it is at one moment, and check the copy. The engine may run meanwhile.

    For PostgreSQL use pg_dump. Keyframes are separate files (record.evidence_dir): copy that directory as well.
    """
    from engine.storage.db.backup import backup as copy

    check_output(file, "FILE")
    size = copy(settings_of(config).record.url, file)
    if as_json:
        print_json({"file": str(file), "bytes": str(size)})
    else:
        OUT.out(f"{file}: {size} bytes", highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `patrol db backup` made.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Replace the SQLite database by a copy; the old database is kept beside it. Refused while the engine runs.

    A copy with an older schema needs `patrol db upgrade` afterwards.
    """
    from engine.storage.db import schema
    from engine.storage.db.backup import restore as replace

    url = settings_of(config).record.url
    kept = replace(url, file)
    is_older = schema.current(url) != schema.head()
    if as_json:
        print_json({"file": str(file), "previous": None if kept is None else str(kept), "upgradeNeeded": is_older})
        return
    OUT.out(
        f"restored from {file}" + (f"; the previous database is {kept}" if kept is not None else ""), highlight=False
    )
    if is_older:
        OUT.out("its schema is older; run `patrol db upgrade`", highlight=False)
