"""Lets the kernel gather what cameras send between keyframes: few wakes, and then for all cameras at once.

A visit waits for a keyframe, and throws away what comes before. To read that as it comes costs more than all else in a
visit. So a connection that waits is readable only once much has come, as a keyframe does; and for those whose keyframes
are small, all such connections are readable again after INTERVAL_S. For one event loop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

LOW_WATER_BYTES = 49_152
"""A connection that gathers is readable from here on: most keyframes of 720p and above are larger, and 1080p of
2 Mbit/s sends that much in 0.3 s between two keyframes."""
INTERVAL_S = 0.25
"""A smaller keyframe is noticed this much later at most."""


class Gathering:
    """The connections that gather."""

    def __init__(self) -> None:
        self._ends: set[Callable[[], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: Any, end: Callable[[], None]) -> None:
        """Let `transport` gather. `end` is called after INTERVAL_S or sooner, and has to call `end` of this class."""
        _set_low_water(transport, LOW_WATER_BYTES)
        self._ends.add(end)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._end_all)

    def end(self, transport: Any, end: Callable[[], None]) -> None:
        """Have `transport` readable as soon as anything comes. `end`: as given to `begin`."""
        self._ends.discard(end)
        _set_low_water(transport, 1)

    def forget(self, end: Callable[[], None]) -> None:
        """Leave out a connection that is closed. Does nothing if it does not gather."""
        self._ends.discard(end)

    def _end_all(self) -> None:
        self._timer = None
        for end in list(self._ends):
            end()


def _set_low_water(transport: Any, octets: int) -> None:
    """Have the kernel call a connection readable when so many bytes have come, or when the peer has closed it.

    Does nothing where a transport has no socket, or the socket is gone: then reading tells.
    """
    own_socket = transport.get_extra_info("socket")
    if own_socket is not None:
        with contextlib.suppress(OSError):
            own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)
