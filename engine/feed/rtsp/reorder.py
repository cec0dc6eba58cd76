"""Packets that came by UDP, put back in order. Pure."""

from engine.feed.rtsp.rtp import Packet

WINDOW = 32
"""Packets held while one before them is missing; beyond, it counts as lost."""


class Reorder:
    """Gives packets in the order of their sequence numbers, each once."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, Packet] = {}

    def push(self, packet: Packet) -> list[Packet]:
        """Take a packet; returns those whose turn it is."""
        sequence = packet.sequence
        if self._next is None:
            self._next = sequence
        if (sequence - self._next) & 0xFFFF >= 0x8000:
            return []  # late or doubled
        self._held[sequence] = packet
        if len(self._held) > WINDOW:
            expected = self._next
            self._next = min(self._held, key=lambda one: (one - expected) & 0xFFFF)
        ready: list[Packet] = []
        while (one := self._held.pop(self._next, None)) is not None:
            ready.append(one)
            self._next = (self._next + 1) & 0xFFFF
        return ready
