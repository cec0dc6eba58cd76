"""What shards have of the caps of platforms that several visit, and how busy each is. Empty for an engine alone."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table, add the columns."""
    op.create_table(
        "host_grants",
        sa.Column("host", sa.String(2048), primary_key=True),
        sa.Column("shard_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("visits", sa.Integer, nullable=False),
    )
    for name in ("checks_per_s", "lag_s"):
        op.add_column("shards", sa.Column(name, sa.Double, nullable=False, server_default=sa.text("0")))
