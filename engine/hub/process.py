"""The hub process: opens store and listeners, wires the cores, runs the loop, closes in order."""

import contextlib
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from engine import __version__
from engine.clock import monotonic_ns, wall_ns
from engine.config.calendar import Calendar
from engine.config.schema import IntakeSettings, Settings
from engine.errors import PatrolError
from engine.hub.catalog import Catalog
from engine.hub.configuration import Configuration
from engine.hub.evidence_retention import EvidenceRetention
from engine.hub.findings_service import FindingsService
from engine.hub.judge_state_store import JudgeStateStore
from engine.hub.judging import Judging
from engine.hub.kpi_service import KpiService
from engine.hub.loop import Hub
from engine.hub.notices_service import NoticesService
from engine.hub.port import Port
from engine.hub.registry import Registry
from engine.hub.verdict_log import VerdictLog
from engine.hub.visits import Visits
from engine.interchange.regions import hebei
from engine.metrics import Metrics
from engine.model.findings import LoggedEvent
from engine.model.packed_verdict import Packed
from engine.model.schedule import Pause
from engine.redact import redact
from engine.runtime.control import FAILED, RELOADED, Control
from engine.runtime.log import logger
from engine.runtime.transport import Channel, Curve, Transport
from engine.scheduler.core import Scheduler
from engine.serve.server import GrpcServer
from engine.serve.services import findings as finding_service
from engine.serve.services import patrol as patrol_service
from engine.serve.streams.broadcast import Broadcast
from engine.storage.db.pauses import removed
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.quarantine import Quarantine
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

EXIT_CANNOT_RUN = 2
_GRPC_GRACE_S = 1.0
_FLUSH_S = 2.0
_SWITCH_S = 0.0005
"""A thread that computes makes way for another so soon. With Python's 5 ms a caller who asks for one camera would wait
through a page that another's thread codes, the judge and the writer, a turn each."""

_GARBAGE_THRESHOLD = 50_000
"""So many objects more than there were, before the collector looks at them. A page of cameras alone makes thousands for
a moment; at 10,000 it was often looked through, 5 to 20 ms in which nobody was answered."""


def run(settings: Settings, calendar: Calendar, run_dir: str, control: Control) -> int:
    """Serve until STOP; returns the exit code. What makes a start impossible is told to the supervisor."""
    sys.setswitchinterval(_SWITCH_S)
    gc.disable()  # until all that stays is loaded: the collector would walk it over and over as it grows
    try:
        with contextlib.ExitStack() as stack:
            _serve(settings, calendar, Path(run_dir), control, stack)
    except PatrolError as error:
        logger().error("cannot run", code=error.code, detail=str(error))
        control.say(FAILED, error.code, str(error))
        return EXIT_CANNOT_RUN
    return 0


