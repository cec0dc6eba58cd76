"""Numbers rows in the order of commits: one after the other for an engine alone, by the database's clock for shards.

A shard's numbers hold microseconds of the database's clock and, in their last ten bits, the number of the shard. They
rise with each commit of a shard, and by time over all shards, so that one order holds when a camera changes its shard.
The order of commits of different shards is not theirs: a reader has to keep a place for each shard.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

SHARD_BITS = 10
_SETTLES_US = 60_000_000
"""A transaction ends long before: see engine.storage.db.shards.fence."""
_SHARD_MASK = (1 << SHARD_BITS) - 1


def shard_of(seq: int) -> int:
    """Return the shard whose number a sequence number holds; only for numbers of shards."""
    return seq & _SHARD_MASK


@dataclass(frozen=True, slots=True)
class Sequences:
    """Assigns numbers in the writer's transaction. `shard_no`: 0 for an engine alone."""

    shard_no: int = 0

    @property
    def step(self) -> int:
        """The distance between numbers that are assigned together."""
        return 1 << SHARD_BITS if self.shard_no else 1

    def first(self, connection: Connection, column: "sa.Column[int]") -> int:
        """Return the first number to assign now; the next ones follow at `step`."""
        last = sa.select(sa.func.max(column)).scalar_subquery()
        if not self.shard_no:
            return (connection.scalar(sa.select(last)) or 0) + 1
        now_us = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)
        highest, us = map(int, connection.execute(sa.select(sa.func.coalesce(last, 0), now_us)).one())
        # Above all numbers that are visible, the shard's own among them: the clock may have been set back.
        return max(us, (highest >> SHARD_BITS) + 1) << SHARD_BITS | self.shard_no

    def next_id(self, highest: int) -> int:
        """Return a number of this shard above `highest`, not by the clock: for numbers that people read."""
        return (highest >> SHARD_BITS) + 1 << SHARD_BITS | self.shard_no if self.shard_no else highest + 1

    def settled(self, column: "sa.Column[int]") -> "sa.ColumnElement[bool]":
        """Match the rows below which no other can be committed any more."""
        if not self.shard_no:
            return sa.true()
        now_us = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)
        return column < (now_us - _SETTLES_US) * (1 << SHARD_BITS)

    def own(self, column: "sa.Column[int]") -> "sa.ColumnElement[bool]":
        """Match the rows that this shard has written; all rows for an engine alone."""
        last_bits: sa.ColumnElement[int] = column.op("&")(_SHARD_MASK)
        return last_bits == self.shard_no if self.shard_no else sa.true()


ALONE = Sequences()
"""The numbers of an engine alone."""
