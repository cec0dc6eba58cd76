"""The database: registry, latest verdict and judge memory of each camera. SQLAlchemy Core, SQLite by default."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from engine.record.codec import pack_verdict, unpack_verdict
from engine.record.database import connect, parse, refused, writing
from engine.record.findings import FindingRecord
from engine.record.kpis import Kpis
from engine.record.outbox import Outbox
from engine.record.schema import prepare
from engine.record.spotchecks import SpotChecks
from engine.record.tables import cameras, latest, measurements
from engine.replies import CameraPage, CameraQuery, CameraStatus
from engine.types import Camera, KeyPoint, SiteKind, Verdict

_CHUNK_ROWS = 500
_CAMERA_COLUMNS = tuple(one.name for one in fields(Camera))


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What is written of one visit. `changed`: the announced state is news. `measurement`: of a visit that brought a
    picture, opaque here; `working`: whether the kitchen worked."""

    verdict: Verdict
    history: bytes
    changed: bool = False
    measurement: bytes = b""
    working: bool = True


Join = Callable[[Connection, Sequence[VisitRecord]], None]
"""Writes of its own in the transaction that writes these records; raising undoes all of it."""


class Store:
    """One database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.findings = FindingRecord(engine)
        self.spot_checks = SpotChecks(engine)
        self.outbox = Outbox(engine)
        self.kpis = Kpis(engine)
        self.joins: list[Join] = []

    @classmethod
    def open(cls, url: str) -> Self:
        """Open, and create the tables in an empty database; an older one is refused and left as it is.

        Raises StoreError, saying why.
        """
        parsed = parse(url)
        try:
            engine = connect(parsed)
            prepare(engine)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise refused(parsed, error) from error
        return cls(engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def cameras(self) -> Iterator[Camera]:
        """The whole registry, ordered by id."""
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(
                sa.select(cameras).order_by(cameras.c.camera_id)
            ):
                yield _camera(row._mapping)

    def urls(self, camera_ids: Iterable[str]) -> dict[str, str]:
        """URLs of the cameras that are known, passwords and all."""
        found: dict[str, str] = {}
        wanted = list(camera_ids)
        with self._engine.connect() as connection:
            for begin in range(0, len(wanted), _CHUNK_ROWS):
                chunk = cameras.c.camera_id.in_(wanted[begin : begin + _CHUNK_ROWS])
                query = sa.select(cameras.c.camera_id, cameras.c.url).where(chunk)
                found |= {row.camera_id: row.url for row in connection.execute(query)}
        return found

    def camera_names(self, camera_ids: Iterable[str]) -> dict[str, str]:
        """Names of the cameras that are known."""
        found: dict[str, str] = {}
        wanted = list(camera_ids)
        with self._engine.connect() as connection:
            for begin in range(0, len(wanted), _CHUNK_ROWS):
                chunk = cameras.c.camera_id.in_(wanted[begin : begin + _CHUNK_ROWS])
                query = sa.select(cameras.c.camera_id, cameras.c.name).where(chunk)
                found |= {row.camera_id: row.name for row in connection.execute(query)}
        return found

    def put_cameras(self, rows: Iterable[Camera]) -> tuple[int, int, int]:
        """Add or change cameras in one transaction; returns how many were added, changed, the same.

        What `rows` raises undoes all of it.
        """
        added = changed = unchanged = 0
        coming = iter(rows)
        with writing(self._engine) as connection:
            while chunk := {row.camera_id: row for row in islice(coming, _CHUNK_ROWS)}:
                found = connection.execute(sa.select(cameras).where(cameras.c.camera_id.in_(chunk)))
                known = {camera.camera_id: camera for camera in (_camera(row._mapping) for row in found)}
                news = [camera for camera in chunk.values() if known.get(camera.camera_id) != camera]
                added += len(chunk) - len(known)
                changed += len(news) - (len(chunk) - len(known))
                unchanged += len(chunk) - len(news)
                if news:
                    _upsert(connection, cameras, [_camera_row(camera) for camera in news])
        return added, changed, unchanged

    def remove_cameras(self, camera_ids: Iterable[str]) -> tuple[str, ...]:
        """Forget cameras with all that is kept of them; returns those that were known."""
        removed: list[str] = []
        wanted = list(camera_ids)
        with writing(self._engine) as connection:
            for begin in range(0, len(wanted), _CHUNK_ROWS):
                chunk = wanted[begin : begin + _CHUNK_ROWS]
                known = sa.select(cameras.c.camera_id).where(cameras.c.camera_id.in_(chunk))
                removed += connection.scalars(known).all()
                for table in (cameras, latest, measurements):
                    connection.execute(sa.delete(table).where(table.c.camera_id.in_(chunk)))
        return tuple(removed)

    def histories(self) -> Iterator[tuple[str, bytes]]:
        """The judge's memory of each camera."""
        with self._engine.connect() as connection:
            query = sa.select(latest.c.camera_id, latest.c.history)
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield row.camera_id, row.history

    def put_histories(self, histories: Mapping[str, bytes]) -> None:
        """Replace the judge's memory of cameras that have one; in one transaction."""
        if not histories:
            return
        change = (
            sa.update(latest).where(latest.c.camera_id == sa.bindparam("whose")).values(history=sa.bindparam("new"))
        )
        with writing(self._engine) as connection:
            connection.execute(change, [{"whose": one, "new": blob} for one, blob in histories.items()])

    def verdicts(self) -> Iterator[Verdict]:
        """The latest verdict of each camera."""
        with self._engine.connect() as connection:
            query = sa.select(latest.c.verdict)
            for (raw,) in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield unpack_verdict(raw)

    def camera(self, camera_id: str) -> CameraStatus | None:
        """One camera with its latest verdict; None if the registry does not know it."""
        with self._engine.connect() as connection:
            row = connection.execute(_joined().where(cameras.c.camera_id == camera_id)).first()
        return None if row is None else _status(row._mapping)

    def page(self, query: CameraQuery) -> CameraPage:
        """A page of cameras ordered by id, after `query.page_token`."""
        wanted = _filters(query)
        with self._engine.connect() as connection:
            joined = cameras.outerjoin(latest, cameras.c.camera_id == latest.c.camera_id)
            total = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*wanted)) or 0
            rows = connection.execute(
                _joined()
                .where(*wanted, cameras.c.camera_id > query.page_token)
                .order_by(cameras.c.camera_id)
                .limit(query.page_size + 1)
            ).all()
        statuses = tuple(_status(row._mapping) for row in rows[: query.page_size])
        more = len(rows) > query.page_size
        return CameraPage(statuses, statuses[-1].camera.camera_id if more else "", total)

    def write(self, records: Sequence[VisitRecord]) -> None:
        """Keep verdicts and judge memory, the last of each camera, in one transaction."""
        rows = {record.verdict.camera_id: _latest_row(record) for record in records}
        with writing(self._engine) as connection:
            if rows:
                _upsert(connection, latest, list(rows.values()))
            if measured := {one.verdict.camera_id: _measured_row(one) for one in records if one.measurement}:
                _upsert(connection, measurements, list(measured.values()))
            for join in self.joins:
                join(connection, records)

    def measured(self, since_wall_ns: int, region_prefix: str = "") -> Iterator[VisitRecord]:
        """Cameras whose latest visit brought a picture at that time or later, with verdict, memory and measurement."""
        joined = latest.join(
            measurements,
            sa.and_(latest.c.camera_id == measurements.c.camera_id, latest.c.visit_id == measurements.c.visit_id),
        ).join(cameras, latest.c.camera_id == cameras.c.camera_id)
        query = (
            sa.select(latest.c.verdict, latest.c.history, measurements.c.body, measurements.c.working)
            .select_from(joined)
            .where(latest.c.at_wall_ns >= since_wall_ns, cameras.c.region.startswith(region_prefix, autoescape=True))
            .order_by(latest.c.camera_id)
        )
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield VisitRecord(unpack_verdict(row.verdict), row.history, False, row.body, row.working)


