"""The database: registry, latest verdict and judge memory of each camera, and the log of all verdicts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from engine.model import packed_verdict
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.packed_verdict import PackedVerdict
from engine.model.registry import CameraCursor, CameraOrder, CameraPage, CameraQuery, CameraStatus
from engine.model.verdict import Verdict
from engine.storage.db.access import Access
from engine.storage.db.database import AwayError, connect, parse, refused, writing
from engine.storage.db.findings import FindingRecord
from engine.storage.db.interning import Interning
from engine.storage.db.kpis import Kpis
from engine.storage.db.maintenance import Maintenance
from engine.storage.db.outbox import Outbox
from engine.storage.db.pauses import Pauses
from engine.storage.db.schema import prepare
from engine.storage.db.spot_checks import SpotChecks
from engine.storage.db.tables import cameras, latest, measurements, patrol_metadata, verdict_log
from engine.storage.db.verdict_history import VerdictHistory
from engine.storage.db.writer_lock import WriterLock

_CHUNK_ROWS = 500
_REGION_DIGITS = 6
_LAST_BATCH = "last_batch"
_CAMERA_COLUMNS = tuple(one.name for one in fields(Camera))
_KEY_POINT = {one.value: one for one in KeyPoint}
_SITE_KIND = {one.value: one for one in SiteKind}
_CAMERA = tuple(cameras.c[name] for name in _CAMERA_COLUMNS)
"""The columns that a camera is read from, in the order of its fields."""
_KEY_POINT_AT, _SITE_KIND_AT = map(_CAMERA_COLUMNS.index, ("key_point", "site_kind"))
_VERDICT = (
    latest.c.camera_id.label("whose"),
    latest.c.at_wall_ns.label("seen_wall_ns"),
    latest.c.shape_no,
    latest.c.body.label("verdict"),
)
"""The columns that a latest verdict is read from."""


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What is written of one visit. `changed`: the announced state is news. `measurement`: of a visit that brought a
    picture, opaque here; `working`: whether the kitchen worked. `seq`: its place in the log, 0 before it is written.
    `exhibit`: the fault announced is news, its keyframe is to be kept; `evidence`: the digests, once it is."""

    verdict: Verdict
    history: bytes
    changed: bool = False
    measurement: bytes = b""
    working: bool = True
    seq: int = 0
    exhibit: bool = False
    evidence: tuple[str, ...] = ()


Write = Callable[[Connection], None]
"""Something to be written in the same transaction. It may run again, if the transaction had to be."""

TransactionHook = Callable[[Connection, Sequence[VisitRecord]], None]
"""What is worked out of every batch of verdicts (with their `seq`; perhaps none) and written in its transaction."""


