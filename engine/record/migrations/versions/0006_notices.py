"""Notices: the outbox, if the ledger has not made it, and deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables that are not there."""
    present = set(sa.inspect(op.get_bind()).get_table_names())
    if "outbox" not in present:
        op.create_table(
            "outbox",
            sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
            sa.Column("event_kind", sa.String(48), nullable=False),
            sa.Column("finding_id", sa.BigInteger, nullable=False),
            sa.Column("number", sa.Integer, nullable=False),
            sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
            sa.Column("region", sa.String(6), nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sqlite_autoincrement=True,
        )
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
