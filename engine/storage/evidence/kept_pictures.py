"""Reads the keyframes that an engine has kept, for commands on its machine; runs beside the engine, which writes them.

EvidenceStore says what the files are. Nothing here counts them: whoever removes one outside the engine does so while no
engine runs.
"""

from pathlib import Path

from engine.model.keyframe import Keyframe
from engine.storage.evidence import keyframe_file
from engine.storage.evidence.archive_files import ArchiveFiles
from engine.storage.evidence.exhibit_reader import ExhibitReader
from engine.storage.evidence.exhibits import Exhibit
from engine.storage.evidence.keyframe_file import Facts
from engine.storage.evidence.store import DOUBT, GOOD, OK, SLOTS, path_of


class KeptPictures:
    """The keyframes under `record.evidence_dir`, with the facts of their verdicts."""

    def __init__(self, folder: Path, archive: ArchiveFiles | None = None) -> None:
        self._folder = folder
        self._reader = ExhibitReader(folder, archive)

    def latest(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """Return the camera's latest keyframe; None if none is kept, or its file is incomplete."""
        return self._newest(camera_id, SLOTS)

    def doubtful(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """Return the camera's last keyframe that was not ok; None as in `latest`."""
        return self._newest(camera_id, (DOUBT,))

    def baseline(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """Return the camera's last keyframe that was ok while ok was announced; None as in `latest`."""
        return self._newest(camera_id, (OK,))

    def last_good(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """Return the camera's last keyframe that was ok; None as in `latest`."""
        return self._newest(camera_id, (GOOD, OK))

    def exhibit(self, sha256: str, camera_id: str) -> Exhibit | None:
        """Return an exhibit as this camera sent it; None if it is not kept.

        Raises IntegrityError if its keyframe's file is missing or has changed.
        """
        return self._reader.exhibit(sha256, camera_id)

    def remove(self, camera_id: str) -> None:
        """Delete the camera's keyframes, while no engine runs. Its exhibits stay: the ledger cites them."""
        for slot in SLOTS:
            path_of(self._folder, camera_id, slot).unlink(missing_ok=True)

    def _newest(self, camera_id: str, slots: tuple[str, ...]) -> tuple[Keyframe, Facts] | None:
        dated: list[tuple[int, Path]] = []
        for slot in slots:
            path = path_of(self._folder, camera_id, slot)
            try:
                dated.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue
        for _, path in sorted(dated, reverse=True):
            try:
                return keyframe_file.unpack(path.read_bytes())
            except FileNotFoundError:  # the engine has deleted it in this moment
                continue
        return None
