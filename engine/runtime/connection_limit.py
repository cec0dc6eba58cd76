"""Bounds the TCP connections of a listener whose library has no bound of its own: it closes those that matter least.

Whoever can reach the intake can open connections and leave them idle. Each takes a descriptor of the hub, which its
database and its callers need as well. Linux only: the kernel tells how long a connection was silent.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass

_HANDSHAKE_BYTES = 300
"""A stranger sends less: a greeting and a first command. Whoever sent more has the server's public key, or pushed."""
_STRANGERS_SHARE = 8
"""An eighth of the connections is for strangers, however many gateways there are: a new gateway is one until it has
ended its handshake. Of more strangers an eighth is closed at a time, since each time all connections are examined."""
_TCP_INFO_BYTES = 136
_LAST_DATA_RECEIVED = struct.Struct("=52xI")
_BYTES_RECEIVED = struct.Struct("=128xQ")


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection. `silent_ms`: since when nothing came. `received_bytes`: what came in all."""

    descriptor: int
    silent_ms: int
    received_bytes: int

    @property
    def is_stranger(self) -> bool:
        """Whether it may not even have ended its handshake."""
        return self.received_bytes < _HANDSHAKE_BYTES


def superfluous(connections: Iterable[Connection], allowed: int) -> list[Connection]:
    """Return which connections are to be closed so that at most `allowed` stay. Pure.

    Strangers beyond their share first, some more of them than needed, then gateways; of each those that were silent for
    longest.
    """
    ordered = sorted(connections, key=lambda known: -known.silent_ms)
    excess = len(ordered) - allowed
    if excess <= 0:
        return []
    strangers = [known for known in ordered if known.is_stranger]
    share = allowed // _STRANGERS_SHARE
    closed = strangers[: min(max(0, len(strangers) - max(1, share)), excess + share)]
    gateways = [known for known in ordered if not known.is_stranger]
    return closed + gateways[: max(0, excess - len(closed))]


class ConnectionLimit:
    """The connections of one listener. One thread calls `opened` and `closed`, any thread the rest.

    `allowed`: the most connections at once.
    """

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._open: set[int] = set()
        self._closed = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def opened(self, descriptor: int, port: int) -> None:
        """Note a connection that was accepted, and close others if there are too many. `port`: of the listener."""
        self._open.add(descriptor)
        if len(self._open) > self._allowed:
            self._make_room(port)

    def closed(self, descriptor: int) -> None:
        """Note a connection that ended."""
        self._open.discard(descriptor)

    def drain_closed(self) -> int:
        """Return how many connections were closed to make room since the last call."""
        with self._lock:
            closed, self._closed = self._closed, 0
        return closed

    def _make_room(self, port: int) -> None:
        known = [found for descriptor in self._open if (found := _examine(descriptor, port)) is not None]
        self._open.intersection_update({found.descriptor for found in known})
        for connection in superfluous(known, self._allowed):
            self._open.discard(connection.descriptor)
            if _shut_down(connection.descriptor, port):
                with self._lock:
                    self._closed += 1


def _examine(descriptor: int, port: int) -> Connection | None:
    """Return what the kernel knows of a connection; None if it ended, and its descriptor is another thing's by now."""
    with contextlib.suppress(OSError), _borrowed(descriptor) as connection:
        if connection.getsockname()[1] == port:
            facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (silent_ms,), (received_bytes,) = _LAST_DATA_RECEIVED.unpack_from(facts), _BYTES_RECEIVED.unpack_from(facts)
            return Connection(descriptor, silent_ms, received_bytes)
    return None


def _shut_down(descriptor: int, port: int) -> bool:
    """End a connection: its owner sees that, and closes it. Returns False if it ended before."""
    with contextlib.suppress(OSError), _borrowed(descriptor) as connection:
        if connection.getsockname()[1] == port:
            connection.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _borrowed(descriptor: int) -> socket.socket:
    """Return another descriptor of a socket: it stays the same socket, whatever its owner does with the first one.

    Raises OSError if it is no socket.
    """
    duplicate = os.dup(descriptor)
    try:
        return socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise
