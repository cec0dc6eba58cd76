"""The outbox of notices and their deliveries. Its rows are written with the events they tell of; here they are routed
to endpoints, handed out, marked, given up, replayed and, when they are old, let go."""

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
from engine.storage.db.database import writing
from engine.storage.db.tables import deliveries, outbox, patrol_metadata

_ROUTED = "notices_routed"
"""Key in patrol_about: up to which row of the outbox the endpoints were chosen."""

_MARK = (
    sa.update(deliveries)
    .where(deliveries.c.endpoint == sa.bindparam("of_endpoint"), deliveries.c.seq == sa.bindparam("of_seq"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("state", "attempts", "next_wall_ns", "last_error")})
)

Listeners = Callable[[Notice], Sequence[str]]
"""Endpoints that are to hear of a notice."""


def add_notices(connection: Connection, notices: Sequence[Notice]) -> None:
    """Write rows in the caller's transaction; their `seq` is given here."""
    if notices:
        connection.execute(sa.insert(outbox), [_notice_row(one) for one in notices])


class Outbox:
    """The outbox of one database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, notices: Sequence[Notice]) -> None:
        """Write rows by themselves."""
        with writing(self._engine) as connection:
            add_notices(connection, notices)

    def route(self, listeners: Listeners, now_wall_ns: int, rows_max: int, waiting_max: int) -> tuple[int, int]:
        """Choose the endpoints of notices that are new, oldest first.

        Returns how many notices there were (`rows_max`: ask again), and how many deliveries were given up at once since
        `waiting_max` wait for the endpoint.
        """
        with writing(self._engine) as connection:
            routed = int(
                connection.scalar(sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _ROUTED)) or 0
            )
            query = sa.select(outbox).where(outbox.c.seq > routed).order_by(outbox.c.seq).limit(rows_max)
            news = [_notice(row) for row in connection.execute(query)]
            if not news:
                return 0, 0
            waiting = {name: one.waiting for name, one in _backlogs(connection).items()}
            rows, full = [], 0
            for notice in news:
                for name in listeners(notice):
                    waiting[name] = waiting.get(name, 0) + 1
                    dead = waiting[name] > waiting_max
                    full += dead
                    rows.append(_new_row(name, notice.seq, now_wall_ns, dead))
            if rows:
                connection.execute(sa.insert(deliveries), rows)
            self._set_routed(connection, news[-1].seq)
        return len(news), full

    def record_and_fetch(
        self, marks: Sequence[DeliveryUpdate], endpoints: Collection[str] = ()
    ) -> list[PendingDelivery]:
        """Write down what became of parcels; then the oldest that waits for each of these endpoints."""
        if not marks:
            with self._engine.connect() as connection:
                return _heads(connection, endpoints)
        with writing(self._engine) as connection:
            connection.execute(_MARK, [_mark_row(one) for one in marks])
            return _heads(connection, endpoints)

    def backlogs(self) -> dict[str, Backlog]:
        """What waits and what was given up, by endpoint; also of endpoints that are configured no longer."""
        with self._engine.connect() as connection:
            return _backlogs(connection)

    def parcels(
        self, state: DeliveryState | None = None, endpoint: str = "", limit: int = 1000
    ) -> list[PendingDelivery]:
        """Deliveries, the latest first."""
        query = _parcels().order_by(deliveries.c.seq.desc(), deliveries.c.endpoint).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state.value)
        if endpoint:
            query = query.where(deliveries.c.endpoint == endpoint)
        with self._engine.connect() as connection:
            return [_parcel(row) for row in connection.execute(query)]

    def replay(self, endpoint: str, seq: int | None, now_wall_ns: int) -> int:
        """Send dead parcels on their way again, as if they were new; how many were dead. Empty, None: any."""
        change = sa.update(deliveries).where(deliveries.c.state == DeliveryState.DEAD.value)
        if endpoint:
            change = change.where(deliveries.c.endpoint == endpoint)
        if seq is not None:
            change = change.where(deliveries.c.seq == seq)
        fresh = {"state": DeliveryState.WAITING.value, "attempts": 0, "queued_wall_ns": now_wall_ns, "next_wall_ns": 0}
        with writing(self._engine) as connection:
            return connection.execute(change.values(fresh)).rowcount

    def delivered_openings(self) -> dict[int, str]:
        """Findings whose opening was delivered, of what is kept, and to whom, of several the first by name."""
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
        """Let go, in one small step, what was delivered or given up long ago, and what nobody waits for.

        Returns how many rows went: with PRUNE_ROWS or more there may be others.
        """
        kept = {DeliveryState.DELIVERED: keep_ns, DeliveryState.DEAD: dead_keep_ns, DeliveryState.WAITING: dead_keep_ns}
        gone = 0
        with writing(self._engine) as connection:
            for state, age_ns in kept.items():
                old = (
                    sa.select(deliveries.c.endpoint, deliveries.c.seq)
                    .where(deliveries.c.state == state.value, deliveries.c.queued_wall_ns < now_wall_ns - age_ns)
                    .limit(PRUNE_ROWS)
                )
                rows = [{"of_endpoint": row.endpoint, "of_seq": row.seq} for row in connection.execute(old)]
                if rows:
                    one = sa.and_(
                        deliveries.c.endpoint == sa.bindparam("of_endpoint"), deliveries.c.seq == sa.bindparam("of_seq")
                    )
                    connection.execute(sa.delete(deliveries).where(one), rows)
                    gone += len(rows)
            gone += _prune_notices(connection, now_wall_ns - keep_ns)
        return gone

    def _set_routed(self, connection: Connection, seq: int) -> None:
        change = sa.update(patrol_metadata).where(patrol_metadata.c.key == _ROUTED).values(value=str(seq))
        if not connection.execute(change).rowcount:
            connection.execute(sa.insert(patrol_metadata).values(key=_ROUTED, value=str(seq)))


def _heads(connection: Connection, endpoints: Collection[str]) -> list[PendingDelivery]:
    if not endpoints:
        return []
    oldest = (
        sa.select(deliveries.c.endpoint, sa.func.min(deliveries.c.seq).label("seq"))
        .where(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.endpoint.in_(list(endpoints)))
        .group_by(deliveries.c.endpoint)
        .subquery()
    )
    same = sa.and_(deliveries.c.endpoint == oldest.c.endpoint, deliveries.c.seq == oldest.c.seq)
    return [_parcel(row) for row in connection.execute(_parcels().join(oldest, same))]


def _prune_notices(connection: Connection, before_wall_ns: int) -> int:
    """Notices that were routed long ago and are on no way any more."""
    routed = int(connection.scalar(sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _ROUTED)) or 0)
    on_their_way = sa.select(deliveries.c.seq).where(deliveries.c.seq == outbox.c.seq).exists()
    old = (
        sa.select(outbox.c.seq)
        .where(outbox.c.seq <= routed, outbox.c.at_wall_ns < before_wall_ns, ~on_their_way)
        .order_by(outbox.c.seq)
        .limit(PRUNE_ROWS)
    )
    seqs = connection.scalars(old).all()
    if seqs:
        connection.execute(sa.delete(outbox).where(outbox.c.seq.in_(seqs)))
    return len(seqs)


def _backlogs(connection: Connection) -> dict[str, Backlog]:
    waiting, dead = DeliveryState.WAITING.value, DeliveryState.DEAD.value
    query = (
        sa.select(
            deliveries.c.endpoint,
            deliveries.c.state,
            sa.func.count().label("number"),
            sa.func.min(deliveries.c.queued_wall_ns).label("oldest"),
        )
        .where(deliveries.c.state.in_([waiting, dead]))
        .group_by(deliveries.c.endpoint, deliveries.c.state)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query):
        found.setdefault(row.endpoint, {})[row.state] = row
    return {name: _backlog(by_state.get(waiting), by_state.get(dead)) for name, by_state in found.items()}


def _backlog(waiting: Any, dead: Any) -> Backlog:
    return Backlog(
        waiting=0 if waiting is None else waiting.number,
        oldest_wall_ns=0 if waiting is None else waiting.oldest,
        dead=0 if dead is None else dead.number,
    )


def _parcels() -> "sa.Select[Any]":
    columns = [column for column in deliveries.c if column.name != "seq"]
    return sa.select(*columns, outbox).select_from(deliveries).join(outbox, outbox.c.seq == deliveries.c.seq)


def _parcel(row: Any) -> PendingDelivery:
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


def _notice_row(notice: Notice) -> Mapping[str, Any]:
    return {
        "event_kind": notice.kind,
        "finding_id": notice.finding_id,
        "number": notice.number,
        "at_wall_ns": notice.at_wall_ns,
        "region": notice.region,
        "body": notice.body,
    }


def _mark_row(mark: DeliveryUpdate) -> Mapping[str, Any]:
    return {
        "of_endpoint": mark.endpoint,
        "of_seq": mark.seq,
        "new_state": mark.state.value,
        "new_attempts": mark.attempts,
        "new_next_wall_ns": mark.next_wall_ns,
        "new_last_error": mark.last_error[:LAST_ERROR_CHARS_MAX],
    }


def _new_row(endpoint: str, seq: int, now_wall_ns: int, dead: bool) -> Mapping[str, Any]:
    return {
        "endpoint": endpoint,
        "seq": seq,
        "state": (DeliveryState.DEAD if dead else DeliveryState.WAITING).value,
        "attempts": 0,
        "queued_wall_ns": now_wall_ns,
        "next_wall_ns": 0,
        "last_error": "queue_full" if dead else "",
    }
