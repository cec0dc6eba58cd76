"""Stores which share of the visits on a platform each shard makes, where several shards visit it."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.storage.db.database import upsert
from engine.storage.db.shards.tables import shard_hosts
from engine.storage.db.tables import patrol_metadata

SharedHosts = Mapping[str, Mapping[int, float]]
"""By platform and shard's number; the shares of a platform add up to 1."""

_VERSION_KEY = "host_shares"
"""Key in patrol_about: how often shares were stored."""


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
    version = int(connection.scalar(sa.select(shares_version())) or 0)
    upsert(connection, patrol_metadata, [{"key": _VERSION_KEY, "value": str(version + 1)}])


def shares_version() -> "sa.ScalarSelect[str]":
    """A text that is another one once shares were stored anew; NULL before they first were."""
    return sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _VERSION_KEY).scalar_subquery()
