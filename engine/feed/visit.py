"""One camera, one keyframe: the asyncio shell around the RTSP session. Runs under asyncio and uvloop.

A visit ends at its deadline whatever the server does: the deadline cancels it, and the connection is closed. What the
server sends is within a budget (`engine.feed.budget`), and it leads nowhere else (`engine.feed.destinations`).
"""

import asyncio
import errno
import functools
import ipaddress
import secrets
import socket
import ssl
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from engine.clock import monotonic_ns, seconds, wall_ns
from engine.config.feed import FeedSettings
from engine.errors import SourceRefusedError
from engine.feed.broken_visit import broken_visit
from engine.feed.budget import Budget
from engine.feed.camera_url import check_secrets, check_url
from engine.feed.connection import Connection
from engine.feed.destinations import Address, Destinations
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.dialogue.traced_session import TracedSession
from engine.feed.failure import visit_failure
from engine.feed.own_limits import is_own_limit, own_limit_detail
from engine.feed.rtsp.session import Failure, Session
from engine.feed.shared_by_visits import SharedByVisits
from engine.feed.tls import client_context
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings

_RTSP_PORT, _RTSPS_PORT = 554, 322
_SECURE = ("rtsps",)
_UDP_BUFFER_BYTES = 1 << 20
_UDP_PORT_ATTEMPTS = 20
_ADDRESSES_MAX = 8
"""Addresses of a name that are tried."""
DESCRIPTORS_PER_VISIT = {"tcp": 1, "udp": 3}
"""By `feed.rtsp_transport`."""


async def visit(
    order: VisitOrder,
    settings: FeedSettings,
    shared: SharedByVisits | None = None,
    trace: DialogueTrace | None = None,
) -> Keyframe | VisitFailure:
    """Fetch one keyframe before `order.deadline_ns` has passed, or return why there is none.

    `shared`: by all visits of the loop. `trace`: records the dialogue. Raises nothing but CancelledError.
    """
    state = _Visit(order, settings, shared or SharedByVisits(), trace)
    try:
        return await state.run()
    except MemoryError as error:
        return state.failure(Failure(FailureReason.EXHAUSTED, own_limit_detail(error)))
    except Exception as error:  # noqa: BLE001 (an order must end even if our own code is wrong)
        return broken_visit(order, error, state.timings(whole=False))


class _RefusedError(Exception):
    """No address of a host may be connected to; the text says why."""


