"""How a rehearsal went: lags exactly enough, and a row of figures every few minutes. Pure."""

from dataclasses import dataclass, field

from engine.clock import seconds
from engine.scheduler.classes import CLASSES

_BITS = 5
_STEPS = 1 << _BITS


class LagHistogram:
    """Lags in buckets of a 32nd of an octave (milliseconds below 64), so a percentile is off by 3 % at most."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.max_ns = 0

    def add(self, lag_ns: int) -> None:
        """A visit began so late."""
        ms = lag_ns // 1_000_000
        shift = max(0, ms.bit_length() - _BITS - 1)
        bucket = (shift << _BITS) + (ms >> shift)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        if lag_ns > self.max_ns:
            self.max_ns = lag_ns

    def merge(self, other: "LagHistogram") -> None:
        """Take the other's lags in."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile_s(self, share: float) -> float:
        """In seconds; 0 if there was nothing."""
        wanted, total = share * sum(self._counts.values()), 0
        for bucket in sorted(self._counts):
            total += self._counts[bucket]
            if total >= wanted:
                shift = max(0, (bucket >> _BITS) - 1)
                ms = (bucket - (shift << _BITS)) << shift
                return min(ms / 1000, seconds(self.max_ns))
        return 0.0


@dataclass(slots=True)
class Row:
    """One step of the course; counts are of this step, `*_max` its highest, the rest how it stood at its end."""

    at_s: float
    started: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    keyframes: int = 0
    failed: int = 0
    in_flight_max: int = 0
    mbit_s_max: float = 0.0
    core_share: float = 0.0
    frames_waiting_max: int = 0
    lag_s_p99: list[float] = field(default_factory=lambda: [0.0] * len(CLASSES))
    coverage: list[float] = field(default_factory=lambda: [1.0] * len(CLASSES))
    stretch_max: float = 1.0
    offline: int = 0
    demand_per_s: float = 0.0
    allowed: int = 0
