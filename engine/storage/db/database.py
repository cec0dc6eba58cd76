"""Connects to the database and begins transactions: SQLite by default, PostgreSQL if the URL says so."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url

from engine.errors import StoreError
from engine.storage.database_file import DatabaseFile
from engine.storage.private_files import create_file, make_folder

_BUSY_MS = 5000
_CONNECT_S = 10
_SILENCE = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}
"""A connection over which nothing comes back any more, because a server or a network is gone, ends after some 10 s; the
system's own values let it wait for hours."""
_CHECKPOINT_PAGES = 8000
"""The write-ahead log grows to 32 MB before it is copied into the file: pages that are written repeatedly are then
copied once. With SQLite's default of 1000 the same writer is less than half as fast (bench.store)."""
_CACHE_KB = 16_384
_BACKENDS = ("sqlite", "postgresql")
_WRITES = "patrol_writes"
_FILE = "patrol_file"


class DatabaseUnavailableError(StoreError):
    """The database cannot be reached, or the connection was lost. The request itself is fine and may be repeated.

    `orig`: the driver's error.
    """

    def __init__(self, orig: BaseException | None) -> None:
        # Without the SQL statement, which may hold private data.
        super().__init__(f"the database does not answer ({str(orig).strip()}); ask again in a moment")
        self.orig = orig


def parse_url(url: str) -> URL:
    """Parse a database URL. Raises StoreError if it is not one, or not of SQLite or PostgreSQL."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(f"record.url: not a database URL; give one like sqlite:///var/patrol.db ({error})") from error
    if parsed.get_backend_name() not in _BACKENDS:
        raise StoreError(
            f"record.url = {display_url(parsed)!r}: the database is {' or '.join(_BACKENDS)}; give a URL like "
            "sqlite:///var/patrol.db or postgresql+psycopg://user@host/patrol"
        )
    # The only PostgreSQL driver that is installed with the engine.
    return parsed.set(drivername="postgresql+psycopg") if parsed.get_backend_name() == "postgresql" else parsed


def display_url(url: URL) -> str:
    """Return the URL without its password, for messages."""
    return url.render_as_string(hide_password=True)


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for another database, or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def name_of(url: URL) -> str:
    """Return what people call a database: the whole path of its file, or its URL without the password."""
    path = sqlite_file(url)
    return display_url(url) if path is None else str(path.absolute())


def connect(url: URL, options: str = "", connect_s: int = _CONNECT_S) -> Engine:
    """Create the connection pool; nothing is connected yet. Creates the directory of a SQLite file; raises OSError.

    `options`: of PostgreSQL's command line, for each session. `connect_s`: how long a connection to PostgreSQL may
    take, for each host of the URL.
    A SQLite file that does not exist is created for this user alone, at the first connection.
    """
    path = sqlite_file(url)
    if path is not None:
        make_folder(path.parent)
    if url.get_backend_name() != "sqlite":
        # Pre-ping replaces connections from before a restart of the server before they are used.
        arguments = {"connect_timeout": connect_s, **_SILENCE, **({"options": options} if options else {})}
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=arguments)
        sa.event.listen(engine, "handle_error", _raise_unavailable, retval=True)
        return engine
    engine = sa.create_engine(url)
    sa.event.listen(engine, "handle_error", _raise_unavailable, retval=True)
    if path is not None:
        sa.event.listen(engine, "do_connect", _private(path))
    sa.event.listen(engine, "connect", _tune_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    if path is not None:
        _guard_file(engine, DatabaseFile(path))
    return engine


def require_answer(url: str, within_s: int) -> None:
    """Ask the database for an answer. `within_s`: how long each of its hosts may take. Raises DatabaseUnavailableError,
    or StoreError if the URL is none."""
    engine = connect(parse_url(url), connect_s=within_s)
    try:
        with engine.connect() as connection:
            connection.execute(sa.select(1))
    finally:
        engine.dispose()


def file_of(engine: Engine) -> DatabaseFile | None:
    """Return the file of a SQLite database that `connect` opened; None for another database, or one in memory."""
    file: DatabaseFile | None = engine.get_execution_options().get(_FILE)
    return file


def write_transaction(engine: Engine) -> AbstractContextManager[Connection]:
    """Begin a transaction that writes.

    In SQLite it waits for the write lock at its beginning: a transaction that first reads and then writes is refused if
    somebody else wrote in between.
    """
    return for_writing(engine).begin()


def for_writing(engine: Engine) -> Engine:
    """Return the same engine for connections whose transactions write."""
    return engine.execution_options(**{_WRITES: True})


def is_write(connection: Connection) -> bool:
    """Return whether a connection is that of a transaction that writes."""
    return bool(connection.get_execution_options().get(_WRITES))


def upsert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; replace those whose primary key exists already."""
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    changes = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), rows)


def unusable_error(url: URL, error: Exception) -> StoreError:
    """Return the error for a database that cannot be used, with the remedy."""
    why = str(getattr(error, "orig", error)).strip()
    remedy = (
        "give the path of a SQLite file of the engine, or of a new one, in a directory that can be written to"
        if url.get_backend_name() == "sqlite"
        else "give the URL of a running database that can be written to"
    )
    return StoreError(f"record.url = {display_url(url)!r}: {why}; {remedy}")


def _raise_unavailable(context: sa.engine.ExceptionContext) -> BaseException | None:
    """Replace the driver's error by DatabaseUnavailableError if the database cannot be reached."""
    error = context.sqlalchemy_exception
    unavailable = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and not context.is_pre_ping
    return DatabaseUnavailableError(context.original_exception) if unavailable else None


def _private(path: Path) -> Callable[..., None]:
    """Return what creates the database for this user alone at the first connection; SQLite's other files take their
    rights from it. A file that is gone later is a loss, and no empty one takes its place."""
    begun = False

    def create(*_: object) -> None:
        nonlocal begun
        if not begun:
            begun = True
            with suppress(OSError):  # SQLite says what is wrong
                create_file(path)

    return create


def _tune_sqlite(connection: Any, _: object) -> None:
    """Set the pragmas of a new SQLite connection.

    WAL: readers do not wait for the writer. synchronous=FULL: a commit survives a power cut; with hundreds of rows a
    commit its cost was not measurable.
    """
    # The driver's own transactions are off: they do not cover changes of the schema. `_begin_sqlite` begins ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
    cursor.close()


def _guard_file(engine: Engine, file: DatabaseFile) -> None:
    """Refuse connections to another file than the first, and transactions that would write into nothing."""
    engine.update_execution_options(**{_FILE: file})

    def before_connect(*_: object) -> None:
        file.require()

    def after_connect(*_: object) -> None:
        file.opened()

    def before_write(connection: Connection) -> None:
        if is_write(connection):
            file.require()

    sa.event.listen(engine, "do_connect", before_connect)
    sa.event.listen(engine, "connect", after_connect)
    sa.event.listen(engine, "begin", before_write)
    sa.event.listen(engine, "commit", before_write)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write(connection) else "BEGIN")
