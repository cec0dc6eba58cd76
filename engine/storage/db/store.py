"""The database as one object: writes verdicts, and holds the classes that read and write everything else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.packed import verdict as packed_verdict
from engine.model.packed.verdict import PackedVerdict
from engine.model.verdict import Verdict
from engine.storage.db.access import Access
from engine.storage.db.archive_index import ArchiveIndex
from engine.storage.db.canteens import Canteens
from engine.storage.db.database import (
    DatabaseUnavailableError,
    connect,
    file_of,
    name_of,
    parse_url,
    sqlite_file,
    unusable_error,
    upsert,
    write_transaction,
)
from engine.storage.db.interning import Interning
from engine.storage.db.kpis import Kpis
from engine.storage.db.ledger.findings import FindingStore
from engine.storage.db.maintenance import Maintenance
from engine.storage.db.outbox import Outbox
from engine.storage.db.passwords import sealed_urls
from engine.storage.db.passwords.keys import KeySource, source_beside
from engine.storage.db.passwords.sealer import Sealer
from engine.storage.db.pauses import Pauses
from engine.storage.db.registry import CameraRegistry
from engine.storage.db.schema import prepare, require_existing, require_no_orphan
from engine.storage.db.shards.applied_configurations import AppliedConfigurations
from engine.storage.db.shards.changes import CameraChanges
from engine.storage.db.shards.fence import FENCED_SESSION, Fence
from engine.storage.db.shards.host_grants import HostGrantStore
from engine.storage.db.shards.leases import Lease
from engine.storage.db.shards.scope import EVERYTHING, Scope, scope_of
from engine.storage.db.shards.sequences import ALONE, Sequences
from engine.storage.db.spot_checks import SpotChecks
from engine.storage.db.tables import cameras, latest, measurements, patrol_metadata, verdict_log
from engine.storage.db.verdict_history import VerdictHistory
from engine.storage.db.writer_lock import WriterLock

_CHUNK_ROWS = 500
_LAST_BATCH_KEY = "last_batch"
"""Key in patrol_about: the id of the batch that was committed last, and the first `seq` of its verdicts."""


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What is written of one visit.

    `judge_state`: the camera's judge state after the visit, opaque here. `changed`: the announced state changed.
    `measurement`: of a visit that brought a picture, opaque here; empty for others. `working`: the kitchen worked.
    `seq`: position in the verdict log, 0 before it is written; `packed_verdict`: the verdict as the log has it, empty
    before. `exhibit`: an announced fault is new or changed, so its
    keyframe is kept as an exhibit; `evidence`: the SHA-256 digests of the exhibits, once they are kept. `region`: of
    the camera, for the log; it is not written.
    """

    verdict: Verdict
    judge_state: bytes
    changed: bool = False
    measurement: bytes = b""
    working: bool = True
    seq: int = 0
    exhibit: bool = False
    evidence: tuple[str, ...] = ()
    packed_verdict: bytes = b""
    region: str = ""


Write = Callable[[Connection], None]
"""Writes something in the same transaction. It runs again if the transaction has to be repeated."""

TransactionHook = Callable[[Connection, Sequence[VisitRecord]], None]
"""Called in each transaction that writes, with the batch's verdicts (with their `seq`; possibly none)."""


