"""The folder of an engine's sockets: made for one supervisor, and removed with it, or by the next if it was killed.

A lock on a file in the folder shows that its supervisor lives. The kernel drops it with the process, however that ends.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "patrol-"
_LOCK = "supervisor.lock"
_TRIES = 5


class RunFolder:
    """A folder of mode 0700, with a name of its own: only this user reaches the sockets."""

    def __init__(self) -> None:
        for _ in range(_TRIES):
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            lock = _lock(self.path, os.O_CREAT | os.O_EXCL)
            if lock is not None:
                self._lock = lock
                return
        raise OSError(f"no folder for sockets could be made in {tempfile.gettempdir()!r}; set TMPDIR to another")

    def remove(self) -> None:
        """Remove the folder. A second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def remove_stale() -> list[Path]:
    """Remove the folders of this user's supervisors that are dead; return those that were removed."""
    removed: list[Path] = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not _is_own(folder):
            continue
        lock = _lock(folder)
        if lock is None:
            continue  # no folder of a supervisor, or of one that lives
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        removed.append(folder)
    return removed


def _is_own(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and not folder.is_symlink() and folder.is_dir()


def _lock(folder: Path, flags: int = 0) -> int | None:
    """Lock a run folder; return the descriptor that holds the lock, or None if that cannot be."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between open and lock another supervisor may have found it free, and removed the folder.
        if os.fstat(lock).st_ino == (folder / _LOCK).lstat().st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
