"""Decides which addresses a camera may lead us to: by redirects, playlists and names that resolve elsewhere. Pure.

A camera is on the network of a kitchen; the engine often is on a network with more. So an address is allowed only if
the registry names it, or if the operator lists its network in `feed.allowed_networks`. Addresses that mean this machine
or its surroundings are special: a name that resolves to one is not enough, the registry must give the address itself.
"""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REMEDY = "if it is right, add its network to feed.allowed_networks"

_SPECIAL: tuple[tuple[str, str], ...] = (
    ("100.100.100.200/32", "a cloud's metadata service"),
    ("168.63.129.16/32", "a cloud's metadata service"),
    ("169.254.169.254/32", "a cloud's metadata service"),
    ("192.0.0.192/32", "a cloud's metadata service"),
    ("fd00:ec2::254/128", "a cloud's metadata service"),
    ("fd20:ce::254/128", "a cloud's metadata service"),
    ("0.0.0.0/8", "this machine"),
    ("127.0.0.0/8", "this machine"),
    ("::/128", "this machine"),
    ("::1/128", "this machine"),
    ("169.254.0.0/16", "a link-local address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a link-local address"),
    ("224.0.0.0/4", "a multicast address"),
    ("ff00::/8", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
)
"""Networks that mean this machine or its surroundings, and what they are called; the first that contains wins."""
_SPECIAL_NETWORKS: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(text), name) for text, name in _SPECIAL
)
_SPECIAL_RANGES: dict[int, list[tuple[int, int, str]]] = {
    version: [
        (int(network.network_address), int(network.broadcast_address), name)
        for network, name in _SPECIAL_NETWORKS
        if network.version == version
    ]
    for version in (4, 6)
}
"""First and last address as numbers, by version: every visit asks, and a network's `in` takes ten times as long."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_MASK = 0xFFFF_FFFF


class Destinations:
    """The policy. `allowed`: networks (CIDR) that a camera may lead to beside its own host.

    A network that contains more than special addresses, like 0.0.0.0/0, allows no special ones. Raises ValueError for
    text that is no network.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(text, strict=False) for text in allowed]

    def refusal(self, origin_host: str, address: Address, *, named: bool) -> str | None:
        """Return why no connection to `address` may be made; None if it may.

        `origin_host`: the host in the camera's URL in the registry. `named`: that URL names what is to be connected to,
        host and port.
        """
        target = plain_address(address)
        special = _special(target)
        if named and (special is None or _is_literally(origin_host, target)):
            return None
        if self._is_allowed(target, special is not None):
            return None
        if special is not None:
            return f"{address} is {special}, which the camera's URL does not name; {REMEDY}"
        return f"{address} is not the camera's own host and port ({origin_host or 'none'}); {REMEDY}"

    def _is_allowed(self, target: Address, is_special: bool) -> bool:
        return any(target in network and (not is_special or _is_all_special(network)) for network in self._allowed)


def plain_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address carries (mapped, 6to4, NAT64); else the address without a zone."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    carried = address.ipv4_mapped or address.sixtofour
    if carried is not None:
        return carried
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _IPV4_MASK)
    return ipaddress.IPv6Address(int(address))


def _special(target: Address) -> str | None:
    """Return what a special address is called; None if it is an ordinary one."""
    number = int(target)
    for first, last, name in _SPECIAL_RANGES[target.version]:
        if first <= number <= last:
            return name
    return None


def _is_all_special(network: Network) -> bool:
    """Whether every address of `network` is special."""
    ends = (network.network_address, network.broadcast_address)
    return any(all(end in special for end in ends) for special, _ in _SPECIAL_NETWORKS)


def _is_literally(host: str, target: Address) -> bool:
    """Whether the registry's host is this address, or the name localhost for an address of this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost":
        return _special(target) == "this machine"
    try:
        return plain_address(ipaddress.ip_address(name.strip("[]"))) == target
    except ValueError:
        return False
