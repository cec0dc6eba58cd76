"""Who may write verdicts: one process a database. The log's order rests on it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.errors import StoreError
from engine.storage.db.database import display_url, sqlite_file, write_transaction

_ADVISORY_LOCK = 0x7061_7472_6F6D
"""Of PostgreSQL's advisory locks that of the one writer."""
_WAIT_S = 5.0
_POLL_S = 0.1


class WriterLockedError(StoreError):
    """Another process writes to the database."""


class WriterLock:
    """The writer's way into the database. `acquire` makes sure that there is no other; without it anybody may write.

    In SQLite it is a lock on a file beside the database, in PostgreSQL one that the server holds for the connection
    that all is written on: a connection that is lost loses it, and the next transaction takes it again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._acquired = False
        self._file = -1
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Be the one writer until `release`, or until the process ends. Raises WriterLockedError if there is another."""
        path = sqlite_file(self._engine.url)
        if path is not None:
            self._file = lock_file(path, self._engine)
        self._acquired = True
        if self._engine.dialect.name == "postgresql":
            self._connected()

    def release(self) -> None:
        """Let another write."""
        self._drop()
        if self._file >= 0:
            os.close(self._file)
        self._file, self._acquired = -1, False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of the writer's."""
        if not self._acquired or self._engine.dialect.name != "postgresql":
            with write_transaction(self._engine) as connection:
                yield connection
            return
        try:
            with (connection := self._connected()).begin():
                yield connection
        except BaseException:
            self._drop()  # SQLAlchemy would connect again by itself, without the lock
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                _lock_server(connection, self._engine)
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def lock_file(database: Path, engine: Engine) -> int:
    """A descriptor that holds the lock beside a SQLite database. Raises WriterLockedError if another process has it."""
    descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    give_up_s = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= give_up_s:
                os.close(descriptor)
                raise _locked_error(engine) from None
            time.sleep(_POLL_S)


def _lock_server(connection: Connection, engine: Engine) -> None:
    # A server takes a moment to see that a process it served was killed.
    give_up_s = time.monotonic() + _WAIT_S
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_LOCK))):
        if time.monotonic() >= give_up_s:
            raise _locked_error(engine)
        time.sleep(_POLL_S)
    connection.commit()  # the lock is the connection's, not the transaction's


def _locked_error(engine: Engine) -> WriterLockedError:
    return WriterLockedError(
        f"record.url = {display_url(engine.url)!r}: another process writes to it; stop that engine, or give this one a "
        "database of its own"
    )
