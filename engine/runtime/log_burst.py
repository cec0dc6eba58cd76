"""Bounds how many lines of one kind are logged in a while; the rest is counted. Pure; `now_ns` is monotonic."""

from collections import Counter
from dataclasses import dataclass, field

WINDOW_NS = 1_000_000_000


@dataclass(slots=True)
class _Window:
    until_ns: int
    lines: int = 0
    more: Counter[str] = field(default_factory=Counter)


class BurstLimit:
    """At most `lines_max` lines of each name in a window of `window_ns`. Not thread-safe."""

    def __init__(self, lines_max: int, window_ns: int = WINDOW_NS) -> None:
        self._lines_max = lines_max
        self._window_ns = window_ns
        self._windows: dict[str, _Window] = {}

    def admit(self, name: str, group: str, now_ns: int) -> bool:
        """Return whether the line may be logged; otherwise it is counted under its group."""
        window = self._windows.get(name)
        if window is None or (now_ns >= window.until_ns and not window.more):
            window = self._windows[name] = _Window(now_ns + self._window_ns)
        if window.lines < self._lines_max and now_ns < window.until_ns:
            window.lines += 1
            return True
        window.more[group] += 1
        return False

    def drain(self, now_ns: int) -> dict[str, Counter[str]]:
        """Return, by name, the counts of windows that are over and were not returned before."""
        over = {name: window.more for name, window in self._windows.items() if now_ns >= window.until_ns}
        for name in over:
            del self._windows[name]
        return {name: more for name, more in over.items() if more}
