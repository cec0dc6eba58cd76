"""Heaps whose entries can be taken back, and a bucket of tokens. Pure."""

import heapq
from typing import Generic, TypeVar

from engine.clock import NS_PER_S

Key = TypeVar("Key")


class DueQueue(Generic[Key]):
    """Keys ordered by a time. Putting a key again moves it; a removed one is skipped when it comes up.

    O(log n) amortised; the heap never holds more than twice the live keys and a few.
    """

    _SLACK = 64

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._live: dict[Key, tuple[int, int]] = {}
        self._counter = 0

    def __len__(self) -> int:
        """How many keys wait."""
        return len(self._live)

    def __contains__(self, key: Key) -> bool:
        """Whether `key` waits."""
        return key in self._live

    def put(self, key: Key, at_ns: int) -> None:
        """`key` is due at `at_ns`; keys of the same time come in the order they were put."""
        self._counter += 1
        self._live[key] = (at_ns, self._counter)
        heapq.heappush(self._heap, (at_ns, self._counter, key))
        if len(self._heap) > 2 * len(self._live) + self._SLACK:
            self._heap = [(at, n, k) for k, (at, n) in self._live.items()]
            heapq.heapify(self._heap)

    def remove(self, key: Key) -> None:
        """Forget `key`; nothing if it is not here."""
        self._live.pop(key, None)

    def first(self) -> tuple[int, Key] | None:
        """The time and key that come next."""
        while self._heap:
            at_ns, count, key = self._heap[0]
            if self._live.get(key) == (at_ns, count):
                return at_ns, key
            heapq.heappop(self._heap)
        return None

    def pop(self) -> Key:
        """Take the next key out; IndexError if there is none."""
        head = self.first()
        if head is None:
            raise IndexError("the queue is empty")
        heapq.heappop(self._heap)
        del self._live[head[1]]
        return head[1]


class TokenBucket:
    """At most `rate` starts a second, and no more than a quarter of a second's worth at once."""

    _BURST_S = 0.25

    def __init__(self, rate_per_s: float) -> None:
        self._interval_ns = max(1, round(NS_PER_S / rate_per_s))
        self._burst = max(1.0, rate_per_s * self._BURST_S)
        self._tokens = self._burst
        self._at_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """One token, if there is one."""
        if self._at_ns is not None:
            self._tokens = min(self._burst, self._tokens + (now_ns - self._at_ns) / self._interval_ns)
        self._at_ns = now_ns
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def next_ns(self, now_ns: int) -> int:
        """When the next token will be there."""
        missing = max(0.0, 1.0 - self._tokens)
        return now_ns + max(1, round(missing * self._interval_ns))