class Store:
    """One database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.findings = FindingRecord(engine)
        self._terms = Interning()
        self._claim = WriterLock(engine)
        self.transaction_hooks: list[TransactionHook] = []
        self.history = VerdictHistory(engine, self._terms)
        self.spot_checks = SpotChecks(engine)
        self.access = Access(engine)
        self.pauses = Pauses(engine)
        self.outbox = Outbox(engine)
        self.kpis = Kpis(engine)
        self.upkeep = Maintenance(self._claim, self._terms)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open, and create the tables in an empty database; an older one is refused and left as it is.

        Raises StoreError, saying why.
        """
        parsed = parse(url)
        try:
            engine = connect(parsed)
            prepare(engine)
        except (AwayError, sa.exc.SQLAlchemyError, OSError) as error:
            raise refused(parsed, error) from error
        return cls(engine)

    def close(self) -> None:
        """Give the connections back, and the claim."""
        self._claim.give_back()
        self._engine.dispose()

    def claim(self) -> None:
        """Be the only process that writes verdicts, until `close`. Raises StoreError if another does."""
        try:
            self._claim.take()
        except (AwayError, sa.exc.SQLAlchemyError, OSError) as error:
            raise refused(self._engine.url, error) from error

    def cameras(self) -> Iterator[Camera]:
        """The whole registry, ordered by id."""
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=_CHUNK_ROWS).execute(
                sa.select(*_CAMERA).order_by(cameras.c.camera_id)
            )
            yield from map(_camera, rows)

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
                found = connection.execute(sa.select(*_CAMERA).where(cameras.c.camera_id.in_(chunk)))
                known = {camera.camera_id: camera for camera in map(_camera, found)}
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

    def latest(self) -> Iterator[tuple[str, PackedVerdict, bytes]]:
        """Of each camera that was visited its id, the latest verdict as it is stored, and the judge's memory."""
        query = sa.select(*_VERDICT, latest.c.history)
        with self._engine.connect() as connection:
            for whose, at_wall_ns, shape_no, body, memory in connection.execution_options(
                yield_per=_CHUNK_ROWS
            ).execute(query):
                yield whose, PackedVerdict(at_wall_ns, self._terms.shape(connection, shape_no), body), memory

    def put_histories(self, histories: Mapping[str, bytes]) -> None:
        """Replace the judge's memory of cameras that have one; in one transaction."""
        if not histories:
            return
        change = (
            sa.update(latest).where(latest.c.camera_id == sa.bindparam("whose")).values(history=sa.bindparam("new"))
        )
        with writing(self._engine) as connection:
            connection.execute(change, [{"whose": one, "new": blob} for one, blob in histories.items()])

    def page(self, query: CameraQuery) -> CameraPage:
        """A page of cameras in the order asked for, after `query.after`."""
        wanted = _filters(query)
        among = cameras if query.state is None else _with_latest()
        # The ids first, which an index holds: whole rows would be sorted with all that they carry.
        ids = sa.select(cameras.c.camera_id).select_from(among).where(*wanted, *_after(query))
        page = ids.order_by(*_order(query)).limit(query.page_size + 1)
        asked = _joined() if query.with_verdict else sa.select(*_CAMERA)
        with self._engine.connect() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(among).where(*wanted)) or 0
            rows = connection.execute(asked.where(cameras.c.camera_id.in_(page)).order_by(*_order(query))).all()
            statuses = tuple(
                self._status(connection, row) if query.with_verdict else CameraStatus(_camera(row))
                for row in rows[: query.page_size]
            )
        more = len(rows) > query.page_size
        return CameraPage(statuses, _mark(statuses[-1].camera, query.order) if more else None, total)

    def write(
        self, records: Sequence[VisitRecord], also: Sequence[Write] = (), batch_id: str = ""
    ) -> list[VisitRecord]:
        """Log verdicts, keep the last of each camera with its memory, let transaction hooks and
        `also` write; one transaction.

        Returns the records with their places in the log. `batch_id`: what `committed` may be asked for.
        """
        try:
            with self._claim.transaction() as connection:
                stored = self._append(connection, records) if records else []
                for hook in self.transaction_hooks:
                    hook(connection, stored)
                for write in also:
                    write(connection)
                if batch_id:
                    _upsert(connection, patrol_metadata, [{"key": _LAST_BATCH, "value": batch_id}], "key")
        except BaseException:
            self._terms.forget()
            raise
        return stored

    def committed(self, batch_id: str, records: Sequence[VisitRecord]) -> list[VisitRecord] | None:
        """Whether the last `write`, of which no answer came, was committed: its records as it would have given them."""
        with self._claim.transaction() as connection:
            if (
                connection.scalar(sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _LAST_BATCH))
                != batch_id
            ):
                return None
            last = connection.scalar(sa.select(sa.func.max(verdict_log.c.seq))) or 0
        return [replace(record, seq=seq) for seq, record in enumerate(records, last - len(records) + 1)]

    def _append(self, connection: Connection, records: Sequence[VisitRecord]) -> list[VisitRecord]:
        numbers = self._terms.cameras(connection, [one.verdict.camera_id for one in records])
        first = (connection.scalar(sa.select(sa.func.max(verdict_log.c.seq))) or 0) + 1
        stored: list[VisitRecord] = []
        log: list[dict[str, Any]] = []
        newest: dict[str, dict[str, Any]] = {}
        for seq, record in enumerate(records, first):
            verdict = record.verdict
            shape_no, body = self._terms.shape_no(connection, verdict), packed_verdict.pack(verdict)
            log.append(
                {
                    "seq": seq,
                    "camera_no": numbers[verdict.camera_id],
                    "at_wall_ns": verdict.at_wall_ns,
                    "changed": record.changed,
                    "shape_no": shape_no,
                    "body": body,
                }
            )
            newest[verdict.camera_id] = {
                "camera_id": verdict.camera_id,
                "seq": seq,
                "visit_id": verdict.visit_id,
                "at_wall_ns": verdict.at_wall_ns,
                "announced": verdict.announced.value,
                "since_wall_ns": verdict.since_wall_ns,
                "shape_no": shape_no,
                "body": body,
                "history": record.history,
            }
            stored.append(replace(record, seq=seq))
        connection.execute(sa.insert(verdict_log), log)
        _upsert(connection, latest, list(newest.values()))
        if measured := {one.verdict.camera_id: _measured_row(one) for one in records if one.measurement}:
            _upsert(connection, measurements, list(measured.values()))
        return stored

    def measured(self, since_wall_ns: int, region_prefix: str = "") -> Iterator[VisitRecord]:
        """Cameras whose latest visit brought a picture at that time or later, with verdict, memory and measurement."""
        joined = latest.join(
            measurements,
            sa.and_(latest.c.camera_id == measurements.c.camera_id, latest.c.visit_id == measurements.c.visit_id),
        ).join(cameras, latest.c.camera_id == cameras.c.camera_id)
        query = (
            sa.select(*_VERDICT, latest.c.history, measurements.c.body.label("measurement"), measurements.c.working)
            .select_from(joined)
            .where(latest.c.at_wall_ns >= since_wall_ns, cameras.c.region.startswith(region_prefix, autoescape=True))
            .order_by(latest.c.camera_id)
        )
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                verdict = self._verdict(connection, row)
                yield VisitRecord(verdict, row.history, False, row.measurement, row.working)

    def _verdict(self, connection: Connection, row: Any) -> Verdict:
        shape = self._terms.shape(connection, row.shape_no)
        return packed_verdict.unpack(row.whose, row.seen_wall_ns, shape, row.verdict)

    def _status(self, connection: Connection, row: Any) -> CameraStatus:
        camera = _camera(row)
        if row.shape_no is None:
            return CameraStatus(camera)
        shape = self._terms.shape(connection, row.shape_no)
        return CameraStatus(camera, PackedVerdict(row.seen_wall_ns, shape, row.verdict))


