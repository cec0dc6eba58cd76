"""Where the engine of a shard serves its metrics, for Prometheus to find it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column."""
    op.add_column("shards", sa.Column("metrics_address", sa.String(200), nullable=False, server_default=sa.text("''")))
