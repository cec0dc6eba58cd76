"""Tells `patrol run` when to read its configuration again: on SIGHUP, and if asked for when the file changes."""

import signal
from pathlib import Path
from types import FrameType

from engine.clock import monotonic_ns, ns


class Hangups:
    """Counts SIGHUPs; several between two calls are one."""

    def __init__(self) -> None:
        self._count = 0
        signal.signal(signal.SIGHUP, self._on_signal)

    def received(self) -> bool:
        """Return whether a SIGHUP came since the last call."""
        received, self._count = self._count > 0, 0
        return received

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._count += 1


class FileWatch:
    """Detects changes of files by time and size. A file that is missing counts as unchanged.

    `path`: the configuration; None if there is none. The calendar file is named at each check, because a new
    configuration may name another one; a file that was not named before counts as changed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[Path, tuple[int, int] | None] = {}
        self._next_ns = 0
        self.check()  # the caller reads the file right after

    def changed(self, watch_s: float, calendar_file: str = "") -> bool:
        """Check at most every `watch_s` seconds, 0 means never; returns whether a file changed."""
        now_ns = monotonic_ns()
        if not watch_s or now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + ns(watch_s)
        return self.check(calendar_file)

    def check(self, calendar_file: str = "") -> bool:
        """Check now; returns whether a file changed since the last check."""
        paths = [self._path] if self._path is not None else []
        paths += [Path(calendar_file)] if calendar_file else []
        known, self._known = self._known, {}
        changed = False
        for path in paths:
            current = _stamp(path) or known.get(path)
            changed |= path not in known or current != known[path]
            self._known[path] = current
        return changed


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
