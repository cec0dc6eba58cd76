"""Makes files and folders for this user alone: the database holds where the cameras are, the evidence what they saw."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = 0o077
_BESIDE_DATABASE = ("", "-wal", "-shm", ".lock", ".key", ".before-restore")
"""What the engine writes beside a SQLite database: the ends of the names."""
_BESIDE_EVIDENCE = ("sessions.key",)
"""What the web process writes beside the evidence."""


@dataclass(frozen=True, slots=True)
class Tightened:
    """A path whose rights were taken from others. `before`, `after`: its modes in octal digits."""

    path: Path
    before: str
    after: str


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for this user alone. Raises OSError."""
    missing = [folder]
    while not (above := missing[-1].parent).exists() and above != missing[-1]:
        missing.append(above)
    for path in reversed(missing):
        path.mkdir(FOLDER_MODE, exist_ok=True)


def create_file(path: Path) -> None:
    """Create an empty file for this user alone, unless there is one. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))


def tighten(database: Path | None, folders: Iterable[Path], key_file: Path | None = None) -> Iterator[Tightened]:
    """Take the rights of other users from the engine's files and folders; yield what was changed.

    `database`: the SQLite file; None for PostgreSQL. `folders`: those that are the engine's alone. The folder of the
    database is one of them if nothing else is in it and it is not the working directory. What belongs to another user
    is left as it is. Raises OSError.
    """
    folders = [folder for folder in folders if folder.is_dir()]
    paths = [*folders]
    if key_file is not None and key_file.is_file():
        paths.append(key_file)
    if database is not None:
        beside = [database.with_name(database.name + end) for end in _BESIDE_DATABASE]
        paths += [path for path in beside if path.is_file()]
        above = database.absolute().parent
        if above != Path.cwd() and all(_is_ours(path, beside, folders) for path in above.iterdir()):
            paths.append(above)
    for path in paths:
        tightened = _tighten(path)
        if tightened is not None:
            yield tightened


def _is_ours(path: Path, files: Iterable[Path], folders: Iterable[Path]) -> bool:
    return (
        path.name in _BESIDE_EVIDENCE
        or any(path == file.absolute() for file in files)
        or any(folder.absolute().is_relative_to(path) for folder in folders)
    )


def _tighten(path: Path) -> Tightened | None:
    status = path.stat()
    before = stat.S_IMODE(status.st_mode)
    if not before & _OTHERS or status.st_uid != os.geteuid():
        return None
    after = before & ~_OTHERS
    path.chmod(after)
    return Tightened(path, f"{before:04o}", f"{after:04o}")