def _upsert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]], by: str = "camera_id") -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=[by], set_=changed), rows)


def _with_latest() -> sa.Join:
    return cameras.outerjoin(latest, cameras.c.camera_id == latest.c.camera_id)


def _joined() -> "sa.Select[Any]":
    return sa.select(*_CAMERA, *_VERDICT).select_from(_with_latest())


def _keys(query: CameraQuery) -> "list[sa.Column[Any]]":
    """What the list is ordered by; the id makes each place unique."""
    by_id = query.order is CameraOrder.NAME
    return [cameras.c.camera_id] if by_id else [cameras.c[query.order.value], cameras.c.camera_id]


def _order(query: CameraQuery) -> "list[sa.ColumnElement[Any]]":
    return [key.desc() if query.descending else key.asc() for key in _keys(query)]


def _after(query: CameraQuery) -> "list[sa.ColumnElement[bool]]":
    """Beyond the place where the last page ended; a place, not a number of rows: inserts do not move it."""
    mark, keys = query.after, _keys(query)
    if mark is None:
        return []
    place = [mark.camera_id] if len(keys) == 1 else [mark.value, mark.camera_id]
    keys_row, place_row = sa.tuple_(*keys), sa.tuple_(*map(sa.literal, place))
    return [keys_row < place_row if query.descending else keys_row > place_row]


def _mark(camera: Camera, order: CameraOrder) -> CameraCursor:
    return CameraCursor(camera.camera_id, "" if order is CameraOrder.NAME else getattr(camera, order.value))


def _filters(query: CameraQuery) -> "list[sa.ColumnElement[bool]]":
    wanted: list[sa.ColumnElement[bool]] = []
    if query.region_prefix:
        # The range finds its way in the index, which LIKE does not.
        wanted.append(cameras.c.region.between(query.region_prefix, query.region_prefix.ljust(_REGION_DIGITS, "9")))
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
    """From a row that begins with `_CAMERA`; by place, since by name it takes twice as long."""
    values = list(row[: len(_CAMERA)])
    values[_KEY_POINT_AT] = _KEY_POINT[values[_KEY_POINT_AT]]
    values[_SITE_KIND_AT] = _SITE_KIND[values[_SITE_KIND_AT]]
    return Camera(*values)


def _measured_row(record: VisitRecord) -> dict[str, Any]:
    return {
        "camera_id": record.verdict.camera_id,
        "visit_id": record.verdict.visit_id,
        "working": record.working,
        "body": record.measurement,
    }
