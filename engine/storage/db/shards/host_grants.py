"""Stores what each shard has of the caps of platforms that several shards visit. Only PostgreSQL.

A grant counts while the lease has the epoch of its row and has not ended by the database's clock. A shard changes only
its own, under a lock of the platform, knowing what the others have; the fence refuses those of old epochs.
"""

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.shard import HostGrants
from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.shards.leases import Lease
from engine.storage.db.shards.tables import host_grants, shard_hosts, shards

_LOCK_SPACE = 0x686F_7374
"""First key of the advisory locks of platforms; the second is a hash of the name: two platforms may share a lock."""
_LOCK_TIMEOUT_MS = 2000


Decide = Callable[[HostGrants], int | None]
"""Says how many visits a shard is granted from now on; None ends its grant."""


class HostGrantStore:
    """The grants as one shard sees them. Any thread may call; every call is its own transaction. All raise StoreError.

    `engine`: one whose transactions are fenced by `lease`.
    """

    def __init__(self, engine: Engine, lease: Lease) -> None:
        self._engine = engine
        self._lease = lease

    def shared_hosts(self) -> dict[str, bool]:
        """Return the platforms that several shards visit, and whether this shard has a share of each."""
        own = sa.func.bool_or(shard_hosts.c.shard_no == self._lease.shard_no)
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(shard_hosts.c.host, own.label("own")).group_by(shard_hosts.c.host))
            return {row.host: row.own for row in rows}

    def read(self, hosts: Iterable[str]) -> dict[str, HostGrants]:
        """Return what all have of these platforms."""
        with self._engine.connect() as connection:
            return _read(connection, list(hosts))

    def change(self, host: str, decide: Decide) -> HostGrants:
        """Grant this shard what `decide` says, given what all have now; return what they have then. Nobody else changes
        a grant of this platform meanwhile."""
        shard_no = self._lease.shard_no
        with write_transaction(self._engine) as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_SPACE, sa.func.hashtext(host))))
            before = _read(connection, [host])[host]
            visits = decide(before)
            granted = {number: had for number, had in before.granted.items() if number != shard_no}
            if visits is None:
                of_shard = sa.and_(host_grants.c.host == host, host_grants.c.shard_no == shard_no)
                connection.execute(sa.delete(host_grants).where(of_shard))
            else:
                granted[shard_no] = visits
                row = {"host": host, "shard_no": shard_no, "epoch": self._lease.epoch, "visits": visits}
                upsert(connection, host_grants, [row])
        return HostGrants(before.shares, granted, before.clock_s)


def all_grants(engine: Engine) -> dict[str, HostGrants]:
    """Return what shards have of all platforms that several visit, by name."""
    with engine.connect() as connection:
        hosts = connection.scalars(sa.union(sa.select(shard_hosts.c.host), sa.select(host_grants.c.host))).all()
        return _read(connection, sorted(hosts))


def _read(connection: Connection, hosts: list[str]) -> dict[str, HostGrants]:
    now = sa.func.clock_timestamp()
    lives = sa.and_(shards.c.owner != "", shards.c.expires_at > now)
    names = sa.select(sa.func.unnest(sa.cast(hosts, sa.ARRAY(sa.Text))).label("host")).subquery()
    of_share = sa.and_(shard_hosts.c.host == names.c.host, shard_hosts.c.shard_no == shards.c.shard_no)
    of_grant = sa.and_(
        host_grants.c.host == names.c.host,
        host_grants.c.shard_no == shards.c.shard_no,
        host_grants.c.epoch == shards.c.epoch,
    )
    joined = names.join(shards, lives).outerjoin(shard_hosts, of_share).outerjoin(host_grants, of_grant)
    concerned = sa.or_(shard_hosts.c.share.is_not(None), host_grants.c.visits.is_not(None))
    query = sa.select(names.c.host, shards.c.shard_no, shard_hosts.c.share, host_grants.c.visits)
    rows = connection.execute(query.select_from(joined).where(concerned)).all()
    clock_s = float(connection.scalar(sa.select(sa.extract("epoch", now))) or 0)
    return {
        host: HostGrants(
            {row.shard_no: row.share for row in rows if row.host == host and row.share is not None},
            {row.shard_no: row.visits for row in rows if row.host == host and row.visits is not None},
            clock_s,
        )
        for host in hosts
    }
