"""The tables of shards: which counties each has, and who holds its lease. Empty for an engine alone."""

import sqlalchemy as sa

from engine.storage.db.tables import metadata

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("node", sa.String(64), nullable=False),
    sa.Column("address", sa.String(200), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("floor_us", sa.BigInteger, nullable=False),
    sa.Column("metrics_address", sa.String(200), nullable=False, server_default=sa.text("''")),
    sa.Column("checks_per_s", sa.Double, nullable=False, server_default=sa.text("0")),
    sa.Column("lag_s", sa.Double, nullable=False, server_default=sa.text("0")),
)
"""`epoch`: counts the owners. `floor_us`: the shard commits no sequence number below it any more. `owner`: names one
process; empty if nobody holds the lease. `address`, `metrics_address`: where it answers gRPC and scrapes.
`expires_at`: by the database's clock. `checks_per_s`, `lag_s`: as of ShardLoad."""

shard_counties = sa.Table(
    "shard_counties",
    metadata,
    sa.Column("county", sa.String(6), primary_key=True),
    sa.Column("shard_no", sa.Integer, nullable=False),
)

shard_hosts = sa.Table(
    "shard_hosts",
    metadata,
    sa.Column("host", sa.String(2048), primary_key=True),
    sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("share", sa.Double, nullable=False),
)
"""Platforms that several shards visit. `share`: of the visits on it; those of a platform add up to 1."""

host_grants = sa.Table(
    "host_grants",
    metadata,
    sa.Column("host", sa.String(2048), primary_key=True),
    sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("visits", sa.Integer, nullable=False),
)
"""What shards have of the caps of platforms that several visit. A row counts while its shard's lease has this `epoch`
and has not ended. `visits`: at once."""

drained_nodes = sa.Table(
    "drained_nodes",
    metadata,
    sa.Column("node", sa.String(64), primary_key=True),
    sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
)
"""Machines that run no shards, by name, because somebody wants to stop them."""

camera_changes = sa.Table(
    "camera_changes",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("camera_id", sa.String(64), nullable=False),
)
"""Cameras that were added, changed or removed, in the order of commits; what they are now is in cameras."""

applied_configuration = sa.Table(
    "applied_configuration",
    metadata,
    sa.Column("row_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("toml", sa.Text, nullable=False),
    sa.Column("revision", sa.String(64), nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("applied_wall_ns", sa.BigInteger, nullable=False),
)
"""What was applied last over the API; one row at most. `toml`: as ApplyConfig takes it. `revision`: of the settings in
force in the shard that wrote it last."""
