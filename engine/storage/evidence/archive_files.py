"""Reads and writes the files of the archive: exhibits and photographs, laid out as in the folder of a machine.

exhibits/ab/ab12...ef.h264, exhibits/ab/ab12...ef.json, photographs/ab/ab12...ef.jpg
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.config.schema import RecordSettings
from engine.errors import IntegrityError
from engine.model.photograph import PHOTOGRAPH_BYTES_MAX, PHOTOGRAPH_SUFFIX
from engine.storage.evidence.blobs import Blobs
from engine.storage.evidence.exhibits import (
    EXHIBITS_FOLDER,
    Exhibit,
    ExhibitFiles,
    ExhibitProblem,
    exhibit_of,
    is_digest,
    read_json,
    with_sightings,
)
from engine.storage.evidence.photographs import PHOTOGRAPHS_FOLDER, checked_photograph

_FILE_BYTES_MAX = 64 * 2**20
_WHERE = "the archive"


class ArchiveFiles:
    """The files of one archive. Any thread may call; every call raises BlobsAwayError if the store does not answer."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def exhibit(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """Return an exhibit as Exhibits.get does. Raises IntegrityError as that does."""
        described = self._described(sha256) if is_digest(sha256) else None
        if described is None:
            return None
        path = f"{_stem(EXHIBITS_FOLDER, sha256)}.{described['codec']}"
        return exhibit_of(sha256, described, lambda: self._blobs.get(path, _FILE_BYTES_MAX), camera_id, _WHERE)

    def photograph(self, sha256: str) -> bytes | None:
        """Return a photograph; None if there is none. Raises IntegrityError if its bits have changed."""
        if not is_digest(sha256):
            return None
        jpeg = self._blobs.get(_stem(PHOTOGRAPHS_FOLDER, sha256) + PHOTOGRAPH_SUFFIX, PHOTOGRAPH_BYTES_MAX)
        return None if jpeg is None else checked_photograph(sha256, jpeg, _WHERE)

    def verify_exhibit(self, sha256: str) -> ExhibitProblem | None:
        """Check an exhibit that the index names against its digest; None if it is right."""
        return _verify(self.exhibit, sha256)

    def verify_photograph(self, sha256: str) -> ExhibitProblem | None:
        """Check a photograph that the index names against its digest; None if it is right."""
        return _verify(self.photograph, sha256)

    def put_exhibit(self, sha256: str, files: ExhibitFiles, *, is_known: bool) -> None:
        """Store an exhibit, the JSON last. `is_known`: it may be there, with sightings of other machines."""
        stem = _stem(EXHIBITS_FOLDER, sha256)
        before = self._described(sha256) if is_known else None
        described = dict(files.described)
        if before is not None:
            described["sightings"] = with_sightings(before["sightings"], described["sightings"])
        else:
            self._blobs.put(f"{stem}.{files.codec}", files.payload)
        self._blobs.put(f"{stem}.json", ExhibitFiles(files.codec, b"", described).json)

    def put_photograph(self, sha256: str, jpeg: bytes) -> None:
        """Store a photograph."""
        self._blobs.put(_stem(PHOTOGRAPHS_FOLDER, sha256) + PHOTOGRAPH_SUFFIX, jpeg)

    def remove_exhibit(self, sha256: str, suffix: str) -> None:
        """Delete an exhibit, the JSON first: no JSON ever describes a file that is missing."""
        for each in (".json", suffix):
            self._blobs.remove(_stem(EXHIBITS_FOLDER, sha256) + each)

    def remove_photograph(self, sha256: str) -> None:
        """Delete a photograph."""
        self._blobs.remove(_stem(PHOTOGRAPHS_FOLDER, sha256) + PHOTOGRAPH_SUFFIX)

    def _described(self, sha256: str) -> Mapping[str, Any] | None:
        content = self._blobs.get(f"{_stem(EXHIBITS_FOLDER, sha256)}.json", _FILE_BYTES_MAX)
        if content is None:
            return None
        described = read_json(content)
        if described is None or not str(described.get("codec", "")).isalnum():
            raise IntegrityError(f"exhibit {sha256}: its JSON in {_WHERE} is not as the engine wrote it")
        return described


def open_archive_files(record: RecordSettings) -> ArchiveFiles | None:
    """Return the files of `record.archive_url`; None without one. Raises ConfigError if its library is missing."""
    return ArchiveFiles(Blobs(record.archive_url, record.archive_endpoint)) if record.archive_url else None


def _verify(read: Callable[[str], object | None], sha256: str) -> ExhibitProblem | None:
    try:
        return None if read(sha256) is not None else ExhibitProblem(sha256, f"it is gone from {_WHERE}")
    except (IntegrityError, KeyError, ValueError) as error:
        return ExhibitProblem(sha256, str(error))


def _stem(folder: str, sha256: str) -> str:
    return f"{folder}/{sha256[:2]}/{sha256}"
