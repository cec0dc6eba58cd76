"""Finds out the schema revision of a database, and upgrades it. Alembic does the upgrade, and is imported only then.

Revisions are numbered in one line from `0001` on; those that this program knows are in migrations/versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from engine.errors import NoDatabaseError, StoreError
from engine.storage.db.database import (
    DatabaseUnavailableError,
    connect,
    display_url,
    name_of,
    parse_url,
    sqlite_file,
    unusable_error,
    write_transaction,
)
from engine.storage.db.passwords.keys import KeySource, source_beside
from engine.storage.db.passwords.scrub import is_pending, scrub
from engine.storage.db.passwords.sealed_urls import count_clear, seal_batch
from engine.storage.db.passwords.sealer import Sealer
from engine.storage.db.tables import patrol_metadata
from engine.storage.db.upgrading.plan import SCRUB, SEAL, Plan, Revision, plan_of
from engine.storage.db.upgrading.watch import UNWATCHED, Watch
from engine.storage.db.writer_lock import WriterLock, exclusively

EMPTY = ""
"""The revision of a database without tables."""
BEFORE_REVISIONS = "0000"
"""The revision of files from before revisions were numbered: schema version 1."""
_SCRIPTS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
_UPGRADE_LOCK = 0x7061_7472_6F6C
"""Key of PostgreSQL's advisory lock that is held while tables change ("patrol" in ASCII)."""


def head() -> str:
    """Return the revision that this program reads and writes."""
    return max(path.name.partition("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*_*.py"))


def current(url: str) -> str:
    """Return the revision of a database; EMPTY if it has no tables or the file does not exist. Raises StoreError."""
    parsed = parse_url(url)
    path = sqlite_file(parsed)
    if path is not None and not (path.exists() and path.stat().st_size):
        return EMPTY  # without opening it: SQLite would write to it
    try:
        engine = connect(parsed)
        try:
            with engine.connect() as connection:
                return _revision(connection, display_url(parsed))
        finally:
            engine.dispose()
    except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
        raise unusable_error(parsed, error) from error


def name(url: str) -> str:
    """Return what people call a database: the whole path of its file, or its URL without the password."""
    return name_of(parse_url(url))


