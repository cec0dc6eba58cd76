"""Answers /healthz, /readyz and /metrics over HTTP, for load balancers, Kubernetes and Prometheus.

One thread serves all connections. Each carries one request; one that does not send it is closed, and the one that has
waited longest makes room for a new one, so that nobody can keep a scrape away by opening connections.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.types import WSGIApplication

import h11

from engine.config.address import host_port
from engine.errors import ListenError

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

Reply = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


class StatusServer:
    """The listener, in a thread of its own. `metrics`: answers scrapes. `unready`: returns why the engine is not ready,
    a reason a line; called from that thread."""

    def __init__(self, metrics: WSGIApplication, unready: Callable[[], Sequence[str]]) -> None:
        self._metrics = metrics
        self._unready = unready
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
            serving = asyncio.start_server(self._connected, sock=listener, limit=_HEAD_BYTES_MAX, backlog=_BACKLOG)
            server = loop.run_until_complete(serving)
            loop.run_forever()
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

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
            reply = self._reply(request)
        self._waiting.pop(writer, None)
        head = request is not None and request.method == b"HEAD"
        writer.write(_encoded(connection, reply, head))
        async with asyncio.timeout(_ANSWER_S_MAX):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    def _reply(self, request: h11.Request) -> Reply:
        path, _, query = request.target.decode("latin-1").partition("?")
        if path not in _PATHS:
            return _text("404 Not Found", f"there is nothing at this path; there are {', '.join(_PATHS)}")
        if request.method not in (b"GET", b"HEAD"):
            status, headers, body = _text("405 Method Not Allowed", "send GET or HEAD")
            return status, [*headers, ("Allow", "GET, HEAD")], body
        if path == "/metrics":
            return self._scrape(request, query)
        reasons = self._unready() if path == "/readyz" else ()
        return _text("503 Service Unavailable" if reasons else "200 OK", "\n".join(reasons) or "ok")

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
