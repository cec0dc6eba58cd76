"""Knows what is in the archive: names, sizes, ages; and which of it may be deleted when it has grown too large."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.ledger.findings import FindingStore
from engine.storage.db.tables import archived

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Archived:
    """One exhibit or photograph. `name`: as the ledger cites it. `suffix`: of its file. `beside`: digests of the good
    pictures that it was compared with."""

    name: str
    size_bytes: int
    kept_wall_ns: int
    suffix: str
    beside: tuple[str, ...] = ()


class ArchiveIndex:
    """The index in one database, for all shards. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._findings = FindingStore(engine)  # of all shards

    def announce(self, items: Sequence[Archived]) -> None:
        """Note what is about to be stored, so that nobody deletes it as old meanwhile."""
        with write_transaction(self._engine) as connection:
            upsert(connection, archived, [_row(item) for item in items])

    def confirm(self, names: Iterable[str]) -> None:
        """Note that these are stored."""
        with write_transaction(self._engine) as connection:
            connection.execute(sa.update(archived).where(archived.c.name.in_(list(names))).values(is_stored=True))

    def stored(self, names: Sequence[str]) -> dict[str, Archived]:
        """Return those of these names that are stored."""
        found: dict[str, Archived] = {}
        with self._engine.connect() as connection:
            for begin in range(0, len(names), _CHUNK):
                chunk = names[begin : begin + _CHUNK]
                query = sa.select(archived).where(archived.c.name.in_(chunk), archived.c.is_stored)
                found |= {row.name: _item(row) for row in connection.execute(query)}
        return found

    def names(self) -> list[str]:
        """Return the names of all that is stored, sorted."""
        with self._engine.connect() as connection:
            query = sa.select(archived.c.name).where(archived.c.is_stored).order_by(archived.c.name)
            return list(connection.scalars(query))

    def total_bytes(self) -> int:
        """Return the size of all that is or was about to be stored."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(archived.c.bytes), 0))) or 0)

    def oldest(self, before_wall_ns: int, rows_max: int) -> list[Archived]:
        """Return the oldest that no open finding cites, and that nothing was compared with which one cites."""
        cited = sorted({name for names in self._findings.cited().values() for name in names})
        oldest: list[Archived] = []
        query = sa.select(archived).where(archived.c.kept_wall_ns < before_wall_ns).order_by(archived.c.kept_wall_ns)
        with self._engine.connect() as connection:
            held = set(cited)
            for begin in range(0, len(cited), _CHUNK):
                chunk = cited[begin : begin + _CHUNK]
                for beside in connection.scalars(sa.select(archived.c.beside).where(archived.c.name.in_(chunk))):
                    held.update(beside.split())
            for row in connection.execution_options(yield_per=_CHUNK).execute(query):
                if row.name not in held:
                    oldest.append(_item(row))
                if len(oldest) >= rows_max:
                    break
        return oldest

    def remove(self, item: Archived, delete: Callable[[Archived], None]) -> bool:
        """Delete an item, unless it was stored anew meanwhile; return whether. `delete` deletes its files, within the
        transaction: who stores it anew waits for that."""
        same = archived.c.name == item.name, archived.c.kept_wall_ns == item.kept_wall_ns
        with write_transaction(self._engine) as connection:
            if not connection.execute(sa.delete(archived).where(*same)).rowcount:
                return False
            delete(item)
            return True


def _row(item: Archived) -> dict[str, object]:
    return {
        "name": item.name,
        "bytes": item.size_bytes,
        "kept_wall_ns": item.kept_wall_ns,
        "is_stored": False,
        "suffix": item.suffix,
        "beside": "\n".join(item.beside),
    }


def _item(row: "sa.Row[tuple[object, ...]]") -> Archived:
    return Archived(row.name, row.bytes, row.kept_wall_ns, row.suffix, tuple(row.beside.split()))
