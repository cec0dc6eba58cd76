"""KPIs: facts of the day under way by camera, counts by day and county, and by canteen of closed days."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTS = (
    "cameras", "cameras_enabled", "cameras_visited", "cameras_measured", "cameras_online", "cameras_clear", "canteens",
    "canteens_required", "canteens_measured", "canteens_covered", "screens_registered", "screens_measured",
    "screens_shown", "periods_due", "periods_kept",
)  # fmt: skip


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "kpi_cameras",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("seen", sa.SmallInteger, nullable=False),
        sa.Column("decided_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("decided_visit_id", sa.BigInteger, nullable=False),
        sa.Column("periods_due", sa.Integer, nullable=False),
        sa.Column("periods_kept", sa.Integer, nullable=False),
    )
    op.create_table(
        "kpi_counties",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("county", sa.String(6), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTS),
    )
    op.create_table(
        "kpi_canteens",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("county", sa.String(6), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
