"""The way to a database: URL, connections, transactions. SQLite by default, PostgreSQL by its URL."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url

from engine.errors import StoreError

_BUSY_MS = 5000
_CONNECT_S = 10
_CHECKPOINT_PAGES = 8000
"""32 MB of log before it is folded in: pages that are written again and again are folded in once. With SQLite's own
1000 the same writer is less than half as fast (bench.store)."""
_CACHE_KB = 16_384
_BACKENDS = ("sqlite", "postgresql")
_WRITES = "patrol_writes"


class DatabaseUnavailableError(StoreError):
    """The database cannot be reached, or has gone away. Nothing is wrong with what was asked; it can be asked again.
    `orig`: what the driver said."""

    def __init__(self, orig: BaseException | None) -> None:
        # Without the statement: it may hold what is nobody's business.
        super().__init__(f"the database does not answer ({str(orig).strip()}); ask again in a moment")
        self.orig = orig


def parse_url(url: str) -> URL:
    """The URL in parts. Raises StoreError for what is none, or names a database that is neither of the two."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(f"record.url: not a database URL; give one like sqlite:///var/patrol.db ({error})") from error
    if parsed.get_backend_name() not in _BACKENDS:
        raise StoreError(
            f"record.url = {display_url(parsed)!r}: the database is {' or '.join(_BACKENDS)}; give a URL like "
            "sqlite:///var/patrol.db or postgresql+psycopg://user@host/patrol"
        )
    # The one driver that we bring.
    return parsed.set(drivername="postgresql+psycopg") if parsed.get_backend_name() == "postgresql" else parsed


def display_url(url: URL) -> str:
    """The URL for people: without its password."""
    return url.render_as_string(hide_password=True)


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite database; None if it is another, or in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def connect(url: URL) -> Engine:
    """Connections to it. Nothing is opened yet; the folder of a SQLite file is made. Raises OSError."""
    path = sqlite_file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    if url.get_backend_name() != "sqlite":
        # A connection of before the server's restart is told from one that works before it is used.
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S})
        sa.event.listen(engine, "handle_error", _raise_unavailable, retval=True)
        return engine
    engine = sa.create_engine(url)
    sa.event.listen(engine, "handle_error", _raise_unavailable, retval=True)
    sa.event.listen(engine, "connect", _tune_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def write_transaction(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that writes. In SQLite it takes its turn at once: one that read first and writes then would be
    refused when somebody else wrote in between."""
    return engine.execution_options(**{_WRITES: True}).begin()


def upsert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; replace those whose primary key is there already."""
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    changes = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), rows)


def unusable_error(url: URL, error: Exception) -> StoreError:
    """What to say where the database cannot be used."""
    why = str(getattr(error, "orig", error)).strip()
    remedy = (
        "give the path of a SQLite file of ours, or of one yet to be made, in a directory we may write to"
        if url.get_backend_name() == "sqlite"
        else "give the URL of a database that runs and that we may write to"
    )
    return StoreError(f"record.url = {display_url(url)!r}: {why}; {remedy}")


def _raise_unavailable(context: sa.engine.ExceptionContext) -> BaseException | None:
    error = context.sqlalchemy_exception
    away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and not context.is_pre_ping
    return DatabaseUnavailableError(context.original_exception) if away else None


def _tune_sqlite(connection: Any, _: object) -> None:
    """WAL lets readers go on while the writer writes. FULL: what is committed stands after a power cut too; with
    hundreds of rows a commit it cost nothing that could be measured."""
    # Transactions begin where we say; by itself the driver leaves changes of tables outside of them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")
