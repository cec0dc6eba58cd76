"""Makes the parts of the hub that several others need: sockets, memory, ledger, outlets, visits, readiness."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import __version__
from engine.clock import monotonic_ns, wall_ns
from engine.config.calendar import Calendar
from engine.config.ledger import LedgerSettings
from engine.config.schema import Settings
from engine.config.trace import TraceSettings
from engine.hub.catalog import Catalog
from engine.hub.keyframes.intake_socket import open_intake
from engine.hub.keyframes.judge_state_store import JudgeStateStore
from engine.hub.keyframes.pipeline import Outlets, Storage
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.loop import Sockets
from engine.hub.readiness import Readiness, StoreProbe
from engine.hub.registry import Registry
from engine.hub.services.evidence_retention import EvidenceRetention
from engine.hub.services.finding_log import CommitFlag, FindingLog, FindingPublisher, log_steps
from engine.hub.services.findings import FindingsService
from engine.hub.services.kpis import KpiService
from engine.hub.services.notices import NoticeBodies, NoticesService, confirm_with
from engine.hub.shards.host_caps import HostCaps
from engine.hub.shards.lease import ShardLease
from engine.hub.storage_watch import StorageWatch
from engine.hub.stories.stories import Stories
from engine.hub.thread_calls import ThreadCalls
from engine.hub.verdict_log import VerdictLog
from engine.hub.visiting.visit_traces import VisitTraces
from engine.hub.visiting.visits import Visits
from engine.hub.webhook_addresses import is_refused
from engine.interchange.regions import hebei
from engine.ledger.operator_list import OperatorCase
from engine.metrics import Metrics
from engine.model.findings import LoggedEvent
from engine.model.packed.verdict import PackedVerdict, unpack_body
from engine.model.schedule import Pause
from engine.model.verdict import PublishedVerdict, State
from engine.notices.sender import Sender
from engine.overlay.installed import is_installed
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.control import Control
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.transport import Transport
from engine.scheduler.core import Scheduler
from engine.serve.services import findings as finding_service
from engine.serve.services import patrol as patrol_service
from engine.serve.streams.broadcast import Broadcast
from engine.storage.db.pauses import delete_pause
from engine.storage.db.store import Store

if TYPE_CHECKING:
    from engine.runtime.otlp import OtlpExporter


@dataclass(frozen=True, slots=True)
class Memory:
    """What the hub keeps in memory of what is stored."""

    registry: Registry
    catalog: Catalog
    judge_states: JudgeStateStore
    operator_cases: dict[str, OperatorCase]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The findings, and everybody who follows them."""

    findings: FindingsService
    watch: Broadcast[LoggedEvent]
    bodies: NoticeBodies
    sender: Sender
    publisher: FindingPublisher


def open_sockets(
    settings: Settings,
    run_dir: Path,
    control: Control,
    connections: ConnectionLimit,
    stack: contextlib.ExitStack,
) -> tuple[Sockets, CurveKeys | None, str]:
    """Return the sockets, the keys of the gateways (None without CURVE), and the address at which these push; empty if
    they may not."""
    transport = Transport()
    stack.callback(transport.close)
    feed = transport.bind_router(f"ipc://{run_dir}/feed")
    work = transport.bind_router(f"ipc://{run_dir}/work")
    read = transport.bind_router(f"ipc://{run_dir}/read") if settings.reader.enabled and is_installed() else None
    if not settings.intake.listen:
        return Sockets(control, feed, work, None, read), None, ""
    pushes, keys, address = open_intake(settings.intake, transport, connections, stack)
    return Sockets(control, feed, work, pushes, read), keys, address


def share_host_caps(
    store: Store, lease: ShardLease | None, visits: Visits, calls: ThreadCalls, stack: contextlib.ExitStack
) -> HostCaps | None:
    """Share the caps of platforms with other shards, which `start` begins to follow; None for an engine alone."""
    if lease is None or store.host_grants is None:
        return None
    host_caps = HostCaps(store.host_grants, lease, visits, calls)
    host_caps.step_in_hub()
    stack.callback(host_caps.close)
    return host_caps


def watch_readiness(
    settings: Settings,
    storage: Storage,
    workers: WorkerPool,
    visits: Visits,
    metrics: Metrics,
    stack: contextlib.ExitStack,
) -> Readiness:
    """Begin to watch the disks; return what says whether the hub can do its work."""
    record = settings.record
    folders = {"quarantine": Path(record.quarantine_dir)}
    disks = StorageWatch(storage.store, Path(record.evidence_dir), folders, metrics.vitals)
    disks.start()
    stack.callback(disks.close)

    def ready() -> dict[str, int]:
        return {"workers": len(workers), **{f"{role}s": number for role, number in visits.feeders_ready().items()}}

    wanted = ("workers", "feeders", "demuxers") if settings.feed.demuxers else ("workers", "feeders")
    probe = StoreProbe(storage.writer.transact, monotonic_ns())
    return Readiness(ready, probe, wanted, disks.problems)


