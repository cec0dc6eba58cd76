"""Puts packets that arrive over UDP back in order. Pure."""

from engine.feed.rtsp.rtp import Packet

WINDOW = 32
"""Packets held back while an earlier one is missing; with one more, the missing one counts as lost."""


class Reorder:
    """Returns packets in the order of their sequence numbers, each once."""

    def __init__(self) -> None:
        self._next_sequence: int | None = None
        self._held: dict[int, Packet] = {}

    def push(self, packet: Packet) -> list[Packet]:
        """Add a packet; return the packets that are now in order."""
        sequence = packet.sequence
        if self._next_sequence is None:
            self._next_sequence = sequence
        if (sequence - self._next_sequence) & 0xFFFF >= 0x8000:
            return []  # late or a duplicate
        self._held[sequence] = packet
        if len(self._held) > WINDOW:
            expected = self._next_sequence
            self._next_sequence = min(self._held, key=lambda held: (held - expected) & 0xFFFF)
        ready: list[Packet] = []
        while (following := self._held.pop(self._next_sequence, None)) is not None:
            ready.append(following)
            self._next_sequence = (self._next_sequence + 1) & 0xFFFF
        return ready
