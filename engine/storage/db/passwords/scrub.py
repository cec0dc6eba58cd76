"""Rewrites what the database keeps of deleted and changed rows, so that no old password is left in its files.

A SQLite file is copied without its free pages into a new one beside it, which takes its name when it is complete: the
work can be stopped or killed at any moment, and the database is then as it was. That it is to be done stands in the
database until it is done.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.errors import StoreError
from engine.storage.db.database import name_of, sqlite_file, upsert, write_transaction
from engine.storage.db.tables import patrol_metadata
from engine.storage.private_files import create_file

_BUSY_S = 10.0
_PENDING = "scrub_pending"
_PART = ".rewriting"
_EVERY_OPERATIONS = 100_000
"""Operations of SQLite between two reports: some hundredths of a second."""


def mark_pending(connection: Connection) -> None:
    """Note in the database that it is to be rewritten."""
    upsert(connection, patrol_metadata, [{"key": _PENDING, "value": "yes"}])


def is_pending(connection: Connection) -> bool:
    """Whether the database is to be rewritten, since passwords were sealed in it."""
    return connection.scalar(sa.select(patrol_metadata.c.key).where(patrol_metadata.c.key == _PENDING)) is not None


def scrub(engine: Engine, advance: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Rewrite a SQLite file; of PostgreSQL rewrite the table of cameras.

    Nobody else may use the database meanwhile, and `engine` no more of a SQLite file afterwards: it is another file.
    A SQLite file needs its own size free on the disk. `advance(done, total)` is called with bytes of the new file while
    it grows; what it raises ends the work. Raises StoreError if it fails; the database is then as it was.
    """
    path = sqlite_file(engine.url)
    if path is None:
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM FULL cameras")
            with write_transaction(engine) as connection:
                connection.execute(_DONE)
        return
    engine.dispose()  # its connections would keep the file in use
    part = path.with_name(path.name + _PART)
    part.unlink(missing_ok=True)  # of one that was killed
    try:
        create_file(part)
        _rewrite(path, part, advance)
    except (sqlite3.Error, OSError) as error:
        raise _left(engine, str(error)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


_DONE = sa.delete(patrol_metadata).where(patrol_metadata.c.key == _PENDING)


def _rewrite(path: Path, part: Path, advance: Callable[[int, int], None]) -> None:
    with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as held:
        # Without a log beside it the file is the whole database, and its lock holds off all who would write to it.
        (mode,) = held.execute("PRAGMA journal_mode=DELETE").fetchone()
        if mode != "delete":
            raise sqlite3.OperationalError("another program uses the database")
        held.execute("BEGIN IMMEDIATE")
        _copy(path, part, advance)
        with closing(sqlite3.connect(part, isolation_level=None)) as new:
            new.execute("DELETE FROM patrol_about WHERE key = ?", (_PENDING,))
        _sync(part)
        part.replace(path)
        _sync(path.parent)


def _copy(path: Path, part: Path, advance: Callable[[int, int], None]) -> None:
    raised: list[BaseException] = []
    with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as old:
        pages, free, page_bytes = (
            int(old.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
        )
        total = (pages - free) * page_bytes

        def progress() -> int:
            try:
                advance(min(part.stat().st_size, total), total)
            except BaseException as error:  # noqa: BLE001 (SQLite would drop it; it is raised again below)
                raised.append(error)
                return 1
            return 0

        old.set_progress_handler(progress, _EVERY_OPERATIONS)
        try:
            old.execute("VACUUM INTO ?", (str(part),))
        except sqlite3.Error:
            if raised:
                raise raised[0] from None
            raise
    advance(total, total)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _left(engine: Engine, why: str) -> StoreError:
    return StoreError(
        f"{name_of(engine.url)}: its passwords are sealed, but what the file keeps of deleted rows may hold old ones "
        f"({why}); see that its size is free on the disk and nobody uses it, then run `patrol db scrub`"
    )
