"""Builds the hub: opens the store and the listeners, and joins all parts by their constructors."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine import __version__
from engine.clock import monotonic_ns
from engine.config.address import host_port, is_loopback
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.errors import ConfigError
from engine.hub.composition.overlay import make_readings
from engine.hub.composition.parts import (
    Ledger,
    Memory,
    load_memory,
    make_ledger,
    make_outlets,
    make_visits,
    open_sockets,
    share_host_caps,
    start_exporter,
    watch_readiness,
)
from engine.hub.composition.status_listener import serve_status
from engine.hub.composition.storage import open_storage, take_lease
from engine.hub.configuration import Configuration
from engine.hub.keyframes.gateways import Gateways
from engine.hub.keyframes.judging import Judge
from engine.hub.keyframes.latest_times import LatestTimes
from engine.hub.keyframes.pipeline import KeyframePipeline, Outlets, Storage
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.local_cameras import LocalCameras
from engine.hub.loop import HubLoop
from engine.hub.overlay.readings import OverlayReadings
from engine.hub.port import Port
from engine.hub.readiness import Readiness
from engine.hub.services.canteens import CanteenService
from engine.hub.services.digests import DigestService
from engine.hub.services.pictures import PictureService
from engine.hub.shards.applied_configuration import StartConfiguration
from engine.hub.shards.front_pushes import FrontPushes, StoredTimes
from engine.hub.shards.lease import ShardLease
from engine.hub.shards.registry_follower import RegistryFollower
from engine.hub.state import HubState
from engine.hub.stories.stories import Stories
from engine.hub.telemetry import Telemetry
from engine.hub.thread_calls import ThreadCalls
from engine.hub.visiting.visit_traces import VisitTraces
from engine.hub.visiting.visits import Visits
from engine.interchange.regions import hebei
from engine.metrics import Metrics
from engine.model.shard import ShardTask
from engine.redact import redact_url
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.control import OWN_SOCKET, RELOADED, Control
from engine.runtime.descriptors import connections_within
from engine.runtime.log import logger
from engine.serve.access.refusals import Refusals
from engine.serve.server import GrpcServer
from engine.storage.db.store import Store
from engine.storage.writer.writer import Writer

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
    shard: ShardTask | None = None,
) -> Hub:
    """Build the hub, open its listeners, and tell the supervisor that it is ready.

    What is opened is closed with `stack`, the last first. `on_begin` is called in the hub's thread when visits begin.
    `again`, `restarts`, `shard`: as of engine.hub.process.run. Raises ConfigError, ListenError, StoreError, or
    LeaseLostError if it is stopped while another process has the shard.
    """
    metrics = Metrics(version=__version__)
    metrics.vitals.restarts(restarts)
    exporter = start_exporter(settings.trace, metrics, stack)
    traces = None if exporter is None else VisitTraces(settings.trace.visit_ratio, exporter.emit)
    refusals = Refusals()
    connections = ConnectionLimit(connections_within(settings.intake.connections_max, share=4))
    sockets, keys, intake_address = open_sockets(settings, run_dir, control, connections, stack)
    lease = None if shard is None else take_lease(settings, shard, control, stack)
    storage = open_storage(settings, calendar, metrics, stack, create=not again, lease=lease)
    report = partial(control.send, RELOADED)
    start = None if lease is None else StartConfiguration(storage.store.applied_configurations, report)
    settings = settings if start is None else start.over(settings, calendar)
    place = 0 if lease is None else storage.store.changes.place()  # before the registry is read: nothing is missed
    memory = load_memory(storage.store, settings.ledger)
    calls = ThreadCalls()
    stories = Stories()
    ledger = make_ledger(settings, storage, memory, calls, stories, metrics, stack)
    outlets = make_outlets(settings, calendar, storage, memory, ledger, stories, metrics)
    visits = make_visits(settings, calendar, sockets, storage, memory, stories, metrics, traces)
    host_caps = share_host_caps(storage.store, lease, visits, calls, stack)
    workers = WorkerPool(
        settings.intake, sockets.work, metrics, lambda: len(memory.registry.cameras), memory.judge_states.known_area
    )
    judge = Judge(settings.judge, memory.registry, memory.judge_states, visits.is_working)
    pipeline = KeyframePipeline(settings, workers, visits, judge, ledger.findings, storage, outlets, metrics, traces)
    storage.store.transaction_hooks.append(pipeline.stored)
    storage.writer.start(pipeline.published)
    latest = LatestTimes()
    gateways = Gateways(settings.intake, memory.registry.cameras, keys, metrics, connections, refusals, latest)
    read = settings, calendar, sockets, calls, memory.registry, ledger.findings, storage, metrics, stack
    link, readings = make_readings(*read)
    digests = DigestService(storage.store, calendar.timezone, hebei())
    apply = _apply(pipeline, gateways, visits, storage, ledger, outlets, digests, readings)
    is_lasting = start is not None and start.is_used
    configuration = Configuration(
        settings, calendar, visits.warnings, apply, metrics.reloaded, report, is_lasting=is_lasting
    )
    readiness = watch_readiness(settings, storage, workers, visits, metrics, stack)
    followed = memory.registry, ledger.findings, outlets, storage, readiness, metrics, lease, host_caps
    telemetry = Telemetry(pipeline, workers, visits, *followed)
    state = HubState(calls, memory.registry, visits, workers, judge, pipeline, telemetry, configuration)
    cameras = LocalCameras(state, memory.catalog, ledger.findings, stories)
    port = _make_port(state, storage, memory, ledger, outlets, digests, stories, cameras, readiness, metrics)
    _check_web(settings, storage.store)
    emit_call = None if exporter is None else exporter.emit_call
    served = port, storage.store.access, outlets.watch, ledger.watch, metrics
    pushes = None if lease is None else _take_from_fronts(state, storage, memory, gateways, latest)
    limits = readiness.unready, refusals, emit_call
    grpc = GrpcServer(settings.serve, *served, redact_url, run_dir / OWN_SOCKET, *limits, pushes=pushes)
    stack.callback(grpc.stop, _GRPC_GRACE_S)
    begin = partial(_begin, on_begin, grpc, readiness, telemetry, configuration, start)
    loop = HubLoop(sockets, state, gateways, metrics, begin, refusals, lease, link)
    telemetry.update(monotonic_ns())  # the first scrape sees what is, not zeros
    status_address = serve_status(settings.serve, metrics, readiness.unready, refusals, stack)
    _tell_ready(control, lease, grpc=grpc.start(), intake=intake_address, metrics=status_address)
    if host_caps is not None:
        host_caps.start()
    if lease is not None:
        follower = RegistryFollower(storage.store, place, memory.registry, cameras, outlets.kpis, calls)
        follower.start()
        stack.callback(follower.close)
    if readings is not None:
        readings.start()
    ledger.sender.start()  # last: a hub that cannot start must not send anything
    return Hub(loop, state, port, grpc, storage.writer, readiness)


def _make_port(
    state: HubState,
    storage: Storage,
    memory: Memory,
    ledger: Ledger,
    outlets: Outlets,
    digests: DigestService,
    stories: Stories,
    cameras: LocalCameras,
    readiness: Readiness,
    metrics: Metrics,
) -> Port:
    """Return what calls ask."""
    pictures = PictureService(state, storage.evidence, metrics)
    canteens = CanteenService(storage.store.canteens, memory.registry, memory.catalog)
    services = outlets.kpis, ledger.findings, pictures, canteens, digests, stories, cameras
    return Port(state, storage, memory.catalog, *services, lambda: readiness.serving)


def _take_from_fronts(
    state: HubState, storage: Storage, memory: Memory, gateways: Gateways, latest: LatestTimes
) -> FrontPushes:
    """Return what takes keyframes that gateways pushed to a front."""
    stored = StoredTimes(memory.catalog, storage.store.history)
    return FrontPushes(gateways, latest, stored, state.calls, state.pushed, lambda: state.workers.intake.has_room)


def _tell_ready(control: Control, lease: ShardLease | None, **addresses: str) -> None:
    """Tell the supervisor, and with the lease those who look for the shard, where the hub answers."""
    if lease is not None:
        lease.publish(addresses["grpc"], addresses["metrics"])
    control.ready(**addresses)


def _begin(
    on_begin: Callable[[], None],
    grpc: GrpcServer,
    readiness: Readiness,
    telemetry: Telemetry,
    configuration: Configuration,
    start: StartConfiguration | None,
) -> None:
    """Serve calls, in the hub's thread: visits begin."""
    if start is not None:
        start.catch_up(configuration)
    on_begin()
    grpc.set_ready(True)
    readiness.serving = True
    telemetry.update(monotonic_ns())
    for warning in configuration.warnings():
        logger().warning("configuration", detail=warning)


