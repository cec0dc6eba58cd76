"""Assigns numbers to values that many rows share (camera ids, shapes of verdicts), so that each is stored once.

A number is assigned in the transaction that first needs it. The writer must call `forget` if that transaction fails.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.model.packed import verdict as packed_verdict
from engine.model.packed.verdict import Shape, ShapeKey
from engine.model.verdict import Verdict
from engine.storage.db.tables import camera_nos, terms

_CHUNK_ROWS = 500
_NUMBERS_LOCK = 0x7061_7472_6F6E
"""Key of PostgreSQL's advisory lock of the transaction that assigns numbers."""
_CACHED_THRESHOLDS_MAX = 64


class Interning:
    """The numbers of one database. Any thread may read numbers; only one thread at a time may assign them.

    `shared`: other processes assign numbers too; a lock in the transaction keeps them apart.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._shapes: dict[int, Shape] = {}
        self._bodies: dict[int, str] = {}
        self._thresholds_by_no: dict[int, Mapping[str, float]] = {}
        self.forget()

    def forget(self) -> None:
        """Drop all cached numbers: those of a transaction that failed do not exist."""
        self._camera_nos: dict[str, int] = {}
        self._term_nos: dict[str, int] | None = None
        self._names_nos: dict[tuple[str, ...], int] = {}
        self._shape_nos: dict[tuple[ShapeKey, int], int] = {}
        self._thresholds_by_id: dict[int, tuple[Mapping[str, float], int]] = {}

    def camera_nos(self, connection: Connection, camera_ids: Iterable[str]) -> dict[str, int]:
        """Return the number of each camera; assign numbers to new ones."""
        ids = list(camera_ids)
        missing = [camera_id for camera_id in dict.fromkeys(ids) if camera_id not in self._camera_nos]
        self._read_camera_nos(connection, missing)
        new = [camera_id for camera_id in missing if camera_id not in self._camera_nos]
        if new and self._shared:
            _lock(connection)
            self._read_camera_nos(connection, new)
            new = [camera_id for camera_id in new if camera_id not in self._camera_nos]
        if new:
            last = connection.scalar(sa.select(sa.func.max(camera_nos.c.camera_no))) or 0
            numbers = {camera_id: number for number, camera_id in enumerate(new, last + 1)}
            rows = [{"camera_no": number, "camera_id": camera_id} for camera_id, number in numbers.items()]
            connection.execute(sa.insert(camera_nos), rows)
            self._camera_nos |= numbers
        return {camera_id: self._camera_nos[camera_id] for camera_id in ids}

    def _read_camera_nos(self, connection: Connection, camera_ids: Sequence[str]) -> None:
        for begin in range(0, len(camera_ids), _CHUNK_ROWS):
            query = sa.select(camera_nos).where(camera_nos.c.camera_id.in_(camera_ids[begin : begin + _CHUNK_ROWS]))
            self._camera_nos |= {row.camera_id: row.camera_no for row in connection.execute(query)}

    def shape_no(self, connection: Connection, verdict: Verdict) -> int:
        """Return the number of this verdict's shape; assign one to a new shape."""
        key = packed_verdict.shape_key(verdict)
        thresholds_no = self._thresholds_no(connection, verdict.thresholds)
        number = self._shape_nos.get((key, thresholds_no))
        if number is None:
            names_no = self._names_nos.get(key.names)
            if names_no is None:
                names_no = self._names_nos[key.names] = self._number(connection, packed_verdict.pack_names(key.names))
            number = self._number(connection, packed_verdict.pack_shape(key, names_no, thresholds_no))
            self._shape_nos[key, thresholds_no] = number
        return number

    def shape(self, connection: Connection, shape_no: int) -> Shape:
        """Return the shape with this number. Raises KeyError if there is none."""
        cached = self._shapes.get(shape_no)
        if cached is None:
            fields, names_no, thresholds_no = packed_verdict.unpack_shape(self._body(connection, shape_no))
            names = tuple(json.loads(self._body(connection, names_no)))
            cached = packed_verdict.build_shape(fields, names, self._thresholds_of(connection, thresholds_no))
            self._shapes[shape_no] = cached
        return cached

    def _thresholds_of(self, connection: Connection, thresholds_no: int) -> Mapping[str, float]:
        """Return thresholds, the same object for all shapes that share them, so that a caller can encode them once."""
        cached = self._thresholds_by_no.get(thresholds_no)
        if cached is None:
            cached = self._thresholds_by_no[thresholds_no] = json.loads(self._body(connection, thresholds_no))
        return cached

    def _thresholds_no(self, connection: Connection, thresholds: Mapping[str, float]) -> int:
        # The judge passes the same mapping object again and again, and hashing its fifty numbers each time would cost
        # more than everything else here. The cache keeps the mapping alive, so that no other object can have its id.
        cached = self._thresholds_by_id.get(id(thresholds))
        if cached is None:
            if len(self._thresholds_by_id) >= _CACHED_THRESHOLDS_MAX:
                self._thresholds_by_id.clear()
            cached = thresholds, self._number(connection, packed_verdict.pack_thresholds(thresholds))
            self._thresholds_by_id[id(thresholds)] = cached
        return cached[1]

    def _number(self, connection: Connection, body: str) -> int:
        if self._term_nos is None:
            self._term_nos = {row.body: row.term_no for row in connection.execute(sa.select(terms))}
        number = self._term_nos.get(body)
        if number is None and self._shared:
            _lock(connection)
            self._term_nos = {row.body: row.term_no for row in connection.execute(sa.select(terms))}
            number = self._term_nos.get(body)
        if number is None:
            number = max(self._term_nos.values(), default=0) + 1
            connection.execute(sa.insert(terms).values(term_no=number, body=body))
            self._term_nos[body] = number
        return number

    def _body(self, connection: Connection, term_no: int) -> str:
        body = self._bodies.get(term_no)
        if body is None:
            body = connection.scalar(sa.select(terms.c.body).where(terms.c.term_no == term_no))
            if body is None:
                raise KeyError(f"term {term_no} is not in the database")
            self._bodies[term_no] = body
        return body


def _lock(connection: Connection) -> None:
    """Wait until no other transaction assigns numbers; until the end of this one none does."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_NUMBERS_LOCK)))
