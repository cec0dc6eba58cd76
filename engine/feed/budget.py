"""What one visit may cost a feeder, whatever the server sends: bytes and processor time. Pure.

A feeder makes hundreds of visits in one loop, so that what one server costs, the others' cameras wait for. A usual
visit costs a millisecond, and the largest keyframe in small packets a hundred.
"""

CPU_NS_MAX = 1_000_000_000
TURN_CPU_NS = 5_000_000
"""A visit that has used this much in one turn of the loop waits for a turn of its own (`engine.feed.turns`)."""
STEPS_MAX = 500
"""Packets, runs of packets, and messages processed between two readings of the clock; each takes microseconds."""


class Budget:
    """The account of one visit, over redirects and over TCP and UDP."""

    def __init__(self, bytes_max: int, cpu_ns_max: int = CPU_NS_MAX) -> None:
        self._bytes_max = bytes_max
        self._cpu_ns_max = cpu_ns_max
        self.received_bytes = 0
        self.cpu_ns = 0

    def excess(self) -> str | None:
        """Return what the visit has had too much of, as a sentence; None while it is within its bounds."""
        if self.received_bytes > self._bytes_max:
            return f"the server sent more than {self._bytes_max:,} bytes (feed.visit_bytes_max) and no whole keyframe"
        if self.cpu_ns > self._cpu_ns_max:
            return (
                f"reading what the server sent ({self.received_bytes:,} bytes) took more than "
                f"{self._cpu_ns_max / 1e9:g} s of processor time, and there was no whole keyframe"
            )
        return None
