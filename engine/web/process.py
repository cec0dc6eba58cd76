"""Runs the gateway as a process: opens its address, and serves until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from engine.config.address import host_port
from engine.config.schema import Settings
from engine.errors import ConfigError, ListenError, PatrolError
from engine.metrics.web import WebMetrics
from engine.runtime.certificate import RELOAD_S, TlsFiles, WatchedCertificate, server_context
from engine.runtime.control import FAILED, STOP, Control
from engine.runtime.descriptors import connections_within
from engine.runtime.log import logger
from engine.runtime.metrics_password import MetricsPassword, metrics_password
from engine.web.app import build_app
from engine.web.channel import EngineChannel
from engine.web.connections import BoundedProtocol, Loop
from engine.web.console.sessions.key import session_key
from engine.web.refused_callers import RefusedCallers

EXIT_CANNOT_RUN = 2
_HEADER_BYTES_MAX = 64 * 1024
"""A BatchGetCameras of 1,000 names has 30 KB of URL."""
_KEEP_ALIVE_S = 30
_GRACE_S = 1
_BEAT_S = 0.5
_BACKLOG = 256
_SWITCH_INTERVAL_S = 0.0005
"""As in the hub: a thread that writes a large reply lets others run soon."""
_GARBAGE_THRESHOLD = 50_000


def run(settings: Settings, engine: str, control: Control) -> int:
    """Run as a child of the supervisor until STOP; return the exit code. `engine`: gRPC address of the engine."""

    def watch_control(stop: Callable[[], None]) -> None:
        def read() -> None:
            if any(word == STOP for word, *_ in control.receive()):
                asyncio.get_running_loop().remove_reader(control.descriptor)
                stop()

        def beat() -> None:
            control.beat()
            asyncio.get_running_loop().call_later(_BEAT_S, beat)

        asyncio.get_running_loop().add_reader(control.descriptor, read)
        beat()

    _tune()
    try:
        on_ready = lambda address: control.ready(web=address)  # noqa: E731
        beside = Path(settings.record.evidence_dir).absolute().with_name("sessions.key")
        serve(settings, engine, b"", on_ready, watch_control, session_key_file=beside)
    except PatrolError as error:
        logger().error("cannot run", code=error.code, detail=str(error))
        control.send(FAILED, error.code, str(error))
        return EXIT_CANNOT_RUN
    return 0


def run_in_foreground(
    settings: Settings,
    engine: str,
    ca: bytes,
    on_ready: Callable[[str], None],
    own: tuple[bytes, bytes] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `ca`: PEM of the CA that signed the engine's certificate; empty: no TLS.
    `own`: key and certificate chain of this process, for an engine that wants them.

    Raises ConfigError or ListenError.
    """

    def watch_signals(stop: Callable[[], None]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)

    _tune()
    serve(settings, engine, ca, on_ready, watch_signals, own)


def _tune() -> None:
    """Make the interpreter answer evenly: a page of cameras makes thousands of short-lived objects."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(_GARBAGE_THRESHOLD)


def serve(
    settings: Settings,
    engine: str,
    ca: bytes,
    on_ready: Callable[[str], None],
    watch: Callable[[Callable[[], None]], None],
    own: tuple[bytes, bytes] | None = None,
    session_key_file: Path | None = None,
) -> None:
    """Bind, call `on_ready` with the address, and serve until what `watch` was given is called.

    `session_key_file`: where web.session_key_file names none; None: sessions end with the process. Raises ConfigError
    if the TLS files or the key of sessions cannot be read, ListenError if the address cannot be bound.
    """
    named = settings.web.session_key_file
    key = session_key(Path(named) if named else session_key_file) if settings.web.console else b""
    listener = bind(settings.web.listen)
    with contextlib.closing(listener), asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(_serve(settings, lambda: EngineChannel(engine, ca, own), listener, on_ready, watch, key))


async def _serve(
    settings: Settings,
    connect: Callable[[], EngineChannel],
    listener: socket.socket,
    on_ready: Callable[[str], None],
    watch: Callable[[Callable[[], None]], None],
    key: bytes,
) -> None:
    web = settings.web
    channel = connect()
    closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    metrics = WebMetrics()
    password = metrics_password(settings.serve)
    refused = RefusedCallers(channel, metrics)
    app = build_app(web, settings.serve, channel, metrics, closing, password, refused.scrape, key)
    connections_max = connections_within(web.connections_max)
    protocol: Any = partial(BoundedProtocol, {}, connections_max, partial(metrics.refused, "connections"))
    options: dict[str, Any] = {}
    if web.tls_cert_file:
        options = {"ssl_certfile": web.tls_cert_file, "ssl_keyfile": web.tls_key_file}
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,  # h11: it bounds the size of headers
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # a caller could name any address
        server_header=False,
        limit_concurrency=connections_max,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEADER_BYTES_MAX,
        **options,
    )
    files = TlsFiles("web.tls", web.tls_cert_file, web.tls_key_file)
    certificate = WatchedCertificate(files) if web.tls_cert_file else None
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"web.tls_*_file: {error}; give readable PEM files that belong together") from error
    server = _Server(config)
    loop = asyncio.get_running_loop()
    if isinstance(loop, Loop):
        loop.handshakes_max, loop.handshake_failed = connections_max, refused.handshake
    upkeep = (_reload(password, certificate, files, config.ssl), refused.keep_telling())
    tasks = [asyncio.create_task(task) for task in upkeep]

    def stop() -> None:
        if not closing.done():
            closing.set_result(None)  # ends the streams; uvicorn would wait for them
        server.should_exit = True

    watch(stop)
    host, _ = host_port(web.listen)
    shown = f"[{host}]" if ":" in host else host
    on_ready(f"{shown}:{listener.getsockname()[1]}")
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()
        await channel.close()


async def _reload(
    password: MetricsPassword | None,
    certificate: WatchedCertificate | None,
    files: TlsFiles,
    listening: ssl.SSLContext | None,
) -> None:
    """Read the password of the metrics again, and give new connections the certificate that is in the files now; the
    listener keeps its context."""
    while True:
        await asyncio.sleep(RELOAD_S)
        if password is not None:
            await asyncio.to_thread(password.check)
        if certificate is not None and listening is not None and await asyncio.to_thread(certificate.check):
            try:
                context = server_context(files)
            except ConfigError as error:  # they were replaced once more, in this moment
                logger().error("the new certificate cannot be used, the old one stays", detail=str(error))
            else:
                listening.sni_callback = _swap_to(context)


def _swap_to(context: ssl.SSLContext) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """Return what lets a connection that begins use this context; it is called with and without a server's name."""

    def swap(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = context

    return swap


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals alone: the supervisor says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(listen: str) -> socket.socket:
    """Return a listening socket for the address `host:port`. Raises ListenError."""
    host, port = host_port(listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it, each reply waits 40 ms
        # for the caller to acknowledge the headers.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise ListenError(
            f"web.listen = {listen!r}: {error.strerror or error}; stop what listens there, take another address, "
            "or set web.enabled = false"
        ) from error
    listener.listen(_BACKLOG)  # callers that come before the server serves wait
    listener.setblocking(False)
    return listener