def _serve(
    settings: Settings, calendar: Calendar, run_dir: Path, control: Control, stack: contextlib.ExitStack
) -> None:
    metrics = Metrics(version=__version__)
    transport = Transport()
    stack.callback(transport.close)
    feed = transport.bind_router(f"ipc://{run_dir}/feed")
    work = transport.bind_router(f"ipc://{run_dir}/work")
    gateways, intake_address = _bind_gateways(transport, settings.intake)

    store = Store.open(settings.record.url)
    stack.callback(store.close)
    store.claim()
    evidence = EvidenceStore(
        Path(settings.record.evidence_dir), settings.record.evidence_bytes_max, on_out=metrics.evidence_out
    )
    quarantine = Quarantine(Path(settings.record.quarantine_dir), settings.record.quarantine_files_max)
    verdicts: dict[str, Packed] = {}
    memories: dict[str, bytes] = {}
    for camera_id, packed, memory in store.latest():  # in one reading: it is half a gigabyte
        verdicts[camera_id], memories[camera_id] = packed, memory
    announced = {one: packed.shape.key.announced for one, packed in verdicts.items()}
    registry = Registry(store.cameras(), announced)
    catalog = Catalog(registry, verdicts)

    kpis = KpiService(
        store.kpis, calendar.timezone, settings.record.kpi_days, registry.cameras.values(), show=metrics.kpis
    )
    notices = NoticesService(settings.notices, registry.cameras, hebei())
    stack.callback(notices.close)
    store.transaction_hooks += [kpis.join, notices.join]
    log = VerdictLog(store.history, registry)
    sizes = settings.serve.watch_queue_max, settings.serve.watchers_max
    watch = Broadcast(log, patrol_service.encode_watch_event, patrol_service.encode_watch_token, *sizes)

    def publish(records: Sequence[VisitRecord]) -> None:
        catalog.stored(records)
        kpis.committed()
        metrics.kpis_late(kpis.take_late())
        metrics.evidence(evidence.bytes_kept, evidence.numbers())
        watch.publish(log.stored(records))
        findings.ring()

    zone = ZoneInfo(calendar.timezone)
    writer = Writer(
        store,
        evidence,
        settings.record,
        publish,
        metrics.store_error,
        lambda taken_s: metrics.stage("store", taken_s),
        lambda record: store.upkeep.step(record, wall_ns(), zone),
    )
    stack.callback(writer.close)
    findings = FindingsService(settings, store.findings, writer, metrics, notices.finding_notice)
    judging = Judging(settings, registry, JudgeStateStore(memories.items()), writer, findings, metrics)
    scheduler = Scheduler(settings.scheduler, calendar, first_visit_id=wall_ns())
    visits = Visits(settings, registry, scheduler, feed.send, metrics, judging.failed)
    judging.is_working = visits.is_working

    def forget(pause: Pause) -> None:
        writer.transact(removed(pause))

    visits.on_pause_ended = forget
    for pause in store.pauses.all():
        visits.pause(pause, monotonic_ns())
    findings.check_now = lambda camera_ids: visits.check_now(camera_ids, monotonic_ns())
    hub = Hub(
        settings,
        control,
        feed,
        work,
        gateways,
        registry,
        visits,
        judging,
        findings,
        quarantine,
        writer,
        watch,
        metrics,
        kpis,
    )
    findings.ask = hub.ask
    ledger_watch: Broadcast[LoggedEvent] = Broadcast(
        findings, finding_service.encode_watch_event, finding_service.encode_watch_token, *sizes
    )
    pins = EvidenceRetention(evidence, store.findings.cited())
    findings.listeners += [lambda news: pins.hear([one.event for one in news]), ledger_watch.publish]

    def take(settings: Settings, calendar: Calendar) -> None:
        hub.configure(settings, calendar)
        notices.configure(settings.notices)

    configuration = Configuration(
        settings,
        calendar,
        visits.warnings,
        take,
        metrics.reloaded,
        lambda *trees: control.say(RELOADED, *trees),
    )
    port = Port(hub, registry, catalog, visits, judging, findings, store, writer, evidence, configuration, kpis)
    grpc = GrpcServer(settings.serve, port, store.access, watch, ledger_watch, metrics, redact)
    stack.callback(grpc.stop, _GRPC_GRACE_S)
    addresses = {"grpc": grpc.start(), "intake": intake_address, "metrics": ""}
    if settings.serve.metrics_listen:
        addresses["metrics"] = metrics.serve(settings.serve.metrics_listen)
        stack.callback(metrics.close)
    control.ready(**addresses)

    notices.start(store.outbox, findings, metrics, hub.ask)

    def go() -> None:
        # What was loaded stays for good: walked again with each full collection, it made callers wait for 0.3 s.
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD)
        gc.enable()
        grpc.set_ready(True)
        for warning in configuration.warnings():
            logger().warning("configuration", detail=warning)

    hub.run(on_go=go, on_reload=configuration.reload)
    grpc.set_ready(False)
    if not writer.flush(_FLUSH_S):
        logger().error("some verdicts were not written before the stop")


def _bind_gateways(transport: Transport, settings: IntakeSettings) -> tuple[Channel | None, str]:
    if not settings.listen:
        return None, ""
    curve = None
    if settings.curve_secret_file:
        curve = Curve(Path(settings.curve_secret_file), Path(settings.curve_clients_dir))
    return transport.bind_pull(settings.listen, settings.payload_bytes_max, curve)
