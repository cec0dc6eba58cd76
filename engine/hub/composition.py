"""Builds the hub: opens the store and the listeners, and joins all parts by their constructors."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine import __version__
from engine.clock import monotonic_ns, wall_ns
from engine.config.address import host_port, is_loopback
from engine.config.calendar import Calendar
from engine.config.ledger import LedgerSettings
from engine.config.schema import Settings
from engine.config.trace import TraceSettings
from engine.errors import ConfigError
from engine.hub.catalog import Catalog
from engine.hub.configuration import Configuration
from engine.hub.keyframes.gateways import Gateways
from engine.hub.keyframes.judge_state_store import JudgeStateStore
from engine.hub.keyframes.judging import Judge
from engine.hub.keyframes.pipeline import KeyframePipeline, Outlets, Storage
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.loop import HubLoop, Sockets
from engine.hub.open_storage import open_storage
from engine.hub.port import Port
from engine.hub.readiness import Readiness, StoreProbe
from engine.hub.registry import Registry
from engine.hub.services.canteens import CanteenService
from engine.hub.services.digests import DigestService
from engine.hub.services.evidence_retention import EvidenceRetention
from engine.hub.services.finding_log import CommitFlag, FindingLog, FindingPublisher, log_steps
from engine.hub.services.findings import FindingsService
from engine.hub.services.kpis import KpiService
from engine.hub.services.notices import NoticeBodies, NoticesService, confirm_with
from engine.hub.services.pictures import PictureService
from engine.hub.state import HubState
from engine.hub.status_listener import serve_status
from engine.hub.storage_watch import StorageWatch
from engine.hub.stories.stories import Stories
from engine.hub.telemetry import Telemetry
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
from engine.redact import redact_url
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.control import OWN_SOCKET, RELOADED, Control
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.descriptors import connections_within
from engine.runtime.log import logger
from engine.runtime.transport import Curve, Transport
from engine.scheduler.core import Scheduler
from engine.serve.access.refusals import Refusals
from engine.serve.server import GrpcServer
from engine.serve.services import findings as finding_service
from engine.serve.services import patrol as patrol_service
from engine.serve.streams.broadcast import Broadcast
from engine.storage.db.pauses import delete_pause
from engine.storage.db.store import Store
from engine.storage.writer.writer import Writer

if TYPE_CHECKING:
    from engine.runtime.otlp import OtlpExporter

_GRPC_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub that is ready to run. `state` is for the thread that runs `loop`."""

    loop: HubLoop
    state: HubState
    port: Port
    grpc: GrpcServer
    writer: Writer
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the hub keeps in memory of what is stored."""

    registry: Registry
    catalog: Catalog
    judge_states: JudgeStateStore
    operator_cases: dict[str, OperatorCase]


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The findings, and everybody who follows them."""

    findings: FindingsService
    watch: Broadcast[LoggedEvent]
    bodies: NoticeBodies
    sender: Sender
    publisher: FindingPublisher


