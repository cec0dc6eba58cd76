"""Maintains the verdict log in small steps: adds verdicts to hourly and daily sums, deletes what is too old."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from engine.clock import NS_PER_S
from engine.config.schema import RecordSettings
from engine.model.camera import CameraStream
from engine.model.measurement import Scores
from engine.model.packed import verdict as packed_verdict
from engine.model.verdict import State
from engine.storage.db.database import upsert
from engine.storage.db.day_numbers import day_at
from engine.storage.db.interning import Interning
from engine.storage.db.shards.sequences import Sequences
from engine.storage.db.tables import patrol_metadata, verdict_days, verdict_hours, verdict_log
from engine.storage.db.writer_lock import WriterLock

STEP_ROWS = 2_000
"""Rows that one step reads or deletes at most; that takes some tens of milliseconds."""
_ROLLED_SEQ = "rolled_seq"
_TRY_LOCK = sa.select(sa.func.pg_try_advisory_xact_lock(0x7061_7472_6F6B))
_S_PER_H = 3600
_H_PER_D = 24
_NS_PER_D = _H_PER_D * _S_PER_H * NS_PER_S
_FUTURE_NS_MAX = 2 * _NS_PER_D
"""A verdict from further in the future comes from a clock that was wrong, and is deleted like an old one."""
_STATES = tuple(state.value for state in State)
_SCORES = ("sharpness", "exposure", "occlusion")
_NO_SCORES = Scores(None, None, None)


@dataclass(slots=True)
class _Sums:
    """Verdicts by state and scores of one camera in one hour or day."""

    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_STATES, 0))
    scores: tuple[list[float], list[float], list[float]] = field(default_factory=lambda: ([], [], []))

    def add(self, state: State, scores: Scores) -> None:
        self.states[state.value] += 1
        given = (scores.sharpness, scores.exposure, scores.occlusion)
        for values, score in zip(self.scores, given, strict=True):
            if score is not None:
                values.append(score)

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = dict(self.states)
        for name, values in zip(_SCORES, self.scores, strict=True):
            row |= {
                f"{name}_count": len(values),
                f"{name}_sum": sum(values),
                f"{name}_min": min(values, default=None),
                f"{name}_max": max(values, default=None),
            }
        return row


class Maintenance:
    """Maintains the log. Only for the writer's thread. Of several shards one at a time does a step."""

    def __init__(self, writer_lock: WriterLock, interning: Interning, sequences: Sequences) -> None:
        self._writer_lock = writer_lock
        self._interning = interning
        self._sequences = sequences
        self._turn = -1
        self._more = [True] * 4

    def step(self, settings: RecordSettings, now_wall_ns: int, zone: tzinfo) -> bool:
        """Do the next of the four tasks, in turn; return whether any of them has more to do.

        `zone`: the time zone in which days begin. Every step is its own transaction; one that fails is repeated later.
        """
        turn = self._turn = (self._turn + 1) % len(self._more)
        with self._writer_lock.transaction() as connection:
            if self._sequences.shard_no and not connection.scalar(_TRY_LOCK):
                return False  # another shard does it
            if turn == 0:
                done = self._roll_up(connection, zone)
            elif turn == 1:
                done = _prune_verdicts(connection, _ago(now_wall_ns, settings.keep_verdicts_days), now_wall_ns)
            elif turn == 2:
                oldest_s = _ago(now_wall_ns, settings.keep_hourly_days) // NS_PER_S
                done = _prune_sums(connection, verdict_hours, oldest_s // _S_PER_H)
            else:
                oldest_s = _ago(now_wall_ns, settings.keep_daily_days) // NS_PER_S
                done = _prune_sums(connection, verdict_days, day_at(oldest_s, zone))
        self._more[turn] = done >= STEP_ROWS
        return any(self._more)

    def _roll_up(self, connection: Connection, zone: tzinfo) -> int:
        rolled_seq = _rolled_seq(connection)
        query = sa.select(verdict_log).where(verdict_log.c.seq > rolled_seq, self._sequences.settled(verdict_log.c.seq))
        query = query.order_by(verdict_log.c.seq)
        rows = connection.execute(query.limit(STEP_ROWS)).all()
        if not rows:
            return 0
        hours: dict[tuple[int, int], _Sums] = {}
        days: dict[tuple[int, int], _Sums] = {}
        day_of: dict[int, int] = {}
        for row in rows:
            hour = row.at_wall_ns // (_S_PER_H * NS_PER_S)
            if hour not in day_of:
                day_of[hour] = day_at(hour * _S_PER_H, zone)
            shape = self._interning.shape(connection, row.shape_no).key
            state = shape.state
            # Sharpness depends on the size of the picture: sums of both streams would say nothing of either.
            scores = _NO_SCORES if shape.stream is CameraStream.SUB else packed_verdict.scores(row.body)
            hours.setdefault((hour, row.camera_no), _Sums()).add(state, scores)
            days.setdefault((day_of[hour], row.camera_no), _Sums()).add(state, scores)
        _add(connection, verdict_hours, "hour", hours)
        _add(connection, verdict_days, "day", days)
        upsert(connection, patrol_metadata, [{"key": _ROLLED_SEQ, "value": str(rows[-1].seq)}])
        return len(rows)


def _prune_verdicts(connection: Connection, before_wall_ns: int, now_wall_ns: int) -> int:
    """Delete the oldest rows that are too old; return how many. The last row stays: the next `seq` follows from it."""
    query = sa.select(verdict_log.c.seq, verdict_log.c.at_wall_ns).order_by(verdict_log.c.seq).limit(STEP_ROWS + 1)
    rows = connection.execute(query).all()
    rolled_seq, number = _rolled_seq(connection), 0
    for row in rows[:-1]:
        if row.seq > rolled_seq or before_wall_ns <= row.at_wall_ns <= now_wall_ns + _FUTURE_NS_MAX:
            break
        number += 1
    if number:
        connection.execute(sa.delete(verdict_log).where(verdict_log.c.seq <= rows[number - 1].seq))
    return number


def _prune_sums(connection: Connection, table: sa.Table, before: int) -> int:
    key = tuple(table.primary_key.columns)
    old = sa.select(*key).where(key[0] < before).order_by(*key).limit(STEP_ROWS)
    result = connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(old)))
    return int(result.rowcount)


