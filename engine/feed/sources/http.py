"""Asks a camera over HTTP: one GET with its login and its redirects, bounded in time, bytes and where it leads.

Proxies of the environment are not used. Redirects are followed as `feed.redirects_max` and `feed.allowed_networks`
allow; the password goes to the camera's own host and port only.
"""

import http.client
import io
import secrets
import socket
from http import HTTPStatus
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_url
from engine.feed.rtsp import auth
from engine.feed.sources.connection import Connections, Received, port_of
from engine.feed.sources.playlist import ByteRange
from engine.feed.sources.progress import Progress, SourceError
from engine.model.visit import FailureReason
from engine.redact import redact

NO_SUCH_STREAM = "the server has no stream of that name"
_CHALLENGES_MAX = 2
"""401s that are answered: the second is for a nonce that has become stale."""
_HTML_KINDS = ("text/html", "application/xhtml+xml")
_HTML_STARTS = (b"<!doctype html", b"<html")
_BEGIN_BYTES = 4096
_SHOWN_CHARS = 200
_PLAIN = "/%:@!$&'()*+,;=~-._[]|"
"""Characters of a path that are sent as they are."""
_OK = range(200, 300)


class Answer:
    """What the server has at a URL: a file object, which FFmpeg can read. Close it.

    `url`: where it was found, after redirects. `kind`: media type in lower case, like text/html; empty if the server
    did not say. `moved_to`: where a redirect led to, without passwords; empty if there was none.
    """

    def __init__(
        self, url: str, response: http.client.HTTPResponse, connection: socket.socket, progress: Progress, moved_to: str
    ) -> None:
        self.url = url
        self.kind = (response.getheader("content-type") or "").partition(";")[0].strip().lower()
        self.is_partial = response.status == HTTPStatus.PARTIAL_CONTENT
        self.moved_to = moved_to
        self._response = response
        self._connection = connection
        self._progress = progress
        self._left = response.length
        self._begin = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        """Return what has come, 1 to `size` bytes; b"" at the end. Raises SourceError."""
        if self._place < len(self._begin):
            begin = self._begin[self._place : self._place + size]
            self._place += len(begin)
            return begin
        return self._read(size)

    def begin(self) -> bytes:
        """Return the first bytes, up to 4,096, without reading past them; b"" if there are none."""
        if not self._begin:
            self._begin = self._read(_BEGIN_BYTES)
        return self._begin

    def whole(self, bytes_max: int, what: str) -> bytes:
        """Return all of it. Raises SourceError, also (`flood`) if it is more than `bytes_max`."""
        body = bytearray()
        while chunk := self.read(_BEGIN_BYTES * 16):
            body += chunk
            if len(body) > bytes_max:
                raise SourceError(FailureReason.FLOOD, f"{what} has more than {bytes_max} bytes")
        return bytes(body)

    @property
    def is_html(self) -> bool:
        """Whether it is a web page, by its type or its first bytes."""
        return self.kind in _HTML_KINDS or self.begin().lstrip().lower().startswith(_HTML_STARTS)

    @property
    def is_text(self) -> bool:
        """Whether it is text of another kind: XML or JSON, mostly an error."""
        return self.kind.startswith("text/") or self.kind.endswith(("/json", "/xml", "+json", "+xml"))

    def close(self) -> None:
        """Close the connection."""
        self._progress.close(self._connection)

    def _read(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        if not size:
            return b""
        try:
            data = self._response.read1(size)
        except (http.client.HTTPException, ValueError):  # cut off, or chunks that are none: FFmpeg judges what came
            data = b""
        if not data:
            self._left = 0
        elif self._left is not None:
            self._left -= len(data)
        return data


def get(url: str, connections: Connections, part: ByteRange | None = None) -> Answer:
    """Return what the server has at `url` (http or https). Raises SourceError if it has nothing, or is not reached.

    `part`: ask for these bytes only; the server may send all of them all the same.
    """
    url, moved_to = _bare(url), ""
    for _ in range(connections.settings.redirects_max + 1):
        is_own = connections.is_own(urlsplit(url).hostname or "", port_of(url))
        answer = _get(url, connections, connections.login if is_own else None, part, moved_to)
        if isinstance(answer, Answer):
            return answer
        url, moved_to = _bare(answer), redact(answer)[:_SHOWN_CHARS]
    raise SourceError(FailureReason.PROTOCOL_ERROR, f"more than {connections.settings.redirects_max} redirects")


def _get(
    url: str, connections: Connections, login: tuple[str, str] | None, part: ByteRange | None, moved_to: str
) -> Answer | str:
    """Ask once, and again with the login. Returns the answer, or the URL that it redirects to."""
    authorization = ""
    challenge: auth.Challenge | None = None
    target = _target(url)
    for _ in range(1 + _CHALLENGES_MAX):
        connection, response = _exchange(url, target, connections, authorization, part)
        if response.status in _OK:
            return Answer(url, response, connection, connections.progress, moved_to)
        connections.progress.close(connection)
        location = response.getheader("location")
        if 300 <= response.status < 400 and location:
            return _redirect(url, location, connections)
        previous, challenge = challenge, auth.choose("\n".join(response.headers.get_all("www-authenticate") or ()))
        if response.status != HTTPStatus.UNAUTHORIZED or login is None or challenge is None or challenge == previous:
            break
        authorization = auth.authorization(challenge, *login, "GET", target, 1, secrets.token_hex(8))
    raise _refusal(response, login)


def _exchange(
    url: str, target: str, connections: Connections, authorization: str, part: ByteRange | None
) -> tuple[socket.socket, http.client.HTTPResponse]:
    """Send one request on a connection of its own and read the head of the response. Raises SourceError."""
    parts = urlsplit(url)
    progress = connections.progress
    connections.require(parts.scheme.lower())
    connection = connections.open(parts.hostname or "", port_of(url), tls=parts.scheme.lower() == "https")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {_host_header(parts)}",
        "User-Agent: kitchen-patrol",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    if part is not None:
        lines.append(f"Range: bytes={part.begin}-{part.begin + part.size - 1}")
    try:
        request = "\r\n".join([*lines, "", ""]).encode("utf-8")
        progress.sent(request)
        connection.sendall(request)
        wrapped = _ForResponse(connection, progress, connections.settings.connect_timeout_s)
        response = http.client.HTTPResponse(wrapped, method="GET")  # type: ignore[arg-type]
        response.begin()
    except http.client.HTTPException as error:
        progress.close(connection)
        detail = f"the server does not answer in HTTP ({type(error).__name__})"
        raise SourceError(FailureReason.PROTOCOL_ERROR, detail) from error
    except OSError as error:
        progress.close(connection)
        progress.check()
        detail = f"the server broke off the connection: {error.strerror or error}"
        raise SourceError(FailureReason.PROTOCOL_ERROR, detail) from error
    except (SourceError, ValueError):
        progress.close(connection)
        raise
    return connection, response


class _ForResponse:
    """A connection as http.client wants it."""

    def __init__(self, connection: socket.socket, progress: Progress, wait_s: float) -> None:
        self._received = Received(connection, progress, wait_s)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file that the response is read from."""
        del mode
        return io.BufferedReader(self._received, 16_384)


def _redirect(url: str, location: str, connections: Connections) -> str:
    """Return where a redirect leads to. Raises SourceError if it is no place for a camera's video."""
    schemes = [scheme for scheme in ("http", "https") if scheme in connections.settings.schemes]
    try:
        led = urljoin(url, location)
        check_url(led, schemes)
    except (SourceRefusedError, ValueError) as error:
        detail = f"redirected to {error}" if isinstance(error, SourceRefusedError) else f"redirected badly: {error}"
        raise SourceError(FailureReason.REDIRECT_REFUSED, detail) from error
    return led


def _refusal(response: http.client.HTTPResponse, login: tuple[str, str] | None) -> SourceError:
    """Return the failure that a status other than 2xx stands for."""
    status = response.status
    if status == HTTPStatus.UNAUTHORIZED:
        refuses = "the server refuses this user and password (401)"
        detail = refuses if login else "the server asks for a user and password; the URL has none (401)"
        return SourceError(FailureReason.UNAUTHORIZED, detail)
    if status == HTTPStatus.FORBIDDEN:
        return SourceError(FailureReason.UNAUTHORIZED, "the server refuses access (403)")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return SourceError(FailureReason.NOT_FOUND, f"{NO_SUCH_STREAM} ({status})")
    said = f"{status} {response.reason}"[:_SHOWN_CHARS]
    return SourceError(FailureReason.PROTOCOL_ERROR, f"the server answers {said}")


def _host_header(parts: SplitResult) -> str:
    if parts.netloc.isascii():
        return parts.netloc
    host = (parts.hostname or "").encode("idna").decode("ascii")
    return f"{host}:{parts.port}" if parts.port else host


def _bare(url: str) -> str:
    """Return the URL without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _target(url: str) -> str:
    """Return the path and query of a request line, in ASCII."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_PLAIN)
    return f"{path}?{quote(parts.query, safe=_PLAIN + '?/')}" if parts.query else path
