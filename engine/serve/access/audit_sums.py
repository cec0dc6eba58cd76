"""Sums what is too frequent for a line each in the audit log: refused calls, and pictures that were shown. Pure.

`now_ns` is monotonic. A flood of refused calls writes a few lines a minute, not one a call.
"""

from dataclasses import dataclass, field, replace

from engine.clock import NS_PER_S
from engine.model.access import ANONYMOUS, Actor

REFUSED_WINDOW_NS = 60 * NS_PER_S
REFUSED_KINDS_MAX = 60
"""Kinds of refused calls in a minute with lines of their own; all others are summed by reason."""
SHOWN_WINDOW_NS = 10 * NS_PER_S
SHOWN_GROUPS_MAX = 1000
SHOWN_CHARS_MAX = 450
"""Characters of one line's names."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A kind of refused call. `method`: empty in a sum over methods. `host`: the caller's address without its port.
    `reason`: one of REFUSED_REASONS. `outcome`: status of the call."""

    actor: Actor
    method: str
    host: str
    reason: str
    outcome: str


@dataclass(slots=True)
class _Window:
    until_ns: int
    more: int = 0


class RefusedSums:
    """The first call of a kind in a minute is a line; the rest of the minute is one more line with their number."""

    def __init__(self) -> None:
        self._windows: dict[Refused, _Window] = {}

    def is_first(self, refused: Refused, now_ns: int, number: int = 1) -> bool:
        """Return whether the first of these calls gets a line of its own; all others are counted."""
        window = self._windows.get(refused)
        if window is None and len(self._windows) >= REFUSED_KINDS_MAX:
            refused = replace(refused, actor=ANONYMOUS, method="", host="")
            window = self._windows.setdefault(refused, _Window(now_ns + REFUSED_WINDOW_NS))
        if window is None:
            self._windows[refused] = _Window(now_ns + REFUSED_WINDOW_NS, number - 1)
            return True
        window.more += number
        return False

    def drain(self, now_ns: int | None) -> list[tuple[Refused, int]]:
        """Return the kinds whose minute is over, each with the number of its calls beyond the first; None: all."""
        over = [kind for kind, window in self._windows.items() if now_ns is None or now_ns >= window.until_ns]
        counted = [(kind, self._windows.pop(kind).more) for kind in over]
        return [(kind, more) for kind, more in counted if more]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is shown pictures: by which method, from which host."""

    actor: Actor
    method: str
    host: str


@dataclass(slots=True)
class _Group:
    until_ns: int
    names: dict[str, None] = field(default_factory=dict)
    chars: int = 0


class ShownSums:
    """The names of what a viewer was shown within ten seconds, each once, in as few lines as hold them."""

    def __init__(self) -> None:
        self._groups: dict[Viewer, _Group] = {}

    def add(self, viewer: Viewer, names: list[str], now_ns: int) -> list[tuple[Viewer, str]]:
        """Add names; return the lines that are full, for the audit log."""
        full: list[tuple[Viewer, str]] = []
        group = self._groups.get(viewer)
        if group is None:
            if len(self._groups) >= SHOWN_GROUPS_MAX:
                oldest = next(iter(self._groups))
                full.append((oldest, _line(self._groups.pop(oldest))))
            group = self._groups[viewer] = _Group(now_ns + SHOWN_WINDOW_NS)
        for name in names:
            if name in group.names:
                continue
            if group.chars + len(name) > SHOWN_CHARS_MAX:
                full.append((viewer, _line(group)))
                group.names, group.chars = {}, 0
            group.names[name] = None
            group.chars += len(name) + 1
        return full

    def drain(self, now_ns: int | None) -> list[tuple[Viewer, str]]:
        """Return the lines whose ten seconds are over; None: all."""
        over = [viewer for viewer, group in self._groups.items() if now_ns is None or now_ns >= group.until_ns]
        return [(viewer, _line(self._groups.pop(viewer))) for viewer in over]


def _line(group: _Group) -> str:
    return " ".join(group.names)
