"""Decides which requests may reach the engine: by Host, Origin, and, without a token, by where they come from. Pure.

While no token was ever made, the engine takes callers on the same machine for its admin. A browser on this machine is
such a caller, and any web page may make it send requests here. Three rules keep pages out:

- The Host header must name this machine: a page whose name was pointed at 127.0.0.1 (DNS rebinding) sends its own name.
- A request without a token must come from this machine, straight, without a proxy between.
- A request without a token that a browser sends for a page of another origin is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.config.address import host_port, is_loopback
from engine.errors import ErrorReason
from engine.web.errors import HttpError, refusal

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")
_OWN_SITE = ("same-origin", "none")
_SHOWN_CHARS = 80


@dataclass(frozen=True)
class Admission:
    """`listen`: the address as configured. `hosts`: further names of this server. `origins`: pages that may call it."""

    listen: str
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raise HttpError if the Host header names another server than this one.

        A public listener without web.hosts takes every name, because it takes no request without a token.
        """
        if self._is_own_name(headers) or (not self.hosts and not is_loopback(host_port(self.listen)[0])):
            return
        shown = headers.get("host", "")[:_SHOWN_CHARS]
        raise refusal(
            "PERMISSION_DENIED",
            "HOST_REFUSED",
            f"Host {shown!r} is no name of this server; call it localhost or 127.0.0.1, or add the name to web.hosts",
            http=421,
        )

    def check_anonymous(self, peer: str, headers: Mapping[str, str]) -> None:
        """Raise HttpError unless a request without a token comes from this machine and from no foreign page.

        `peer`: the address at the other end of the connection.
        """
        if not is_loopback(peer) or any(name in headers for name in _PROXY_HEADERS) or not self._is_local(headers):
            raise refusal(
                "UNAUTHENTICATED",
                ErrorReason.TOKEN_MISSING,
                "no token; send the header Authorization: Bearer TOKEN, as `patrol token create` printed it",
            )
        origin = headers.get("origin", "")
        if origin in self.origins:
            return
        foreign = bool(origin) and origin_host(origin) != headers.get("host", "")
        if foreign or headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            raise refusal(
                "PERMISSION_DENIED",
                "ORIGIN_REFUSED",
                f"a page of another origin ({origin[:_SHOWN_CHARS] or 'unnamed'}) may not call without a token; send "
                "one, or add the origin to web.cors_origins",
            )

    def is_trusted(self, peer: str, headers: Mapping[str, str]) -> bool:
        """Whether a request comes straight from this machine and from no foreign page."""
        try:
            self.check_anonymous(peer, headers)
        except HttpError:
            return False
        return True

    def _is_own_name(self, headers: Mapping[str, str]) -> bool:
        own = host_port(self.listen)[0]
        return self._is_local(headers) or _name(headers) in (own, *self.hosts)

    def _is_local(self, headers: Mapping[str, str]) -> bool:
        return _name(headers) in LOCAL_NAMES


def peer_text(host: str, port: int) -> str:
    """Return an address as gRPC writes it; the audit log shows it."""
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"


def origin_host(origin: str) -> str:
    """Return host and port of an Origin header; empty if it has none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as brackets without an address
        return ""


def _name(headers: Mapping[str, str]) -> str:
    """Return the name in the Host header, without the port and a final dot, in lower case."""
    try:
        return (urlsplit(f"//{headers.get('host', '')}").hostname or "").rstrip(".")
    except ValueError:
        return ""
