"""Reads exhibits and photographs: from the folder of this machine, or else from the archive."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.errors import IntegrityError
from engine.storage.evidence.archive_files import ArchiveFiles
from engine.storage.evidence.exhibits import EXHIBITS_FOLDER, Exhibit, Exhibits
from engine.storage.evidence.photographs import PHOTOGRAPHS_FOLDER, Photographs

_Read = TypeVar("_Read")


class ExhibitReader:
    """`folder`: record.evidence_dir. Any thread may call.

    Raises BlobsAwayError if the archive is needed and does not answer.
    """

    def __init__(self, folder: Path, archive: ArchiveFiles | None = None) -> None:
        self.exhibits = Exhibits(folder / EXHIBITS_FOLDER)
        self.photographs = Photographs(folder / PHOTOGRAPHS_FOLDER)
        self._archive = archive

    def exhibit(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """Return one exhibit as this camera's latest sighting has it, or any camera's; None if it is not kept.

        Raises IntegrityError if its keyframe's file is missing or has changed, and the archive has none that is whole.
        """
        archive = self._archive
        return _first_whole(
            lambda: self.exhibits.get(sha256, camera_id),
            None if archive is None else lambda: archive.exhibit(sha256, camera_id),
        )

    def photograph(self, sha256: str) -> bytes | None:
        """Return a photograph as JPEG; None and errors as `exhibit`."""
        archive = self._archive
        return _first_whole(
            lambda: self.photographs.get(sha256), None if archive is None else lambda: archive.photograph(sha256)
        )


def _first_whole(kept: Callable[[], _Read | None], archived: Callable[[], _Read | None] | None) -> _Read | None:
    damage = None
    try:
        found = kept()
    except IntegrityError as error:
        found, damage = None, error
    if found is None and archived is not None:
        found = archived()
    if found is None and damage is not None:
        raise damage
    return found
