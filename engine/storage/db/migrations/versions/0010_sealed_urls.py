"""Cameras: their URLs with passwords, sealed. `engine.storage.db.passwords.sealed_urls` seals those that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    op.add_column("cameras", sa.Column("sealed_url", sa.LargeBinary))
