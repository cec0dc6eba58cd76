"""One camera, one keyframe: the asyncio shell around the RTSP session. Runs under asyncio and uvloop.

A visit ends at its deadline whatever the server does: the deadline cancels it, and the connection is closed.
"""

import asyncio
import errno
import secrets
import socket
import ssl
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.clock import monotonic_ns, seconds, wall_ns
from engine.config.schema import FeedSettings
from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_secrets, check_url
from engine.feed.rtsp.session import Failure, Session
from engine.feed.tls import client_context
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.redact import without_secrets_of

_RTSP_PORT, _RTSPS_PORT = 554, 322
_SECURE = ("rtsps",)
_UDP_BUFFER_BYTES = 1 << 20
_UDP_PORT_ATTEMPTS = 20
_READ_PAUSE_S = 0.1
"""Reading pauses this long between keyframes, so a keyframe may be noticed this much later."""


async def visit(order: VisitOrder, settings: FeedSettings) -> Keyframe | VisitFailure:
    """Fetch one keyframe before `order.deadline_ns` has passed, or return why there is none.

    Raises nothing but CancelledError.
    """
    state = _Visit(order, settings)
    try:
        async with asyncio.timeout(seconds(order.deadline_ns)):
            failure = await state.follow(order.url)
    except TimeoutError:
        failure = state.deadline_failure()
    finally:
        state.close()
    return state.failure(failure) if failure is not None else state.keyframe()


class _Visit:
    """The state of one visit, over redirects."""

    def __init__(self, order: VisitOrder, settings: FeedSettings) -> None:
        self._order = order
        self._settings = settings
        self._began_ns = monotonic_ns()
        self._connected_ns = 0
        self._received_bytes = 0
        self._connection: _Connection | None = None
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None
        self._session: Session | None = None

    async def follow(self, url: str) -> Failure | None:
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
            self.close()
            try:
                url = _with_login(urljoin(url, session.redirect), self._order.url)
                check_url(url, [scheme for scheme in self._settings.schemes if scheme in ("rtsp", "rtsps")])
            except SourceRefusedError as error:
                return Failure(FailureReason.PROTOCOL_ERROR, f"redirected to {error}")
            except ValueError as error:  # of urljoin and urlsplit
                return Failure(FailureReason.PROTOCOL_ERROR, f"redirected to {session.redirect[:200]!r}: {error}")
        return Failure(FailureReason.PROTOCOL_ERROR, f"more than {self._settings.redirects_max} redirects")

    async def _visit_once(self, url: str) -> Failure | None:
        ports = None
        secure = url.partition(":")[0].lower() in _SECURE
        try:
            if self._settings.rtsp_transport == "udp" and not secure:
                ports = await self._open_udp_ports()
            self._session = session = Session(url, secrets.token_hex(8), ports)
            connection = await self._connect(url, session, secure)
        except TimeoutError:
            wait_s = self._settings.connect_timeout_s
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no connection within {wait_s:g} s")
        except OSError as error:
            return _connect_failure(error)
        await connection.over
        return session.failure

    async def _connect(self, url: str, session: Session, secure: bool) -> "_Connection":
        parts = urlsplit(url)
        port = parts.port or (_RTSPS_PORT if secure else _RTSP_PORT)
        tls = client_context(self._settings.tls_verify) if secure else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._settings.connect_timeout_s):
            _, connection = await loop.create_connection(
                lambda: _Connection(session),
                parts.hostname or "",
                port,
                ssl=tls,
                server_hostname=parts.hostname if tls else None,
            )
        self._connection = connection
        if not self._connected_ns:
            self._connected_ns = monotonic_ns()
        return connection

    async def _open_udp_ports(self) -> tuple[int, int]:
        """Open an even RTP port and the odd one after it for RTCP (RFC 3550, 11). Raises OSError if none are free."""
        loop = asyncio.get_running_loop()
        for _ in range(_UDP_PORT_ATTEMPTS):
            rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for udp_socket in (rtp, rtcp):
                udp_socket.setblocking(False)
            try:
                rtp.bind(("0.0.0.0", 0))
                port = rtp.getsockname()[1]
                if port % 2:
                    raise OSError(errno.EADDRINUSE, "an odd port")
                rtcp.bind(("0.0.0.0", port + 1))
            except OSError:
                rtp.close()
                rtcp.close()
                continue
            rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
            self._rtp, _ = await loop.create_datagram_endpoint(lambda: _RtpDatagrams(self), sock=rtp)
            self._rtcp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=rtcp)
            return port, port + 1
        raise OSError(errno.EADDRINUSE, "no pair of UDP ports is free")

    def receive_datagram(self, data: bytes) -> None:
        """Process a datagram of the RTP port."""
        self._received_bytes += len(data)
        if self._session is not None and self._connection is not None and not self._session.over:
            self._session.receive_datagram(data)
            self._connection.flush()

    def deadline_failure(self) -> Failure:
        """Return why there is no keyframe at the deadline, by how far the visit came."""
        after = f"within {seconds(self._order.deadline_ns):g} s"
        session = self._session
        if session is None or not session.answered:
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no answer {after}")
        if session.damaged:
            return Failure(FailureReason.DAMAGED, f"{session.damaged} keyframes came {after}, none of them whole")
        return Failure(FailureReason.TIMEOUT_KEYFRAME, f"no whole keyframe {after}")

    def close(self) -> None:
        """Tear the session down without waiting for a response, close everything, and count what was received."""
        if self._connection is not None:
            self._connection.close()
            self._received_bytes += self._connection.received_bytes
            self._connection = None
        for transport in (self._rtp, self._rtcp):
            if transport is not None:
                transport.close()
        self._rtp = self._rtcp = None

    def keyframe(self) -> Keyframe:
        """Return the keyframe of a visit that did not fail."""
        session = self._session
        assert session is not None  # noqa: S101 (follow() returned without a failure)
        assert session.keyframe is not None  # noqa: S101
        return Keyframe(
            camera_id=self._order.camera_id,
            visit_id=self._order.visit_id,
            codec=session.codec,
            payload=session.keyframe.payload,
            arrival_wall_ns=wall_ns(),
            stream_time_ns=session.keyframe.timestamp * 1_000_000_000 // session.clock_hz,
            source=FeedKind.RTSP,
            timings=self._timings(whole=True),
        )

    def failure(self, failure: Failure) -> VisitFailure:
        """Return the failed visit, without passwords."""
        timings = self._timings(whole=False)
        detail = without_secrets_of(self._order.url, failure.detail)
        return VisitFailure(self._order.camera_id, self._order.visit_id, failure.reason, detail, timings)

    def _timings(self, *, whole: bool) -> VisitTimings:
        now_ns = monotonic_ns()
        connected_ns = self._connected_ns
        return VisitTimings(
            connect_ns=max(0, connected_ns - self._began_ns),
            keyframe_ns=now_ns - connected_ns if whole and connected_ns else 0,
            total_ns=now_ns - self._began_ns,
            received_bytes=self._received_bytes,
        )


