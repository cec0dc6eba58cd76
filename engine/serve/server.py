"""The gRPC server: its own thread, its own event loop, so that a slow caller never holds up the hub."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from engine.config.schema import ServeSettings
from engine.errors import ConfigError, ListenError, PatrolError
from engine.serve.auth import Gate, Tokens
from engine.serve.fanout import Fanout
from engine.serve.metrics import Metrics
from engine.serve.port import HubPort
from engine.serve.scheduler import Scheduler
from engine.serve.services import Cameras, Engine, Verdicts
from patrol.v1 import (
    cameras_pb2,
    cameras_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    scheduler_pb2,
    scheduler_pb2_grpc,
    verdicts_pb2,
    verdicts_pb2_grpc,
)

SERVICES = (
    cameras_pb2.DESCRIPTOR.services_by_name["Cameras"].full_name,
    verdicts_pb2.DESCRIPTOR.services_by_name["Verdicts"].full_name,
    engine_pb2.DESCRIPTOR.services_by_name["Engine"].full_name,
    scheduler_pb2.DESCRIPTOR.services_by_name["Scheduler"].full_name,
)
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port in use must be an error, not a second server
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
_START_S = 10.0


class GrpcServer:
    """Start, say when ready, stop."""

    def __init__(
        self,
        settings: ServeSettings,
        port: HubPort,
        fanout: Fanout,
        metrics: Metrics,
        redact: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._port = port
        self._fanout = fanout
        self._metrics = metrics
        self._redact = redact
        self._health = HealthServicer()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="grpc", daemon=True)
        self._started = threading.Event()
        self._failure: PatrolError | None = None
        self._server: grpc.aio.Server | None = None
        self._address = ""

    def start(self) -> str:
        """Bind and serve; returns the address really bound. Raises ListenError or ConfigError."""
        self._thread.start()
        if not self._started.wait(_START_S):
            raise ListenError(f"serve.grpc_listen = {self._settings.grpc_listen!r}: no answer within {_START_S:.0f} s")
        if self._failure is not None:
            raise self._failure
        return self._address

    def set_ready(self, ready: bool) -> None:
        """What the health service says, overall and of each service."""
        serving = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING

        async def tell() -> None:
            for name in ("", *SERVICES):
                await self._health.set(name, serving)

        if self._thread.is_alive() and self._failure is None:
            asyncio.run_coroutine_threadsafe(tell(), self._loop).result(_START_S)

    def stop(self, grace_s: float) -> None:
        """End calls, within `grace_s`, and the thread."""
        if not self._thread.is_alive():
            return
        self._fanout.close_all()

        async def end() -> None:
            if self._server is not None:
                await self._server.stop(grace_s)

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
        tokens = Tokens.load(settings.tokens_file)
        server = grpc.aio.server(interceptors=[Gate(tokens, self._metrics)], options=_OPTIONS)
        cameras_pb2_grpc.add_CamerasServicer_to_server(
            Cameras(self._port, self._metrics, self._redact, settings.page_size_max), server
        )
        verdicts_pb2_grpc.add_VerdictsServicer_to_server(Verdicts(self._port, self._fanout, self._metrics), server)
        engine_pb2_grpc.add_EngineServicer_to_server(Engine(self._port, self._metrics), server)
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(Scheduler(self._port, self._metrics), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
        for name in ("", *SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._address = self._bind(server)
        await server.start()
        self._server = server

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
        cert, key = self._settings.tls_cert_file, self._settings.tls_key_file
        if not cert:
            return None
        try:
            pair = (Path(key).read_bytes(), Path(cert).read_bytes())
        except OSError as error:
            raise ConfigError(
                f"serve.tls_*_file: {error.filename!r}: {error.strerror}; give readable PEM files"
            ) from error
        return grpc.ssl_server_credentials([pair])
