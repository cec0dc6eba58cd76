"""`patrol db`: upgrades and checks the schema of the database, makes and restores copies of it."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import exit_codes
from engine.cli.database import say_created
from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of, stop_on_signals
from engine.cli.output_files import check_output

app = typer.Typer(no_args_is_help=True, help="The database: its schema, and copies of it.")


@app.command()
def upgrade(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it needs; do nothing.")
    ] = False,
    skip_scrub: Annotated[
        bool, typer.Option("--skip-scrub", help="Do not rewrite the file; `patrol db scrub` does it later.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Upgrade the database that the configuration names to this program's schema; create it if there is none.

    Stop the engine and make a backup first. Each revision of the schema is one transaction. Then passwords of cameras
    in clear are sealed (record.key_file), a thousand cameras a transaction, and a SQLite file is rewritten: that needs
    its size free on the disk. Ctrl-C and even kill -9 lose nothing: run it again, and it goes on.
    """
    stop = stop_on_signals()
    from engine.cli.upgrade_progress import bars, print_plan, upgrade_json
    from engine.storage.db import schema
    from engine.storage.db.passwords.keys import source_of
    from engine.storage.db.upgrading.watch import UpgradeStoppedError, Watch

    record = settings_of(config).record
    if dry_run:
        schema.require_existing(record.url)
        print_plan(schema.plan(record.url, with_scrub=not skip_scrub), as_json=as_json)
        return
    try:
        with bars(ERR) as report:
            done = schema.upgrade(
                record.url, source_of(record), watch=Watch(report, stop.is_set), with_scrub=not skip_scrub
            )
    except UpgradeStoppedError as error:
        ERR.out(str(error), highlight=False)
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    if done.before == schema.EMPTY:
        say_created(schema.name(record.url))
    if as_json:
        print_json(upgrade_json(done))
        return
    if done.before != done.after:
        OUT.out(f"schema {done.before or 'empty'} -> {done.after}", highlight=False)
    elif not done.sealed and not done.is_scrubbed:
        OUT.out(f"the schema is {done.after} already; nothing to do", highlight=False)
    if done.sealed:
        OUT.out(f"{done.sealed} passwords of cameras are sealed", highlight=False)
    if done.is_scrubbed:
        OUT.out("the file is rewritten: no old password is left in it", highlight=False)
    if done.is_scrub_left:
        OUT.out("the file may still hold old passwords: run `patrol db scrub`", highlight=False)


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
    is_scrub_pending = schema.is_scrub_pending(url)
    if as_json:
        print_json({"schema": schema.head(), "usable": True, "scrubPending": is_scrub_pending})
        return
    OUT.out("the engine can start on this database", highlight=False)
    if is_scrub_pending:
        OUT.out("its file may still hold old passwords: stop the engine, run `patrol db scrub`", highlight=False)


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


@app.command("rotate-key")
def rotate_key(
    lost: Annotated[
        bool,
        typer.Option("--lost", help="The old key file is gone: make a new one. What it had sealed cannot be opened."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Seal the passwords of cameras with a new key. Refused while the engine runs.

    With record.key_file a key is made, and the old one is kept beside it as FILE.old: backups from before need it. With
    record.key_command the new key is the first that the command prints; it must still print the old one.
    """
    from engine.storage.db import schema
    from engine.storage.db.passwords.keys import source_of
    from engine.storage.db.passwords.rotation import rotate

    record = settings_of(config).record
    schema.require_existing(record.url)
    schema.check(record.url)
    done = rotate(record.url, source_of(record), lost=lost)
    if as_json:
        old_file = None if done.old_file is None else str(done.old_file)
        print_json({"sealed": done.sealed, "unreadable": done.unreadable, "oldFile": old_file})
        return
    OUT.out(f"{done.sealed} URLs of cameras are sealed with the new key", highlight=False)
    if done.old_file is not None:
        OUT.out(f"the old key is {done.old_file}: keep it as long as backups from before", highlight=False)
    if done.unreadable:
        OUT.out(f"{done.unreadable} cannot be opened: import their cameras with the passwords", highlight=False)


@app.command()
def scrub(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Rewrite the database, so that nothing of what was deleted is left in its files. Stop the engine first.

    A SQLite file needs its own size free on the disk; of PostgreSQL the table of cameras is rewritten.
    """
    stop = stop_on_signals()
    from engine.cli.upgrade_progress import bars
    from engine.storage.db import schema
    from engine.storage.db.upgrading.watch import UpgradeStoppedError, Watch

    url = settings_of(config).record.url
    schema.require_existing(url)
    try:
        with bars(ERR) as report:
            schema.scrub_unused(url, Watch(report, stop.is_set))
    except UpgradeStoppedError as error:
        ERR.out(str(error), highlight=False)
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    if as_json:
        print_json({"scrubbed": True})
    else:
        OUT.out("the database is rewritten", highlight=False)
