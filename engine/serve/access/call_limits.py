"""Bounds how many calls a second a token, and an address, may make. Pure; `now_ns` is monotonic.

Calls without a valid token have a limit of their own, by address. It never touches calls with a valid token: behind the
one address of a county there are many people, and somebody among them who tries tokens must not lock out the others.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import unquote

from engine.clock import seconds
from engine.config.serve import ServeSettings
from engine.serve.access.rate_limit import RateLimit
from engine.serve.status import TooManyCallsError

_PEERS_CACHED = 1024
"""Connections whose address is remembered: to read it takes longer than all else that is done here for a call."""
_IPV6_SUBSCRIBER_BITS = 64
"""What one subscriber has of IPv6: an address in it is nobody of its own."""


class CallLimits:
    """The limits of one server. A call that is refused does not count."""

    def __init__(self, settings: ServeSettings) -> None:
        self._tokens = RateLimit(settings.token_calls_per_s_max, settings.calls_burst_s)
        self._addresses = RateLimit(settings.address_calls_per_s_max, settings.calls_burst_s)
        self._failures = RateLimit(settings.failed_calls_per_s_max, settings.calls_burst_s)

    def check(self, digest: bytes, peer: str, now_ns: int) -> None:
        """Count a call of this peer with the token of this digest (empty: a call that needs none).

        Raises TooManyCallsError if there are too many of the token or the address.
        """
        wait_ns = self._tokens.wait_ns(digest, now_ns) if digest else 0
        if wait_ns:
            raise _too_many("token", "this token makes", "token_calls_per_s_max", wait_ns)
        wait_ns = self._addresses.wait_ns(address_of_peer(peer), now_ns)
        if wait_ns:
            raise _too_many("address", "this address makes", "address_calls_per_s_max", wait_ns)

    def check_failed(self, peer: str, now_ns: int) -> None:
        """Count a call without a valid token. Raises TooManyCallsError if the peer's address makes too many of them."""
        wait_ns = self._failures.wait_ns(address_of_peer(peer), now_ns)
        if wait_ns:
            what = "no valid token, and this address makes"
            raise _too_many("failed", what, "failed_calls_per_s_max", wait_ns)


@lru_cache(maxsize=_PEERS_CACHED)
def address_of_peer(peer: str) -> str:
    """Return whose calls count together: an IPv4 address, or the /64 network of an IPv6 address.

    `peer`: as gRPC or the HTTP gateway writes it, such as `ipv6:%5B::1%5D:5000` or `ipv4:10.0.0.1:5000 http`.
    """
    kind, _, rest = peer.partition(" ")[0].partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_SUBSCRIBER_BITS), strict=False))
    return str(address)


def _too_many(by: str, what: str, key: str, wait_ns: int) -> TooManyCallsError:
    wait_s = seconds(wait_ns)
    message = f"{what} more calls a second than serve.{key} allows; call again in {wait_s:.3f} s, and less often"
    return TooManyCallsError(message, by, f"serve.{key}", wait_ns)
