"""Notices that the file of a SQLite database was deleted or replaced under the program that has it open.

The system lets a program go on with a file that has no name any more: SQLite would commit, and everything would be gone
with the program. So the file is known by its device and inode. Each transaction that writes compares them with what the
path names, before it begins and before it commits; no connection is opened to another file.
"""

from pathlib import Path

from engine.errors import StoreError


class DatabaseReplacedError(StoreError):
    """The file of the database was deleted or replaced. Nothing is written until the very same file is back."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"the database {path} {problem}; nothing is written: move the file back, or stop the engine, restore a "
            "backup and start it again"
        )


class DatabaseFile:
    """The file at `path`, as it was when the first connection to it was open. Any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._identity: tuple[int, int] | None = None

    def opened(self) -> None:
        """Note which file it is, at the first connection."""
        if self._identity is None:
            self._identity = self._present()

    def problem(self) -> str:
        """Return what has become of the file, or nothing if the path still names it. Raises OSError if the disk cannot
        be read."""
        if self._identity is None:
            return ""
        present = self._present()
        if present == self._identity:
            return ""
        return "is gone" if present is None else "is another one than the engine has open"

    def require(self) -> None:
        """Raise DatabaseReplacedError if the path does not name the file any more."""
        problem = self.problem()
        if problem:
            raise DatabaseReplacedError(str(self._path), problem)

    def size_bytes(self) -> int:
        """Return the bytes of the database, with its write-ahead log. Raises OSError."""
        log = self._path.with_name(f"{self._path.name}-wal")
        return self._path.stat().st_size + (log.stat().st_size if log.exists() else 0)

    def _present(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino
