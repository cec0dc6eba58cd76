"""Takes back what later revisions of the schema added, to make a database of an earlier one."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def undo_since_0012(connection: Connection) -> None:
    """Make the tables as they were before revisions 0012 to 0019."""
    for table in (
        "host_grants",
        "drained_nodes",
        "shard_hosts",
        "applied_configuration",
        "archived",
        "shards",
        "shard_counties",
        "camera_changes",
    ):
        connection.execute(sa.text(f"DROP TABLE {table}"))
    for table in ("outbox", "deliveries"):
        connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN shard_no"))
    for column in ("sub_url", "sealed_sub_url"):
        connection.execute(sa.text(f"ALTER TABLE cameras DROP COLUMN {column}"))
