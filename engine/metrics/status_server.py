"""Answers /healthz, /readyz and /metrics over HTTP, for load balancers, Kubernetes and Prometheus."""

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from engine.config.address import host_port
from engine.errors import ListenError

_REQUESTS_MAX = 16
"""Requests answered at once; a connection beyond them is closed, so that callers who send nothing bind no threads."""
_REQUEST_S_MAX = 10.0
"""Longest wait for a caller to send or to read."""
_TEXT = "text/plain; charset=utf-8"
_PATHS = ("/healthz", "/readyz", "/metrics")

Reply = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


class StatusServer:
    """The listener, in threads of its own. `metrics`: answers scrapes. `unready`: returns why the engine is not ready,
    a reason a line; called from any thread."""

    def __init__(self, metrics: WSGIApplication, unready: Callable[[], Sequence[str]]) -> None:
        self._metrics = metrics
        self._unready = unready
        self._server: WSGIServer | None = None

    def start(self, listen: str) -> str:
        """Listen on host:port; return the address that was bound. Raises ListenError if it cannot be bound."""
        host, port = host_port(listen)
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]

            class Server(_BoundedServer):
                address_family = family

            self._server = make_server(str(address[0]), port, self.answer, Server, _QuietHandler)
        except OSError as error:
            raise ListenError(
                f"serve.metrics_listen = {listen!r}: {error.strerror}; stop what listens there or take another address"
            ) from error
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()
        return f"{listen.rpartition(':')[0]}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as a WSGI application."""
        path, method = request["PATH_INFO"], request["REQUEST_METHOD"]
        status, headers, body = self._reply(path, method, request)
        named = {name.lower() for name, _ in headers}
        if "content-length" not in named:
            headers.append(("Content-Length", str(len(body))))
        start_response(status, [*headers, ("Cache-Control", "no-store")])
        return [] if method == "HEAD" else [body]

    def _reply(self, path: str, method: str, request: WSGIEnvironment) -> Reply:
        if path not in _PATHS:
            return _text("404 Not Found", f"there is nothing at this path; there are {', '.join(_PATHS)}")
        if method not in ("GET", "HEAD"):
            status, headers, body = _text("405 Method Not Allowed", "send GET or HEAD")
            return status, [*headers, ("Allow", "GET, HEAD")], body
        if path == "/metrics":
            return self._scrape(request)
        reasons = self._unready() if path == "/readyz" else ()
        return _text("503 Service Unavailable" if reasons else "200 OK", "\n".join(reasons) or "ok")

    def _scrape(self, request: WSGIEnvironment) -> Reply:
        begun: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            begun.extend((status, list(headers)))
            return begun.append

        body = b"".join(self._metrics({**request, "REQUEST_METHOD": "GET"}, start))
        return begun[0], begun[1], body


class _BoundedServer(ThreadingMixIn, WSGIServer):
    """A thread for each request, at most _REQUESTS_MAX."""

    daemon_threads = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._free = threading.BoundedSemaphore(_REQUESTS_MAX)
        super().__init__(*arguments, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or close the connection if too many are being answered."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a caller that went away is no error of the engine."""


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests, and waits for no caller longer than _REQUEST_S_MAX."""

    timeout = _REQUEST_S_MAX

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that http.server gives it)
        """Say nothing."""


def _text(status: str, text: str) -> Reply:
    return status, [("Content-Type", _TEXT)], f"{text}\n".encode()
