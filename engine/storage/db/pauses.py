"""Stores pauses, so that they last over restarts."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.storage.db.database import upsert
from engine.storage.db.tables import pauses

Write = Callable[[Connection], None]


class Pauses:
    """The pauses of one database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> tuple[Pause, ...]:
        """Return all pauses, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(pauses).order_by(pauses.c.since_wall_ns)).all()
        return tuple(
            Pause(PauseScope(PauseKind(row.kind), row.value), row.reason, row.who, row.since_wall_ns, row.until_wall_ns)
            for row in rows
        )


def upsert_pause(pause: Pause) -> Write:
    """Return a write that adds a pause, or replaces the one of the same scope."""
    row: dict[str, Any] = {
        "kind": pause.scope.kind.value,
        "value": pause.scope.value,
        "reason": pause.reason,
        "who": pause.who,
        "since_wall_ns": pause.since_wall_ns,
        "until_wall_ns": pause.until_wall_ns,
    }

    def write(connection: Connection) -> None:
        upsert(connection, pauses, [row])  # in one statement: shards write the same pause at the same time

    return write


def delete_pause(pause: Pause) -> Write:
    """Return a write that deletes this pause; one that has replaced it since stays."""

    def write(connection: Connection) -> None:
        connection.execute(sa.delete(pauses).where(*_of(pause), pauses.c.since_wall_ns == pause.since_wall_ns))

    return write


def _of(pause: Pause) -> "tuple[sa.ColumnElement[bool], ...]":
    return pauses.c.kind == pause.scope.kind.value, pauses.c.value == pause.scope.value