class _Visit:
    """The state of one visit, over redirects."""

    def __init__(
        self, order: VisitOrder, settings: FeedSettings, shared: SharedByVisits, trace: DialogueTrace | None
    ) -> None:
        self._order = order
        self._trace = trace
        self._settings = settings
        self._shared = shared
        self._budget = Budget(settings.visit_bytes_max)
        self._began_ns = monotonic_ns()
        self._connected_ns = 0
        self._own_address = ""
        self._connection: Connection | None = None
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None
        self._session: Session | None = None

    async def run(self) -> Keyframe | VisitFailure:
        """Make the visit, and close everything."""
        try:
            async with asyncio.timeout(seconds(self._order.deadline_ns)):
                failure = await self._follow(self._order.url)
        except TimeoutError:
            failure = self._deadline_failure()
        finally:
            self._close()
        return self.failure(failure) if failure is not None else self._keyframe()

    async def _follow(self, url: str) -> Failure | None:
        """Visit `url` and what it redirects to, at most `redirects_max` times. Returns None if there is a keyframe."""
        try:
            check_url(url, self._settings.schemes)
            check_secrets(url)
        except SourceRefusedError as error:
            return Failure(FailureReason.SOURCE_REFUSED, str(error))
        for _ in range(self._settings.redirects_max + 1):
            failure = await self._visit_once(url)
            session = self._session
            if failure is not None or session is None or session.redirect is None:
                return failure
            self._close()
            try:
                url = _with_login(urljoin(url, session.redirect), self._order.url)
                check_url(url, [scheme for scheme in self._settings.schemes if scheme in ("rtsp", "rtsps")])
            except SourceRefusedError as error:
                return Failure(FailureReason.REDIRECT_REFUSED, f"redirected to {error}")
            except ValueError as error:  # of urljoin and urlsplit
                return Failure(FailureReason.PROTOCOL_ERROR, f"redirected to {session.redirect[:200]!r}: {error}")
        return Failure(FailureReason.PROTOCOL_ERROR, f"more than {self._settings.redirects_max} redirects")

    async def _visit_once(self, url: str) -> Failure | None:
        ports = None
        secure = url.partition(":")[0].lower() in _SECURE
        try:
            if self._settings.rtsp_transport == "udp" and not secure:
                ports = await self._open_udp_ports()
            self._session = session = self._new_session(url, ports)
            connection = await self._connect(url, session, secure)
        except TimeoutError:
            wait_s = self._settings.connect_timeout_s
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no connection within {wait_s:g} s")
        except OSError as error:
            return _connect_failure(error)
        except UnicodeError:
            return Failure(FailureReason.DNS, f"{urlsplit(url).hostname!r} is no name of a host")
        except _RefusedError as error:
            moved = "" if url == self._order.url else "redirected: "
            return Failure(FailureReason.REDIRECT_REFUSED, f"{moved}{error}")
        await connection.over
        return session.failure

    def _new_session(self, url: str, ports: tuple[int, int] | None) -> Session:
        nonce, runs = secrets.token_hex(8), self._shared.runs
        if self._trace is None:
            return Session(url, nonce, ports, runs)
        return TracedSession(url, nonce, ports, runs, self._trace)

    async def _connect(self, url: str, session: Session, secure: bool) -> Connection:
        """Connect to the first address of the host that may be connected to and takes the connection.

        Raises OSError, UnicodeError if the host is no name, and _RefusedError if no address is allowed.
        """
        parts = urlsplit(url)
        async with asyncio.timeout(self._settings.connect_timeout_s):
            last: Exception = _RefusedError("the host has no address")
            for ip_address in await _addresses(parts.hostname or "", _port(parts)):
                address = str(ip_address)
                refusal = self._refusal(parts, ip_address)
                if refusal is not None:
                    last = _RefusedError(refusal)
                    continue
                try:
                    connection = await self._connect_to(address, parts, session, secure)
                except OSError as error:
                    last = _without_ipv6(error) if ":" in address else error
                    continue
                self._own_address = self._own_address or address
                return connection
        raise last

    async def _connect_to(self, address: str, parts: SplitResult, session: Session, secure: bool) -> Connection:
        tls = client_context(self._settings.tls_verify) if secure else None
        port = _port(parts)
        if self._trace is not None:
            with_tls = " with TLS" if secure else ""
            self._trace.connected(monotonic_ns(), f"connecting to {address} port {port}{with_tls}")
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(session, self._budget, self._shared),
            address,
            port,
            ssl=tls,
            server_hostname=parts.hostname if tls else None,
        )
        self._connection = connection
        if not self._connected_ns:
            self._connected_ns = monotonic_ns()
        return connection

    def _refusal(self, parts: SplitResult, address: Address) -> str | None:
        """Return why this visit may not connect to `address`, which the host of the URL resolves to."""
        own = urlsplit(self._order.url)
        own_host = own.hostname or ""
        named = _port(parts) == _port(own) and (parts.hostname == own_host or str(address) == self._own_address)
        destinations = _destinations(self._settings.allowed_networks)
        return destinations.refusal(own_host, address, named=named)

    async def _open_udp_ports(self) -> tuple[int, int]:
        """Open an even RTP port and the odd one after it for RTCP (RFC 3550, 11). Raises OSError if none are free."""
        loop = asyncio.get_running_loop()
        for _ in range(_UDP_PORT_ATTEMPTS):
            sockets = _udp_pair()
            if sockets is None:
                continue
            rtp, rtcp = sockets
            port: int = rtp.getsockname()[1]
            rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
            self._rtp, _ = await loop.create_datagram_endpoint(lambda: _RtpDatagrams(self), sock=rtp)
            self._rtcp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=rtcp)
            return port, port + 1
        raise OSError(errno.EADDRINUSE, "no pair of UDP ports is free")

    def receive_datagram(self, data: bytes) -> None:
        """Process a datagram of the RTP port."""
        if self._session is not None and self._connection is not None and not self._session.over:
            self._connection.receive_datagram(data)
        else:
            self._budget.received_bytes += len(data)

    def _deadline_failure(self) -> Failure:
        """Return why there is no keyframe at the deadline, by how far the visit came."""
        after = f"within {seconds(self._order.deadline_ns):g} s"
        session = self._session
        if session is None or not session.answered:
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no answer {after}")
        if self._connection is not None and self._connection.heavy:
            received = f"{self._budget.received_bytes:,} bytes"
            return Failure(FailureReason.FLOOD, f"{received} came {after}, more than could be read, and no keyframe")
        if session.damaged:
            return Failure(FailureReason.DAMAGED, f"{session.damaged} keyframes came {after}, none of them whole")
        return Failure(FailureReason.TIMEOUT_KEYFRAME, f"no whole keyframe {after}")

    def _close(self) -> None:
        """Tear the session down without waiting for a response, and close everything."""
        connection, self._connection = self._connection, None
        transports = (self._rtp, self._rtcp)
        self._rtp = self._rtcp = None
        for transport in transports:
            if transport is not None:
                transport.close()
        if connection is not None:
            connection.close()

    def _keyframe(self) -> Keyframe:
        """Return the keyframe of a visit that did not fail."""
        session = self._session
        assert session is not None  # noqa: S101 (_follow() returned without a failure)
        assert session.keyframe is not None  # noqa: S101
        return Keyframe(
            camera_id=self._order.camera_id,
            visit_id=self._order.visit_id,
            codec=session.codec,
            payload=session.keyframe.payload,
            arrival_wall_ns=wall_ns(),
            stream_time_ns=session.keyframe.timestamp * 1_000_000_000 // session.clock_hz,
            source=FeedKind.RTSP,
            timings=self.timings(whole=True),
            stream=self._order.stream,
        )

    def failure(self, failure: Failure) -> VisitFailure:
        """Return the failed visit."""
        return visit_failure(self._order, failure.reason, failure.detail, self.timings(whole=False))

    def timings(self, *, whole: bool) -> VisitTimings:
        """Return the timings so far. `whole`: a keyframe has come."""
        now_ns = monotonic_ns()
        connected_ns = self._connected_ns
        return VisitTimings(
            connect_ns=max(0, connected_ns - self._began_ns),
            keyframe_ns=now_ns - connected_ns if whole and connected_ns else 0,
            total_ns=now_ns - self._began_ns,
            received_bytes=self._budget.received_bytes,
        )