class _Connection(asyncio.Protocol):
    """Carries bytes between a transport and a session; `over` is done when the session is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transport: Any = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received_bytes = 0
        self._pause: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._session.begin()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Process bytes of the server."""
        self.received_bytes += len(data)
        if not self._session.over:
            self._session.receive(data)
            self.flush()
            if self._session.idle and not self._transport.is_closing():
                # Between keyframes: let the kernel gather what nobody needs, and wake a third as often.
                self._transport.pause_reading()
                self._pause = asyncio.get_running_loop().call_later(_READ_PAUSE_S, self._resume_reading)

    def _resume_reading(self) -> None:
        self._pause = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """End the session: the server has closed or reset the connection."""
        del error
        self._session.connection_closed()
        self.flush()

    def flush(self) -> None:
        """Send what the session wants to send; complete `over` if the session is over."""
        outgoing = self._session.drain_outgoing()
        if outgoing and not self._transport.is_closing():
            self._transport.write(outgoing)
        if self._session.over and not self.over.done():
            self.over.set_result(None)

    def close(self) -> None:
        """Send TEARDOWN, so that the server need not keep the session, then close."""
        if self._pause is not None:
            self._pause.cancel()
        if self._transport is None or self._transport.is_closing():
            return
        teardown = self._session.teardown()
        if teardown:
            self._transport.write(teardown)
        self._transport.close()


class _RtpDatagrams(asyncio.DatagramProtocol):
    """Passes the datagrams of the RTP port to the visit."""

    def __init__(self, owner: _Visit) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Process one datagram."""
        del address
        self._owner.receive_datagram(data)


def _connect_failure(error: OSError) -> Failure:
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
