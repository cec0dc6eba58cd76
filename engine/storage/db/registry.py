"""The registry in the database: cameras, their URLs and names, and pages of them with their latest verdicts."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.packed.verdict import PackedVerdict
from engine.model.registry import ANY, CameraCursor, CameraOrder, CameraPage, CameraQuery, CameraStatus
from engine.redact import MASK
from engine.storage.db.database import upsert, write_transaction
from engine.storage.db.interning import Interning
from engine.storage.db.passwords import sealed_urls
from engine.storage.db.passwords.sealer import Sealer, StoredUrl
from engine.storage.db.shards.changes import CameraChanges
from engine.storage.db.shards.scope import EVERYTHING, Scope
from engine.storage.db.tables import cameras, latest, measurements

_CHUNK_ROWS = 500
_REGION_DIGITS = 6
_COLUMNS = tuple(column.name for column in fields(Camera))
_KEY_POINT = {key_point.value: key_point for key_point in KeyPoint}
_SITE_KIND = {kind.value: kind for kind in SiteKind}
_CAMERA = (*(cameras.c[name] for name in _COLUMNS), cameras.c.sealed_url, cameras.c.sealed_sub_url)
"""The columns that a camera is read from, in the order of its fields."""
_ID_AT, _URL_AT, _SUB_URL_AT = map(_COLUMNS.index, ("camera_id", "url", "sub_url"))
_KEY_POINT_AT, _SITE_KIND_AT = map(_COLUMNS.index, ("key_point", "site_kind"))
_VERDICT = (latest.c.at_wall_ns.label("visited_wall_ns"), latest.c.shape_no, latest.c.body.label("verdict"))
"""The columns that a page reads a camera's latest verdict from."""


