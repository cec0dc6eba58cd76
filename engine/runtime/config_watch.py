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
    """Whether files differ from when they were last looked at, by time and size; one that is gone has not changed.

    `path`: the configuration, None if there is none. Its calendar file may become another one, so it is named anew
    with each look; one that was not named before counts as changed, since it may be another than the one that was read.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[Path, tuple[int, int] | None] = {}
        self._next_ns = 0
        self.look()  # what it says now is about to be read

    def changed(self, watch_s: float, calendar_file: str = "") -> bool:
        """Look every `watch_s`; 0: never."""
        now_ns = monotonic_ns()
        if not watch_s or now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + ns(watch_s)
        return self.look(calendar_file)

    def look(self, calendar_file: str = "") -> bool:
        """Look now."""
        paths = [self._path] if self._path is not None else []
        paths += [Path(calendar_file)] if calendar_file else []
        known, self._known = self._known, {}
        changed = False
        for path in paths:
            seen = _about(path) or known.get(path)
            changed |= path not in known or seen != known[path]
            self._known[path] = seen
        return changed


def _about(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
