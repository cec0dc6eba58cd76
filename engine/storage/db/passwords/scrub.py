"""Rewrites what the database keeps of deleted and changed rows, so that no old password is left in its files."""

import sqlite3
from contextlib import closing

from sqlalchemy.engine import Engine

from engine.errors import StoreError
from engine.storage.db.database import name_of, sqlite_file

_BUSY_S = 10.0


def scrub(engine: Engine) -> None:
    """Rewrite a SQLite file and empty its log; of PostgreSQL rewrite the table of cameras.

    Nobody else may use the database meanwhile. A SQLite file needs its own size free on the disk. Raises StoreError if
    it fails; the database is then as it was.
    """
    path = sqlite_file(engine.url)
    if path is None:
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM FULL cameras")
        return
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as file:
            file.execute("VACUUM")
            busy, *_ = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise _left(engine, str(error)) from error
    if busy:
        raise _left(engine, "another program reads the database")


def _left(engine: Engine, why: str) -> StoreError:
    return StoreError(
        f"{name_of(engine.url)}: its passwords are sealed, but what the file keeps of deleted rows may hold old ones "
        f"({why}); see that its size is free on the disk and nobody uses it, then run `patrol db scrub`"
    )
