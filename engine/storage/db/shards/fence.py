"""Refuses what the owner of an old epoch writes: a process that was frozen or cut off, and has lost its shard.

Each transaction that writes first locks the row of the lease, shared, if it still has the owner's epoch. So either the
transaction commits before another process takes the shard over, or it finds the new epoch and writes nothing. A process
that is frozen within a transaction would hold the row for ever: the server ends its session after a few seconds
(FENCED_SESSION).
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.errors import StoreError
from engine.storage.db.database import is_write
from engine.storage.db.shards.leases import Lease
from engine.storage.db.shards.tables import shards

FENCED_SESSION = "-c idle_in_transaction_session_timeout=3000"
"""Options of a fenced connection: PostgreSQL ends a session whose transaction waits for its client for so long."""


class FencedError(StoreError):
    """Another process has the lease of the shard now; nothing was written."""


class Fence:
    """`refused`: transactions that were refused so far."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.refused = 0
        self._held = (
            sa.select(shards.c.shard_no)
            .where(shards.c.shard_no == lease.shard_no, shards.c.owner == lease.owner, shards.c.epoch == lease.epoch)
            .with_for_update(read=True)
        )

    def guard(self, engine: Engine) -> None:
        """Check each transaction that writes through this engine from now on."""
        sa.event.listen(engine, "begin", self._check)

    def _check(self, connection: Connection) -> None:
        if is_write(connection) and connection.scalar(self._held) is None:
            self.refused += 1
            raise FencedError(
                f"shard {self.lease.shard_no}: another process has taken it over (epoch {self.lease.epoch} has ended); "
                "nothing was written, ask again"
            )
