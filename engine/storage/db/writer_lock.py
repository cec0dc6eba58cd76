"""Ensures that only one process writes verdicts to a database; the order of the verdict log depends on it.

Of shards many write to one database: they share the lock, which keeps engines alone and upgrades away, and each has its
lease and a fence besides (engine.storage.db.shards).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.errors import StoreError
from engine.storage.db.database import (
    DatabaseUnavailableError,
    connect,
    display_url,
    for_writing,
    parse_url,
    sqlite_file,
    unusable_error,
    write_transaction,
)
from engine.storage.private_files import FILE_MODE

_ADVISORY_LOCK = 0x7061_7472_6F6D
"""Key of PostgreSQL's advisory lock that the writer holds."""
_WAIT_S = 5.0
_POLL_S = 0.1


class WriterLockedError(StoreError):
    """Another process holds the writer lock."""


class WriterLock:
    """The lock, and the writer's transactions. Unless `acquire` is called, transactions begin without the lock.

    In SQLite it is a lock on a file beside the database, in PostgreSQL an advisory lock of the writer's one connection.
    A lost connection loses the lock, and the next transaction acquires it again. `shared`: with other shards.
    """

    def __init__(self, engine: Engine, *, shared: bool = False) -> None:
        self._engine = engine
        self._try_lock = sa.func.pg_try_advisory_lock_shared if shared else sa.func.pg_try_advisory_lock
        self._acquired = False
        self._file = -1
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Acquire the lock until `release`, or until the process ends. Raises WriterLockedError if another process has
        it."""
        path = sqlite_file(self._engine.url)
        if path is not None:
            self._file = lock_file(path, self._engine)
        self._acquired = True
        if self._engine.dialect.name == "postgresql":
            self._connected()

    def release(self) -> None:
        """Release the lock, if it is held."""
        self._drop()
        if self._file >= 0:
            os.close(self._file)
        self._file, self._acquired = -1, False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Begin a transaction of the writer. Raises WriterLockedError if the lock was lost, and another process has it
        now."""
        if not self._acquired or self._engine.dialect.name != "postgresql":
            with write_transaction(self._engine) as connection:
                yield connection
            return
        try:
            with (connection := self._connected()).begin():
                yield connection
        except BaseException:
            self._drop()  # SQLAlchemy would reconnect by itself, without the lock
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = for_writing(self._engine).connect()
            try:
                self._lock_server(connection)
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _lock_server(self, connection: Connection) -> None:
        # PostgreSQL takes a moment to notice that a client was killed.
        deadline_s = time.monotonic() + _WAIT_S
        while True:
            locked = connection.scalar(sa.select(self._try_lock(_ADVISORY_LOCK)))
            connection.commit()  # the lock belongs to the connection, not to the transaction
            if locked:
                return
            if time.monotonic() >= deadline_s:
                raise _locked_error(self._engine)
            time.sleep(_POLL_S)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


@contextmanager
def exclusively(url: str) -> Iterator[tuple[Engine, WriterLock]]:
    """Open a database that no engine runs on, and hold its writer lock meanwhile.

    Raises WriterLockedError if an engine runs on it, StoreError if it cannot be used.
    """
    parsed = parse_url(url)
    try:
        engine = connect(parsed)
        lock = WriterLock(engine)
        try:
            lock.acquire()
            yield engine, lock
        finally:
            lock.release()
            engine.dispose()
    except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
        raise unusable_error(parsed, error) from error


def lock_file(database: Path, engine: Engine) -> int:
    """Lock the file beside a SQLite database; return the descriptor that holds the lock.

    Raises WriterLockedError if another process has it.
    """
    descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    deadline_s = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                os.close(descriptor)
                raise _locked_error(engine) from None
            time.sleep(_POLL_S)


def _locked_error(engine: Engine) -> WriterLockedError:
    return WriterLockedError(
        f"record.url = {display_url(engine.url)!r}: another process writes to it; stop that engine, or give this one a "
        "database of its own"
    )
