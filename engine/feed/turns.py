"""Shares a feeder's event loop: connections that have much to process get turns one after the other.

Between two such turns the loop belongs to all others for three times as long, so that any number of servers that flood
us take a quarter of it at most.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from engine.clock import seconds

_PAUSE_TURNS = 3
_PAUSE_S_MIN = 0.001

Turn = Callable[[], int]
"""Processes a bounded part of what was received, and returns the processor time that it took, in nanoseconds."""


class Turns:
    """Those who wait for a turn, in the order in which they came. For one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, turn: Turn) -> None:
        """Call `turn` once, when its time has come."""
        self._waiting.append(turn)
        if self._timer is None:
            self._schedule(0)

    def _schedule(self, used_ns: int) -> None:
        pause_s = max(_PAUSE_S_MIN, _PAUSE_TURNS * seconds(used_ns))
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._next)

    def _next(self) -> None:
        used_ns = self._waiting.popleft()()  # may wait for another turn: the timer still counts as set
        if self._waiting:
            self._schedule(used_ns)
        else:
            self._timer = None
