"""Opens the TCP and TLS connections of one visit, to addresses that a camera may lead to.

The address is checked after the name was looked up, and the connection is made to that address: a name that resolves
to another address a moment later leads nowhere else.
"""

import io
import ipaddress
import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed.camera_url import DEFAULT_PORTS
from engine.feed.destinations import Destinations
from engine.feed.own_limits import is_own_limit, own_limit_detail
from engine.feed.sources.progress import Progress, SourceError
from engine.feed.tls import client_context
from engine.model.visit import FailureReason

_ADDRESSES_MAX = 8
"""Most addresses of one name that are tried."""
_READ_BYTES = 65_536
_SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As socket.getaddrinfo gives it."""


class Connections:
    """The connections of one visit. `url`: the camera's own, as the registry has it.

    `login`: user and password for its own host and port; None if the URL has none.
    """

    def __init__(self, url: str, settings: FeedSettings, progress: Progress) -> None:
        parts = urlsplit(url)
        self.host = (parts.hostname or "").lower()
        self.port = port_of(url)
        self.login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        self.settings = settings
        self.progress = progress
        self._destinations = Destinations(settings.allowed_networks)

    def require(self, *protocols: str) -> None:
        """Raise SourceError unless `feed.demux_protocols` lists all of these."""
        for protocol in protocols:
            if protocol not in self.settings.demux_protocols:
                detail = f"feed.demux_protocols does not list {protocol}"
                raise SourceError(FailureReason.SOURCE_REFUSED, detail)

    def is_own(self, host: str, port: int) -> bool:
        """Whether this is the host and port of the camera's own URL."""
        return (host.lower(), port) == (self.host, self.port)

    def open(self, host: str, port: int, *, tls: bool) -> socket.socket:
        """Connect. Raises SourceError: `redirect_refused` if no address of `host` may be connected to."""
        self.require("tcp", *(["tls"] if tls else []))
        named = self.is_own(host, port)
        refusal = ""
        failure: SourceError | None = None
        for address in self._addresses(host, port)[:_ADDRESSES_MAX]:
            refused = self._destinations.refusal(self.host, ipaddress.ip_address(str(address[0])), named=named)
            if refused is not None:
                refusal = refused
                continue
            try:
                self.progress.connecting(f"connecting to {address[0]!s} port {port}{' with TLS' if tls else ''}")
                connection = self._connect(address)
            except OSError as error:
                failure = self._failure(error)
                continue
            return self._wrap(connection, host) if tls else connection
        raise failure or SourceError(FailureReason.REDIRECT_REFUSED, refusal)

    def _addresses(self, host: str, port: int) -> list[_SocketAddress]:
        self.progress.check()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if is_own_limit(error):
                raise SourceError(FailureReason.EXHAUSTED, own_limit_detail(error)) from error
            said = error.strerror if isinstance(error, OSError) else "it is no name"
            detail = f"the host's name does not resolve: {said}"
            raise SourceError(FailureReason.DNS, detail) from error
        if not found:
            raise SourceError(FailureReason.DNS, "the host's name does not resolve: it has no address")
        return [address for *_, address in found]

    def _connect(self, address: _SocketAddress) -> socket.socket:
        """Connect to an address. Raises OSError, or SourceError if the visit was stopped."""
        family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.progress.own(connection)
            connection.settimeout(max(0.01, min(self.settings.connect_timeout_s, self.progress.left_s())))
            connection.connect(address)
        except BaseException:
            self.progress.close(connection)
            raise
        self.progress.connected_ns = self.progress.connected_ns or monotonic_ns()
        return connection

    def _wrap(self, connection: socket.socket, host: str) -> socket.socket:
        try:
            context = client_context(self.settings.tls_verify)
            wrapped = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            self.progress.close(connection)
            raise SourceError(FailureReason.PROTOCOL_ERROR, f"no TLS: {error}") from error
        self.progress.close(connection)  # its descriptor belongs to `wrapped` now
        try:
            self.progress.own(wrapped)
            wrapped.settimeout(max(0.01, min(self.settings.connect_timeout_s, self.progress.left_s())))
            wrapped.do_handshake()
        except OSError as error:
            self.progress.close(wrapped)
            raise self._failure(error) from error
        except SourceError:
            self.progress.close(wrapped)
            raise
        return wrapped

    def _failure(self, error: OSError) -> SourceError:
        if is_own_limit(error):
            return SourceError(FailureReason.EXHAUSTED, own_limit_detail(error))
        if isinstance(error, TimeoutError):
            return self.progress.late()
        if isinstance(error, ConnectionRefusedError):
            return SourceError(FailureReason.REFUSED, "nothing listens on that port")
        if isinstance(error, ssl.SSLError):
            return SourceError(FailureReason.PROTOCOL_ERROR, f"no TLS: {error.reason or error.strerror or error}")
        said = os.strerror(error.errno) if error.errno else str(error)
        if self.progress.connected_ns:
            return SourceError(FailureReason.PROTOCOL_ERROR, f"the server broke off the connection: {said}")
        return SourceError(FailureReason.UNREACHABLE, said)


class Received(io.RawIOBase):
    """The bytes of one connection, counted, and bounded in time. `wait_s`: longest wait for the next of them."""

    def __init__(self, connection: socket.socket, progress: Progress, wait_s: float) -> None:
        self._connection = connection
        self._progress = progress
        self._wait_s = wait_s

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read what has come, at least one byte; 0 at the end. Raises SourceError."""
        self._progress.check()
        self._connection.settimeout(max(0.01, min(self._wait_s, self._progress.left_s())))
        try:
            size = self._connection.recv_into(buffer, min(len(buffer), _READ_BYTES))
        except TimeoutError as error:
            raise self._progress.late() from error
        except OSError as error:
            self._progress.check()
            detail = f"the server broke off the connection: {error.strerror or error}"
            raise SourceError(FailureReason.PROTOCOL_ERROR, detail) from error
        if self._progress.trace is not None:
            self._progress.heard(memoryview(buffer)[:size])
        self._progress.receive(size)
        return size


def port_of(url: str) -> int:
    """Return the port of a URL that `check_url` accepts, by its scheme if it names none."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme.lower()]
