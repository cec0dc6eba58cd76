"""Numbers for what stands in many rows: cameras' ids, and the shapes of verdicts. Each is kept once.

Numbers are given in the transaction that first needs them. Whoever writes must call `forget` where that transaction
did not come to its end.
"""

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.model import packed_verdict
from engine.model.packed_verdict import Shape, ShapeKey
from engine.model.verdict import Verdict
from engine.storage.db.tables import camera_nos, terms

_CHUNK_ROWS = 500
_THRESHOLDS_MAX = 64


class Interning:
    """The numbers of one database. Reading is for any thread, giving numbers for one at a time."""

    def __init__(self) -> None:
        self._shapes: dict[int, Shape] = {}
        self._raw: dict[int, str] = {}
        self._read_thresholds: dict[int, Mapping[str, float]] = {}
        self.forget()

    def forget(self) -> None:
        """Numbers given since the last transaction that ended well may not stand."""
        self._cameras: dict[str, int] = {}
        self._known: dict[str, int] | None = None
        self._names: dict[tuple[str, ...], int] = {}
        self._shape_nos: dict[tuple[ShapeKey, int], int] = {}
        self._thresholds: dict[int, tuple[Mapping[str, float], int]] = {}

    def cameras(self, connection: Connection, camera_ids: Iterable[str]) -> dict[str, int]:
        """The number of each camera; new ones get theirs."""
        wanted = list(camera_ids)
        missing = [one for one in dict.fromkeys(wanted) if one not in self._cameras]
        for begin in range(0, len(missing), _CHUNK_ROWS):
            chunk = missing[begin : begin + _CHUNK_ROWS]
            query = sa.select(camera_nos).where(camera_nos.c.camera_id.in_(chunk))
            self._cameras |= {row.camera_id: row.camera_no for row in connection.execute(query)}
        new = [one for one in missing if one not in self._cameras]
        if new:
            last = connection.scalar(sa.select(sa.func.max(camera_nos.c.camera_no))) or 0
            numbers = {camera_id: last + 1 + at for at, camera_id in enumerate(new)}
            rows = [{"camera_no": number, "camera_id": camera_id} for camera_id, number in numbers.items()]
            connection.execute(sa.insert(camera_nos), rows)
            self._cameras |= numbers
        return {one: self._cameras[one] for one in wanted}

    def shape_no(self, connection: Connection, verdict: Verdict) -> int:
        """The number of this verdict's shape; a new shape gets one."""
        key = packed_verdict.shape_key(verdict)
        thresholds_no = self._thresholds_no(connection, verdict.thresholds)
        number = self._shape_nos.get((key, thresholds_no))
        if number is None:
            names_no = self._names.get(key.names)
            if names_no is None:
                names_no = self._names[key.names] = self._number(connection, packed_verdict.pack_names(key.names))
            number = self._number(connection, packed_verdict.pack_shape(key, names_no, thresholds_no))
            self._shape_nos[key, thresholds_no] = number
        return number

    def shape(self, connection: Connection, shape_no: int) -> Shape:
        """The shape of a number. Raises KeyError if there is none such."""
        known = self._shapes.get(shape_no)
        if known is None:
            fields, names_no, thresholds_no = packed_verdict.unpack_shape(self._read(connection, shape_no))
            names = tuple(json.loads(self._read(connection, names_no)))
            known = packed_verdict.build_shape(fields, names, self._thresholds_of(connection, thresholds_no))
            self._shapes[shape_no] = known
        return known

    def _thresholds_of(self, connection: Connection, thresholds_no: int) -> Mapping[str, float]:
        """One mapping for all shapes that have it, so that who codes it may do so once."""
        known = self._read_thresholds.get(thresholds_no)
        if known is None:
            known = self._read_thresholds[thresholds_no] = json.loads(self._read(connection, thresholds_no))
        return known

    def _thresholds_no(self, connection: Connection, thresholds: Mapping[str, float]) -> int:
        # The judge gives the same mapping again and again; reading its fifty numbers each time would cost more than
        # all the rest. It is kept here, so that no other can have its id.
        known = self._thresholds.get(id(thresholds))
        if known is None:
            if len(self._thresholds) >= _THRESHOLDS_MAX:
                self._thresholds.clear()
            known = thresholds, self._number(connection, packed_verdict.pack_thresholds(thresholds))
            self._thresholds[id(thresholds)] = known
        return known[1]

    def _number(self, connection: Connection, body: str) -> int:
        if self._known is None:
            self._known = {row.body: row.term_no for row in connection.execute(sa.select(terms))}
        number = self._known.get(body)
        if number is None:
            number = max(self._known.values(), default=0) + 1
            connection.execute(sa.insert(terms).values(term_no=number, body=body))
            self._known[body] = number
        return number

    def _read(self, connection: Connection, term_no: int) -> str:
        body = self._raw.get(term_no)
        if body is None:
            body = connection.scalar(sa.select(terms.c.body).where(terms.c.term_no == term_no))
            if body is None:
                raise KeyError(f"term {term_no} is not in the database")
            self._raw[term_no] = body
        return body
