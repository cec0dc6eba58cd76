"""Stores notices and their deliveries to endpoints: routes, updates, replays and prunes them.

A notice is written in the transaction of the event that it reports.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.notice import (
    LAST_ERROR_CHARS_MAX,
    OPENED,
    PRUNE_ROWS,
    Backlog,
    DeliveryState,
    DeliveryUpdate,
    Notice,
    PendingDelivery,
)
from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.tables import deliveries, outbox, patrol_metadata

_ROUTED_KEY = "notices_routed"
"""Key in patrol_about: the `seq` of the last notice whose endpoints were chosen."""

_UPDATE = (
    sa.update(deliveries)
    .where(deliveries.c.endpoint == sa.bindparam("of_endpoint"), deliveries.c.seq == sa.bindparam("of_seq"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("state", "attempts", "next_wall_ns", "last_error")})
)

Router = Callable[[Notice], Sequence[str]]
"""Returns the names of the endpoints that get a notice."""


class Outbox:
    """The outbox of one database. Any thread may call; every call is its own transaction.

    `shard_no`: whose notices are routed and sent; 0 for an engine alone.
    """

    def __init__(self, engine: Engine, shard_no: int = 0) -> None:
        self._engine = engine
        self._shard_no = shard_no
        self._routed_key = f"{_ROUTED_KEY}.{shard_no}" if shard_no else _ROUTED_KEY

    def add(self, notices: Sequence[Notice]) -> None:
        """Add notices in a transaction of their own."""
        with write_transaction(self._engine) as connection:
            self.add_within(connection, notices)

    def add_within(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """Add notices in the caller's transaction; their `seq` is assigned here."""
        if notices:
            connection.execute(sa.insert(outbox), [_notice_row(notice, self._shard_no) for notice in notices])

    def route(self, router: Router, now_wall_ns: int, rows_max: int, waiting_max: int) -> tuple[int, int]:
        """Choose the endpoints of new notices, oldest first.

        Returns how many notices were routed (if `rows_max`, there may be more), and how many deliveries are dead from
        the beginning because `waiting_max` already wait for their endpoint.
        """
        with write_transaction(self._engine) as connection:
            routed = self._routed(connection)
            new = sa.select(outbox).where(outbox.c.seq > routed, outbox.c.shard_no == self._shard_no)
            query = new.order_by(outbox.c.seq).limit(rows_max)
            notices = [_notice(row) for row in connection.execute(query)]
            if not notices:
                return 0, 0
            waiting = {name: backlog.waiting for name, backlog in self._backlogs(connection).items()}
            rows, dead = [], 0
            for notice in notices:
                for name in router(notice):
                    waiting[name] = waiting.get(name, 0) + 1
                    is_dead = waiting[name] > waiting_max
                    dead += is_dead
                    rows.append(_delivery_row(name, notice.seq, now_wall_ns, is_dead) | {"shard_no": self._shard_no})
            if rows:
                connection.execute(sa.insert(deliveries), rows)
            upsert(connection, patrol_metadata, [{"key": self._routed_key, "value": str(notices[-1].seq)}])
        return len(notices), dead

    def record_and_fetch(
        self, updates: Sequence[DeliveryUpdate], endpoints: Collection[str] = ()
    ) -> list[PendingDelivery]:
        """Store the results of deliveries; return the oldest waiting delivery of each of these endpoints."""
        if not updates:
            with self._engine.connect() as connection:
                return self._oldest_waiting(connection, endpoints)
        with write_transaction(self._engine) as connection:
            connection.execute(_UPDATE, [_update_row(update) for update in updates])
            return self._oldest_waiting(connection, endpoints)

    def backlogs(self) -> dict[str, Backlog]:
        """Return what waits and what is dead by endpoint, also of endpoints that are no longer configured."""
        with self._engine.connect() as connection:
            return self._backlogs(connection)

    def deliveries(
        self, state: DeliveryState | None = None, endpoint: str = "", limit: int = 1000
    ) -> list[PendingDelivery]:
        """Return deliveries, newest first; only those in `state` and to `endpoint` if these are given."""
        query = _deliveries().order_by(deliveries.c.seq.desc(), deliveries.c.endpoint).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state.value)
        if endpoint:
            query = query.where(deliveries.c.endpoint == endpoint)
        with self._engine.connect() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def replay(self, endpoint: str, seq: int | None, now_wall_ns: int) -> int:
        """Let dead deliveries wait again as if they were new; return how many. Empty endpoint or None: all of them."""
        change = sa.update(deliveries).where(deliveries.c.state == DeliveryState.DEAD.value)
        if endpoint:
            change = change.where(deliveries.c.endpoint == endpoint)
        if seq is not None:
            change = change.where(deliveries.c.seq == seq)
        fresh = {"state": DeliveryState.WAITING.value, "attempts": 0, "queued_wall_ns": now_wall_ns, "next_wall_ns": 0}
        with write_transaction(self._engine) as connection:
            return connection.execute(change.values(fresh)).rowcount

    def delivered_openings(self) -> dict[int, str]:
        """Return the findings whose opening was delivered, with the endpoint; of several the first by name.

        Deliveries that were pruned are not known any more.
        """
        query = (
            sa.select(outbox.c.finding_id, sa.func.min(deliveries.c.endpoint).label("endpoint"))
            .join(deliveries, deliveries.c.seq == outbox.c.seq)
            .where(outbox.c.event_kind == OPENED, deliveries.c.state == DeliveryState.DELIVERED.value)
            .group_by(outbox.c.finding_id)
            .order_by(outbox.c.finding_id)
        )
        with self._engine.connect() as connection:
            return {row.finding_id: row.endpoint for row in connection.execute(query)}

    def prune(self, now_wall_ns: int, keep_ns: int, dead_keep_ns: int) -> int:
        """Delete, in one small step, deliveries that were queued long ago, and old notices without deliveries.

        Returns how many rows were deleted; if PRUNE_ROWS or more, there may be others.
        """
        kept = {DeliveryState.DELIVERED: keep_ns, DeliveryState.DEAD: dead_keep_ns, DeliveryState.WAITING: dead_keep_ns}
        deleted = 0
        with write_transaction(self._engine) as connection:
            for state, age_ns in kept.items():
                old = (
                    sa.select(deliveries.c.endpoint, deliveries.c.seq)
                    .where(deliveries.c.state == state.value, deliveries.c.queued_wall_ns < now_wall_ns - age_ns)
                    .limit(PRUNE_ROWS)
                )
                rows = [{"of_endpoint": row.endpoint, "of_seq": row.seq} for row in connection.execute(old)]
                if rows:
                    same = sa.and_(
                        deliveries.c.endpoint == sa.bindparam("of_endpoint"), deliveries.c.seq == sa.bindparam("of_seq")
                    )
                    connection.execute(sa.delete(deliveries).where(same), rows)
                    deleted += len(rows)
            deleted += self._prune_notices(connection, now_wall_ns - keep_ns)
        return deleted

    def _routed(self, connection: Connection) -> int:
        query = sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == self._routed_key)
        return int(connection.scalar(query) or 0)

    def _own(self, table: sa.Table) -> "sa.ColumnElement[bool]":
        return table.c.shard_no == self._shard_no if self._shard_no else sa.true()

    def _oldest_waiting(self, connection: Connection, endpoints: Collection[str]) -> list[PendingDelivery]:
        if not endpoints:
            return []
        waiting = deliveries.c.state == DeliveryState.WAITING.value
        oldest = (
            sa.select(deliveries.c.endpoint, sa.func.min(deliveries.c.seq).label("seq"))
            .where(waiting, deliveries.c.endpoint.in_(list(endpoints)), self._own(deliveries))
            .group_by(deliveries.c.endpoint)
            .subquery()
        )
        same = sa.and_(deliveries.c.endpoint == oldest.c.endpoint, deliveries.c.seq == oldest.c.seq)
        return [_delivery(row) for row in connection.execute(_deliveries().join(oldest, same))]

    def _prune_notices(self, connection: Connection, before_wall_ns: int) -> int:
        """Delete notices that were routed, are older than this, and have no delivery left."""
        has_deliveries = sa.select(deliveries.c.seq).where(deliveries.c.seq == outbox.c.seq).exists()
        old = (
            sa.select(outbox.c.seq)
            .where(outbox.c.seq <= self._routed(connection), outbox.c.at_wall_ns < before_wall_ns, ~has_deliveries)
            .where(self._own(outbox))
            .order_by(outbox.c.seq)
            .limit(PRUNE_ROWS)
        )
        seqs = connection.scalars(old).all()
        if seqs:
            connection.execute(sa.delete(outbox).where(outbox.c.seq.in_(seqs)))
        return len(seqs)

    def _backlogs(self, connection: Connection) -> dict[str, Backlog]:
        waiting, dead = DeliveryState.WAITING.value, DeliveryState.DEAD.value
        query = (
            sa.select(
                deliveries.c.endpoint,
                deliveries.c.state,
                sa.func.count().label("number"),
                sa.func.min(deliveries.c.queued_wall_ns).label("oldest"),
            )
            .where(deliveries.c.state.in_([waiting, dead]), self._own(deliveries))
            .group_by(deliveries.c.endpoint, deliveries.c.state)
        )
        rows: dict[str, dict[str, Any]] = {}
        for row in connection.execute(query):
            rows.setdefault(row.endpoint, {})[row.state] = row
        return {name: _backlog(by_state.get(waiting), by_state.get(dead)) for name, by_state in rows.items()}


