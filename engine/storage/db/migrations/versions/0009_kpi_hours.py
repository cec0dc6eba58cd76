"""KPIs: the counts of a day by county as it had come when each hour ended."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COUNTS = (
    "cameras", "cameras_enabled", "cameras_visited", "cameras_measured", "cameras_online", "cameras_clear", "canteens",
    "canteens_required", "canteens_measured", "canteens_covered", "screens_registered", "screens_measured",
    "screens_shown", "periods_due", "periods_kept",
)  # fmt: skip


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "kpi_hours",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hour", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("county", sa.String(6), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTS),
    )