def check(url: str) -> None:
    """Raise StoreError if the engine would refuse to start on this database because of its schema."""
    parsed = parse_url(url)
    _require_head(current(url), display_url(parsed))


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did. `sealed`: how many passwords. `is_scrubbed`: the file was rewritten. `is_scrub_left`: it was
    not, and old passwords may be left in it."""

    before: str
    after: str
    sealed: int = 0
    is_scrubbed: bool = False
    is_scrub_left: bool = False


def upgrade(url: str, keys: KeySource | None = None, *, watch: Watch = UNWATCHED, with_scrub: bool = True) -> Upgraded:
    """Upgrade a database, possibly an empty one, to `head()`.

    Each revision of the schema is one transaction. Then URLs that hold a password in clear are sealed with the first of
    `keys`, a thousand cameras a transaction, and, if `with_scrub`, what is left of them in the file is rewritten. Where
    it ends, for whatever reason, the next call goes on. Raises StoreError if the database cannot be used, is of a newer
    schema, has too little room on its disk, or an engine runs on it; KeyUnavailableError if there is no key and none
    can be made; UpgradeStoppedError if `watch` says so.
    """
    parsed = parse_url(url)
    with exclusively(url) as (engine, lock):
        plan = _plan(engine, with_scrub=with_scrub)
        plan.require_room()
        if plan.before == EMPTY:
            with lock.transaction() as connection:
                _upgrade(connection, display_url(parsed))
            return Upgraded(EMPTY, plan.after)
        for step, revision in zip(plan.steps, _revisions_after(plan.before), strict=False):
            with lock.transaction() as connection:
                _to_revision(connection, revision.number, partial(watch.advance, step.name))
        sealed = _seal(lock, Sealer(keys or source_beside(parsed)), watch)
        with engine.connect() as connection:
            is_scrub_left = is_pending(connection)
        is_scrubbed = with_scrub and is_scrub_left
        if is_scrubbed:
            scrub(engine, partial(watch.advance, SCRUB))
    return Upgraded(plan.before, plan.after, sealed, is_scrubbed, is_scrub_left and not is_scrubbed)


def plan(url: str, *, with_scrub: bool = True) -> Plan:
    """Return what `upgrade` would do with a database that exists.

    Raises StoreError if it cannot be used, or is of a newer schema.
    """
    parsed = parse_url(url)
    try:
        engine = connect(parsed)
        try:
            return _plan(engine, with_scrub=with_scrub)
        finally:
            engine.dispose()
    except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
        raise unusable_error(parsed, error) from error


def is_scrub_pending(url: str) -> bool:
    """Whether old passwords may be left in the files of a database of this schema. Raises StoreError."""
    parsed = parse_url(url)
    try:
        engine = connect(parsed)
        try:
            with engine.connect() as connection:
                return is_pending(connection)
        finally:
            engine.dispose()
    except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
        raise unusable_error(parsed, error) from error


def scrub_unused(url: str, watch: Watch = UNWATCHED) -> None:
    """Rewrite a database that no engine runs on; see `scrub`. Raises StoreError, UpgradeStoppedError."""
    with exclusively(url) as (engine, _):
        scrub(engine, partial(watch.advance, SCRUB))


def prepare(engine: Engine) -> bool:
    """Create the tables in an empty database; return whether it was empty.

    Raises StoreError if it is of another revision, or somebody else's.
    """
    name = display_url(engine.url)
    with engine.connect() as connection:
        revision = _revision(connection, name)
    if revision != EMPTY:
        _require_head(revision, name)
        return False
    with write_transaction(engine) as connection:
        _upgrade(connection, name)
    return True


def require_existing(url: str) -> None:
    """Raise NoDatabaseError unless the database exists and holds the engine's tables, whatever their revision.

    Raises StoreError if it cannot be read, or holds somebody else's tables. Creates no file and no folder.
    """
    if current(url) != EMPTY:
        return
    parsed = parse_url(url)
    path = sqlite_file(parsed)
    missing = path is not None and not path.exists()
    raise NoDatabaseError(name_of(parsed), "no such database" if missing else "the database holds no tables yet")


def require_no_orphan(url: URL) -> None:
    """Raise StoreError if the file of a SQLite database is gone, but its write-ahead log is left.

    SQLite would put a log of another database into the new, empty one.
    """
    path = sqlite_file(url)
    if path is None or path.exists():
        return
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(
            f"record.url = {display_url(url)!r}: the database is gone, but its write-ahead log {log.name} is left; put "
            "the database back, or restore a backup; to begin with an empty one, delete the log"
        )


def _require_head(revision: str, name: str) -> None:
    if revision > head():
        raise _newer_error(revision, name)
    if EMPTY < revision < head():
        raise StoreError(
            f"record.url = {name!r}: is of schema {_revision_name(revision)}, this program needs {head()}; stop the "
            "engine, keep a backup (`patrol db backup FILE`), then run `patrol db upgrade`"
        )


def _plan(engine: Engine, *, with_scrub: bool) -> Plan:
    with engine.connect() as connection:
        before = _revision(connection, display_url(engine.url))
        if before > head():
            raise _newer_error(before, display_url(engine.url))
        if before == EMPTY:
            return Plan(name_of(engine.url), EMPTY, head(), (), None)
        return plan_of(connection, before, head(), _revisions_after(before), with_scrub=with_scrub)


def _seal(lock: WriterLock, sealer: Sealer, watch: Watch) -> int:
    """Seal what is in clear; return how many. A batch a transaction: what is sealed stays sealed."""
    with lock.transaction() as connection:
        total = count_clear(connection)
    sealed, after = 0, ""
    while sealed < total:
        with lock.transaction() as connection:
            batch = seal_batch(connection, sealer, after)
        if batch is None:
            break
        after = batch.last_camera_id
        sealed += batch.sealed
        watch.advance(SEAL, sealed, total)
    return sealed


def _upgrade(connection: Connection, name: str) -> None:
    """Upgrade in one transaction: of an empty database, or of one that another process is making."""
    _lock_tables(connection)
    before = _revision(connection, name)
    if before > head():
        raise _newer_error(before, name)
    if before != head():
        _run_alembic(connection, "head")


def _to_revision(connection: Connection, revision: str, advance: Callable[[int, int], None]) -> None:
    _lock_tables(connection)
    _run_alembic(connection, revision, advance)


def _lock_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))


def _revisions_after(before: str) -> list[Revision]:
    """Return the revisions that follow one, in order."""
    from alembic.script import ScriptDirectory

    scripts = list(ScriptDirectory(str(_SCRIPTS)).walk_revisions())[::-1]
    return [
        Revision(script.revision, script.doc, getattr(script.module, "REWRITES", ()))
        for script in scripts
        if script.revision > before
    ]


def _run_alembic(
    connection: Connection, revision: str, advance: Callable[[int, int], None] = lambda done, total: None
) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["advance"] = advance
    command.upgrade(config, revision)


def _revision(connection: Connection, name: str) -> str:
    present = set(sa.inspect(connection).get_table_names())
    if not present:
        return EMPTY
    if patrol_metadata.name not in present:
        raise StoreError(
            f"record.url = {name!r}: holds other tables ({', '.join(sorted(present)[:3])}); "
            "give the engine a database of its own"
        )
    if _VERSION_TABLE not in present:
        return BEFORE_REVISIONS
    version = connection.exec_driver_sql(f"SELECT version_num FROM {_VERSION_TABLE}").scalar()  # noqa: S608 (a constant)
    return BEFORE_REVISIONS if version is None else str(version)


def _newer_error(revision: str, name: str) -> StoreError:
    return StoreError(
        f"record.url = {name!r}: is of schema {revision}, this program knows {head()}; "
        "use the program that wrote it, or another database"
    )


def _revision_name(revision: str) -> str:
    return "version 1 (before revisions)" if revision == BEFORE_REVISIONS else revision
