"""What an upgrade will do: its steps, the rows that each rewrites, and the room that they need on the disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import StoreError
from engine.storage.db.database import name_of, sqlite_file
from engine.storage.db.passwords.scrub import is_pending
from engine.storage.db.passwords.sealed_urls import count_clear

SEAL = "seal passwords"
SCRUB = "rewrite the file"
_SAMPLE_ROWS = 1000
_COPIES = 2
"""A rewritten row is in the write-ahead log and in the table."""
_RESERVE_BYTES = 64 << 20
"""The write-ahead log before it is folded in, and what other programs write meanwhile."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of the schema that is still to come. `rewrites`: the tables whose rows it rewrites or copies."""

    number: str
    summary: str
    rewrites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `rows`: how many it rewrites, 0 if it only alters tables. `new_bytes`: the room it needs, estimated."""

    name: str
    summary: str
    rows: int = 0
    new_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The upgrade of one database. `free_bytes`: of the disk of a SQLite file; None if it is not known."""

    name: str
    before: str
    after: str
    steps: tuple[Step, ...]
    free_bytes: int | None

    @property
    def needed_bytes(self) -> int:
        """Return the room that the steps need on the disk of the database, an estimate; 0 if they rewrite nothing."""
        needed = sum(step.new_bytes for step in self.steps)
        return needed + _RESERVE_BYTES if needed else 0

    def require_room(self) -> None:
        """Raise StoreError if the disk has less room than the steps need."""
        if self.free_bytes is None or self.free_bytes >= self.needed_bytes:
            return
        can_wait = any(step.name == SCRUB for step in self.steps)
        later = ", or give --skip-scrub and run `patrol db scrub` when there is room" if can_wait else ""
        raise StoreError(
            f"{self.name}: the upgrade needs about {_mb(self.needed_bytes)} free on its disk, and "
            f"{_mb(self.free_bytes)} are free; nothing was changed: free some room and run it again{later}"
        )


def plan_of(
    connection: Connection, before: str, after: str, revisions: Sequence[Revision], *, with_scrub: bool = True
) -> Plan:
    """Return what is to be done with a database that holds tables; read only."""
    present = set(sa.inspect(connection).get_table_names())
    steps = [_revision_step(connection, present, revision) for revision in revisions]
    in_clear = count_clear(connection) if "cameras" in present else 0
    if in_clear:
        steps.append(Step(SEAL, "URLs of cameras with a password in clear", in_clear))
    if with_scrub and (in_clear or is_pending(connection)):
        steps.append(_scrub_step(connection))
    path = sqlite_file(connection.engine.url)
    free_bytes = None if path is None else shutil.disk_usage(_folder(path)).free
    return Plan(name_of(connection.engine.url), before, after, tuple(steps), free_bytes)


def _revision_step(connection: Connection, present: set[str], revision: Revision) -> Step:
    rows = new_bytes = 0
    for table in set(revision.rewrites) & present:
        number = int(connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))) or 0)
        rows += number
        new_bytes += round(_COPIES * number * _row_bytes(connection, table))
    return Step(f"schema {revision.number}", revision.summary, rows, new_bytes)


def _row_bytes(connection: Connection, table: str) -> float:
    sample = connection.execute(sa.select(sa.text("*")).select_from(sa.table(table)).limit(_SAMPLE_ROWS)).all()
    sizes = [sum(len(value) if isinstance(value, str | bytes) else 8 for value in row) for row in sample]
    return sum(sizes) / len(sizes) if sizes else 0.0


def _scrub_step(connection: Connection) -> Step:
    if connection.dialect.name == "postgresql":
        size = int(connection.scalar(sa.text("SELECT pg_total_relation_size('cameras')")) or 0)
        return Step(SCRUB, "the table of cameras, without what was deleted", 0, size)
    pages, free, page_bytes = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
        for name in ("page_count", "freelist_count", "page_size")
    )
    return Step(
        SCRUB, "without what was deleted, so that no old password is left in it", 0, (pages - free) * page_bytes
    )


def _folder(path: Path) -> Path:
    return path.absolute().parent


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
