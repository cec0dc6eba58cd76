"""Receives webhooks over real HTTP and reacts as the test says: answers, fails, hangs, breaks off, goes away."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from engine.notices.signature import verified
from tests.support.waiting import wait_until

SECRET = b"0123456789abcdef0123456789abcdef"
SECRET_LINE = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass
class Reply:
    """How a receiver reacts: answers with a status, waits `hang_s` first, drips its body, or breaks off within it."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip: bool = False
    break_off: bool = False
    body: bytes = b""


@dataclass
class Received:
    """A request as it came in."""

    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def genuine(self) -> bool:
        return verified(SECRET, self.headers, self.body, int(time.time()))


class Receiver:
    """Keeps requests. `reply` is called for every request; `taken` holds those that were answered with 2xx."""

    def __init__(self) -> None:
        self.reply: Callable[[Received], Reply] = lambda _: Reply()
        self.requests: list[Received] = []
        self.taken: list[Received] = []
        self.stopped = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/patrol"

    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.taken]

    def wait_taken(self, number: int, timeout_s: float = 20.0) -> None:
        """Wait until so many requests were answered with 2xx. Raises AssertionError after `timeout_s`."""
        wait_until(lambda: len(self.taken) >= number, timeout_s, what=f"{number} requests, {len(self.taken)} came")


@contextmanager
def receiving(receiver: Receiver, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on the receiver's port, or on a free one that the receiver then keeps, so that it can come back."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed before it had sent all of the body: no request arrived
                self.close_connection = True
                return
            receiving = Received({name.lower(): value for name, value in self.headers.items()}, body, time.time())
            reply = receiver.reply(receiving)
            receiver.requests.append(receiving)
            if receiver.stopped.wait(reply.hang_s):
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.break_off or reply.drip:
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b"x")
                self.wfile.flush()
                while reply.drip and not receiver.stopped.wait(0.05):
                    self.wfile.write(b"x")
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            if 200 <= reply.status < 300:
                receiver.taken.append(receiving)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        open_sockets: ClassVar[set[socket.socket]] = set()

        def process_request(self, request: Any, client_address: Any) -> None:
            self.open_sockets.add(request)
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            self.open_sockets.discard(request)
            super().shutdown_request(request)

        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            pass  # a sender that hangs up is what many tests are about

    server = Server(("127.0.0.1", receiver.port), Handler)
    receiver.port = server.server_port
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.stopped.clear()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        server.shutdown()
        for connection in list(server.open_sockets):  # connections that are kept alive end as well
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.server_close()