class _RtpDatagrams(asyncio.DatagramProtocol):
    """Passes the datagrams of the RTP port to the visit."""

    def __init__(self, owner: _Visit) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Process one datagram."""
        del address
        self._owner.receive_datagram(data)


@functools.lru_cache(maxsize=4)
def _destinations(allowed: tuple[str, ...]) -> Destinations:
    return Destinations(allowed)


async def _addresses(host: str, port: int) -> list[Address]:
    """Return the addresses of a host. Raises OSError, or UnicodeError if it is no name."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(text) for text in dict.fromkeys(str(row[4][0]) for row in found)][:_ADDRESSES_MAX]


def _port(parts: SplitResult) -> int:
    return parts.port or (_RTSPS_PORT if parts.scheme.lower() in _SECURE else _RTSP_PORT)


def _udp_pair() -> tuple[socket.socket, socket.socket] | None:
    """Return sockets on an even port and the one after it; None if those are taken. Raises OSError."""
    rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        rtp.close()
        raise
    try:
        for udp_socket in (rtp, rtcp):
            udp_socket.setblocking(False)
        rtp.bind(("0.0.0.0", 0))
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            rtcp.bind(("0.0.0.0", port + 1))
            return rtp, rtcp
    except OSError:
        pass
    rtp.close()
    rtcp.close()
    return None


def _without_ipv6(error: OSError) -> OSError:
    """Return what the error means for an IPv6 address: no address to connect from is no shortage of ports."""
    if error.errno != errno.EADDRNOTAVAIL:
        return error
    return OSError(errno.ENETUNREACH, "this machine has no IPv6 address to connect from")


def _connect_failure(error: OSError) -> Failure:
    if is_own_limit(error):
        return Failure(FailureReason.EXHAUSTED, own_limit_detail(error))
    if isinstance(error, socket.gaierror):
        return Failure(FailureReason.DNS, f"the host's name does not resolve: {error.strerror}")
    if isinstance(error, ConnectionRefusedError) or "Errno 111" in str(error):
        return Failure(FailureReason.REFUSED, "nothing listens on that port")
    if isinstance(error, ssl.SSLError):
        return Failure(FailureReason.PROTOCOL_ERROR, f"no TLS: {error.reason or error.strerror}")
    return Failure(FailureReason.UNREACHABLE, str(error.strerror or error))


def _with_login(url: str, original: str) -> str:
    """Return `url` with the user and password of `original` if it has none and leads to the same host."""
    old, new = urlsplit(original), urlsplit(url)
    if new.username or not old.username or new.hostname != old.hostname:
        return url
    return new._replace(netloc=f"{old.netloc.rpartition('@')[0]}@{new.netloc}").geturl()
