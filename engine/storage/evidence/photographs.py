"""Keeps the photographs that came with claims, as JPEG files named by their SHA-256: `photographs/ab/ab12...ef.jpg`.

A photograph that comes twice is stored once. After `add` it survives a power cut. What is kept and for how long, the
caller decides.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import IntegrityError
from engine.model.photograph import PHOTOGRAPH_SUFFIX, photograph_name
from engine.storage.evidence.exhibits import ExhibitProblem, is_digest
from engine.storage.private_files import FILE_MODE, FOLDER_MODE

PHOTOGRAPHS_FOLDER = "photographs"
_TEMPORARY = ".part"


@dataclass(frozen=True, slots=True)
class PhotographFile:
    """A photograph as a scan of the folder finds it. `kept_ns`: mtime of its file."""

    sha256: str
    size_bytes: int
    kept_ns: int


class Photographs:
    """The photographs in one folder. Only one thread at a time may write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, jpeg: bytes) -> str:
        """Store a photograph durably, unless it is there; return its SHA-256. Raises OSError; then nothing changed."""
        digest = hashlib.sha256(jpeg).hexdigest()
        path = self._path(digest)
        if path is None or self._is_whole(path, digest):
            return digest
        path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        temporary = path.with_name(path.name + _TEMPORARY)
        try:
            _write(temporary, jpeg)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        for folder in (path.parent, self._folder):
            _sync(folder)
        return digest

    def get(self, sha256: str) -> bytes | None:
        """Return a photograph; None if it is not kept. Raises IntegrityError if its bits have changed."""
        path = self._path(sha256)
        if path is None:
            return None
        try:
            jpeg = path.read_bytes()
        except FileNotFoundError:
            return None
        return checked_photograph(sha256, jpeg, str(path.parent))

    def remove(self, sha256: str) -> None:
        """Delete a photograph."""
        path = self._path(sha256)
        if path is not None:
            path.unlink(missing_ok=True)

    def clean_up(self) -> list[PhotographFile]:
        """Return all photographs, oldest first, and delete what a crash left incomplete. Only for the process that
        writes here."""
        return sorted(self._scan(), key=lambda photograph: photograph.kept_ns)

    def digests(self) -> list[str]:
        """Return the digests of all photographs, sorted."""
        return sorted(path.stem for path in self._folder.glob(f"??/*{PHOTOGRAPH_SUFFIX}"))

    def verify(self, digest: str) -> ExhibitProblem | None:
        """Check a photograph against its digest; None if it is right, or is not kept any more."""
        try:
            self.get(digest)
        except IntegrityError as error:
            return ExhibitProblem(digest, str(error))
        except OSError as error:
            return ExhibitProblem(digest, f"cannot be read: {error}")
        return None

    def _scan(self) -> Iterator[PhotographFile]:
        for path in self._folder.glob("??/*"):
            if path.suffix == _TEMPORARY:
                path.unlink(missing_ok=True)
            elif path.suffix == PHOTOGRAPH_SUFFIX:
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    yield PhotographFile(path.stem, stat.st_size, stat.st_mtime_ns)

    def _is_whole(self, path: Path, digest: str) -> bool:
        with suppress(FileNotFoundError, IntegrityError):
            return path.exists() and self.get(digest) is not None
        return False

    def _path(self, sha256: str) -> Path | None:
        """Return the path of a photograph; None if this is no SHA-256 in lower-case hex."""
        return self._folder / sha256[:2] / photograph_name(sha256) if is_digest(sha256) else None


def checked_photograph(sha256: str, jpeg: bytes, where: str) -> bytes:
    """Return a photograph as it was read. Raises IntegrityError, which names the place, if its bits have changed."""
    if hashlib.sha256(jpeg).hexdigest() != sha256:
        raise IntegrityError(f"photograph {sha256}: the file in {where} has other bits than when it was kept")
    return jpeg


def _write(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, and flush it to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
