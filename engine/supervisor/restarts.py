"""The one restart policy of all processes, and how many were replaced, by kind and reason. Pure."""

from collections import Counter, deque

from engine.clock import NS_PER_S

WAIT_FIRST_NS = NS_PER_S // 10
WAIT_MAX_NS = 10 * NS_PER_S
REMEMBERED_NS = 60 * NS_PER_S
_LOSSES_MAX = 16
"""Losses that are remembered; the wait is at its longest with fewer."""

Tally = list[tuple[str, str, int]]
"""Kind, reason, number of replacements since the supervisor started."""


class BackOff:
    """The wait before a process is started again: it doubles with each loss of the last minute."""

    def __init__(self) -> None:
        self._lost_ns: deque[int] = deque(maxlen=_LOSSES_MAX)

    def lost(self, now_ns: int) -> int:
        """Note a loss; return how long to wait, in nanoseconds."""
        recent = sum(now_ns - at_ns < REMEMBERED_NS for at_ns in self._lost_ns)
        self._lost_ns.append(now_ns)
        return min(WAIT_MAX_NS, WAIT_FIRST_NS << recent)


class RestartCount:
    """Counts replacements. It lives in the supervisor, so that the count of hubs outlives each of them."""

    def __init__(self) -> None:
        self._numbers: Counter[tuple[str, str]] = Counter()

    def add(self, kind: str, reason: str) -> None:
        """Count one."""
        self._numbers[kind, reason] += 1

    def tally(self) -> Tally:
        """Return all counts so far."""
        return [(kind, reason, number) for (kind, reason), number in self._numbers.items()]