def _upsert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=["camera_id"], set_=changed), rows)


def _joined() -> "sa.Select[Any]":
    joined = cameras.outerjoin(latest, cameras.c.camera_id == latest.c.camera_id)
    return sa.select(cameras, latest.c.verdict).select_from(joined)


def _filters(query: CameraQuery) -> "list[sa.ColumnElement[bool]]":
    wanted: list[sa.ColumnElement[bool]] = []
    if query.region_prefix:
        wanted.append(cameras.c.region.startswith(query.region_prefix, autoescape=True))
    if query.site_id:
        wanted.append(cameras.c.site_id == query.site_id)
    if query.state is not None:
        wanted.append(latest.c.announced == query.state.value)
    return wanted


def _camera_row(camera: Camera) -> dict[str, Any]:
    words = {"key_point": camera.key_point.value, "site_kind": camera.site_kind.value}
    return {name: getattr(camera, name) for name in _CAMERA_COLUMNS} | words


def _camera(row: Any) -> Camera:
    values = {name: row[name] for name in _CAMERA_COLUMNS}
    words = {"key_point": KeyPoint(values["key_point"]), "site_kind": SiteKind(values["site_kind"])}
    return Camera(**(values | words))


def _status(row: Any) -> CameraStatus:
    raw = row["verdict"]
    return CameraStatus(_camera(row), None if raw is None else unpack_verdict(raw))


def _measured_row(record: VisitRecord) -> dict[str, Any]:
    return {
        "camera_id": record.verdict.camera_id,
        "visit_id": record.verdict.visit_id,
        "working": record.working,
        "body": record.measurement,
    }


def _latest_row(record: VisitRecord) -> dict[str, Any]:
    verdict = record.verdict
    return {
        "camera_id": verdict.camera_id,
        "visit_id": verdict.visit_id,
        "at_wall_ns": verdict.at_wall_ns,
        "announced": verdict.announced.value,
        "since_wall_ns": verdict.since_wall_ns,
        "verdict": pack_verdict(verdict),
        "history": record.history,
    }
