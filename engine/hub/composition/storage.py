"""Opens what the hub stores to: database, evidence, quarantine and writer; nobody but this user may read them."""

import contextlib
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.clock import wall_ns
from engine.config.calendar import Calendar
from engine.config.schema import RecordSettings, Settings
from engine.hub.keyframes.pipeline import Storage
from engine.hub.shards.lease import ShardLease
from engine.metrics import Metrics
from engine.metrics.records import ARCHIVED
from engine.model.shard import ShardTask
from engine.runtime.control import Control
from engine.runtime.log import logger
from engine.storage.db.database import parse_url, sqlite_file
from engine.storage.db.passwords.keys import KeyUnavailableError, source_of
from engine.storage.db.passwords.sealed_urls import LOST_KEY_REMEDY
from engine.storage.db.store import Store
from engine.storage.evidence.archive import Archive
from engine.storage.evidence.archive_files import open_archive_files
from engine.storage.evidence.quarantine import Quarantine
from engine.storage.evidence.store import EvidenceStore
from engine.storage.private_files import tighten
from engine.storage.writer.writer import Writer

_VISITS_END_S = 5.0
"""How long the processes that visit cameras are waited for, which end at the same time as the hub."""


def take_lease(settings: Settings, shard: ShardTask, control: Control, stack: contextlib.ExitStack) -> ShardLease:
    """Take the lease of the hub's shard and renew it; it is given back with `stack`, once all is written and no camera
    is visited any more.

    Raises LeaseLostError if the supervisor says stop while another process has it.
    """

    def waits() -> bool:
        control.beat()
        return not control.stop_requested()

    lease = ShardLease.take(settings.record.url, shard, waits)
    lease.start()

    def give_back() -> None:
        lease.close(give_back=control.visits_are_over(_VISITS_END_S))

    stack.callback(give_back)
    return lease


def open_storage(
    settings: Settings,
    calendar: Calendar,
    metrics: Metrics,
    stack: contextlib.ExitStack,
    *,
    create: bool,
    lease: ShardLease | None = None,
) -> Storage:
    """Open all of it; it is closed with `stack`. `create`: make the database if there is none. `lease`: of the shard
    that this hub runs; None for an engine alone.

    Raises StoreError if the database cannot be used, or another engine runs on it.
    """
    record = settings.record
    keys = source_of(record)
    if lease is not None:
        store = Store.open_shard(record.url, lease.lease, keys)
    else:
        store = Store.open(record.url, keys) if create else Store.open_existing(record.url, keys)
    stack.callback(store.close)
    if store.created:
        logger().info("the database is new", database=store.created)
    store.acquire_writer_lock()
    _tighten(record)
    _seal(store)
    archive = _open_archive(store, record, metrics)
    evidence = EvidenceStore(
        Path(record.evidence_dir), record.evidence_bytes_max, on_evicted=metrics.evidence_out, archive=archive
    )
    evidence.archive_uncopied()
    quarantine = Quarantine(Path(record.quarantine_dir), record.quarantine_files_max)
    zone = ZoneInfo(calendar.timezone)
    writer = Writer(
        store,
        evidence,
        record,
        metrics.store_error,
        lambda took_s: metrics.stage("store", took_s),
        partial(_maintain, store, evidence, zone),
    )
    stack.callback(writer.close)
    return Storage(store, writer, evidence, quarantine)


def _maintain(store: Store, evidence: EvidenceStore, zone: ZoneInfo, record: RecordSettings) -> bool:
    """Do one step of upkeep: of evidence first, which needs no database. Returns whether there is more to do."""
    more = evidence.keep_within_budget()
    more = evidence.step_archive() or more
    return store.maintenance.step(record, wall_ns(), zone) or more


def _open_archive(store: Store, record: RecordSettings, metrics: Metrics) -> Archive | None:
    files = open_archive_files(record)
    if files is None:
        return None

    def on_out() -> None:
        metrics.evidence_out(ARCHIVED)

    def on_failed() -> None:
        metrics.store_error("archive")

    return Archive(files, store.archive_index, record.archive_bytes_max, on_out, on_failed)


def _seal(store: Store) -> None:
    """Seal the passwords that are in clear, and say how many nobody can open. Their cameras alone are not visited."""
    try:
        if sealed := store.seal_clear_urls():
            logger().warning("passwords of cameras were in clear, now they are sealed", cameras=sealed)
    except KeyUnavailableError as error:
        logger().error("passwords of cameras stay in clear", detail=str(error))
    unreadable, why = store.unreadable_urls()
    if unreadable:
        logger().error(
            "cameras are not visited: no key opens their URLs", cameras=unreadable, detail=why or LOST_KEY_REMEDY
        )


def _tighten(record: RecordSettings) -> None:
    """Take the rights of other users from the engine's files, and log which had them."""
    database = sqlite_file(parse_url(record.url))
    try:
        for changed in tighten(
            database, (Path(record.evidence_dir), Path(record.quarantine_dir)), source_of(record).file
        ):
            logger().warning(
                "others could read it, now only this user can",
                path=str(changed.path),
                mode_before=changed.before,
                mode=changed.after,
            )
    except OSError as error:
        logger().warning("others may be able to read the engine's files", detail=str(error))
