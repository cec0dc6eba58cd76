"""Lets the kernel gather what cameras send between keyframes, so that a feeder wakes seldom.

A visit waits for a keyframe, and throws away what comes before. To read that as it comes costs more than all else in a
visit. So a connection that waits becomes readable only once as much has come as in GATHER_NS before: a keyframe is as
large as that or nearly, and is noticed at once. Where a camera suddenly sends less, WAIT_NS_MAX bounds the wait.
For one event loop.
"""

import asyncio
import contextlib
import socket
from typing import Any

from engine.clock import monotonic_ns, seconds

GATHER_NS = 300_000_000
"""A keyframe is as large as five to twenty other pictures, which take 0.2 to 0.8 s at 25 a second."""
WAIT_NS_MAX = 500_000_000
_LOOK_NS = 125_000_000
"""Those that wait are looked through this often."""
_LOW_WATER_FIRST = 16_384
"""Before it is known how much a camera sends."""
_LOW_WATER_MIN, _LOW_WATER_MAX = 2_048, 131_072


class Gathering:
    """The connections that gather, and the timer that ends it for those that wait for too long."""

    def __init__(self) -> None:
        self._gatherers: set[Gatherer] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, gatherer: "Gatherer") -> None:
        """Look after a connection that gathers."""
        self._gatherers.add(gatherer)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds(_LOOK_NS), self._look)

    def discard(self, gatherer: "Gatherer") -> None:
        """Leave out a connection. Does nothing if it does not gather."""
        self._gatherers.discard(gatherer)

    def _look(self) -> None:
        self._timer = None
        before_ns = monotonic_ns() - WAIT_NS_MAX + _LOOK_NS
        for gatherer in [each for each in self._gatherers if each.since_ns < before_ns]:
            gatherer.end()
        if self._gatherers:
            self._timer = asyncio.get_running_loop().call_later(seconds(_LOOK_NS), self._look)


class Gatherer:
    """One connection. `since_ns`: when it was read the last time."""

    def __init__(self, gathering: Gathering, transport: Any) -> None:
        self._gathering = gathering
        self._socket = transport.get_extra_info("socket")
        self._low_water = 1
        self.since_ns = 0

    def gather(self, octets: int) -> None:
        """Gather from now on, or go on with it. `octets`: what was read just now."""
        now_ns = monotonic_ns()
        if self.since_ns:
            wanted = low_water(octets, now_ns - self.since_ns)
        else:
            wanted = _LOW_WATER_FIRST
        self.since_ns = now_ns
        if not wanted / 2 <= self._low_water <= wanted * 1.25:  # to follow each change of a scene costs more
            self._set_low_water(wanted)
        self._gathering.add(self)

    def end(self) -> None:
        """Be readable as soon as anything comes. Does nothing if it does not gather."""
        self._gathering.discard(self)
        if self._low_water > 1:
            self._set_low_water(1)

    def close(self) -> None:
        """Forget the connection, which is closed."""
        self._gathering.discard(self)

    def _set_low_water(self, octets: int) -> None:
        """Have the kernel call the connection readable when so many bytes have come, or when the peer has closed it."""
        self._low_water = octets
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed or was reset, which reading tells
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)


def low_water(octets: int, elapsed_ns: int) -> int:
    """Return how many bytes come in GATHER_NS where `octets` came in `elapsed_ns`, within bounds."""
    return min(max(octets * GATHER_NS // max(1, elapsed_ns), _LOW_WATER_MIN), _LOW_WATER_MAX)
