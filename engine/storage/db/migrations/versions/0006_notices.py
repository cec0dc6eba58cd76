"""Deliveries of notices to endpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "deliveries",
        sa.Column("endpoint", sa.String(40), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("queued_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("next_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("last_error", sa.String(300), nullable=False),
    )
    op.create_index("deliveries_by_state", "deliveries", ["state", "endpoint", "seq", "queued_wall_ns"])
    op.create_index("deliveries_by_age", "deliveries", ["state", "queued_wall_ns"])
    op.create_index("deliveries_by_seq", "deliveries", ["seq"])
