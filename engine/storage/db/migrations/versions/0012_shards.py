"""Shards: their counties, and who holds the lease of each. Empty for an engine alone."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "shards",
        sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("floor_us", sa.BigInteger, nullable=False),
    )
    for table in ("outbox", "deliveries"):
        op.add_column(table, sa.Column("shard_no", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "camera_changes",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("camera_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "shard_counties",
        sa.Column("county", sa.String(6), primary_key=True),
        sa.Column("shard_no", sa.Integer, nullable=False),
    )
