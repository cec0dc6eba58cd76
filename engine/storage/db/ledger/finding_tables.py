"""The ledger's tables: events, which are only appended, and the current state of each finding."""

import sqlalchemy as sa

from engine.storage.db.tables import SEQ, metadata

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("finding_id", SEQ, primary_key=True, autoincrement=False),
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
    sa.Column("camera_name", sa.String(200), nullable=False, server_default=sa.text("''")),
    sa.Column("key_point", sa.String(32), nullable=False, server_default="other"),
    sa.Column("severity_rank", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("level_rank", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index("findings_by_region", "region", "finding_id"),
    sa.Index("findings_by_camera", "camera_id", "finding_id"),
    sa.Index("findings_by_site", "site_id", "finding_id"),
    sa.Index("findings_by_state", "state", "finding_id"),
    sa.Index("findings_by_open_time", "opened_wall_ns", "finding_id"),
    sa.Index("findings_by_deadline", "deadline_wall_ns", "finding_id"),
    sa.Index("findings_by_severity", "severity_rank", "finding_id"),
    sa.Index("findings_by_level", "level_rank", "finding_id"),
)
"""The current state of each finding; can be recomputed from finding_events at any time. `severity_rank`: 1 cosmetic, 2
impaired, 3 blind. `level_rank`: 1 school to 4 province. Both only order and compare; the words beside them say what."""

finding_events = sa.Table(
    "finding_events",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
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
    sa.Column("photographs", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.UniqueConstraint("finding_id", "number", name="finding_events_by_number"),
    sa.Index("finding_events_by_request", "request_id", "who"),
)
"""Append-only. `evidence`, `photographs`: SHA-256 digests, one a line. The subject of a finding never changes, so only
findings has it."""
