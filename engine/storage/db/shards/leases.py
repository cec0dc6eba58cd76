"""Leases of shards: who may visit the cameras of a shard, and write what becomes of them.

A lease is a row with an epoch, which each new owner raises, and an end by the database's clock. Owners of old epochs
are refused by the fence (engine.storage.db.shards.fence), so that of two processes that both believe to be the owner
only one writes. Only PostgreSQL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.errors import StateError, StoreError
from engine.model.shard import ShardNews
from engine.storage.db.database import display_url, write_transaction
from engine.storage.db.ledger.finding_tables import finding_events
from engine.storage.db.shards.host_shares import SharedHosts, replace_all, shares_version
from engine.storage.db.shards.sequences import final_below, floor_after
from engine.storage.db.shards.tables import camera_changes, shard_counties, shards
from engine.storage.db.tables import verdict_log

_LOCK_TIMEOUT_MS = 2000
"""A row may be held by a transaction of the owner for so long; whoever asks tries again later."""
_FLOOR = floor_after(verdict_log.c.seq, finding_events.c.seq, camera_changes.c.seq)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_NONE_SHARED: SharedHosts = MappingProxyType({})
_NO_NEWS = ShardNews()
_NOWHERE = asdict(_NO_NEWS)
"""What a row has while no engine answers."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to a shard. `owner`: names that process and no other."""

    shard_no: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease was renewed. `shares_version`: another one once the shares of platforms were stored anew; None before
    they first were."""

    shares_version: str | None


@dataclass(frozen=True, slots=True)
class ShardRow:
    """A shard as the database has it. `address`, `metrics_address`, `checks_per_s`, `lag_s`: as of ShardNews.
    `expires_in_s`: of the lease; negative once it has ended."""

    shard_no: int
    epoch: int
    owner: str
    node: str
    address: str
    metrics_address: str
    expires_in_s: float
    counties: tuple[str, ...]
    checks_per_s: float = 0.0
    lag_s: float = 0.0

    @property
    def is_held(self) -> bool:
        """Whether somebody holds the lease now."""
        return bool(self.owner) and self.expires_in_s > 0


class Leases:
    """The leases of one database. Any thread may call; every call is its own transaction. All raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        """Raises StoreError if the database is not PostgreSQL."""
        if engine.dialect.name != "postgresql":
            raise StoreError(
                f"record.url = {display_url(engine.url)!r}: several machines share a PostgreSQL database; give its URL"
            )
        self._engine = engine

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def acquire(self, shard_no: int, owner: str, node: str, ttl_s: float) -> Lease | None:
        """Take the lease of a shard for `ttl_s`; None while another process holds it, or there is no such shard.

        The epoch is raised also if this owner had the lease before: what it wrote under the old epoch is refused.
        """
        free = sa.or_(shards.c.expires_at <= sa.func.clock_timestamp(), shards.c.owner.in_(("", owner)))
        taken = (
            sa.update(shards)
            .where(shards.c.shard_no == shard_no, free)
            .values(
                epoch=shards.c.epoch + 1, owner=owner, node=node, expires_at=_end(ttl_s), floor_us=_FLOOR, **_NOWHERE
            )
            .returning(shards.c.epoch)
        )
        with self._transaction() as connection:
            epoch = connection.scalar(taken)
        return None if epoch is None else Lease(shard_no, owner, epoch)

    def renew(self, lease: Lease, ttl_s: float, news: ShardNews = _NO_NEWS) -> Renewal | None:
        """Extend a lease to `ttl_s` from now, and raise the floor of its shard; None if it is not this process's any
        more, or has ended: others may have what it had of a platform's cap. `news`: of the owner.

        It waits for the transactions of the shard that are under way: none of them commits below the new floor.
        """
        lives = shards.c.expires_at > sa.func.clock_timestamp()
        held = sa.select(shards.c.shard_no).where(*_same(lease)).with_for_update()
        change = sa.update(shards).where(*_same(lease), lives)
        change = change.values(expires_at=_end(ttl_s), floor_us=_FLOOR, **asdict(news)).returning(shares_version())
        with self._transaction() as connection:
            if connection.scalar(held) is None:
                return None
            renewed = connection.execute(change).one_or_none()
        return None if renewed is None else Renewal(renewed[0])

    def release(self, lease: Lease) -> bool:
        """Give a lease back, so that another process need not wait for its end; return whether it was still held."""
        change = sa.update(shards).where(*_same(lease)).values(owner="", expires_at=_NEVER, **_NOWHERE)
        with self._transaction() as connection:
            return connection.execute(change).rowcount == 1

    def final_below(self) -> int:
        """Return the number below which the logs are final: nothing is committed there any more.

        A lease that has ended is closed first, so that its shard's late commits hold nobody up.
        """
        ended = sa.and_(shards.c.owner != "", shards.c.expires_at <= sa.func.clock_timestamp())
        with self._engine.connect() as connection:
            late = connection.scalars(sa.select(shards.c.shard_no).where(ended)).all()
        if late:
            closed = {"epoch": shards.c.epoch + 1, "owner": ""} | _NOWHERE
            with self._transaction() as connection:
                connection.execute(sa.update(shards).where(ended).values(closed))
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(final_below())) or 0)

    def all(self) -> tuple[ShardRow, ...]:
        """Return all shards by number, also those that nobody holds."""
        left_s = sa.cast(sa.extract("epoch", shards.c.expires_at - sa.func.clock_timestamp()), sa.Double)
        rows = sa.select(shards, left_s.label("left_s")).order_by(shards.c.shard_no)
        counties: dict[int, list[str]] = {}
        with self._engine.connect() as connection:
            for county, shard_no in connection.execute(sa.select(shard_counties).order_by(shard_counties.c.county)):
                counties.setdefault(shard_no, []).append(county)
            return tuple(
                ShardRow(
                    row.shard_no, row.epoch, row.owner, row.node, row.address, row.metrics_address, row.left_s,
                    tuple(counties.get(row.shard_no, ())), row.checks_per_s, row.lag_s,
                )
                for row in connection.execute(rows)
            )  # fmt: skip

    def assign(self, shard_of: Mapping[str, int], shared_hosts: SharedHosts = _NONE_SHARED) -> None:
        """Store the shard's number of each county, in place of all that were stored; add shards that are new. Store
        which shares of a platform's visits each shard makes, too.

        A shard without counties stays, since its number may be in sequence numbers. Raises StateError, and changes
        nothing, if a county would leave or join a shard that somebody holds: who runs it has loaded its counties.
        """
        with self._transaction() as connection:
            known = set(connection.scalars(sa.select(shards.c.shard_no).with_for_update()))
            _require_free(connection, shard_of)
            fresh = [
                {"shard_no": number, "epoch": 0, "expires_at": _NEVER, "floor_us": 0}
                | dict.fromkeys(("owner", "node"), "")
                | _NOWHERE
                for number in sorted(set(shard_of.values()) - known)
            ]
            if fresh:
                connection.execute(sa.insert(shards), fresh)
            connection.execute(sa.delete(shard_counties))
            rows = [{"county": county, "shard_no": number} for county, number in sorted(shard_of.items())]
            if rows:
                connection.execute(sa.insert(shard_counties), rows)
            replace_all(connection, shared_hosts)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with write_transaction(self._engine) as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
            yield connection


def _require_free(connection: Connection, shard_of: Mapping[str, int]) -> None:
    before = {row.county: row.shard_no for row in connection.execute(sa.select(shard_counties))}
    moved = [county for county in before.keys() | shard_of.keys() if before.get(county) != shard_of.get(county)]
    concerned = {number for county in moved for number in (before.get(county), shard_of.get(county)) if number}
    held = sa.select(shards.c.shard_no).where(
        shards.c.shard_no.in_(concerned), shards.c.owner != "", shards.c.expires_at > sa.func.clock_timestamp()
    )
    if taken := sorted(connection.scalars(held)):
        raise StateError(f"the counties of shards {taken} would change while engines run them; stop these first")


def _same(lease: Lease) -> "tuple[sa.ColumnElement[bool], ...]":
    return shards.c.shard_no == lease.shard_no, shards.c.owner == lease.owner, shards.c.epoch == lease.epoch


def _end(ttl_s: float) -> "sa.ColumnElement[datetime]":
    return sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_s)
