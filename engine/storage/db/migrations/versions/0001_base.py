"""Registry, latest verdicts and measurements, spot checks: the tables of schema version 1.

A file of schema version 1 may lack the newest of these tables: they are added, and its data stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables that do not exist."""
    present = set(sa.inspect(op.get_bind()).get_table_names())
    if "patrol_about" in present:
        op.execute("UPDATE patrol_about SET value = 'see alembic_version' WHERE key = 'schema'")
    else:
        op.create_table(
            "patrol_about",
            sa.Column("key", sa.String(32), primary_key=True),
            sa.Column("value", sa.String(200), nullable=False),
        )
    if "cameras" in present:
        _add_site_kind()
    else:
        _create_cameras()
    if "latest" not in present:
        _create_latest()
    if "measurements" not in present:
        op.create_table(
            "measurements",
            sa.Column("camera_id", sa.String(64), primary_key=True),
            sa.Column("visit_id", sa.BigInteger, nullable=False),
            sa.Column("working", sa.Boolean, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
    if "spot_checks" not in present:
        _create_spot_checks()


def _create_cameras() -> None:
    op.create_table(
        "cameras",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("site_id", sa.String(64), nullable=False),
        sa.Column("site_name", sa.String(200), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("key_point", sa.String(32), nullable=False),
        sa.Column("required", sa.Boolean, nullable=False),
        sa.Column("uplink", sa.String(200), nullable=False),
        sa.Column("hours", sa.String(64), nullable=False),
        sa.Column("platform_status", sa.String(64), nullable=False),
        sa.Column("push", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("site_kind", sa.String(32), nullable=False, server_default="other"),
    )
    op.create_index("cameras_by_region", "cameras", ["region", "camera_id"])
    op.create_index("cameras_by_site", "cameras", ["site_id", "camera_id"])


def _add_site_kind() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("cameras")}
    if "site_kind" not in columns:
        op.add_column("cameras", sa.Column("site_kind", sa.String(32), nullable=False, server_default="other"))


def _create_latest() -> None:
    op.create_table(
        "latest",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("visit_id", sa.BigInteger, nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("announced", sa.String(16), nullable=False),
        sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.LargeBinary, nullable=False),
        sa.Column("history", sa.LargeBinary, nullable=False),
    )
    op.create_index("latest_by_announced", "latest", ["announced", "camera_id"])


def _create_spot_checks() -> None:
    op.create_table(
        "spot_checks",
        sa.Column("draw_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("region_prefix", sa.String(6), nullable=False),
        sa.Column("findings_weight", sa.Float, nullable=False),
        sa.Column("canteens", sa.Integer, nullable=False),
        sa.Column("drawn", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "spot_sites",
        sa.Column("site_id", sa.String(256), primary_key=True),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
        sa.Column("draw_id", sa.BigInteger, nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
    )
