"""Machines that are drained, so that a keeper that starts anew knows. Empty for an engine alone."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "drained_nodes",
        sa.Column("node", sa.String(64), primary_key=True),
        sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
    )
