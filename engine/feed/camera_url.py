"""Checks a camera's URL, and tells its host, its uplink and who visits it. Pure."""

import ipaddress
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from engine.errors import SourceRefusedError
from engine.model.visit import FeedKind
from engine.redact import MASK, redact_url

_KNOWN_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file")
"""What an operator may allow. FFmpeg's other protocols (concat:, pipe:, data:, ...) can never be allowed."""

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_PLAIN_URL = re.compile(
    r"([a-z]+)://(?:[A-Za-z0-9_.~%!$&*+,;=:-]*@)?([A-Za-z0-9.-]+)(?::([0-9]{1,4}))?(?:/[!-\x22$-~]*)?\Z", re.ASCII
)
"""The form of nearly all camera URLs. urlsplit parses the others and the invalid ones; it takes ten times as long."""
_URL_CHARS_MAX = 2048
_REMEDY = "give a URL like rtsp://host:554/path, with user:password@ before the host if it needs a login"


def check_url(url: str, schemes: Collection[str]) -> None:
    """Raise SourceRefusedError unless `url` is well-formed and its scheme is one of `schemes`."""
    parts = _split(url)
    allowed = ", ".join(schemes)
    if parts.scheme not in _KNOWN_SCHEMES or parts.scheme not in schemes:
        raise SourceRefusedError(
            f"{redact_url(url)!r}: scheme {parts.scheme or 'none'!r} is not allowed; allowed: {allowed}; "
            f"{_REMEDY}, or add the scheme to feed.schemes"
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise SourceRefusedError(
                f"{redact_url(url)!r}: a file URL names a path on this machine: file:///path/to/clip.mp4"
            )
        return
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SourceRefusedError(f"{redact_url(url)!r}: the port is not a number of 1 to 65535; {_REMEDY}") from error
    if not host or port == 0:
        raise SourceRefusedError(f"{redact_url(url)!r}: names no host or port 0; {_REMEDY}")


def check_secrets(url: str) -> None:
    """Raise SourceRefusedError if a password in the URL is masked: the server would count it as a wrong one."""
    if MASK in url:
        raise SourceRefusedError(
            "the password is not known here: no key opens the URL in the database; bring back the file of "
            "record.key_file, or import the camera with its password"
        )


def is_file(url: str) -> bool:
    """Return whether the URL names a file of this machine."""
    return url.partition(":")[0].strip().lower() == "file"


def route(url: str) -> FeedKind:
    """Return who visits the URL: our own RTSP client, or FFmpeg's demuxers for all but RTSP."""
    return FeedKind.RTSP if url.partition(":")[0].lower() in ("rtsp", "rtsps") else FeedKind.DEMUX


def host_of(url: str) -> str:
    """Return the host in lower case, without a port; "" for files and URLs that cannot be parsed."""
    return uplink_and_host(url)[1]


def has_host_name(url: str) -> bool:
    """Return whether the host is a name that must be looked up; False for IP addresses and files."""
    host = host_of(url)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host)
    return False


def uplink_and_host(url: str) -> tuple[str, str]:
    """Return the uplink, host:port in lower case, and the host as in `host_of`.

    Connections are capped per uplink where the registry names none. Both are "" for files and URLs that cannot be
    parsed; the uplink alone is "" if the port is invalid.
    """
    plain = _PLAIN_URL.match(url)
    if plain is not None:
        scheme, host, port = plain.groups()
        host = host.lower()
        return f"{host}:{(port and int(port)) or DEFAULT_PORTS.get(scheme, 0)}", host
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return "", ""
    try:
        return (f"{host}:{parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 0)}" if host else ""), host
    except ValueError:
        return "", host


def source_url(text: str) -> str:
    """Return what a person gave on the command line as a URL: a path becomes file://, a URL stays as it is."""
    if "://" in text:
        return text
    return Path(text).absolute().as_uri()


def file_path(url: str) -> str:
    """Return the path of a file URL."""
    return unquote(urlsplit(url).path)


def _split(url: str) -> SplitResult:
    if not url or len(url) > _URL_CHARS_MAX or not url.isprintable() or " " in url:
        raise SourceRefusedError(
            f"{redact_url(url)[:80]!r}: a URL is 1 to {_URL_CHARS_MAX} printable characters without blanks "
            f"(write a blank as %20); {_REMEDY}"
        )
    try:
        return urlsplit(url)  # its scheme is in lower case
    except ValueError as error:
        raise SourceRefusedError(f"{redact_url(url)!r}: {error}; {_REMEDY}") from error