class CameraRegistry:
    """The registry of one database. Any thread may call; every call is its own transaction. `scope`: what `cameras`
    yields."""

    def __init__(
        self, engine: Engine, interning: Interning, sealer: Sealer, changes: CameraChanges, scope: Scope = EVERYTHING
    ) -> None:
        self._engine = engine
        self._changes = changes
        self._scope = scope
        self._interning = interning
        self._sealer = sealer

    def cameras(self) -> Iterator[Camera]:
        """Yield all cameras, those of a shard if it is one, ordered by id."""
        query = sa.select(*_CAMERA).where(self._scope.holds(cameras.c.region)).order_by(cameras.c.camera_id)
        with self._engine.connect() as connection:
            yield from map(self._camera, connection.execution_options(yield_per=_CHUNK_ROWS).execute(query))

    def urls(self, camera_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return `url` and `sub_url` of those cameras that are in the registry, passwords included, by camera id."""
        columns = cameras.c.url, cameras.c.sealed_url, cameras.c.sub_url, cameras.c.sealed_sub_url
        open_url = self._sealer.open
        return {
            row[0]: (open_url(row[0], StoredUrl(row[1], row[2])), open_url(row[0], StoredUrl(row[3], row[4])))
            for row in self._rows((cameras.c.camera_id, *columns), camera_ids)
        }

    def names(self, camera_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of those cameras that are in the registry, by camera id."""
        return {row[0]: row[1] for row in self._rows((cameras.c.camera_id, cameras.c.name), camera_ids)}

    def upsert(self, rows: Iterable[Camera]) -> tuple[int, int, int]:
        """Add or replace cameras in one transaction; return how many were added, changed and unchanged.

        An exception raised by `rows` rolls everything back. Raises KeyUnavailableError if a URL has a password and
        there is no key to seal it.
        """
        added = changed = unchanged = 0
        pending = iter(rows)
        with write_transaction(self._engine) as connection:
            while chunk := {row.camera_id: row for row in islice(pending, _CHUNK_ROWS)}:
                stored = self._stored(connection, chunk)
                changes = [camera for camera in chunk.values() if stored.get(camera.camera_id) != camera]
                added += len(chunk) - len(stored)
                changed += len(changes) - (len(chunk) - len(stored))
                unchanged += len(chunk) - len(changes)
                upsert(connection, cameras, self._sealed_rows(connection, changes))
                self._changes.note(connection, (camera.camera_id for camera in changes))
        return added, changed, unchanged

    def compare(self, rows: Iterable[Camera]) -> tuple[int, int, int]:
        """Return how many cameras `upsert` would add, change and leave unchanged; change nothing."""
        added = changed = unchanged = 0
        pending = iter(rows)
        with self._engine.connect() as connection:
            while chunk := {row.camera_id: row for row in islice(pending, _CHUNK_ROWS)}:
                stored = self._stored(connection, chunk)
                same = sum(stored.get(camera.camera_id) == camera for camera in chunk.values())
                added += len(chunk) - len(stored)
                changed += len(stored) - same
                unchanged += same
        return added, changed, unchanged

    def get(self, camera_id: str) -> CameraStatus | None:
        """Return a camera with its latest verdict, its password included; None if it is not in the registry."""
        query = sa.select(*_CAMERA, *_VERDICT).select_from(_with_latest()).where(cameras.c.camera_id == camera_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
            return None if row is None else self._status(connection, row)

    def statuses(self, camera_ids: Iterable[str]) -> dict[str, CameraStatus]:
        """Return those cameras that are in the registry, with their latest verdicts, by id."""
        ids = list(camera_ids)
        found: dict[str, CameraStatus] = {}
        with self._engine.connect() as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = cameras.c.camera_id.in_(ids[begin : begin + _CHUNK_ROWS])
                rows = connection.execute(sa.select(*_CAMERA, *_VERDICT).select_from(_with_latest()).where(chunk))
                statuses = [self._status(connection, row) for row in rows.all()]
                found.update((status.camera.camera_id, status) for status in statuses)
        return found

    def remove(self, camera_ids: Iterable[str]) -> tuple[str, ...]:
        """Delete cameras with their latest verdicts and measurements; return the ids that were in the registry."""
        removed: list[str] = []
        ids = list(camera_ids)
        with write_transaction(self._engine) as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = ids[begin : begin + _CHUNK_ROWS]
                stored = sa.select(cameras.c.camera_id).where(cameras.c.camera_id.in_(chunk))
                present = connection.scalars(stored).all()
                self._changes.note(connection, present)
                removed += present
                for table in (cameras, latest, measurements):
                    connection.execute(sa.delete(table).where(table.c.camera_id.in_(chunk)))
        return tuple(removed)

    def page(self, query: CameraQuery) -> CameraPage:
        """Return one page of cameras in the order asked for, beginning after `query.after`.

        Raises ValueError for conditions and orders that only the running engine has.
        """
        if query.where != ANY or not query.order.of_registry:
            raise ValueError(f"{query.where}, order {query.order}: the database has region, canteen and state only")
        filters = _filters(query)
        source = cameras if query.state is None else _with_latest()
        # The ids first, from an index: sorting whole rows would move all their columns.
        ids = sa.select(cameras.c.camera_id).select_from(source).where(*filters, *_after(query))
        page = ids.order_by(*_order(query)).limit(query.page_size + 1)
        columns = (
            sa.select(*_CAMERA, *_VERDICT).select_from(_with_latest()) if query.with_verdict else sa.select(*_CAMERA)
        )
        with self._engine.connect() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(source).where(*filters)) or 0
            rows = connection.execute(columns.where(cameras.c.camera_id.in_(page)).order_by(*_order(query))).all()
            statuses = tuple(
                self._status(connection, row) if query.with_verdict else CameraStatus(self._camera(row))
                for row in rows[: query.page_size]
            )
        more = len(rows) > query.page_size
        return CameraPage(statuses, _mark(statuses[-1].camera, query.order) if more else None, total)

    def _stored(self, connection: Connection, camera_ids: Iterable[str]) -> dict[str, Camera]:
        rows = connection.execute(sa.select(*_CAMERA).where(cameras.c.camera_id.in_(camera_ids)))
        return {camera.camera_id: camera for camera in map(self._camera, rows)}

    def _rows(self, columns: "tuple[sa.Column[Any], ...]", camera_ids: Iterable[str]) -> Iterator[Any]:
        ids = list(camera_ids)
        with self._engine.connect() as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = cameras.c.camera_id.in_(ids[begin : begin + _CHUNK_ROWS])
                yield from connection.execute(sa.select(*columns).where(chunk))

    def _sealed_rows(self, connection: Connection, changed: Iterable[Camera]) -> list[dict[str, Any]]:
        """Return cameras as rows. One whose URL no key opened keeps its sealed URL, so that nothing is lost."""
        rows: list[dict[str, Any]] = []
        for camera in changed:
            row = _row(camera)
            for columns in sealed_urls.COLUMNS:
                url = row[columns.url.name]
                kept = MASK in url and sealed_urls.stored(connection, camera.camera_id, columns)
                if kept and kept.sealed is not None and kept.shown == url:
                    stored = kept
                else:
                    stored = sealed_urls.seal(connection, self._sealer, camera.camera_id, url)
                row[columns.url.name], row[columns.sealed.name] = stored.shown, stored.sealed
            rows.append(row)
        return rows

    def _camera(self, row: Any) -> Camera:
        """Build a camera from a row that begins with `_CAMERA`; by position, since by name takes twice as long."""
        *values, sealed_url, sealed_sub_url = row[: len(_CAMERA)]
        if sealed_url is not None:
            values[_URL_AT] = self._sealer.open(values[_ID_AT], StoredUrl(values[_URL_AT], sealed_url))
        if sealed_sub_url is not None:
            values[_SUB_URL_AT] = self._sealer.open(values[_ID_AT], StoredUrl(values[_SUB_URL_AT], sealed_sub_url))
        values[_KEY_POINT_AT] = _KEY_POINT[values[_KEY_POINT_AT]]
        values[_SITE_KIND_AT] = _SITE_KIND[values[_SITE_KIND_AT]]
        return Camera(*values)

    def _status(self, connection: Connection, row: Any) -> CameraStatus:
        camera = self._camera(row)
        if row.shape_no is None:
            return CameraStatus(camera)
        shape = self._interning.shape(connection, row.shape_no)
        return CameraStatus(camera, PackedVerdict(row.visited_wall_ns, shape, row.verdict))


def _with_latest() -> sa.Join:
    return cameras.outerjoin(latest, cameras.c.camera_id == latest.c.camera_id)


def _keys(query: CameraQuery) -> "list[sa.Column[Any]]":
    """The columns that the page is ordered by; the id makes each position unique."""
    by_id = query.order is CameraOrder.NAME
    return [cameras.c.camera_id] if by_id else [cameras.c[query.order.value], cameras.c.camera_id]


def _order(query: CameraQuery) -> "list[sa.ColumnElement[Any]]":
    return [key.desc() if query.descending else key.asc() for key in _keys(query)]


def _after(query: CameraQuery) -> "list[sa.ColumnElement[bool]]":
    """Select what lies after the previous page's last row. A position, not an offset: inserts do not shift it."""
    mark, keys = query.after, _keys(query)
    if mark is None:
        return []
    position = [mark.camera_id] if len(keys) == 1 else [mark.value, mark.camera_id]
    keys_row, position_row = sa.tuple_(*keys), sa.tuple_(*map(sa.literal, position))
    return [keys_row < position_row if query.descending else keys_row > position_row]


def _mark(camera: Camera, order: CameraOrder) -> CameraCursor:
    return CameraCursor(camera.camera_id, "" if order is CameraOrder.NAME else getattr(camera, order.value))


def _filters(query: CameraQuery) -> "list[sa.ColumnElement[bool]]":
    filters: list[sa.ColumnElement[bool]] = []
    if query.region_prefix:
        # The range can use the index, which LIKE cannot.
        filters.append(cameras.c.region.between(query.region_prefix, query.region_prefix.ljust(_REGION_DIGITS, "9")))
        filters.append(cameras.c.region.startswith(query.region_prefix, autoescape=True))
    if query.site_id:
        filters.append(cameras.c.site_id == query.site_id)
    if query.state is not None:
        filters.append(latest.c.announced == query.state.value)
    return filters


def _row(camera: Camera) -> dict[str, Any]:
    enums = {"key_point": camera.key_point.value, "site_kind": camera.site_kind.value}
    return {name: getattr(camera, name) for name in _COLUMNS} | enums
