"""Parses host:port addresses. Pure."""

import ipaddress

from engine.errors import ConfigError


def host_port(text: str) -> tuple[str, int]:
    """Return host and port of a text like "127.0.0.1:7702"; an IPv6 host stands in brackets.

    Raises ConfigError if it is not an address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise ConfigError(f"{text!r}: an address is host:port, the port 0 to 65535; give one like 127.0.0.1:7702")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a listener on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
