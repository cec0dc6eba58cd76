"""Carries RTMP and RTSP between FFmpeg and a camera, over a listener on loopback that only this visit uses.

FFmpeg speaks these protocols itself and opens its own connections. Through the relay it reaches the camera's own host
and port and nothing else, TLS is the engine's own, bytes are counted, and a redirect of RTSP, which FFmpeg would follow
wherever it leads, ends the visit.
"""

import re
import selectors
import socket
import ssl
import threading
from itertools import pairwise
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from engine.feed.own_limits import own_limit_detail
from engine.feed.sources.connection import Connections
from engine.feed.sources.progress import Progress, SourceError
from engine.model.visit import FailureReason

_SECURE = ("rtsps", "rtmps")
_READ_BYTES = 65_536
_WAIT_S = 0.2
_CONNECTIONS_MAX = 4
"""FFmpeg connects again to log in to RTMP, at most twice."""
_LINE_BYTES_MAX = 4096
"""FFmpeg reads no more of a line."""
_TAB_TO_BLANK = bytes.maketrans(b"\t", b" ")
_STATUS = re.compile(rb"[+-]?\d{1,30}")
_REDIRECTS = range(300, 400)


class Relay:
    """One visit's relay. Use it with `with`: FFmpeg opens `url`, and `failure` says what the relay ended it for."""

    def __init__(self, url: str, connections: Connections) -> None:
        self._url = url
        self._connections = connections
        self._is_rtsp = urlsplit(url).scheme.lower() in ("rtsp", "rtsps")
        self._over = threading.Event()
        self._listener: socket.socket | None = None
        self._upstream: socket.socket | None = None
        self.failure: SourceError | None = None

    def __enter__(self) -> Self:
        """Connect to the camera, listen, and start the relay's thread. Raises SourceError."""
        self._upstream = self._connect()
        try:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
            self._listener.settimeout(_WAIT_S)
            threading.Thread(target=self._run, args=(self._listener,), name="relay", daemon=True).start()
        except (OSError, RuntimeError) as error:
            self._close()
            raise SourceError(FailureReason.EXHAUSTED, own_limit_detail(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have the thread end: at once if FFmpeg has closed its side, as it has after a visit."""
        self._over.set()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._upstream is not None:
            self._connections.progress.close(self._upstream)

    @property
    def url(self) -> str:
        """The URL that FFmpeg opens: path and login of the camera's, host and port of the relay."""
        parts = urlsplit(self._url)
        scheme = "rtsp" if self._is_rtsp else "rtmp"
        login, at, _ = parts.netloc.rpartition("@")
        assert self._listener is not None  # noqa: S101 (opened by __enter__)
        port = self._listener.getsockname()[1]
        return parts._replace(scheme=scheme, netloc=f"{login}{at}127.0.0.1:{port}").geturl()

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options for `url`."""
        wait_us = str(round(self._connections.settings.connect_timeout_s * 1e6))
        if self._is_rtsp:
            # RTP comes in the connection, whatever `rtsp_transport` says: FFmpeg would send datagrams wherever a server
            # tells it to. The SDP names the codec: nothing to probe.
            return {
                "protocol_whitelist": "tcp",
                "rtsp_transport": "tcp",
                "timeout": wait_us,
                "analyzeduration": "1",
                "probesize": "32",
            }
        # Servers tell virtual hosts apart by the tcUrl: it names the camera, not the relay. FFmpeg waits for sound as
        # long as it analyses.
        return {
            "protocol_whitelist": "rtmp,tcp",
            "rw_timeout": wait_us,
            "rtmp_tcurl": _tc_url(self._url, self._connections),
            "analyzeduration": "1000000",
            "probesize": "500000",
        }

    def _connect(self) -> socket.socket:
        if not self._is_rtsp:
            self._connections.require("rtmp")
        is_secure = urlsplit(self._url).scheme.lower() in _SECURE
        return self._connections.open(self._connections.host, self._connections.port, tls=is_secure)

    def _run(self, listener: socket.socket) -> None:
        progress = self._connections.progress
        try:
            for _ in range(_CONNECTIONS_MAX):
                local = self._accept(listener)
                if local is None:
                    break
                camera, self._upstream = self._upstream or self._connect(), None
                with local:
                    try:
                        self._carry(local, camera, progress)
                    except SourceError as failure:  # before FFmpeg notices that the connection has ended
                        self.failure = failure
                        return
                    finally:
                        progress.close(camera)
        except SourceError as failure:
            self.failure = failure
        except OSError:
            pass  # one side broke off, and FFmpeg has its own words for that
        finally:
            self._close()

    def _accept(self, listener: socket.socket) -> socket.socket | None:
        """Return the next connection of FFmpeg; None if the visit is over."""
        while not self._over.is_set():
            try:
                return listener.accept()[0]
            except TimeoutError:
                continue
        return None

    def _carry(self, local: socket.socket, camera: socket.socket, progress: Progress) -> None:
        """Pass bytes on until one side ends. Raises SourceError if the visit may receive no more."""
        wait_s = self._connections.settings.connect_timeout_s
        local.settimeout(wait_s)
        scan = _RedirectScan() if self._is_rtsp else None
        with selectors.DefaultSelector() as selector:
            selector.register(local, selectors.EVENT_READ)
            selector.register(camera, selectors.EVENT_READ)
            while not self._over.is_set():
                progress.check()
                ready = [key.fileobj for key, _ in selector.select(_WAIT_S)]
                if local in ready:
                    sent = local.recv(_READ_BYTES)
                    if not sent:
                        return
                    camera.settimeout(wait_s)
                    progress.sent(sent)
                    camera.sendall(sent)
                if camera in ready:
                    received = _receive(camera)
                    if received == b"":
                        return
                    progress.heard(received or b"")
                    progress.receive(len(received or b""))
                    if scan is not None and received and scan.finds(received):
                        detail = "the server redirects FFmpeg's second try, which goes to the camera's own host only"
                        raise SourceError(FailureReason.REDIRECT_REFUSED, detail)
                    local.sendall(received or b"")


def _tc_url(url: str, connections: Connections) -> str:
    """Return the URL of the application in an RTMP URL, as FFmpeg makes it: the path's first part, or its first two."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    first, _, rest = path.removeprefix("/").partition("/")
    second, more, _ = rest.partition("/")
    app = f"{first}/{second}" if more and ":" not in second else first
    host = f"[{connections.host}]" if ":" in connections.host else connections.host
    return f"{parts.scheme.lower()}://{host}:{connections.port}/{app}"


class _RedirectScan:
    """Finds an RTSP redirect in what a server sends, however it is cut into pieces, and wherever FFmpeg may read it."""

    def __init__(self) -> None:
        self._tail = b""

    def finds(self, data: bytes) -> bool:
        """Return whether a status line with 3xx ends in these bytes, which follow those of the last call."""
        text = self._tail + data.translate(_TAB_TO_BLANK, b"\r")  # FFmpeg drops carriage returns anywhere in a line
        self._tail = text[-_LINE_BYTES_MAX:]
        return any(_has_redirect(line) for line in text.split(b"\n") if b"RTSP/" in line)


def _has_redirect(line: bytes) -> bool:
    return any(b"RTSP/" in word and _is_redirect(number) for word, number in pairwise(line.split()))


def _is_redirect(word: bytes) -> bool:
    number = _STATUS.match(word)
    return number is not None and int(number[0]) % (1 << 32) in _REDIRECTS  # a C int: greater ones begin again at 0


def _receive(connection: socket.socket) -> bytes | None:
    """Return what has come; b"" at the end, None if TLS had only something of its own."""
    connection.settimeout(0)
    try:
        return connection.recv(_READ_BYTES)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