def compose(
    settings: Settings,
    calendar: Calendar,
    run_dir: Path,
    control: Control,
    on_begin: Callable[[], None],
    stack: contextlib.ExitStack,
    *,
    again: bool = False,
    restarts: Sequence[tuple[str, str, int]] = (),
) -> Hub:
    """Build the hub, open its listeners, and tell the supervisor that it is ready.

    What is opened is closed with `stack`, the last first. `on_begin` is called in the hub's thread when visits begin.
    `again` and `restarts`: as of engine.hub.process.run. Raises ConfigError, ListenError or StoreError.
    """
    metrics = Metrics(version=__version__)
    metrics.vitals.restarts(restarts)
    exporter = _exporter(settings.trace, metrics, stack)
    traces = None if exporter is None else VisitTraces(settings.trace.visit_ratio, exporter.emit)
    connections = ConnectionLimit(connections_within(settings.intake.connections_max, share=4))
    sockets, keys, intake_address = _open_sockets(settings, run_dir, control, connections, stack)
    storage = open_storage(settings, calendar, metrics, stack, create=not again)
    memory = _load(storage.store, settings.ledger)
    calls = ThreadCalls()
    stories = Stories()
    ledger = _ledger(settings, storage, memory, calls, stories, metrics, stack)
    outlets = _outlets(settings, calendar, storage, memory, ledger, stories, metrics)

    visits = _visits(settings, calendar, sockets, storage, memory, stories, metrics, traces)
    workers = WorkerPool(settings.intake, sockets.work, metrics, lambda: len(memory.registry.cameras))
    judge = Judge(settings.judge, memory.registry, memory.judge_states, visits.is_working)
    pipeline = KeyframePipeline(settings, workers, visits, judge, ledger.findings, storage, outlets, metrics, traces)
    storage.store.transaction_hooks.append(pipeline.stored)
    storage.writer.start(pipeline.published)

    refusals = Refusals()
    gateways = Gateways(settings.intake, memory.registry.cameras, keys, metrics, connections, refusals)
    digests = DigestService(storage.store, calendar.timezone, hebei())
    apply = _apply(pipeline, gateways, visits, storage.writer, ledger, outlets, digests)
    report = partial(control.send, RELOADED)
    configuration = Configuration(settings, calendar, visits.warnings, apply, metrics.reloaded, report)
    registry = memory.registry
    readiness = _readiness(settings, storage, workers, visits, metrics, stack)
    telemetry = Telemetry(pipeline, workers, visits, registry, ledger.findings, outlets, storage, readiness, metrics)
    state = HubState(calls, registry, visits, workers, judge, pipeline, telemetry, configuration)
    pictures = PictureService(state, storage.evidence, metrics)
    canteens = CanteenService(storage.store.canteens, registry, memory.catalog)
    services = outlets.kpis, ledger.findings, pictures, canteens, digests, stories
    port = Port(state, storage, memory.catalog, *services, lambda: readiness.serving)
    _check_web(settings, storage.store)
    access, own_socket = storage.store.access, run_dir / OWN_SOCKET
    grpc = GrpcServer(
        settings.serve,
        port,
        access,
        outlets.watch,
        ledger.watch,
        metrics,
        redact_url,
        own_socket,
        readiness.unready,
        refusals,
        None if exporter is None else exporter.emit_call,
    )
    stack.callback(grpc.stop, _GRPC_GRACE_S)

    def begin() -> None:
        on_begin()
        grpc.set_ready(True)
        readiness.serving = True
        telemetry.update(monotonic_ns())
        for warning in configuration.warnings():
            logger().warning("configuration", detail=warning)

    loop = HubLoop(sockets, state, gateways, metrics, begin, refusals)
    telemetry.update(monotonic_ns())  # the first scrape sees what is, not zeros
    status_address = serve_status(settings.serve, metrics, readiness.unready, refusals, stack)
    control.ready(grpc=grpc.start(), intake=intake_address, metrics=status_address)
    ledger.sender.start()  # last: a hub that cannot start must not send anything
    return Hub(loop, state, port, grpc, storage.writer, readiness)


def _check_web(settings: Settings, store: Store) -> None:
    """Raise ConfigError if the HTTP gateway listens on a public address while there is no token."""
    web = settings.web
    if web.enabled and not is_loopback(host_port(web.listen)[0]) and not store.access.digests():
        raise ConfigError(
            f"web.listen = {web.listen!r}: a public address needs a token, and there is none; make one with "
            "`patrol token create --name NAME --role admin`, or listen on 127.0.0.1"
        )


