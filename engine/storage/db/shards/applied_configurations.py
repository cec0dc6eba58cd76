"""Stores the configuration that was applied last over the API, for every engine of a shard that starts."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.shards.tables import applied_configuration

_ROW_NO = 1


@dataclass(frozen=True, slots=True)
class AppliedConfiguration:
    """`toml`: as ApplyConfig takes it. `revision`: of the settings that it brought into force. `who`: applied it."""

    toml: str
    revision: str
    who: str
    applied_wall_ns: int


class AppliedConfigurations:
    """The configuration that was applied last, in one database, for all shards. Any thread may call; every call is its
    own transaction. All raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last(self) -> AppliedConfiguration | None:
        """Return what was applied last; None if nothing was yet."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(applied_configuration)).one_or_none()
        return None if row is None else AppliedConfiguration(row.toml, row.revision, row.who, row.applied_wall_ns)

    def replace(self, applied: AppliedConfiguration | None) -> None:
        """Store what is applied, in place of what was; None: as if nothing had been."""
        with write_transaction(self._engine) as connection:
            if applied is None:
                connection.execute(sa.delete(applied_configuration))
            else:  # in one statement: all shards write the same at the same time
                upsert(connection, applied_configuration, [{"row_no": _ROW_NO, **asdict(applied)}])
