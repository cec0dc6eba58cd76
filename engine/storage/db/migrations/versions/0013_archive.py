"""What is kept in the archive, which outlives the machine. Empty without one."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "archived",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("kept_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("is_stored", sa.Boolean, nullable=False),
        sa.Column("suffix", sa.String(8), nullable=False),
        sa.Column("beside", sa.Text, nullable=False),
    )
    op.create_index("archived_by_age", "archived", ["kept_wall_ns"])
