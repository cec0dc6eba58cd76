"""Where a camera's URL leads, and whether it may. Pure."""

import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from engine.errors import SourceRefusedError
from engine.model.visit import FeedKind
from engine.redact import redact

KNOWN_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file")
"""What an operator may allow; everything else of FFmpeg (concat:, pipe:, data:, ...) can never be asked for."""

_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_PLAIN_URL = re.compile(
    r"([a-z]+)://(?:[A-Za-z0-9_.~%!$&*+,;=:-]*@)?([A-Za-z0-9.-]+)(?::([0-9]{1,4}))?(?:/[!-\x22$-~]*)?\Z", re.ASCII
)
"""What nearly all cameras have; all else, and what is wrong, is urlsplit's, which takes ten times as long."""
_URL_CHARS_MAX = 2048
_REMEDY = "give a URL like rtsp://user:password@host:554/path"


def check_url(url: str, schemes: Collection[str]) -> None:
    """Raise SourceRefusedError unless this is a URL that the operator allows."""
    parts = _split(url)
    allowed = ", ".join(schemes)
    if parts.scheme not in KNOWN_SCHEMES or parts.scheme not in schemes:
        raise SourceRefusedError(
            f"{redact(url)!r}: scheme {parts.scheme or 'none'!r} is not allowed; allowed: {allowed}; "
            f"{_REMEDY}, or add the scheme to feed.schemes"
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise SourceRefusedError(
                f"{redact(url)!r}: a file URL names a path on this machine: file:///path/to/clip.mp4"
            )
        return
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SourceRefusedError(f"{redact(url)!r}: the port is not a number of 1 to 65535; {_REMEDY}") from error
    if not host or port == 0:
        raise SourceRefusedError(f"{redact(url)!r}: names no host or port 0; {_REMEDY}")


def route(url: str) -> FeedKind:
    """Who visits it: our own RTSP client, or FFmpeg's demuxers for all else."""
    return FeedKind.RTSP if url.partition(":")[0].lower() in ("rtsp", "rtsps") else FeedKind.DEMUX


def host_of(url: str) -> str:
    """The platform's host in lower case, without a port; "" for files."""
    return uplink_and_host(url)[1]


def uplink_and_host(url: str) -> tuple[str, str]:
    """host:port in lower case, on which connections are capped where the registry names no uplink, and `host_of`; ""
    for files.
    """
    plain = _PLAIN_URL.match(url)
    if plain is not None:
        scheme, host, port = plain.groups()
        host = host.lower()
        return f"{host}:{(port and int(port)) or _DEFAULT_PORTS.get(scheme, 0)}", host
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return "", ""
    try:
        return (f"{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)}" if host else ""), host
    except ValueError:
        return "", host


def source_url(text: str) -> str:
    """What a person gave on the command line, as a URL: a path becomes file://; a URL stays as it is."""
    if "://" in text:
        return text
    return Path(text).absolute().as_uri()


def file_path(url: str) -> str:
    """The path of a file URL."""
    return unquote(urlsplit(url).path)


def _split(url: str) -> SplitResult:
    if not url or len(url) > _URL_CHARS_MAX or not url.isprintable() or " " in url:
        raise SourceRefusedError(
            f"{redact(url[:80])!r}: a URL is 1 to {_URL_CHARS_MAX} printable characters without blanks "
            f"(write a blank as %20); {_REMEDY}"
        )
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceRefusedError(f"{redact(url)!r}: {error}; {_REMEDY}") from error
    return parts._replace(scheme=parts.scheme.lower())
