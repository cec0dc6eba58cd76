"""Runs the gRPC server in a thread and event loop of its own, so that a slow caller never holds up the hub."""

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import grpc
import structlog

from engine.clock import NS_PER_S, seconds, wall_ns
from engine.config.address import host_port, is_loopback
from engine.config.serve import ServeSettings
from engine.errors import ConfigError, ListenError, PatrolError
from engine.metrics import Metrics
from engine.model.access import Actor
from engine.model.findings import LoggedEvent
from engine.model.trace import Span
from engine.model.verdict import PublishedVerdict
from engine.runtime.certificate import RELOAD_S, Certificate, TlsFiles, WatchedCertificate
from engine.runtime.descriptors import connections_within
from engine.serve.access.audit_trail import AuditTrail
from engine.serve.access.call_limits import CallLimits
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.interceptor import CallInterceptor
from engine.serve.access.refusals import Refusals
from engine.serve.access.rules import CHANGES, PACKAGE, RULES
from engine.serve.access.scoped_hub import ScopedHub
from engine.serve.access.tokens import REFRESH_S, TokenCache
from engine.serve.forwarding.front_door import FrontDoor
from engine.serve.forwarding.interceptor import ForwardingInterceptor
from engine.serve.port import AccessStore, HubPort, PushPort
from engine.serve.services import reflection, shard_intake
from engine.serve.services.access import AccessService
from engine.serve.services.cameras import CameraService
from engine.serve.services.canteens import CanteenService
from engine.serve.services.findings import FindingService
from engine.serve.services.health import HealthReporter
from engine.serve.services.patrol import PatrolService
from engine.serve.services.scheduler import SchedulerService
from engine.serve.streams.broadcast import Broadcast
from patrol.v1 import (
    access_pb2_grpc,
    cameras_pb2_grpc,
    canteens_pb2_grpc,
    findings_pb2_grpc,
    patrol_pb2_grpc,
    scheduler_pb2_grpc,
)

SERVICES = tuple(f"{PACKAGE}.{name}" for name in RULES)
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port in use must be an error, not a second server
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.server_handshake_timeout_ms", 10_000),  # also of a connection that never speaks HTTP/2; gRPC's own is 120 s
    ("grpc.max_connection_idle_ms", 60_000),  # a client connects again for its next call
)
_START_S = 10.0
_DAY_NS = 86_400 * NS_PER_S
_PRUNE_S = 3600.0
_PRUNE_NEXT_S = 1.0


