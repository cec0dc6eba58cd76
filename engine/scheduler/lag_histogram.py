"""Counts how late visits began, in buckets fine enough for percentiles. Pure."""

from engine.clock import NS_PER_S, seconds

_BITS = 5
_WINDOW_NS = 60 * NS_PER_S


class LagHistogram:
    """Lags in buckets of a 32nd of an octave (of a millisecond below 64 ms), so a percentile is off by 3 % at most."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.max_ns = 0

    def add(self, lag_ns: int) -> None:
        """Count a visit that began this late."""
        ms = lag_ns // 1_000_000
        shift = max(0, ms.bit_length() - _BITS - 1)
        bucket = (shift << _BITS) + (ms >> shift)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        if lag_ns > self.max_ns:
            self.max_ns = lag_ns

    def merge(self, other: "LagHistogram") -> None:
        """Add the other's lags."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile_s(self, share: float) -> float:
        """Return a percentile in seconds; 0 without lags."""
        wanted, total = share * sum(self._counts.values()), 0
        for bucket in sorted(self._counts):
            total += self._counts[bucket]
            if total >= wanted:
                shift = max(0, (bucket >> _BITS) - 1)
                ms = (bucket - (shift << _BITS)) << shift
                return min(ms / 1000, seconds(self.max_ns))
        return 0.0


class LagWindow:
    """Lags of the last one to two minutes: the current minute and the previous one."""

    def __init__(self) -> None:
        self._current = LagHistogram()
        self._previous = LagHistogram()
        self._until_ns = 0

    def add(self, lag_ns: int, now_ns: int) -> None:
        """Count a visit that began this late."""
        self._rotate(now_ns)
        self._current.add(lag_ns)

    def percentile_s(self, share: float, now_ns: int) -> float:
        """Return a percentile in seconds; 0 without lags."""
        self._rotate(now_ns)
        both = LagHistogram()
        both.merge(self._previous)
        both.merge(self._current)
        return both.percentile_s(share)

    def _rotate(self, now_ns: int) -> None:
        if now_ns < self._until_ns:
            return
        overdue_ns = now_ns - self._until_ns
        self._previous = self._current if overdue_ns < _WINDOW_NS else LagHistogram()
        self._current = LagHistogram()
        self._until_ns = now_ns + _WINDOW_NS
