"""Numbers rows in the order of commits: one after the other for an engine alone, by the database's clock for shards.

A shard's numbers hold microseconds of the database's clock and, in their last ten bits, the number of the shard. They
rise with each commit of a shard, and by time over all shards, so that one order holds for all of them, also when a
camera changes its shard. Shards commit side by side, so a number may become visible after a greater one of another
shard; the floor of each lease says below which number its shard commits nothing any more, and what lies below all
floors is final: a reader of many shards reads that far, and misses nothing.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.storage.db.shards.tables import shards

SHARD_BITS = 10
_SHARD_MASK = (1 << SHARD_BITS) - 1


def shard_of(seq: int) -> int:
    """Return the shard whose number a sequence number holds; only for numbers of shards."""
    return seq & _SHARD_MASK


def clock_us() -> "sa.ColumnElement[int]":
    """The database's clock now, in microseconds since 1970."""
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)


def floor_after(*columns: "sa.Column[int]") -> "sa.ColumnElement[int]":
    """A floor for numbers that are assigned from now on: the clock, and above all that is visible in these columns; the
    clock may have been set back."""
    highest = [sa.select(sa.func.coalesce(sa.func.max(column), 0)).scalar_subquery() for column in columns]
    return sa.func.greatest(clock_us(), *(number.op("/")(1 << SHARD_BITS) + 1 for number in highest))


def final_below() -> "sa.ScalarSelect[Any]":
    """The number below which every row is final, whatever the shards that hold a lease still commit."""
    held = sa.select(sa.func.min(shards.c.floor_us)).where(shards.c.owner != "").scalar_subquery()
    return sa.select(sa.func.coalesce(held, clock_us()) * (1 << SHARD_BITS)).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Sequences:
    """Assigns numbers in the writer's transaction. `shard_no`: 0 for an engine alone."""

    shard_no: int = 0

    @property
    def step(self) -> int:
        """The distance between numbers that are assigned together."""
        return 1 << SHARD_BITS if self.shard_no else 1

    def first(self, connection: Connection, column: "sa.Column[int]") -> int:
        """Return the first number to assign now; the next ones follow at `step`. A shard's transaction is fenced, so
        that its floor does not rise before the commit."""
        if not self.shard_no:
            return (connection.scalar(sa.select(sa.func.max(column))) or 0) + 1
        own_floor = sa.select(shards.c.floor_us).where(shards.c.shard_no == self.shard_no).scalar_subquery()
        now_us = connection.scalar(sa.select(sa.func.greatest(floor_after(column), own_floor))) or 0
        return int(now_us) << SHARD_BITS | self.shard_no

    def next_id(self, highest: int) -> int:
        """Return a number of this shard above `highest`, not by the clock: for numbers that people read."""
        return (highest >> SHARD_BITS) + 1 << SHARD_BITS | self.shard_no if self.shard_no else highest + 1

    def settled(self, column: "sa.Column[int]") -> "sa.ColumnElement[bool]":
        """Match the rows that are final: no other row is committed below them any more."""
        return column < final_below() if self.shard_no else sa.true()

    def own(self, column: "sa.Column[int]") -> "sa.ColumnElement[bool]":
        """Match the rows that this shard has written; all rows for an engine alone."""
        last_bits: sa.ColumnElement[int] = column.op("&")(_SHARD_MASK)
        return last_bits == self.shard_no if self.shard_no else sa.true()


ALONE = Sequences()
"""The numbers of an engine alone."""