def _backlog(waiting: Any, dead: Any) -> Backlog:
    return Backlog(
        waiting=0 if waiting is None else waiting.number,
        oldest_wall_ns=0 if waiting is None else waiting.oldest,
        dead=0 if dead is None else dead.number,
    )


def _deliveries() -> "sa.Select[Any]":
    columns = [column for column in deliveries.c if column.name not in ("seq", "shard_no")]
    return sa.select(*columns, outbox).select_from(deliveries).join(outbox, outbox.c.seq == deliveries.c.seq)


def _delivery(row: Any) -> PendingDelivery:
    return PendingDelivery(
        row.endpoint,
        _notice(row),
        row.queued_wall_ns,
        DeliveryState(row.state),
        row.attempts,
        row.next_wall_ns,
        row.last_error,
    )


def _notice(row: Any) -> Notice:
    return Notice(row.seq, row.event_kind, row.finding_id, row.number, row.at_wall_ns, row.region, row.body)


def _notice_row(notice: Notice, shard_no: int) -> Mapping[str, Any]:
    return {
        "shard_no": shard_no,
        "event_kind": notice.kind,
        "finding_id": notice.finding_id,
        "number": notice.number,
        "at_wall_ns": notice.at_wall_ns,
        "region": notice.region,
        "body": notice.body,
    }


def _update_row(update: DeliveryUpdate) -> Mapping[str, Any]:
    return {
        "of_endpoint": update.endpoint,
        "of_seq": update.seq,
        "new_state": update.state.value,
        "new_attempts": update.attempts,
        "new_next_wall_ns": update.next_wall_ns,
        "new_last_error": update.last_error[:LAST_ERROR_CHARS_MAX],
    }


def _delivery_row(endpoint: str, seq: int, now_wall_ns: int, dead: bool) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "seq": seq,
        "state": (DeliveryState.DEAD if dead else DeliveryState.WAITING).value,
        "attempts": 0,
        "queued_wall_ns": now_wall_ns,
        "next_wall_ns": 0,
        "last_error": "queue_full" if dead else "",
    }
