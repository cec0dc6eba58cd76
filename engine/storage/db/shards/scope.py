"""What a shard loads at its start: the cameras of its counties, and what hangs on them."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.storage.db.shards.tables import shard_counties


@dataclass(frozen=True, slots=True)
class Scope:
    """`counties`: None for an engine alone, which loads everything."""

    counties: tuple[str, ...] | None = None

    def holds(self, region: "sa.ColumnElement[str]") -> "sa.ColumnElement[bool]":
        """Match the regions of this shard."""
        return sa.true() if self.counties is None else region.in_(self.counties)


EVERYTHING = Scope()


def scope_of(engine: Engine, shard_no: int) -> Scope:
    """Read the counties of a shard."""
    query = sa.select(shard_counties.c.county).where(shard_counties.c.shard_no == shard_no)
    with engine.connect() as connection:
        return Scope(tuple(connection.scalars(query.order_by(shard_counties.c.county))))
