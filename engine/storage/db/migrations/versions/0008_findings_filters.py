"""Findings with the name and key point of their camera, and with numbers to order them by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
REWRITES = ("findings",)

_CHUNK_ROWS = 5000
_FILL = """UPDATE findings SET
    severity_rank = CASE severity WHEN 'blind' THEN 3 WHEN 'impaired' THEN 2 ELSE 1 END,
    level_rank = CASE level WHEN 'province' THEN 4 WHEN 'city' THEN 3 WHEN 'county' THEN 2 ELSE 1 END,
    camera_name = COALESCE((SELECT name FROM cameras WHERE cameras.camera_id = findings.camera_id), ''),
    key_point = COALESCE((SELECT key_point FROM cameras WHERE cameras.camera_id = findings.camera_id), 'other')
    WHERE finding_id > :after AND finding_id <= :to"""


def upgrade() -> None:
    """Add the columns and their indexes; findings there are get the name that their camera has in the registry now."""
    op.add_column("findings", sa.Column("camera_name", sa.String(200), nullable=False, server_default=sa.text("''")))
    op.add_column("findings", sa.Column("key_point", sa.String(32), nullable=False, server_default="other"))
    op.add_column("findings", sa.Column("severity_rank", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("findings", sa.Column("level_rank", sa.SmallInteger, nullable=False, server_default="0"))
    _fill()
    op.create_index("findings_by_open_time", "findings", ["opened_wall_ns", "finding_id"])
    op.create_index("findings_by_deadline", "findings", ["deadline_wall_ns", "finding_id"])
    op.create_index("findings_by_severity", "findings", ["severity_rank", "finding_id"])
    op.create_index("findings_by_level", "findings", ["level_rank", "finding_id"])


def _fill() -> None:
    connection, config = op.get_bind(), op.get_context().config
    total = int(connection.scalar(sa.text("SELECT COUNT(*) FROM findings")) or 0)
    ids = sa.text("SELECT finding_id FROM findings WHERE finding_id > :after ORDER BY finding_id LIMIT :rows")
    done = after = 0
    while chunk := list(connection.scalars(ids, {"after": after, "rows": _CHUNK_ROWS})):
        connection.execute(sa.text(_FILL), {"after": after, "to": chunk[-1]})
        done, after = done + len(chunk), chunk[-1]
        if config is not None:
            config.attributes["advance"](done, total)