def _add(connection: Connection, table: sa.Table, span: str, sums: dict[tuple[int, int], _Sums]) -> None:
    dialect, least, most = (
        (sqlite, sa.func.min, sa.func.max)
        if connection.dialect.name == "sqlite"
        else (postgresql, sa.func.least, sa.func.greatest)
    )
    statement = dialect.insert(table)
    new, old = statement.excluded, table.c
    changes: dict[str, Any] = {}
    for name in _value_names(table):
        if name.endswith(("_min", "_max")):
            pick = least if name.endswith("_min") else most
            changes[name] = pick(sa.func.coalesce(old[name], new[name]), sa.func.coalesce(new[name], old[name]))
        else:
            changes[name] = old[name] + new[name]
    rows = [
        {span: begin, "camera_no": number, **span_sums.row()}
        for (begin, number), span_sums in sorted(sums.items(), key=_item_key)
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=[span, "camera_no"], set_=changes), rows)


def _item_key(item: tuple[tuple[int, int], _Sums]) -> tuple[int, int]:
    return item[0]


def _value_names(table: sa.Table) -> Iterable[str]:
    return (column.name for column in table.columns if not column.primary_key)


def _rolled_seq(connection: Connection) -> int:
    return int(connection.scalar(sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _ROLLED_SEQ)) or 0)


def _ago(now_wall_ns: int, days: float) -> int:
    return max(0, now_wall_ns - int(days * _NS_PER_D))
