"""Runs a front: opens the database and the listeners, follows the shards, and serves until it is told to stop."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from engine import __version__
from engine.clock import NS_PER_S, monotonic_ns, seconds
from engine.config.calendar import Calendar
from engine.config.front import FrontSettings
from engine.config.schema import Settings
from engine.errors import ConfigError, PatrolError
from engine.front.directory import Directory
from engine.front.logs import FinalFindingEvents, FinalVerdicts
from engine.front.port import FrontPort
from engine.front.pushes.intake import CameraShards, FrontIntake, bounds_of, takes_pushes
from engine.front.pushes.passing_on import PassingOn
from engine.front.replica import Replica
from engine.front.targets import target_groups
from engine.hub.composition.parts import start_exporter
from engine.hub.composition.status_listener import serve_status
from engine.metrics import Metrics
from engine.model.findings import LoggedEvent
from engine.model.verdict import PublishedVerdict
from engine.redact import redact_url
from engine.runtime.log import logger
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.refusals import Refusals
from engine.serve.forwarding.calls import ShardCalls
from engine.serve.forwarding.front_door import FrontDoor
from engine.serve.forwarding.pushes import PushCalls
from engine.serve.forwarding.questions import ShardQuestions
from engine.serve.forwarding.shards import ShardChannels
from engine.serve.port import HubPort
from engine.serve.server import GrpcServer
from engine.serve.services import findings as finding_service
from engine.serve.services import patrol as patrol_service
from engine.serve.streams.broadcast import Broadcast
from engine.storage.db.database import connect, parse_url
from engine.storage.db.passwords.keys import source_of
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store

_STEP_S = 0.2
_UNREADY_NS = 10 * NS_PER_S
"""A front that has read nothing for so long says that it is not ready, so that a load balancer takes another."""
_GRACE_S = 1.0


class Front:
    """A front that serves from its construction until `close`. `addresses`: grpc, metrics, and intake if gateways
    push to it."""

    def __init__(self, settings: Settings, calendar: Calendar) -> None:
        """Raises StoreError if the database cannot be used, ConfigError if it has no shards, or if TLS files or CURVE
        keys cannot be read, ListenError if an address cannot be bound."""
        self._stack = contextlib.ExitStack()
        self._stopped = threading.Event()
        self._read_ns = monotonic_ns()
        self._intake: FrontIntake | None = None
        with contextlib.ExitStack() as stack:
            self.addresses = self._open(settings, calendar, stack)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End all calls, and close what is open."""
        self._stopped.set()
        self._stack.close()

    def _open(self, settings: Settings, calendar: Calendar, stack: contextlib.ExitStack) -> dict[str, str]:
        metrics = self._metrics = Metrics(version=__version__)
        store = Store.open_existing(settings.record.url, source_of(settings.record))
        stack.callback(store.close)
        leases = Leases(connect(parse_url(settings.record.url)))
        stack.callback(leases.close)
        if not leases.all():
            raise ConfigError(
                "the database has no shards: this is the database of an engine alone, which needs no front; "
                "`patrol cluster assign` makes shards"
            )
        replica = Replica(store, leases)
        directory = Directory(leases, replica, store.findings)
        channels = shard_channels(settings.front)
        forwarded = ForwardedCalls(store.access.places_key())
        calls = ShardCalls(directory, channels, forwarded)
        port = FrontPort(settings, calendar, store, replica, ShardQuestions(directory, calls))
        serve = settings.serve
        bounds = serve.watch_queue_max, serve.watchers_max
        verdicts: Broadcast[PublishedVerdict] = Broadcast(
            FinalVerdicts(store.history, leases, replica.registry),
            patrol_service.encode_watch_event,
            patrol_service.encode_watch_token,
            *bounds,
        )
        events: Broadcast[LoggedEvent] = Broadcast(
            FinalFindingEvents(store.findings, leases),
            finding_service.encode_watch_event,
            finding_service.encode_watch_token,
            *bounds,
        )
        refusals = Refusals()
        exporter = start_exporter(settings.trace, metrics, stack)
        server = GrpcServer(
            serve,
            cast("HubPort", port),  # what only shards answer is passed on before
            store.access,
            verdicts,
            events,
            metrics,
            redact_url,
            unready=self._unready,
            refusals=refusals,
            trace=None if exporter is None else exporter.emit_call,
            front=FrontDoor(directory, calls, channels),
        )
        stack.callback(server.stop, _GRACE_S)
        tls = bool(serve.metrics_tls_cert_file)
        shown = serve_status(serve, metrics, self._unready, refusals, stack, lambda: target_groups(directory.rows, tls))
        addresses = {"grpc": server.start(), "metrics": shown}
        follower = threading.Thread(
            target=partial(self._follow, replica, directory, _Watchers(verdicts, events)), name="follow", daemon=True
        )
        follower.start()
        stack.callback(follower.join)
        server.set_ready(True)
        if takes_pushes(settings):
            push_calls = PushCalls(directory.address, channels, forwarded)
            addresses["intake"] = self._take_pushes(settings, replica, directory, push_calls, server, refusals, stack)
        return addresses

    def _take_pushes(
        self,
        settings: Settings,
        replica: Replica,
        directory: Directory,
        calls: PushCalls,
        server: GrpcServer,
        refusals: Refusals,
        stack: contextlib.ExitStack,
    ) -> str:
        """Take what gateways push, and pass it on; return the address that they push to."""
        cameras = replica.registry.cameras
        shard_of = CameraShards(cameras, directory.of_region)
        passing_on = PassingOn(bounds_of(settings), calls, shard_of, self._metrics)
        server.run_beside(passing_on.run())
        self._intake = FrontIntake(settings, cameras, shard_of, passing_on, self._metrics, refusals)
        stack.callback(self._intake.close)
        return self._intake.address

    def _follow(self, replica: Replica, directory: Directory, watchers: "_Watchers") -> None:
        """Read what the shards commit, until `close`."""

        def count() -> None:
            with_counties = [row.is_held for row in directory.rows if row.counties]
            self._metrics.vitals.shards(sum(with_counties), len(with_counties) - sum(with_counties))

        steps: Sequence[Callable[[], None]] = (
            directory.read,
            count,
            lambda: replica.step(watchers, lambda: not self._stopped.is_set()),
        )
        failing = False
        while not self._stopped.wait(_STEP_S):
            try:
                for step in steps:
                    step()
            except PatrolError as error:
                if not failing:
                    logger().error("the database cannot be read, showing what is known", detail=str(error))
                failing = True
                continue
            if failing:
                logger().info("the database can be read again")
            failing = False
            self._read_ns = monotonic_ns()

    def _unready(self) -> list[str]:
        problems, age_ns = [], monotonic_ns() - self._read_ns
        if age_ns >= _UNREADY_NS:
            problems.append(f"the database has not been read for {seconds(age_ns):.0f} s; the log says why")
        if self._intake is not None and not self._intake.is_running:
            problems.append("the intake of gateways has ended, stderr says why; restart the front")
        return problems


class _Watchers:
    """Implements engine.front.replica.Followers."""

    def __init__(self, verdicts: Broadcast[PublishedVerdict], events: Broadcast[LoggedEvent]) -> None:
        self.verdicts = verdicts.publish
        self.events = events.publish


def shard_channels(settings: FrontSettings) -> ShardChannels:
    """Return channels to shards. Raises ConfigError if the file of their authority cannot be read."""
    ca = b""
    if settings.shard_tls_ca_file:
        try:
            ca = Path(settings.shard_tls_ca_file).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"front.shard_tls_ca_file = {settings.shard_tls_ca_file!r}: {error.strerror}; give a readable PEM file"
            ) from error
    return ShardChannels(ca, settings.shard_tls_name)