def _open_sockets(
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
    intake = settings.intake
    if not intake.listen:
        return Sockets(control, feed, work, None), None, ""
    keys = curve = None
    if intake.curve_secret_file:
        keys = CurveKeys(Path(intake.curve_clients_dir))
        curve = Curve(Path(intake.curve_secret_file), keys.admits)
    pushes, address = transport.bind_pull(intake.listen, intake.payload_bytes_max, curve, connections)
    if keys is not None:
        keys.start()
        stack.callback(keys.close)
    return Sockets(control, feed, work, pushes), keys, address


def _readiness(
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


def _load(store: Store, settings: LedgerSettings) -> _Memory:
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
    return _Memory(registry, Catalog(registry, verdicts), JudgeStateStore(judge_states.items()), cases)


def _ledger(
    settings: Settings,
    storage: Storage,
    memory: _Memory,
    calls: ThreadCalls,
    stories: Stories,
    metrics: Metrics,
    stack: contextlib.ExitStack,
) -> _Ledger:
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
    retention = EvidenceRetention(storage.evidence, record.cited())
    listeners = (log_steps, retention.update, stories.ledger, watch.publish, lambda _events: sender.wake())
    return _Ledger(findings, watch, bodies, sender, FindingPublisher(record, written, listeners))


def _outlets(
    settings: Settings,
    calendar: Calendar,
    storage: Storage,
    memory: _Memory,
    ledger: _Ledger,
    stories: Stories,
    metrics: Metrics,
) -> Outlets:
    store, serve = storage.store, settings.serve
    cameras = memory.registry.cameras.values()
    kept = settings.record.kpi_days, settings.record.kpi_hours_days
    kpis = KpiService(store.kpis, calendar.timezone, kept[0], cameras, show=metrics.kpis, keep_hours_days=kept[1])
    verdict_log = VerdictLog(store.history, memory.registry)
    watch: Broadcast[PublishedVerdict] = Broadcast(
        verdict_log,
        patrol_service.encode_watch_event,
        patrol_service.encode_watch_token,
        serve.watch_queue_max,
        serve.watchers_max,
    )
    notices = NoticesService(settings.notices, ledger.bodies)
    return Outlets(kpis, notices, memory.catalog, verdict_log, watch, ledger.publisher, stories)


def _exporter(settings: TraceSettings, metrics: Metrics, stack: contextlib.ExitStack) -> "OtlpExporter | None":
    """Return what sends spans; None without traces, and then nothing of OpenTelemetry is loaded."""
    if not settings.endpoint:
        return None
    from engine.runtime.otlp import OtlpExporter

    exporter = OtlpExporter(settings, __version__, metrics.spans)
    exporter.start()
    stack.callback(exporter.close)
    return exporter


def _visits(
    settings: Settings,
    calendar: Calendar,
    sockets: Sockets,
    storage: Storage,
    memory: _Memory,
    stories: Stories,
    metrics: Metrics,
    traces: VisitTraces | None,
) -> Visits:
    scheduler = Scheduler(settings.scheduler, calendar, first_visit_id=wall_ns())

    def forget(pause: Pause) -> None:
        storage.writer.transact(delete_pause(pause))

    visits = Visits(settings, memory.registry, scheduler, sockets.feed.send, metrics, forget, stories, traces)
    for pause in storage.store.pauses.all():
        visits.pause(pause, monotonic_ns())
    return visits


def _apply(
    pipeline: KeyframePipeline,
    gateways: Gateways,
    visits: Visits,
    writer: Writer,
    ledger: _Ledger,
    outlets: Outlets,
    digests: DigestService,
) -> Callable[[Settings, Calendar], None]:
    """Return what brings new settings into force, in the hub's thread."""

    def apply(settings: Settings, calendar: Calendar) -> None:
        pipeline.configure(settings)
        gateways.configure(settings.intake)
        writer.configure(settings.record)
        ledger.findings.configure(settings)
        visits.configure(settings, calendar, monotonic_ns())
        outlets.kpis.configure(calendar.timezone, settings.record.kpi_days, settings.record.kpi_hours_days)
        outlets.notices.configure(settings.notices)
        digests.configure(calendar.timezone)
        ledger.sender.configure(settings.notices)

    return apply
