"""Copies of a SQLite database: made while the engine runs, put back while it does not. PostgreSQL brings its own."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy.engine import URL

from engine.errors import StoreError
from engine.storage.db import schema
from engine.storage.db.database import connect, display_url, parse_url, sqlite_file
from engine.storage.db.writer_lock import lock_file

_PART = ".part"
_REPLACED = ".before-restore"


def backup(url: str, to: Path) -> int:
    """Copy the database as it is at one moment, whoever writes to it meanwhile; the copy's bytes. Raises StoreError.

    The copy is checked, and has its name only when it is whole. A file of that name is not overwritten.
    """
    path = _sqlite_file(parse_url(url), f"pg_dump --format=custom --file={to}")
    if to.exists():
        raise StoreError(f"{to}: exists already; give another name, or move it away")
    if not path.is_file():
        raise StoreError(f"{path}: no such database; nothing to keep")
    _copy(path, to)
    return to.stat().st_size


def restore(url: str, source: Path) -> Path | None:
    """Put a copy in the place of the database, which is kept beside it; returns where, None if there was none.

    Raises StoreError while an engine runs on it, and for a copy that is damaged, is not ours, or is of a newer schema:
    the database is left as it is then. At every moment the one or the other stands under its name.
    """
    parsed = parse_url(url)
    path = _sqlite_file(parsed, f"pg_restore --clean --if-exists --dbname=... {source}")
    if not source.is_file():
        raise StoreError(f"{source}: no such file; give one that `patrol db backup` made")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_file(path, connect(parsed))
    try:
        coming = path.with_name(path.name + ".restoring")
        coming.unlink(missing_ok=True)
        _copy(source, coming)
        try:
            _check_revision(source, coming)
            _remove_side_files(coming)
            return _swap_in(path, coming)
        finally:
            coming.unlink(missing_ok=True)
            _remove_side_files(coming)
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


def _swap_in(path: Path, coming: Path) -> Path | None:
    """The old one gets another name beside its own, then the new one takes its name."""
    kept: Path | None = None
    if path.exists():
        # What its log still holds is folded in: left beside the new file, it would be taken for the new file's own.
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = path.with_name(path.name + _REPLACED)
        kept.unlink(missing_ok=True)
        os.link(path, kept)
    _remove_side_files(path)
    coming.replace(path)
    _sync(path.parent)
    return kept


def _remove_side_files(path: Path) -> None:
    """SQLite's own files beside a database that nobody has open."""
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def _copy(source: Path, to: Path) -> None:
    part = to.with_name(to.name + _PART)
    part.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            # In one go: SQLite begins again when others write between two steps. In WAL nobody waits for it.
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            problems = [line for (line,) in new.execute("PRAGMA quick_check(3)") if line != "ok"]
        if problems:
            raise StoreError(f"{source}: is damaged ({'; '.join(problems)}); use an older copy")
        _sync(part)
        part.replace(to)
        _sync(to.parent)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{source}: {error}; give a SQLite database of ours") from error
    except OSError as error:
        raise StoreError(f"{to}: {error.strerror}; give a place that we may write to") from error
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
