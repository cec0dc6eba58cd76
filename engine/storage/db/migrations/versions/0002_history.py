"""The verdict log, its hourly and daily sums, and the interned values; packs the latest verdicts the same way."""

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
REWRITES = ("latest",)

_CHUNK_ROWS = 1000
_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_HEAD = struct.Struct("<QqHHHfff")
_SHAPE = (
    "state", "kinds", "reason", "announced", "announced_kinds", "rules_version", "codec", "cause", "announced_cause",
    "severity",
)  # fmt: skip


def upgrade() -> None:
    """Create the new tables, and convert the latest verdicts from JSON to the packed form of the log."""
    op.create_table(
        "camera_nos",
        sa.Column("camera_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("camera_id", sa.String(64), nullable=False, unique=True),
    )
    op.create_table(
        "terms",
        sa.Column("term_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "verdict_log",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("camera_no", sa.Integer, nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.Boolean, nullable=False),
        sa.Column("shape_no", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("verdict_log_by_camera", "verdict_log", ["camera_no", "seq"])
    _create_rolled_up("verdict_hours", "hour")
    _create_rolled_up("verdict_days", "day")
    _pack_latest()


def _create_rolled_up(name: str, span: str) -> None:
    scores = [
        column
        for score in ("sharpness", "exposure", "occlusion")
        for column in (
            sa.Column(f"{score}_count", sa.Integer, nullable=False),
            sa.Column(f"{score}_sum", sa.Float, nullable=False),
            sa.Column(f"{score}_min", sa.Float),
            sa.Column(f"{score}_max", sa.Float),
        )
    ]
    op.create_table(
        name,
        sa.Column(span, sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("camera_no", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(one, sa.Integer, nullable=False) for one in ("ok", "fault", "unknown", "offline")),
        *scores,
        sqlite_with_rowid=False,
    )


def _pack_latest() -> None:
    op.drop_index("latest_by_announced", "latest")
    op.rename_table("latest", "latest_json")
    packed = op.create_table(
        "latest",
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("visit_id", sa.BigInteger, nullable=False),
        sa.Column("at_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("announced", sa.String(16), nullable=False),
        sa.Column("since_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("shape_no", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("history", sa.LargeBinary, nullable=False),
        # A name of its own: PostgreSQL's default name still belongs to the renamed table.
        sa.PrimaryKeyConstraint("camera_id", name="latest_by_id"),
    )
    connection = op.get_bind()
    terms: dict[str, int] = {}
    total, done = int(connection.scalar(sa.text("SELECT COUNT(*) FROM latest_json")) or 0), 0
    for rows in _old_rows(connection):
        connection.execute(sa.insert(packed), [_packed(row, terms) for row in rows])
        done += len(rows)
        _advance(done, total)
    if terms:
        table = sa.table("terms", sa.column("term_no", sa.Integer), sa.column("body", sa.Text))
        connection.execute(sa.insert(table), [{"term_no": number, "body": body} for body, number in terms.items()])
    op.drop_table("latest_json")
    op.create_index("latest_by_announced", "latest", ["announced", "camera_id"])


def _advance(done: int, total: int) -> None:
    config = op.get_context().config
    if config is not None:
        config.attributes["advance"](done, total)


def _old_rows(connection: sa.Connection) -> Iterator[list[Any]]:
    names = ("camera_id", "visit_id", "at_wall_ns", "announced", "since_wall_ns", "verdict", "history")
    old = sa.table("latest_json", *map(sa.column, names))
    after = ""
    while True:
        query = sa.select(old).where(old.c.camera_id > after).order_by(old.c.camera_id).limit(_CHUNK_ROWS)
        rows = list(connection.execute(query))
        if not rows:
            return
        yield rows
        after = rows[-1].camera_id


def _packed(row: Any, terms: dict[str, int]) -> dict[str, Any]:
    old = json.loads(row.verdict)
    shape = {name: old.get(name) for name in _SHAPE}  # verdicts of the first rules had no causes
    shape["names"] = _number(terms, list(old["figures"]))
    shape["thresholds"] = _number(terms, old["thresholds"])
    tiles = sum(1 << tile for tile in old.get("tiles", ()))
    bits = tiles.to_bytes((tiles.bit_length() + 7) // 8, "little")
    scores = (math.nan if one is None else one for one in old["scores"])
    confidence = round(1000 * old.get("confidence", 0.0))
    head = _HEAD.pack(old["visit_id"], old["since_wall_ns"], old["width"], old["height"], confidence, *scores)
    figures = struct.pack(f"<{len(old['figures'])}fB", *old["figures"].values(), len(bits))
    return {
        "camera_id": row.camera_id,
        "seq": 0,
        "visit_id": row.visit_id,
        "at_wall_ns": row.at_wall_ns,
        "announced": row.announced,
        "since_wall_ns": row.since_wall_ns,
        "shape_no": _number(terms, shape),
        "body": head + figures + bits + old["detail"].encode(),
        "history": row.history,
    }


def _number(terms: dict[str, int], value: Any) -> int:
    return terms.setdefault(json.dumps(value, ensure_ascii=False, separators=(",", ":")), len(terms) + 1)
