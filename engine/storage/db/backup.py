"""Backs up a SQLite database while the engine runs, and restores it while it does not. PostgreSQL has its own tools."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy.engine import URL

from engine.errors import NoDatabaseError, StoreError
from engine.storage.db import schema
from engine.storage.db.database import connect, display_url, parse_url, sqlite_file
from engine.storage.db.writer_lock import lock_file
from engine.storage.private_files import create_file, make_folder

_PART = ".part"
_REPLACED = ".before-restore"


def backup(url: str, to: Path) -> int:
    """Copy the database as it is at one moment, even while others write to it; return the copy's size in bytes.

    The copy is checked, and gets its name only when it is complete. Raises NoDatabaseError if there is no database,
    StoreError if `to` exists, or the database is damaged or cannot be copied.
    """
    path = _sqlite_file(parse_url(url), f"pg_dump --format=custom --file={to}")
    if to.exists():
        raise StoreError(f"{to}: exists already; give another name, or move it away")
    if not path.is_file():
        raise NoDatabaseError(str(path.absolute()), "no such database")
    _copy(path, to)
    return to.stat().st_size


def restore(url: str, source: Path) -> Path | None:
    """Replace the database by a copy; return where the replaced one is kept, None if there was none.

    Raises StoreError if an engine runs on the database, or if the copy is damaged, holds somebody else's tables or is
    of a newer schema; the database is then left as it is. At every moment either the old or the new database has the
    name.
    """
    parsed = parse_url(url)
    path = _sqlite_file(parsed, f"pg_restore --clean --if-exists --dbname=... {source}")
    if not source.is_file():
        raise StoreError(f"{source}: no such file; give one that `patrol db backup` made")
    make_folder(path.parent)
    lock = lock_file(path, connect(parsed))
    try:
        new = path.with_name(path.name + ".restoring")
        new.unlink(missing_ok=True)
        _copy(source, new)
        try:
            _check_revision(source, new)
            _remove_side_files(new)
            return _swap_in(path, new)
        finally:
            new.unlink(missing_ok=True)
            _remove_side_files(new)
    finally:
        os.close(lock)


def _check_revision(source: Path, copy: Path) -> None:
    revision = schema.current(URL.create("sqlite", database=str(copy)).render_as_string())
    if revision == schema.EMPTY:
        raise StoreError(f"{source}: is empty; give one that `patrol db backup` made")
    if revision > schema.head():
        raise StoreError(
            f"{source}: is of schema {revision}, this program knows {schema.head()}; use the program that wrote it"
        )


def _swap_in(path: Path, new: Path) -> Path | None:
    """Give the old database a second name beside its own, then move the new one over its name."""
    replaced: Path | None = None
    if path.exists():
        # Fold its log in: a log left beside the new file would be taken for the new file's.
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        replaced = path.with_name(path.name + _REPLACED)
        replaced.unlink(missing_ok=True)
        os.link(path, replaced)
    _remove_side_files(path)
    new.replace(path)
    _sync(path.parent)
    return replaced


def _remove_side_files(path: Path) -> None:
    """Remove SQLite's own files beside a database that nobody has open."""
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def _copy(source: Path, to: Path) -> None:
    part = to.with_name(to.name + _PART)
    part.unlink(missing_ok=True)
    try:
        create_file(part)
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            # All pages in one step: between steps a write of somebody else restarts the copy. In WAL mode writers do
            # not wait.
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            problems = [line for (line,) in new.execute("PRAGMA quick_check(3)") if line != "ok"]
        if problems:
            raise StoreError(f"{source}: is damaged ({'; '.join(problems)}); use an older copy")
        _sync(part)
        part.replace(to)
        _sync(to.parent)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{source}: {error}; give a SQLite database of the engine") from error
    except OSError as error:
        raise StoreError(f"{to}: {error.strerror}; give a path that can be written to") from error
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sqlite_file(url: URL, tool: str) -> Path:
    path = sqlite_file(url)
    if path is None:
        raise StoreError(
            f"record.url = {display_url(url)!r}: is no SQLite file; use PostgreSQL's own tools, like `{tool}`"
        )
    return path
