"""`patrol db`: the database: its schema, copies of it."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import OUT, ConfigOption, settings_of

app = typer.Typer(no_args_is_help=True, help="The database: its schema, and copies of it.")


@app.command()
def upgrade(config: ConfigOption = None) -> None:
    """Bring the database that the configuration names to this program's schema; an empty one is made.

    Stop the engine first. It is one transaction: all of it is done, or nothing.
    """
    from engine.storage.db import schema

    before, after = schema.upgrade(settings_of(config).record.url)
    if before == after:
        OUT.out(f"schema {after} already, nothing to do", highlight=False)
    else:
        OUT.out(f"schema {before or 'empty'} -> {after}", highlight=False)


@app.command()
def current(config: ConfigOption = None) -> None:
    """The schema of the database, and the one that this program needs."""
    from engine.storage.db import schema

    found = schema.current(settings_of(config).record.url)
    OUT.out(f"schema {found or 'empty'}, this program needs {schema.head()}", highlight=False)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Whether `patrol run` would take the database as it is; exit 2 and a sentence if not."""
    from engine.storage.db import schema

    schema.check(settings_of(config).record.url)
    OUT.out("the engine can start on this database", highlight=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; it must not exist yet.")],
    config: ConfigOption = None,
) -> None:
    """Copy a SQLite database as it is at one moment, while the engine runs too; the copy is checked.

    For PostgreSQL use pg_dump. Keyframes are files of their own (record.evidence_dir): copy that directory beside it.
    """
    from engine.storage.db.backup import backup as copy

    size = copy(settings_of(config).record.url, file)
    OUT.out(f"{file}: {size} bytes", highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `patrol db backup` made.")],
    config: ConfigOption = None,
) -> None:
    """Put a copy in the place of the SQLite database, which is kept beside it. Refused while the engine runs.

    A copy of an older schema needs `patrol db upgrade` afterwards.
    """
    from engine.storage.db import schema
    from engine.storage.db.backup import restore as put_back

    url = settings_of(config).record.url
    kept = put_back(url, file)
    OUT.out(f"restored from {file}" + (f"; the one before is {kept}" if kept is not None else ""), highlight=False)
    if schema.current(url) != schema.head():
        OUT.out("it is of an older schema; run `patrol db upgrade`", highlight=False)