def _apply(
    pipeline: KeyframePipeline,
    gateways: Gateways,
    visits: Visits,
    storage: Storage,
    ledger: Ledger,
    outlets: Outlets,
    digests: DigestService,
    readings: OverlayReadings | None,
) -> Callable[[Settings, Calendar], None]:
    """Return what brings new settings into force, in the hub's thread."""

    def apply(settings: Settings, calendar: Calendar) -> None:
        pipeline.configure(settings)
        gateways.configure(settings.intake)
        storage.writer.configure(settings.record)
        storage.evidence.resize(settings.record.evidence_bytes_max)
        storage.evidence.resize_archive(settings.record.archive_bytes_max)
        ledger.findings.configure(settings)
        visits.configure(settings, calendar, monotonic_ns())
        record = settings.record
        sub_counts = record.kpi_streams == "all"
        outlets.kpis.configure(calendar.timezone, record.kpi_days, record.kpi_hours_days, sub_counts)
        outlets.notices.configure(settings.notices)
        digests.configure(calendar.timezone)
        ledger.sender.configure(settings.notices)
        if readings is not None:
            readings.configure(settings.reader, calendar.timezone)

    return apply


def _check_web(settings: Settings, store: Store) -> None:
    """Raise ConfigError if the HTTP gateway listens on a public address while there is no token."""
    web = settings.web
    if web.enabled and not is_loopback(host_port(web.listen)[0]) and not store.access.digests():
        raise ConfigError(
            f"web.listen = {web.listen!r}: a public address needs a token, and there is none; make one with "
            "`patrol token create --name NAME --role admin`, or listen on 127.0.0.1"
        )
