"""`patrol db`: the database's schema."""

import typer

from engine.cli.options import OUT, ConfigOption, settings_of

app = typer.Typer(no_args_is_help=True, help="The database: its schema.")


@app.command()
def upgrade(config: ConfigOption = None) -> None:
    """Bring the database that the configuration names to this program's schema; an empty one is made.

    Stop the engine first. It is one transaction: all of it is done, or nothing.
    """
    from engine.record import schema

    before, after = schema.upgrade(settings_of(config).record.url)
    if before == after:
        OUT.out(f"schema {after} already, nothing to do", highlight=False)
    else:
        OUT.out(f"schema {before or 'empty'} -> {after}", highlight=False)


@app.command()
def current(config: ConfigOption = None) -> None:
    """The schema of the database, and the one that this program needs."""
    from engine.record import schema

    found = schema.current(settings_of(config).record.url)
    OUT.out(f"schema {found or 'empty'}, this program needs {schema.head()}", highlight=False)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Whether `patrol run` would take the database as it is; exit 2 and a sentence if not."""
    from engine.record import schema

    schema.check(settings_of(config).record.url)
    OUT.out("the engine can start on this database", highlight=False)
