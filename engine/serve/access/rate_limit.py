"""Bounds how often something may happen for each key: a bucket that fills evenly, and from which each time takes. Pure.

`now_ns` is monotonic. Of each key one number is kept: when its bucket is full again.
"""

from collections.abc import Hashable

from engine.clock import NS_PER_S, ns

KEYS_MAX = 10_000


class RateLimit:
    """At most `per_s` times a second on average, and `per_s * burst_s` times at once, for each key; 0: no limit.

    At most `keys_max` keys are kept. Beyond that the one that was used longest ago is forgotten, which gives it a full
    bucket.
    """

    def __init__(self, per_s: float, burst_s: float, keys_max: int = KEYS_MAX) -> None:
        self._each_ns = max(1, round(NS_PER_S / per_s)) if per_s else 0
        self._room_ns = max(ns(burst_s), self._each_ns)
        self._keys_max = keys_max
        self._full_at_ns: dict[Hashable, int] = {}  # the one used longest ago first

    def wait_ns(self, key: Hashable, now_ns: int) -> int:
        """Return 0 and count it if it may happen now; otherwise how long until it may."""
        if not self._each_ns:
            return 0
        full_at_ns = max(now_ns, self._full_at_ns.pop(key, now_ns))
        wait_ns = full_at_ns + self._each_ns - self._room_ns - now_ns
        self._full_at_ns[key] = full_at_ns if wait_ns > 0 else full_at_ns + self._each_ns
        if len(self._full_at_ns) > self._keys_max:
            del self._full_at_ns[next(iter(self._full_at_ns))]
        return max(0, wait_ns)
