"""Platforms that several shards visit, with the share of each. Empty for an engine alone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "shard_hosts",
        sa.Column("host", sa.String(2048), primary_key=True),
        sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("share", sa.Double, nullable=False),
    )