class Store:
    """One database. Any thread may call; every call is its own transaction.

    Calls raise DatabaseUnavailableError (a StoreError) if the database cannot be reached. `created`: name of the
    database if its tables were created when it was opened, else empty.
    """

    def __init__(
        self,
        engine: Engine,
        created: str = "",
        keys: KeySource | None = None,
        fence: Fence | None = None,
        scope: Scope = EVERYTHING,
    ) -> None:
        self._engine = engine
        self.created = created
        self._fence = fence
        self._scope = scope
        self._sequences = ALONE if fence is None else Sequences(fence.lease.shard_no)
        self._last_batch_key = f"{_LAST_BATCH_KEY}.{self._sequences.shard_no}" if fence else _LAST_BATCH_KEY
        self._sealer = Sealer(keys or source_beside(engine.url))
        self._interning = Interning(shared=fence is not None)
        self._writer_lock = WriterLock(engine, shared=fence is not None)
        self.transaction_hooks: list[TransactionHook] = []
        self.changes = CameraChanges(engine, self._sequences)
        self.registry = CameraRegistry(engine, self._interning, self._sealer, self.changes, scope)
        self.history = VerdictHistory(engine, self._interning, self._sequences)
        self.findings = FindingStore(engine, self._sequences, scope)
        self.spot_checks = SpotChecks(engine)
        self.access = Access(engine)
        self.pauses = Pauses(engine)
        self.canteens = Canteens(engine)
        self.host_grants = None if fence is None else HostGrantStore(engine, fence.lease)
        self.outbox = Outbox(engine, self._sequences.shard_no)
        self.kpis = Kpis(engine, scope)
        self.archive_index = ArchiveIndex(engine)
        self.applied_configurations = AppliedConfigurations(engine)
        self.maintenance = Maintenance(self._writer_lock, self._interning, self._sequences)

    @classmethod
    def open(cls, url: str, keys: KeySource | None = None) -> Self:
        """Open a database; create the tables if it is empty.

        `keys`: open and seal the URLs of cameras; without them, the file beside a SQLite database does.
        Raises StoreError if the database cannot be used. One of an older schema is refused and left as it is.
        """
        engine, was_empty = _prepared(url)
        return cls(engine, name_of(engine.url) if was_empty else "", keys)

    @classmethod
    def open_existing(cls, url: str, keys: KeySource | None = None) -> Self:
        """Open a database to read it; create nothing.

        Raises NoDatabaseError if there is none, StoreError if it cannot be used.
        """
        require_existing(url)
        return cls.open(url, keys)

    @classmethod
    def open_shard(cls, url: str, lease: Lease, keys: KeySource | None = None) -> Self:
        """Open a PostgreSQL database as the owner of a shard; every transaction that writes is fenced by the lease, and
        what is loaded at a start is about the counties that the shard has now.

        Raises NoDatabaseError if there is none, StoreError if it cannot be used.
        """
        require_existing(url)
        engine, _ = _prepared(url, FENCED_SESSION)
        fence = Fence(lease)
        fence.guard(engine)
        return cls(engine, "", keys, fence, scope_of(engine, lease.shard_no))

    @property
    def is_shard(self) -> bool:
        """Whether this is the store of a shard's owner; else of an engine alone, a front or a command."""
        return self._fence is not None

    @property
    def writes_fenced(self) -> int:
        """How many transactions were refused, because another process has the shard now."""
        return 0 if self._fence is None else self._fence.refused

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for another database, or one in memory."""
        return sqlite_file(self._engine.url)

    def file_problem(self) -> str:
        """Return what has become of the file of a SQLite database; empty if all is well, and for a server.

        Raises OSError if the disk cannot be read.
        """
        file = file_of(self._engine)
        return "" if file is None else file.problem()

    def size_bytes(self) -> int:
        """Return the size of the database, with its write-ahead log. Raises StoreError or OSError."""
        file = file_of(self._engine)
        if file is not None:
            return file.size_bytes()
        with self._engine.connect() as connection:
            if connection.dialect.name != "postgresql":
                return 0  # SQLite in memory
            return int(connection.scalar(sa.select(sa.func.pg_database_size(sa.func.current_database()))) or 0)

    def close(self) -> None:
        """Release the writer lock and close all connections."""
        self._writer_lock.release()
        self._engine.dispose()

    def acquire_writer_lock(self) -> None:
        """Make this the only process that writes verdicts, until `close`. Raises StoreError if another one does."""
        try:
            self._writer_lock.acquire()
        except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
            raise unusable_error(self._engine.url, error) from error

    def seal_clear_urls(self) -> int:
        """Seal the URLs that hold a secret in clear, as those of an engine without keys; return how many did.

        Raises KeyUnavailableError.
        """
        with write_transaction(self._engine) as connection:
            return sealed_urls.seal_clear(connection, self._sealer)

    def unreadable_urls(self) -> tuple[int, str]:
        """Return how many URLs no key opens, and why the keys cannot be read; empty if they can."""
        with self._engine.connect() as connection:
            return sealed_urls.unreadable(connection, self._sealer), self._sealer.why_unreadable

    def latest(self) -> Iterator[tuple[str, PackedVerdict, bytes]]:
        """Yield the id, latest verdict (packed, as stored) and judge state of each camera that was visited."""
        query = sa.select(latest.c.camera_id, latest.c.at_wall_ns, latest.c.shape_no, latest.c.body, latest.c.history)
        if self._scope.counties is not None:
            query = query.join(cameras, cameras.c.camera_id == latest.c.camera_id)
            query = query.where(self._scope.holds(cameras.c.region))
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=_CHUNK_ROWS).execute(query)
            for camera_id, at_wall_ns, shape_no, body, judge_state in rows:
                yield (
                    camera_id,
                    PackedVerdict(at_wall_ns, self._interning.shape(connection, shape_no), body),
                    judge_state,
                )

    def judge_states(self, camera_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the judge states of those of these cameras that were visited."""
        query = sa.select(latest.c.camera_id, latest.c.history)
        found: dict[str, bytes] = {}
        with self._engine.connect() as connection:
            for begin in range(0, len(camera_ids), _CHUNK_ROWS):
                chunk = latest.c.camera_id.in_(camera_ids[begin : begin + _CHUNK_ROWS])
                found.update((row.camera_id, row.history) for row in connection.execute(query.where(chunk)))
        return found

    @property
    def counties(self) -> tuple[str, ...] | None:
        """The counties of a shard; None for an engine alone, which has all."""
        return self._scope.counties

    def replace_judge_states(self, judge_states: Mapping[str, bytes]) -> None:
        """Replace the judge states of cameras (by id) that have one, in one transaction; ignore other cameras."""
        if not judge_states:
            return
        update = (
            sa.update(latest)
            .where(latest.c.camera_id == sa.bindparam("of_camera"))
            .values(history=sa.bindparam("new_history"))
        )
        rows = [{"of_camera": camera_id, "new_history": state} for camera_id, state in judge_states.items()]
        with write_transaction(self._engine) as connection:
            connection.execute(update, rows)

    def write(
        self, records: Sequence[VisitRecord], writes: Sequence[Write] = (), batch_id: str = ""
    ) -> list[VisitRecord]:
        """Append verdicts to the log, replace each camera's latest verdict and judge state, then run the transaction
        hooks and `writes`; all in one transaction.

        Returns the records with their `seq`. `batch_id` identifies the batch for `committed`.
        """
        try:
            with self._writer_lock.transaction() as connection:
                stored = self._append(connection, records) if records else []
                for hook in self.transaction_hooks:
                    hook(connection, stored)
                for write in writes:
                    write(connection)
                if batch_id:
                    first = f" {stored[0].seq}" if stored else ""
                    upsert(connection, patrol_metadata, [{"key": self._last_batch_key, "value": f"{batch_id}{first}"}])
        except BaseException:
            self._interning.forget()
            raise
        return stored

    def committed(self, batch_id: str, records: Sequence[VisitRecord]) -> list[VisitRecord] | None:
        """Find out whether the last `write`, whose answer was lost, was committed.

        Returns what `write` would have returned, or None if the batch was not committed.
        """
        last_batch = sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == self._last_batch_key)
        with self._writer_lock.transaction() as connection:
            committed_id, _, first_seq = (connection.scalar(last_batch) or "").partition(" ")
        if committed_id != batch_id:
            return None
        return [
            replace(record, seq=seq, packed_verdict=packed_verdict.pack(record.verdict))
            for seq, record in zip(count(int(first_seq or 0), self._sequences.step), records, strict=False)
        ]

    def measured(self, since_wall_ns: int, region_prefix: str = "") -> Iterator[VisitRecord]:
        """Yield the latest visit of each camera of a region, with judge state and measurement, ordered by camera id.

        Left out are cameras whose latest visit was before `since_wall_ns`, or brought no picture.
        """
        joined = latest.join(
            measurements,
            sa.and_(latest.c.camera_id == measurements.c.camera_id, latest.c.visit_id == measurements.c.visit_id),
        ).join(cameras, latest.c.camera_id == cameras.c.camera_id)
        query = (
            sa.select(
                latest.c.camera_id,
                latest.c.at_wall_ns,
                latest.c.shape_no,
                latest.c.body,
                latest.c.history,
                measurements.c.body.label("measurement"),
                measurements.c.working,
            )
            .select_from(joined)
            .where(latest.c.at_wall_ns >= since_wall_ns, cameras.c.region.startswith(region_prefix, autoescape=True))
            .order_by(latest.c.camera_id)
        )
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                shape = self._interning.shape(connection, row.shape_no)
                verdict = packed_verdict.unpack(row.camera_id, row.at_wall_ns, shape, row.body)
                yield VisitRecord(verdict, row.history, False, row.measurement, row.working)

    def _append(self, connection: Connection, records: Sequence[VisitRecord]) -> list[VisitRecord]:
        camera_nos = self._interning.camera_nos(connection, [record.verdict.camera_id for record in records])
        seqs = count(self._sequences.first(connection, verdict_log.c.seq), self._sequences.step)
        stored: list[VisitRecord] = []
        log_rows: list[dict[str, Any]] = []
        latest_rows: dict[str, dict[str, Any]] = {}
        for seq, record in zip(seqs, records, strict=False):
            verdict = record.verdict
            shape_no, body = self._interning.shape_no(connection, verdict), packed_verdict.pack(verdict)
            log_rows.append(
                {
                    "seq": seq,
                    "camera_no": camera_nos[verdict.camera_id],
                    "at_wall_ns": verdict.at_wall_ns,
                    "changed": record.changed,
                    "shape_no": shape_no,
                    "body": body,
                }
            )
            latest_rows[verdict.camera_id] = {
                "camera_id": verdict.camera_id,
                "seq": seq,
                "visit_id": verdict.visit_id,
                "at_wall_ns": verdict.at_wall_ns,
                "announced": verdict.announced.value,
                "since_wall_ns": verdict.since_wall_ns,
                "shape_no": shape_no,
                "body": body,
                "history": record.judge_state,
            }
            stored.append(replace(record, seq=seq, packed_verdict=body))
        measured = {record.verdict.camera_id: _measurement_row(record) for record in records if record.measurement}
        connection.execute(sa.insert(verdict_log), log_rows)
        upsert(connection, latest, list(latest_rows.values()))
        upsert(connection, measurements, list(measured.values()))
        return stored


def _prepared(url: str, options: str = "") -> tuple[Engine, bool]:
    """Return a database with its tables, and whether it was empty. `options`: as of `connect`. Raises StoreError."""
    parsed = parse_url(url)
    try:
        require_no_orphan(parsed)
        engine = connect(parsed, options)
        return engine, prepare(engine)
    except (DatabaseUnavailableError, sa.exc.SQLAlchemyError, OSError) as error:
        raise unusable_error(parsed, error) from error


def _measurement_row(record: VisitRecord) -> dict[str, Any]:
    return {
        "camera_id": record.verdict.camera_id,
        "visit_id": record.verdict.visit_id,
        "working": record.working,
        "body": record.measurement,
    }
