"""Answers /healthz, /readyz, /metrics and /sd over HTTP, for load balancers, Kubernetes and Prometheus.

One thread serves all connections. Each carries one request; one that does not send it is closed, and the one that has
waited longest makes room for a new one, so that nobody can keep a scrape away by opening connections.

With a password, /metrics and /sd need it; /healthz and /readyz never do, because probes have none, but then /readyz
tells its reasons only to those who have it.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.types import WSGIApplication

import h11

from engine.config.address import host_port
from engine.errors import ConfigError, ListenError
from engine.runtime.acceptor import Acceptor
from engine.runtime.certificate import RELOAD_S, TlsFiles, WatchedCertificate, server_context
from engine.runtime.log import logger
from engine.runtime.metrics_password import MetricsPassword

CONNECTIONS_MAX = 64
"""Connections that are open at once."""
_HEAD_S_MAX = 5.0
"""Longest wait for a request."""
_ANSWER_S_MAX = 10.0
"""Longest wait for a caller to read."""
_HEAD_BYTES_MAX = 16 * 1024
_PIECE_BYTES = 4096
_BACKLOG = 128
_START_S = 10.0
_TEXT = "text/plain; charset=utf-8"
_PATHS = ("/healthz", "/readyz", "/metrics")
_DISCOVERY = "/sd"
"""Where Prometheus asks what else there is to scrape (http_sd_configs)."""
_JSON = "application/json"
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="kitchen-patrol metrics", charset="UTF-8"')
HANDSHAKE = "handshake"
"""What `refused` is told of a TLS handshake that failed."""

Reply = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


class StatusServer:
    """The listener, in a thread of its own, where it calls what it is given.

    `metrics`: answers scrapes. `unready`: returns why the engine is not ready, a reason a line. `password`: of scrapes;
    None: they need none. `tls`: None without TLS. `refused(reason, host)`: is told of who is refused, with one of
    password_missing and password_wrong, or HANDSHAKE. `expires(wall_ns)`: is told when the certificate expires.
    `targets`: returns what /sd answers, as JSON; None: there is no /sd.

    Raises ConfigError if the TLS files cannot be used.
    """

    def __init__(
        self,
        metrics: WSGIApplication,
        unready: Callable[[], Sequence[str]],
        *,
        password: MetricsPassword | None = None,
        tls: TlsFiles | None = None,
        refused: Callable[[str, str], None] = lambda _, __: None,
        expires: Callable[[int], None] = lambda _: None,
        targets: Callable[[], str] | None = None,
    ) -> None:
        self._metrics = metrics
        self._unready = unready
        self._password = password
        self._tls = tls
        self._certificate = None if tls is None else WatchedCertificate(tls)
        self._context = None if tls is None else server_context(tls)
        self._refused = refused
        self._expires = expires
        self._targets = targets
        self._paths = _PATHS if targets is None else (*_PATHS, _DISCOVERY)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # for their request, the oldest first

    def start(self, listen: str) -> str:
        """Listen on host:port; return the address that was bound. Raises ListenError if it cannot be bound."""
        try:
            listener = _listener(*host_port(listen))
        except OSError as error:
            raise ListenError(
                f"serve.metrics_listen = {listen!r}: {error.strerror}; stop what listens there or take another address"
            ) from error
        self._loop = loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop, listener), name="status", daemon=True)
        self._thread.start()
        return f"{listen.rpartition(':')[0]}:{listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening, and end all connections."""
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)

    def _run(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        asyncio.set_event_loop(loop)
        with contextlib.closing(loop), listener:
            server, reload = loop.run_until_complete(self._serve(listener))
            loop.run_forever()
            server.close()
            reload.cancel()
            for writer in tuple(self._open):
                writer.transport.abort()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, listener: socket.socket) -> tuple[Acceptor, "asyncio.Task[None]"]:
        def protocol() -> asyncio.BaseProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(_HEAD_BYTES_MAX), self._connected)

        def failed(host: str) -> None:
            self._refused(HANDSHAKE, host)

        server = Acceptor(listener, protocol, self._context, CONNECTIONS_MAX, failed)
        return server, asyncio.create_task(self._reload(server))

    async def _reload(self, server: Acceptor) -> None:
        """Read certificate and password again when their files change."""
        while True:
            if self._certificate is not None:
                self._expires(self._certificate.current.expires_wall_ns)
            await asyncio.sleep(RELOAD_S)
            if self._password is not None:
                await asyncio.to_thread(self._password.check)
            if self._certificate is not None and await asyncio.to_thread(self._certificate.check):
                server.context = self._new_context(server.context)

    def _new_context(self, before: ssl.SSLContext | None) -> ssl.SSLContext | None:
        try:
            return None if self._tls is None else server_context(self._tls)
        except ConfigError as error:  # the files were replaced once more, in this moment
            logger().error("the new certificate cannot be used, the old one stays", detail=str(error))
            return before

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, or close it if there are too many and none of them waits."""
        if not self._admit(writer):
            writer.transport.abort()
            return
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError):
            writer.transport.abort()  # it went away, or does not read; that is no error of the engine
        finally:
            self._waiting.pop(writer, None)
            self._open.discard(writer)
            writer.close()

    def _admit(self, writer: asyncio.StreamWriter) -> bool:
        if len(self._open) >= CONNECTIONS_MAX:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return False
            del self._waiting[oldest]
            self._open.discard(oldest)
            oldest.transport.abort()
        self._open.add(writer)
        self._waiting[writer] = None
        return True

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, and answer it."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES_MAX)
        try:
            async with asyncio.timeout(_HEAD_S_MAX):
                request = await _request(connection, reader)
        except h11.RemoteProtocolError as error:
            reply = _text(f"{error.error_status_hint} Bad Request", "this is no HTTP request")
            request = None
        else:
            if request is None:
                return
            reply = self._reply(request, str((writer.get_extra_info("peername") or ("",))[0]))
        self._waiting.pop(writer, None)
        head = request is not None and request.method == b"HEAD"
        writer.write(_encoded(connection, reply, head))
        async with asyncio.timeout(_ANSWER_S_MAX):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    def _reply(self, request: h11.Request, host: str) -> Reply:
        path, _, query = request.target.decode("latin-1").partition("?")
        if path not in self._paths:
            return _text("404 Not Found", f"there is nothing at this path; there are {', '.join(self._paths)}")
        if request.method not in (b"GET", b"HEAD"):
            status, headers, body = _text("405 Method Not Allowed", "send GET or HEAD")
            return status, [*headers, ("Allow", "GET, HEAD")], body
        authorization = _header(request, b"authorization")
        knows = self._password is None or self._password.admits(authorization)
        if path in ("/metrics", _DISCOVERY) and not knows:
            return self._refuse(bool(authorization), host)
        if path == "/metrics":
            return self._scrape(request, query)
        if path == _DISCOVERY and self._targets is not None:
            return "200 OK", [("Content-Type", _JSON)], self._targets().encode()
        reasons = self._unready() if path == "/readyz" else ()
        text = "\n".join(reasons) if knows else "not ready; the reasons are shown with the password of the metrics"
        return _text("503 Service Unavailable", text) if reasons else _text("200 OK", "ok")

    def _refuse(self, has_password: bool, host: str) -> Reply:
        self._refused("password_wrong" if has_password else "password_missing", host)
        wanted = "send the password of serve.metrics_password_file as Bearer token, or as Basic with any user"
        status, headers, body = _text("401 Unauthorized", wanted)
        return status, [*headers, _CHALLENGE], body

    def _scrape(self, request: h11.Request, query: str) -> Reply:
        begun: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            begun.extend((status, list(headers)))
            return begun.append

        environment: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": query}
        for name, value in request.headers:
            environment["HTTP_" + name.decode().upper().replace("-", "_")] = value.decode("latin-1")
        body = b"".join(self._metrics(environment, start))
        return begun[0], begun[1], body


def _header(request: h11.Request, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in request.headers if key == name), "")


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """Return the request's head; None if the caller sends none. Raises h11.RemoteProtocolError if it is no HTTP."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(_PIECE_BYTES))


def _encoded(connection: h11.Connection, reply: Reply, head: bool) -> bytes:
    """Return the bytes of a reply. `head`: without the body."""
    status, headers, body = reply
    code, _, reason = status.partition(" ")
    if "content-length" not in {name.lower() for name, _ in headers}:
        headers = [*headers, ("Content-Length", str(len(body)))]
    headers = [*headers, ("Cache-Control", "no-store"), ("Connection", "close")]
    response = h11.Response(status_code=int(code), reason=reason.encode(), headers=headers)
    pieces = [connection.send(response), b"" if head else connection.send(h11.Data(data=body))]
    return b"".join(piece for piece in pieces if piece)


def _listener(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _text(status: str, text: str) -> Reply:
    return status, [("Content-Type", _TEXT)], f"{text}\n".encode()
