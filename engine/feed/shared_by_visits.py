"""What all visits of one event loop share: turns, the memory that sockets are read into, compiled code."""

from engine.feed.gathering import Gathering
from engine.feed.rtsp.packet_runs import PacketRuns
from engine.feed.turns import Turns

RECEIVE_BYTES = 262_144
"""Bytes read from a socket at once: most keyframes come in one piece or two."""


class ReceiveBuffer:
    """Memory that is filled and emptied again and again; `room` is where bytes may be written."""

    def __init__(self, size: int = RECEIVE_BYTES) -> None:
        self.room = memoryview(bytearray(size))
        self._filled = self.room.toreadonly()

    def first(self, size: int) -> memoryview:
        """Return the first bytes, read only. They last until the room is filled again."""
        return self._filled[:size]


class SharedByVisits:
    """For one event loop. `runs`: passes over many packets at once; without it visits cost more and end the same."""

    def __init__(self, runs: PacketRuns | None = None) -> None:
        self.turns = Turns()
        self.gathering = Gathering()
        self.received = ReceiveBuffer()
        self.runs = runs
