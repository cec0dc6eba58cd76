"""Ledger: the photographs that came with a claim, as SHA-256 digests, one a line."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("finding_events", sa.Column("photographs", sa.Text, nullable=False, server_default=sa.text("''")))