class GrpcServer:
    """The server: start, report readiness, stop.

    `redact`: hides the password in a URL. `own_socket`: where the HTTP gateway calls; only this user
    reaches its folder. `unready`: returns why the engine cannot do its work; called once a second. `refusals`: what is
    refused elsewhere than in a call, for the audit log. `trace`: as of CallInterceptor. `front`: passes calls on to
    shards; None for an engine, which answers all itself. `pushes`: takes what fronts pass on of gateways; None for all
    but the engine of a shard.
    """

    def __init__(
        self,
        settings: ServeSettings,
        hub: HubPort,
        access: AccessStore,
        verdicts: Broadcast[PublishedVerdict],
        findings: Broadcast[LoggedEvent],
        metrics: Metrics,
        redact: Callable[[str], str],
        own_socket: Path | None = None,
        unready: Callable[[], Sequence[str]] = tuple,
        refusals: Refusals | None = None,
        trace: Callable[[Span, str], None] | None = None,
        front: FrontDoor | None = None,
        pushes: PushPort | None = None,
    ) -> None:
        self._pushes = pushes
        self._front = front
        self._trace = trace
        self._settings = settings
        self._hub = hub
        self._access = access
        self._verdicts = verdicts
        self._findings = findings
        self._metrics = metrics
        self._redact = redact
        self._own_socket = own_socket
        self._refusals = refusals or Refusals()
        self._audit = AuditTrail(access, metrics, self._refusals)
        self._health = HealthReporter(("", *SERVICES), unready)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="grpc", daemon=True)
        self._started = threading.Event()
        self._failure: PatrolError | None = None
        self._server: grpc.aio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._address = ""
        self._certificate: WatchedCertificate | None = None
        self._places_key = b""

    def start(self) -> str:
        """Bind and serve; return the address that was bound, with the port that the system chose for port 0.

        Raises ListenError if the address cannot be bound, ConfigError if it is public and there is no token, or if the
        TLS files cannot be read.
        """
        self._thread.start()
        if not self._started.wait(_START_S):
            raise ListenError(f"serve.grpc_listen = {self._settings.grpc_listen!r}: no answer within {_START_S:.0f} s")
        if self._failure is not None:
            raise self._failure
        return self._address

    def set_ready(self, ready: bool) -> None:
        """Set whether the engine serves; the health service says so unless `unready` has a reason against it. May be
        called from any thread."""
        if self._thread.is_alive() and self._failure is None:
            asyncio.run_coroutine_threadsafe(self._health.set_ready(ready), self._loop).result(_START_S)

    def run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the server's event loop until `stop`. May be called from any thread, after `start`."""
        self._loop.call_soon_threadsafe(lambda: self._tasks.append(self._loop.create_task(work)))

    def stop(self, grace_s: float) -> None:
        """End all calls within `grace_s`, then the thread. May be called from any thread."""
        if not self._thread.is_alive():
            return
        self._verdicts.close()
        self._findings.close()

        async def end() -> None:
            for task in self._tasks:
                task.cancel()
            if self._server is not None:
                await self._server.stop(grace_s)
            if self._front is not None:
                await self._front.channels.close()
            await self._audit.flush()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(grace_s + _START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except PatrolError as error:
            self._failure = error
        finally:
            self._started.set()
        if self._failure is None:
            self._loop.run_forever()

    async def _serve(self) -> None:
        settings = self._settings
        host, _ = host_port(settings.grpc_listen)
        self._places_key = await asyncio.to_thread(self._access.places_key)
        tokens = TokenCache(self._access, open_without=is_loopback(host))
        if not tokens.any and not is_loopback(host):
            raise ConfigError(
                f"serve.grpc_listen = {settings.grpc_listen!r}: a public address needs a token, and there is none; "
                "make one with `patrol token create --name NAME --role admin`, or listen on 127.0.0.1"
            )
        interceptor = CallInterceptor(
            tokens,
            self._audit,
            self._scoped_hub,
            self._metrics,
            CallLimits(settings),
            self._trace,
            open_reflection=settings.reflection == "open",
            forwarded=ForwardedCalls(self._places_key),
        )
        connections_max = connections_within(settings.connections_max)
        options = (*_OPTIONS, ("grpc.max_allowed_incoming_connections", connections_max))
        server = grpc.aio.server(interceptors=[*self._passing_on(tokens), interceptor], options=options)
        page_size_max = settings.page_size_max
        cameras_pb2_grpc.add_CameraServiceServicer_to_server(CameraService(self._redact, page_size_max), server)
        patrol_pb2_grpc.add_PatrolServiceServicer_to_server(PatrolService(page_size_max), server)
        scheduler_pb2_grpc.add_SchedulerServiceServicer_to_server(SchedulerService(page_size_max), server)
        access = AccessService(page_size_max, tokens.refresh, tokens.caller)
        access_pb2_grpc.add_AccessServiceServicer_to_server(access, server)
        canteens_pb2_grpc.add_CanteenServiceServicer_to_server(CanteenService(page_size_max), server)
        findings_pb2_grpc.add_FindingServiceServicer_to_server(FindingService(page_size_max), server)
        self._health.add_to_server(server)
        if self._pushes is not None:
            shard_intake.add_to_server(self._pushes, server)
        if settings.reflection != "off":
            reflection.add_to_server((*SERVICES, "grpc.health.v1.Health"), server)
        await self._health.show()
        self._address = self._bind(server)
        if self._own_socket is not None:
            self._own_socket.unlink(missing_ok=True)  # of a hub that died
            server.add_insecure_port(f"unix:{self._own_socket}")
        await server.start()
        self._server = server
        upkeep = (
            self._refresh_tokens(tokens),
            interceptor.keep_checking_streams(),
            self._audit.keep_writing(),
            self._prune_audit_log(),
            self._health.keep_showing(),
            self._reload_certificate(),
        )
        self._tasks = [asyncio.create_task(task) for task in upkeep]

    def _passing_on(self, tokens: TokenCache) -> list[grpc.aio.ServerInterceptor]:
        if self._front is None:
            return []
        return [ForwardingInterceptor(self._front, tokens.authenticate, self._metrics)]

    def _scoped_hub(self, actor: Actor) -> ScopedHub:
        return ScopedHub(self._hub, actor, self._verdicts, self._findings, self._places_key)

    async def _refresh_tokens(self, tokens: TokenCache) -> None:
        while True:
            self._measure_expiry(tokens)
            await asyncio.sleep(REFRESH_S)
            await tokens.refresh()

    def _measure_expiry(self, tokens: TokenCache) -> None:
        now_ns, token_ns = wall_ns(), tokens.expires_wall_ns()
        self._metrics.tokens(math.inf if token_ns is None else seconds(token_ns - now_ns))
        if self._certificate is not None:
            self._metrics.certificate(seconds(self._certificate.current.expires_wall_ns - now_ns))

    async def _reload_certificate(self) -> None:
        """Read the certificate again when its files change. Connections there are keep the one that they began with."""
        while self._certificate is not None:
            await asyncio.sleep(RELOAD_S)
            await asyncio.to_thread(self._certificate.check)

    async def _prune_audit_log(self) -> None:
        """Delete entries older than serve.audit_days, or serve.audit_reads_days, a few at a time."""
        while True:
            now_ns, settings = wall_ns(), self._settings
            ages = now_ns - settings.audit_days * _DAY_NS, now_ns - settings.audit_reads_days * _DAY_NS
            try:
                deleted = await asyncio.to_thread(self._access.prune, CHANGES, *ages)
            except PatrolError as error:
                deleted = 0
                structlog.get_logger().error("audit log not pruned", detail=str(error))
            await asyncio.sleep(_PRUNE_NEXT_S if deleted else _PRUNE_S)

    def _bind(self, server: grpc.aio.Server) -> str:
        listen = self._settings.grpc_listen
        try:
            credentials = self._credentials()
            port = server.add_secure_port(listen, credentials) if credentials else server.add_insecure_port(listen)
        except RuntimeError as error:
            raise ListenError(
                f"serve.grpc_listen = {listen!r}: cannot be bound (is it in use?); stop what listens there or choose "
                "another address"
            ) from error
        return f"{listen.rpartition(':')[0]}:{port}"

    def _credentials(self) -> grpc.ServerCredentials | None:
        settings = self._settings
        if not settings.tls_cert_file:
            return None
        files = TlsFiles("serve.tls", settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
        watched = self._certificate = WatchedCertificate(files)
        offered = watched.current

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Return the certificate for a new connection; None: the one before."""
            nonlocal offered
            if watched.current is offered:
                return None
            offered = watched.current
            return _certificate_configuration(offered)

        with_client_certificates = bool(settings.tls_client_ca_file)
        return grpc.dynamic_ssl_server_credentials(
            _certificate_configuration(offered),
            changed,  # type: ignore[arg-type] # its stub does not know that None is no change
            require_client_authentication=with_client_certificates,
        )


def _certificate_configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
    pairs = [(certificate.key, certificate.chain)]
    return grpc.ssl_server_certificate_configuration(pairs, certificate.client_ca or None)
