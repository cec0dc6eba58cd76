"""Declares the tables as the newest migration leaves them. A change here needs a revision in migrations/versions."""

import sqlalchemy as sa

from engine.model.kpi import Counts
from engine.model.notice import LAST_ERROR_CHARS_MAX

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A number assigned in order. In SQLite only an INTEGER primary key is the row id itself, and needs no index."""

metadata = sa.MetaData()

patrol_metadata = sa.Table(
    "patrol_about",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)

cameras = sa.Table(
    "cameras",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("url", sa.String(2048), nullable=False),  # without its secrets
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
    sa.Column("sealed_url", sa.LargeBinary),  # the whole URL, if it has secrets (engine.storage.db.passwords.sealer)
    sa.Column("sub_url", sa.String(2048), nullable=False, server_default=sa.text("''")),  # without its secrets
    sa.Column("sealed_sub_url", sa.LargeBinary),
    sa.Index("cameras_by_region", "region", "camera_id"),
    sa.Index("cameras_by_site", "site_id", "camera_id"),
)

latest = sa.Table(
    "latest",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("visit_id", sa.BigInteger, nullable=False),
    sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("announced", sa.String(16), nullable=False),
    sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("shape_no", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("history", sa.LargeBinary, nullable=False),
    sa.Index("latest_by_announced", "announced", "camera_id"),
)
"""`seq`: of the verdict in verdict_log; 0 if the verdict is older than the log."""

camera_nos = sa.Table(
    "camera_nos",
    metadata,
    sa.Column("camera_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("camera_id", sa.String(64), nullable=False, unique=True),
)
"""Short numbers for camera ids, also of cameras that left the registry: their history is kept until it is too old."""

terms = sa.Table(
    "terms",
    metadata,
    sa.Column("term_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""Values that many verdicts share, as JSON: shapes, names of figures, thresholds (engine.model.packed.verdict)."""

verdict_log = sa.Table(
    "verdict_log",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
    sa.Column("camera_no", sa.Integer, nullable=False),
    sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.Boolean, nullable=False),
    sa.Column("shape_no", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("verdict_log_by_camera", "camera_no", "seq"),
)
"""Every verdict, in the order of commits."""


def _rollup_table(name: str, span: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column(span, sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("camera_no", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(state, sa.Integer, nullable=False) for state in ("ok", "fault", "unknown", "offline")),
        *(
            column
            for score in ("sharpness", "exposure", "occlusion")
            for column in (
                sa.Column(f"{score}_count", sa.Integer, nullable=False),
                sa.Column(f"{score}_sum", sa.Float, nullable=False),
                sa.Column(f"{score}_min", sa.Float),
                sa.Column(f"{score}_max", sa.Float),
            )
        ),
        sqlite_with_rowid=False,
    )


verdict_hours = _rollup_table("verdict_hours", "hour")
"""Sums of one camera in one hour, counted in hours since 1970 UTC. A score's min and max are null if it has no count.
"""

verdict_days = _rollup_table("verdict_days", "day")
"""The same by day; `day` is the date as a number like 20261124, in the calendar's time zone."""

measurements = sa.Table(
    "measurements",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("visit_id", sa.BigInteger, nullable=False),
    sa.Column("working", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

spot_checks = sa.Table(
    "spot_checks",
    metadata,
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

spot_sites = sa.Table(
    "spot_sites",
    metadata,
    sa.Column("site_id", sa.String(256), primary_key=True),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("findings", sa.Integer, nullable=False),
    sa.Column("draw_id", sa.BigInteger, nullable=False),
    sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("token_id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("region", sa.String(6), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("created_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("creator", sa.String(64), nullable=False),
    sa.Column("expires_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("revoked_wall_ns", sa.BigInteger, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("region", sa.String(6), nullable=False),
    sa.Column("method", sa.String(100), nullable=False),
    sa.Column("resource", sa.String(500), nullable=False),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Index("audit_by_time", "at_wall_ns"),
)

canteens = sa.Table(
    "canteens",
    metadata,
    sa.Column("canteen_id", sa.String(256), primary_key=True),
    sa.Column("display_name", sa.String(200), nullable=False),
    sa.Column("region", sa.String(6), nullable=False),
    sa.Column("site_kind", sa.String(32), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("contact_name", sa.String(100), nullable=False),
    sa.Column("phone", sa.String(32), nullable=False),
    sa.Column("latitude", sa.Double),
    sa.Column("longitude", sa.Double),
    sa.Column("changed_wall_ns", sa.BigInteger, nullable=False),
)
"""What callers stored of canteens; the rest is in the rows of their cameras."""

pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(200), primary_key=True),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("until_wall_ns", sa.BigInteger, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", SEQ, primary_key=True),
    sa.Column("event_kind", sa.String(48), nullable=False),
    sa.Column("finding_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("region", sa.String(6), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("shard_no", sa.Integer, nullable=False, server_default="0"),
    # Without it SQLite reuses the numbers of deleted rows, and notices with such a number would never be routed.
    sqlite_autoincrement=True,
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("endpoint", sa.String(40), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("queued_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("next_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("last_error", sa.String(LAST_ERROR_CHARS_MAX), nullable=False),
    sa.Column("shard_no", sa.Integer, nullable=False, server_default="0"),
    sa.Index("deliveries_by_state", "state", "endpoint", "seq", "queued_wall_ns"),
    sa.Index("deliveries_by_age", "state", "queued_wall_ns"),
    sa.Index("deliveries_by_seq", "seq"),
)

kpi_cameras = sa.Table(
    "kpi_cameras",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("seen", sa.SmallInteger, nullable=False),
    sa.Column("decided_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("decided_visit_id", sa.BigInteger, nullable=False),
    sa.Column("periods_due", sa.Integer, nullable=False),
    sa.Column("periods_kept", sa.Integer, nullable=False),
)
"""Facts of the day under way about each camera. `seen`: one bit per flag. `day`: datetime.date.toordinal."""

kpi_counties = sa.Table(
    "kpi_counties",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("county", sa.String(6), primary_key=True),
    *(sa.Column(name, sa.Integer, nullable=False) for name in Counts._fields),
)

kpi_hours = sa.Table(
    "kpi_hours",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hour", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("county", sa.String(6), primary_key=True),
    *(sa.Column(name, sa.Integer, nullable=False) for name in Counts._fields),
)
"""The counts of a day as it had come when an hour of it ended."""

kpi_canteens = sa.Table(
    "kpi_canteens",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("county", sa.String(6), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""The counts of a county's canteens on a closed day, in one body."""

archived = sa.Table(
    "archived",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("kept_wall_ns", sa.BigInteger, nullable=False),
    sa.Column("is_stored", sa.Boolean, nullable=False),
    sa.Column("suffix", sa.String(8), nullable=False),
    sa.Column("beside", sa.Text, nullable=False),
    sa.Index("archived_by_age", "kept_wall_ns"),
)
"""Exhibits and photographs in the archive (engine.storage.evidence.archive). `name`: as the ledger cites it.
`is_stored`: false from before it is sent until it is there. `beside`: digests of what it was compared with, one a line.
"""
