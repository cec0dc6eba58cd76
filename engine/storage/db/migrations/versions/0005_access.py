"""Tokens, the audit log, and pauses."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ENTRY_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tokens",
        sa.Column("token_id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("creator", sa.String(64), nullable=False),
        sa.Column("expires_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("revoked_wall_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("entry_id", _ENTRY_ID, primary_key=True),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("method", sa.String(100), nullable=False),
        sa.Column("resource", sa.String(500), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at_wall_ns"])
    op.create_table(
        "pauses",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("value", sa.String(200), primary_key=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("until_wall_ns", sa.BigInteger, nullable=False),
    )
