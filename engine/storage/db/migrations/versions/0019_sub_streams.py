"""Cameras: the URLs of their sub-streams, without secrets, and sealed with them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("cameras", sa.Column("sub_url", sa.String(2048), nullable=False, server_default=sa.text("''")))
    op.add_column("cameras", sa.Column("sealed_sub_url", sa.LargeBinary))
