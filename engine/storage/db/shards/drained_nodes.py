"""Stores which machines of a cluster are drained, so that a keeper that starts anew leaves them empty too."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.shards.tables import drained_nodes


class DrainedNodes:
    """The drained machines of one database, by name. Any thread may call; every call is its own transaction, and raises
    StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> set[str]:
        """Return the names of all that are drained."""
        with self._engine.connect() as connection:
            return set(connection.scalars(sa.select(drained_nodes.c.node)))

    def add(self, node: str, now_wall_ns: int) -> None:
        """Note that a machine is drained from now on."""
        with write_transaction(self._engine) as connection:
            upsert(connection, drained_nodes, [{"node": node, "since_wall_ns": now_wall_ns}])

    def remove(self, node: str) -> None:
        """Note that a machine is drained no more."""
        with write_transaction(self._engine) as connection:
            connection.execute(sa.delete(drained_nodes).where(drained_nodes.c.node == node))
