"""Stores which share of the visits on a platform each shard makes, where several shards visit it."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.storage.db.shards.tables import shard_hosts

SharedHosts = Mapping[str, Mapping[int, float]]
"""By platform and shard's number; the shares of a platform add up to 1."""


class HostShares:
    """The shares of one shard. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine, shard_no: int) -> None:
        self._engine = engine
        self._shard_no = shard_no

    def all(self) -> dict[str, float]:
        """Return the share of each platform that others visit too."""
        query = sa.select(shard_hosts.c.host, shard_hosts.c.share).where(shard_hosts.c.shard_no == self._shard_no)
        with self._engine.connect() as connection:
            return {row.host: row.share for row in connection.execute(query)}


def replace_all(connection: Connection, shared: SharedHosts) -> None:
    """Store the shares of all shards, in place of those that were stored."""
    connection.execute(sa.delete(shard_hosts))
    rows = [
        {"host": host, "shard_no": number, "share": share}
        for host, shares in sorted(shared.items())
        for number, share in sorted(shares.items())
    ]
    if rows:
        connection.execute(sa.insert(shard_hosts), rows)
