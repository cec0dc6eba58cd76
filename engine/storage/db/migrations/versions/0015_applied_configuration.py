"""The configuration that was applied last over the API, for the engines of all shards. Empty for an engine alone."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "applied_configuration",
        sa.Column("row_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("toml", sa.Text, nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("applied_wall_ns", sa.BigInteger, nullable=False),
    )
