"""One camera, one keyframe: the asyncio shell around the RTSP session. Runs under asyncio and uvloop.

A visit ends at its deadline whatever the server does: the deadline cancels it, and the connection is closed.
"""

import asyncio
import errno
import functools
import secrets
import socket
import ssl
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.clock import monotonic_ns, seconds, wall_ns
from engine.config.schema import FeedSettings
from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_url
from engine.feed.rtsp.session import Failure, Session
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.redact import redact

_RTSP_PORT, _RTSPS_PORT = 554, 322
_SECURE = ("rtsps",)
_UDP_BUFFER_BYTES = 1 << 20
_NAP_S = 0.1
"""So much later a keyframe may be seen."""


async def visit(order: VisitOrder, settings: FeedSettings) -> Keyframe | VisitFailure:
    """Bring one keyframe, or say why not, before `order.deadline_ns` has passed. Never raises but when cancelled."""
    run = _Visit(order, settings)
    try:
        async with asyncio.timeout(seconds(order.deadline_ns)):
            failure = await run.follow(order.url)
    except TimeoutError:
        failure = run.too_late()
    finally:
        run.close()
    return run.failure(failure) if failure is not None else run.keyframe()


class _Visit:
    """The state of one visit, over redirects."""

    def __init__(self, order: VisitOrder, settings: FeedSettings) -> None:
        self._order = order
        self._settings = settings
        self._began_ns = monotonic_ns()
        self._connected_ns = self._arrived_ns = self._arrival_wall_ns = 0
        self._received = 0
        self._connection: _Connection | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._control: asyncio.DatagramTransport | None = None
        self._session: Session | None = None

    async def follow(self, url: str) -> Failure | None:
        """Visit, and visit where the server sends us, a few times."""
        for _ in range(self._settings.redirects_max + 1):
            failure = await self._once(url)
            session = self._session
            if failure is not None or session is None or session.redirect is None:
                return failure
            self.close()
            url = _with_login(urljoin(url, session.redirect), self._order.url)
            try:
                check_url(url, [one for one in self._settings.schemes if one in ("rtsp", "rtsps")])
            except SourceRefusedError as error:
                return Failure(FailureReason.PROTOCOL_ERROR, f"redirected to {error}")
        return Failure(FailureReason.PROTOCOL_ERROR, f"more than {self._settings.redirects_max} redirects")

    async def _once(self, url: str) -> Failure | None:
        ports = None
        secure = url.partition(":")[0].lower() in _SECURE
        try:
            if self._settings.rtsp_transport == "udp" and not secure:
                ports = await self._open_datagrams()
            self._session = session = Session(url, secrets.token_hex(8), ports)
            connection = await self._connect(url, session, secure)
        except TimeoutError:
            wait_s = self._settings.connect_timeout_s
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no connection within {wait_s:g} s")
        except OSError as error:
            return _connect_failure(error)
        await connection.over
        self._received += connection.received
        return session.failure

    async def _connect(self, url: str, session: Session, secure: bool) -> "_Connection":
        parts = urlsplit(url)
        port = parts.port or (_RTSPS_PORT if secure else _RTSP_PORT)
        tls = _tls(self._settings.tls_verify) if secure else None
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

    async def _open_datagrams(self) -> tuple[int, int]:
        """An even RTP port with the odd one after it for RTCP (RFC 3550, 11)."""
        loop = asyncio.get_running_loop()
        for _ in range(20):
            rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for one in (rtp, rtcp):
                one.setblocking(False)
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
            self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=rtp)
            self._control, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=rtcp)
            return port, port + 1
        raise OSError(errno.EADDRINUSE, "no pair of UDP ports is free")

    def datagram(self, data: bytes) -> None:
        """RTP came by UDP."""
        self._received += len(data)
        if self._session is not None and self._connection is not None and not self._session.over:
            self._session.receive_datagram(data)
            self._connection.settle()

    def too_late(self) -> Failure:
        """What the deadline says, by how far the visit came."""
        after = f"within {seconds(self._order.deadline_ns):g} s"
        session = self._session
        if session is None or not session.answered:
            return Failure(FailureReason.TIMEOUT_CONNECT, f"no answer {after}")
        if session.damaged:
            return Failure(FailureReason.DAMAGED, f"{session.damaged} keyframes came {after}, none of them whole")
        return Failure(FailureReason.TIMEOUT_KEYFRAME, f"no whole keyframe {after}")

    def close(self) -> None:
        """Say goodbye without waiting for an answer, and close everything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for one in (self._datagrams, self._control):
            if one is not None:
                one.close()
        self._datagrams = self._control = None

    def keyframe(self) -> Keyframe:
        """What the visit brought."""
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
            timings=self._timings(monotonic_ns()),
        )

    def failure(self, failure: Failure) -> VisitFailure:
        """Why it brought nothing."""
        timings = self._timings(0)
        return VisitFailure(
            self._order.camera_id, self._order.visit_id, failure.reason, redact(failure.detail), timings
        )

    def _timings(self, arrived_ns: int) -> VisitTimings:
        now_ns = monotonic_ns()
        return VisitTimings(
            connect_ns=max(0, self._connected_ns - self._began_ns),
            keyframe_ns=arrived_ns - self._connected_ns if arrived_ns and self._connected_ns else 0,
            total_ns=now_ns - self._began_ns,
            received_bytes=self._received,
        )


class _Connection(asyncio.Protocol):
    """Carries bytes between a transport and a session; `over` is done when the session is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transport: Any = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        self._nap: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the dialogue."""
        self._transport = transport
        self._session.begin()
        self.settle()

    def data_received(self, data: bytes) -> None:
        """Bytes of the server."""
        self.received += len(data)
        if not self._session.over:
            self._session.receive(data)
            self.settle()
            if self._session.idle and not self._transport.is_closing():
                # Between keyframes: let the kernel gather what nobody needs, and wake a third as often.
                self._transport.pause_reading()
                self._nap = asyncio.get_running_loop().call_later(_NAP_S, self._wake)

    def _wake(self) -> None:
        self._nap = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The server closed, or reset."""
        del error
        self._session.closed()
        self.settle()

    def settle(self) -> None:
        """Send what the session has to say; wake the visit when it is over."""
        out = self._session.take_outgoing()
        if out and not self._transport.is_closing():
            self._transport.write(out)
        if self._session.over and not self.over.done():
            self.over.set_result(None)

    def close(self) -> None:
        """TEARDOWN, so that the server need not keep the session, then close."""
        if self._nap is not None:
            self._nap.cancel()
        if self._transport is None or self._transport.is_closing():
            return
        goodbye = self._session.teardown()
        if goodbye:
            self._transport.write(goodbye)
        self._transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    """RTP by UDP."""

    def __init__(self, owner: _Visit) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, address: Any) -> None:
        """One packet."""
        del address
        self._owner.datagram(data)


def _connect_failure(error: OSError) -> Failure:
    if isinstance(error, socket.gaierror):
        return Failure(FailureReason.DNS, f"the host's name does not resolve: {error.strerror}")
    if isinstance(error, ConnectionRefusedError) or "Errno 111" in str(error):
        return Failure(FailureReason.REFUSED, "nothing listens on that port")
    if isinstance(error, ssl.SSLError):
        return Failure(FailureReason.PROTOCOL_ERROR, f"no TLS: {error.reason or error.strerror}")
    return Failure(FailureReason.UNREACHABLE, str(error.strerror or error))


def _with_login(url: str, original: str) -> str:
    """A redirect to the same host keeps the user and password; to another host it must bring its own."""
    old, new = urlsplit(original), urlsplit(url)
    if new.username or not old.username or new.hostname != old.hostname:
        return url
    return new._replace(netloc=f"{old.netloc.rpartition('@')[0]}@{new.netloc}").geturl()


@functools.cache
def _tls(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
