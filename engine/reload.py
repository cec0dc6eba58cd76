"""What makes `patrol run` read its file anew: SIGHUP, and (if asked for) a change of the file."""

import signal
from pathlib import Path
from types import FrameType

from engine.clock import monotonic_ns, ns


class Hangups:
    """SIGHUPs since the last look. Several at once are one."""

    def __init__(self) -> None:
        self._count = 0
        signal.signal(signal.SIGHUP, self._on_signal)

    def take(self) -> bool:
        """Whether one has come since the last call."""
        came, self._count = self._count > 0, 0
        return came

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._count += 1


class FileWatch:
    """Whether a file differs from when it was last looked at, by time and size; a file that is gone has not changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known = self._look()
        self._next_ns = 0

    def changed(self, watch_s: float) -> bool:
        """Look every `watch_s`; 0: never."""
        now_ns = monotonic_ns()
        if not watch_s or now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + ns(watch_s)
        seen = self._look()
        if seen is None or seen == self._known:
            return False
        self._known = seen
        return True

    def _look(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            about = self._path.stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size
