"""Notes which cameras were added, changed or removed, so that other processes can follow the registry."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.storage.db.shards.sequences import SHARD_BITS, Sequences, final_below
from engine.storage.db.shards.tables import camera_changes

KEPT_S = 3600
"""Who has not read for so long reads the whole registry again."""
_KEPT = KEPT_S * 1_000_000 << SHARD_BITS
_CHUNK_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Changes:
    """Cameras that changed behind a place, and the place behind them. `lost`: some changes are not kept any more."""

    camera_ids: tuple[str, ...]
    place: int
    lost: bool = False


class CameraChanges:
    """The changes of one database. A shard notes its own; anybody may follow those of all."""

    def __init__(self, engine: Engine, sequences: Sequences) -> None:
        self._engine = engine
        self._sequences = sequences

    def note(self, connection: Connection, camera_ids: Iterable[str]) -> None:
        """Note changes in the transaction that makes them, and forget old ones. Nothing for an engine alone."""
        ids = list(camera_ids)
        if not self._sequences.shard_no or not ids:
            return
        first = self._sequences.first(connection, camera_changes.c.seq)
        seqs = count(first, self._sequences.step)
        rows = [{"seq": seq, "camera_id": camera_id} for seq, camera_id in zip(seqs, ids, strict=False)]
        connection.execute(sa.insert(camera_changes), rows)
        connection.execute(sa.delete(camera_changes).where(camera_changes.c.seq < first - 2 * _KEPT))

    def place(self) -> int:
        """Return the place behind all changes that are final now; what is read of the registry afterwards has them."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(final_below())) or 0)

    def after(self, place: int) -> Changes:
        """Return the changes behind a place, as far as they are final."""
        with self._engine.connect() as connection:
            end = int(connection.scalar(sa.select(final_below())) or 0)
            behind = sa.and_(camera_changes.c.seq >= place, camera_changes.c.seq < end)
            query = sa.select(camera_changes.c.seq, camera_changes.c.camera_id).where(behind)
            rows = connection.execute(query.order_by(camera_changes.c.seq).limit(_CHUNK_ROWS)).all()
        lost = end - place > _KEPT
        if len(rows) == _CHUNK_ROWS:
            end = rows[-1].seq + 1
        return Changes(tuple(dict.fromkeys(row.camera_id for row in rows)), max(place, end), lost)