def load_memory(store: Store, settings: LedgerSettings) -> Memory:
    """Read the registry, and of each camera the latest verdict and the judge state."""
    verdicts: dict[str, PackedVerdict] = {}
    judge_states: dict[str, bytes] = {}
    for camera_id, packed, judge_state in store.latest():  # in one pass: it may be half a gigabyte
        verdicts[camera_id], judge_states[camera_id] = packed, judge_state
    announced = {camera_id: packed.shape.key.announced for camera_id, packed in verdicts.items()}
    offline_since = {
        camera_id: unpack_body(packed.shape, packed.body).since_wall_ns
        for camera_id, packed in verdicts.items()
        if announced[camera_id] == State.OFFLINE
    }
    registry = Registry(store.registry.cameras(), announced, offline_since)
    cases = {
        camera_id: OperatorCase(key.reason, packed.at_wall_ns)
        for camera_id, packed in verdicts.items()
        if (key := packed.shape.key).announced is key.state is State.OFFLINE and key.reason in settings.operator_reasons
    }
    return Memory(registry, Catalog(registry, verdicts), JudgeStateStore(judge_states.items()), cases)


def make_ledger(
    settings: Settings,
    storage: Storage,
    memory: Memory,
    calls: ThreadCalls,
    stories: Stories,
    metrics: Metrics,
    stack: contextlib.ExitStack,
) -> Ledger:
    """Return the findings with everybody who follows them; the sender of notices is not started yet."""
    record, written = storage.store.findings, CommitFlag()
    bodies = NoticeBodies(memory.registry.cameras, hebei())
    cases = memory.operator_cases
    findings = FindingsService(settings, record, storage.writer, written, calls, metrics, bodies.finding, cases)
    sender = Sender(
        storage.store.outbox, settings.notices, confirm_with(findings, calls), metrics, is_refused, stories.attempted
    )
    stack.callback(sender.close)
    serve = settings.serve
    watch: Broadcast[LoggedEvent] = Broadcast(
        FindingLog(record),
        finding_service.encode_watch_event,
        finding_service.encode_watch_token,
        serve.watch_queue_max,
        serve.watchers_max,
    )
    retention = EvidenceRetention(storage.evidence, record.cited(), lambda number: record.cited(number).get(number, ()))
    listeners = (log_steps, retention.update, stories.ledger, watch.publish, lambda _events: sender.wake())
    return Ledger(findings, watch, bodies, sender, FindingPublisher(record, written, listeners))


def make_outlets(
    settings: Settings,
    calendar: Calendar,
    storage: Storage,
    memory: Memory,
    ledger: Ledger,
    stories: Stories,
    metrics: Metrics,
) -> Outlets:
    """Return where stored verdicts go."""
    store, serve = storage.store, settings.serve
    cameras = memory.registry.cameras.values()
    record = settings.record
    kpis = KpiService(
        store.kpis,
        calendar.timezone,
        record.kpi_days,
        cameras,
        show=metrics.kpis,
        keep_hours_days=record.kpi_hours_days,
        sub_counts=record.kpi_streams == "all",
    )
    verdict_log = VerdictLog(store.history, memory.registry)
    watch: Broadcast[PublishedVerdict] = Broadcast(
        verdict_log,
        patrol_service.encode_watch_event,
        patrol_service.encode_watch_token,
        serve.watch_queue_max,
        serve.watchers_max,
    )
    notices = NoticesService(settings.notices, ledger.bodies, store.outbox)
    return Outlets(kpis, notices, memory.catalog, verdict_log, watch, ledger.publisher, stories)


def start_exporter(settings: TraceSettings, metrics: Metrics, stack: contextlib.ExitStack) -> "OtlpExporter | None":
    """Return what sends spans; None without traces, and then nothing of OpenTelemetry is loaded."""
    if not settings.endpoint:
        return None
    from engine.runtime.otlp import OtlpExporter

    exporter = OtlpExporter(settings, __version__, metrics.spans)
    exporter.start()
    stack.callback(exporter.close)
    return exporter


def make_visits(
    settings: Settings,
    calendar: Calendar,
    sockets: Sockets,
    storage: Storage,
    memory: Memory,
    stories: Stories,
    metrics: Metrics,
    traces: VisitTraces | None,
) -> Visits:
    """Return what has the cameras visited, with the pauses that are stored."""
    scheduler = Scheduler(settings.scheduler, calendar, first_visit_id=wall_ns())

    def forget(pause: Pause) -> None:
        storage.writer.transact(delete_pause(pause))

    visits = Visits(settings, memory.registry, scheduler, sockets.feed.send, metrics, forget, stories, traces)
    for pause in storage.store.pauses.all():
        visits.pause(pause, monotonic_ns())
    return visits
