"""Reads the verdict log and its hourly and daily sums. `seq` is a verdict's position in the order of commits."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.clock import NS_PER_S
from engine.model.packed import verdict as packed_verdict
from engine.model.verdict import LoggedVerdict
from engine.storage.db.day_numbers import as_date, first_day_from
from engine.storage.db.interning import Interning
from engine.storage.db.shards.sequences import Sequences
from engine.storage.db.tables import camera_nos, cameras, verdict_days, verdict_hours, verdict_log

_EXPORT_ROWS = 5_000
_NS_PER_H = 3600 * NS_PER_S


class VerdictHistory:
    """The verdict log of one database. Any thread may call; every call is its own transaction.

    `sequences`: of a shard: `last_seq` and `after` are about the verdicts that this shard has written.
    """

    def __init__(self, engine: Engine, interning: Interning, sequences: Sequences) -> None:
        self._engine = engine
        self._interning = interning
        self._own = sequences.own(verdict_log.c.seq)

    def last_seq(self) -> int:
        """Return the `seq` of the last committed verdict; 0 if there is none."""
        last = sa.select(verdict_log.c.seq).where(self._own).order_by(verdict_log.c.seq.desc()).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(last) or 0

    def oldest_seq(self) -> int:
        """Return the lowest `seq` that is still kept; 0 if there is none. A reader that stopped before it has missed
        some."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.min(verdict_log.c.seq))) or 0

    def of_camera(self, camera_id: str, before_seq: int = 0, limit: int = 100) -> tuple[LoggedVerdict, ...]:
        """Return a camera's verdicts, newest first; only those below `before_seq` if it is not 0."""
        query = (
            _rows()
            .where(camera_nos.c.camera_id == camera_id, *((verdict_log.c.seq < before_seq,) if before_seq else ()))
            .order_by(verdict_log.c.seq.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return self._read(connection, connection.execute(query).all())

    def after(self, seq: int, limit: int = 1000) -> tuple[LoggedVerdict, ...]:
        """Return verdicts that were committed after `seq`, oldest first."""
        query = _rows().where(verdict_log.c.seq > seq, self._own).order_by(verdict_log.c.seq).limit(limit)
        with self._engine.connect() as connection:
            return self._read(connection, connection.execute(query).all())

    def between(
        self, from_wall_ns: int, until_wall_ns: int, region_prefix: str = ""
    ) -> Iterator[tuple[LoggedVerdict, ...]]:
        """Yield the verdicts from a time until before another, in the order of commits, some thousands at a time.

        Each chunk is its own transaction: a long one would keep SQLite from truncating its write-ahead log. With a
        region only the verdicts of cameras that are in the registry now are found.
        """
        query = (
            _rows()
            .where(verdict_log.c.at_wall_ns >= from_wall_ns, verdict_log.c.at_wall_ns < until_wall_ns)
            .order_by(verdict_log.c.seq)
            .limit(_EXPORT_ROWS)
        )
        if region_prefix:
            query = query.where(camera_nos.c.camera_id.in_(_within(region_prefix)))
        seq = 0
        while True:
            with self._engine.connect() as connection:
                chunk = self._read(connection, connection.execute(query.where(verdict_log.c.seq > seq)).all())
            if chunk:
                yield chunk
            if len(chunk) < _EXPORT_ROWS:
                return
            seq = chunk[-1].seq

    def sums(
        self, span: str, from_wall_ns: int, until_wall_ns: int, region_prefix: str, zone: tzinfo
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield each camera's sums by hour (`hour`, in UTC) or day (`day`, a date in `zone`), some thousands at a time.

        Ordered by time and camera. A span belongs to the period if it begins in it. Scores come with their mean.
        """
        table = verdict_hours if span == "hour" else verdict_days
        begins, number = table.c[span], table.c.camera_no
        first, end = (_span_at(span, at_ns, zone) for at_ns in (from_wall_ns, until_wall_ns))
        query = sa.select(table, camera_nos.c.camera_id).join(camera_nos, number == camera_nos.c.camera_no)
        query = query.where(begins >= first, begins < end).order_by(begins, number).limit(_EXPORT_ROWS)
        if region_prefix:
            query = query.where(camera_nos.c.camera_id.in_(_within(region_prefix)))
        after = (first - 1, 0)
        while True:
            chunk = query.where(sa.tuple_(begins, number) > sa.tuple_(*map(sa.literal, after)))
            with self._engine.connect() as connection:
                rows = connection.execute(chunk).all()
            if rows:
                yield [_sums_row(span, row._mapping) for row in rows]
            if len(rows) < _EXPORT_ROWS:
                return
            after = (rows[-1][0], rows[-1][1])

    def _read(self, connection: Connection, rows: Sequence[Any]) -> tuple[LoggedVerdict, ...]:
        shape = self._interning.shape
        return tuple(
            LoggedVerdict(
                row.seq,
                packed_verdict.unpack(row.camera_id, row.at_wall_ns, shape(connection, row.shape_no), row.body),
                row.changed,
            )
            for row in rows
        )


def _within(region_prefix: str) -> "sa.Select[Any]":
    return sa.select(cameras.c.camera_id).where(cameras.c.region.startswith(region_prefix, autoescape=True))


def _span_at(span: str, at_wall_ns: int, zone: tzinfo) -> int:
    """Return the number of the first hour or day that begins at this time or later."""
    if span == "hour":
        return -(-at_wall_ns // _NS_PER_H)
    return first_day_from(-(-at_wall_ns // NS_PER_S), zone)


def _sums_row(span: str, columns: Any) -> dict[str, Any]:
    row = dict(columns)
    row[span] = row["hour"] * _NS_PER_H if span == "hour" else as_date(row["day"])
    for score in ("sharpness", "exposure", "occlusion"):
        count, total = row[f"{score}_count"], row.pop(f"{score}_sum")
        row[f"{score}_mean"] = total / count if count else None
    return row


def _rows() -> "sa.Select[Any]":
    joined = verdict_log.join(camera_nos, verdict_log.c.camera_no == camera_nos.c.camera_no)
    return sa.select(verdict_log, camera_nos.c.camera_id).select_from(joined)
