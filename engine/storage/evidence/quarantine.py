"""Keeps keyframes that took workers down, for people to examine."""

import json
from pathlib import Path

from engine.model.keyframe import Keyframe
from engine.redact import redact
from engine.storage.private_files import make_folder


class Quarantine:
    """A directory with a payload and a .json per keyframe; beyond `files_max` keyframes the oldest are deleted."""

    def __init__(self, folder: Path, files_max: int) -> None:
        self._folder = folder
        self._files_max = files_max

    def add(self, keyframe: Keyframe, reason: str) -> Path:
        """Store a keyframe; return its path. Raises OSError if the directory cannot be written."""
        make_folder(self._folder)
        path = self._folder / f"{keyframe.arrival_wall_ns:020d}-{keyframe.visit_id}.{keyframe.codec}"
        path.write_bytes(keyframe.payload)
        facts = {
            "camera_id": keyframe.camera_id,
            "visit_id": keyframe.visit_id,
            "codec": keyframe.codec,
            "arrival_wall_ns": keyframe.arrival_wall_ns,
            "source": keyframe.source,
            "reason": redact(reason),
        }
        path.with_name(path.name + ".json").write_text(
            json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        paths = sorted(path for path in self._folder.iterdir() if path.suffix != ".json")
        for oldest in paths[: max(0, len(paths) - self._files_max)]:
            oldest.unlink(missing_ok=True)
            oldest.with_name(oldest.name + ".json").unlink(missing_ok=True)
        return path
