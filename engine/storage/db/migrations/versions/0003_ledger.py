"""The ledger: findings, their events, and the outbox of notices."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "findings",
        sa.Column("finding_id", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("cause_key", sa.String(64), nullable=False),
        sa.Column("site_id", sa.String(64), nullable=False),
        sa.Column("site_name", sa.String(200), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("standing", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("deadline_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("opened_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("changed_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("claimed_by", sa.String(64), nullable=False),
        sa.Column("overdue", sa.Boolean, nullable=False),
        sa.Column("supervised", sa.Boolean, nullable=False),
    )
    for by in ("region", "camera_id", "site_id", "state"):
        op.create_index(f"findings_by_{by.removesuffix('_id')}", "findings", [by, "finding_id"])
    op.create_table(
        "finding_events",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("finding_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("why", sa.String(500), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("severity", sa.String(16)),
        sa.Column("level", sa.String(16)),
        sa.Column("deadline_wall_ns", sa.BigInteger),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.UniqueConstraint("finding_id", "number", name="finding_events_by_number"),
    )
    op.create_index("finding_events_by_request", "finding_events", ["request_id", "who"])
    op.create_table(
        "outbox",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("event_kind", sa.String(48), nullable=False),
        sa.Column("finding_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
