"""What announced faults have left: keyframes bit for bit, in files named by their SHA-256, with what is known of them.

    ab/ab12...ef.h264    the payload as it came; a player opens it
    ab/ab12...ef.json    digest, size, codec, and its sightings: camera, visit, times, what the verdict said

The JSON comes last, by a rename: with it the exhibit is there, without it there was none. A payload that several visits
brought stands once, with a sighting for each. `sync` makes what was kept outlast a power cut.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import IntegrityError
from engine.model.keyframe import Keyframe
from engine.storage.evidence.keyframe_file import Facts, keyframe_of, origin_of

SIGHTINGS_MAX = 32
"""Kept of one payload: the first and the latest ones."""
_TEMPORARY = ".part"
_SYNC_THREADS_MAX = 16


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One keyframe as one visit brought it. `facts`: what the verdict said (engine.storage.evidence.keyframe_file).
    `beside`: digests of the good pictures that an announced fault was laid beside, by `baseline` and `good`."""

    sha256: str
    keyframe: Keyframe
    facts: Facts
    beside: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExhibitFile:
    """What a look at the folder tells. `size_bytes`: payload and JSON together; `kept_ns`: of the payload's file."""

    sha256: str
    size_bytes: int
    kept_ns: int


@dataclass(frozen=True, slots=True)
class ExhibitProblem:
    """Something wrong with an exhibit, in a sentence."""

    sha256: str
    message: str


class Exhibits:
    """The files; who may stay is for others to say. One thread writes at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsynced: set[Path] = set()

    def add(self, keyframe: Keyframe, facts: Facts, beside: Mapping[str, str]) -> ExhibitFile:
        """Keep it. Raises OSError; then nothing is kept that was not before."""
        digest = hashlib.sha256(keyframe.payload).hexdigest()
        payload, known = self._paths(digest, keyframe.codec)
        payload.parent.mkdir(parents=True, exist_ok=True)
        described = self._read(known)
        if described is None:
            described = {"sha256": digest, "bytes": len(keyframe.payload), "codec": keyframe.codec, "sightings": []}
        if not payload.exists() or payload.stat().st_size != len(keyframe.payload):
            self._write(payload, keyframe.payload)
        sighting = {**origin_of(keyframe), "verdict": facts, "beside": beside}
        others = [one for one in described["sightings"] if not _same_visit(one, keyframe)]
        described["sightings"] = [*others[:1], *others[1:][-(SIGHTINGS_MAX - 2) :], sighting]
        self._write(known, json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode())
        facts_of_file = payload.stat()
        return ExhibitFile(digest, facts_of_file.st_size + known.stat().st_size, facts_of_file.st_mtime_ns)

    def sync(self) -> None:
        """Make what was kept since the last call outlast a power cut. Raises OSError."""
        files, self._unsynced = self._unsynced, set()
        if not files:
            return
        # Side by side: a disk that is asked for many at once brings them home in one go.
        with ThreadPoolExecutor(min(len(files), _SYNC_THREADS_MAX)) as pool:
            for some in (files, {path.parent for path in files}):
                list(pool.map(_sync, some))

    def get(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """One exhibit as this camera's latest sighting has it (empty: any camera's); None if it is not kept.

        Raises IntegrityError if its keyframe is gone, or its bits are not those that it is named by.
        """
        known = self._known(sha256)
        described = None if known is None else self._read(known)
        if known is None or described is None:
            return None
        sightings = [one for one in described["sightings"] if camera_id in ("", one["camera_id"])]
        if not sightings:
            return None
        try:
            payload = known.with_suffix("." + described["codec"]).read_bytes()
        except FileNotFoundError:
            raise IntegrityError(f"exhibit {sha256}: its keyframe is gone from {known.parent}") from None
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise IntegrityError(f"exhibit {sha256}: the file in {known.parent} has other bits than when it was kept")
        latest = sightings[-1]
        return Exhibit(sha256, keyframe_of(latest, payload), latest["verdict"], latest["beside"])

    def beside(self, sha256: str) -> tuple[str, ...]:
        """Digests of all good pictures that any sighting was laid beside."""
        known = self._known(sha256)
        described = None if known is None else self._read(known)
        found = [one.get("beside", {}) for one in described["sightings"]] if described is not None else []
        return tuple(dict.fromkeys(digest for one in found for digest in one.values()))

    def remove(self, sha256: str) -> None:
        """Let it go; the JSON first, so that nothing is ever described and not there."""
        known = self._known(sha256)
        if known is not None:
            for path in (known, *known.parent.glob(f"{sha256}.*")):
                path.unlink(missing_ok=True)

    def clean_up(self) -> list[ExhibitFile]:
        """What is there, oldest first; what a crash left half done is taken away. Only for who writes here."""
        return sorted(self._scan(clearing=True), key=lambda one: one.kept_ns)

    def digests(self) -> list[str]:
        """All exhibits, in order."""
        return sorted(one.sha256 for one in self._scan(clearing=False))

    def sightings(self) -> Iterator[dict[str, Any]]:
        """Every sighting of every exhibit, with digest, size and codec, as JSON has it."""
        for digest in self.digests():
            known = self._known(digest)
            described = None if known is None else self._read(known)
            for sighting in () if described is None else described["sightings"]:
                yield {"sha256": digest, "bytes": described["bytes"] if described else 0, **sighting}

    def verify(self, digest: str) -> ExhibitProblem | None:
        """Whether the exhibit is what it is named by; None if it is, or has gone meanwhile."""
        known = self._known(digest)
        if known is None or not known.exists():
            return None
        if self._read(known) is None:
            return ExhibitProblem(digest, "its JSON cannot be read")
        try:
            if self.get(digest) is None:
                return ExhibitProblem(digest, "its JSON names no sighting")
        except IntegrityError as error:
            return ExhibitProblem(digest, str(error))
        except (OSError, KeyError, ValueError) as error:
            return ExhibitProblem(digest, f"cannot be read: {error}")
        return None

    def _scan(self, *, clearing: bool) -> Iterator[ExhibitFile]:
        if not self._folder.is_dir():
            return
        for shard in self._folder.iterdir():
            if not shard.is_dir():
                continue
            sizes: dict[str, int] = {}
            described: dict[str, int] = {}
            kept_ns: dict[str, int] = {}
            for entry in os.scandir(shard):
                digest, _, suffix = entry.name.partition(".")
                if entry.name.endswith(_TEMPORARY):
                    if clearing:
                        Path(entry.path).unlink(missing_ok=True)
                    continue
                try:
                    facts = entry.stat()
                except FileNotFoundError:
                    continue
                if suffix == "json":
                    described[digest] = facts.st_size
                else:
                    sizes[digest], kept_ns[digest] = facts.st_size, facts.st_mtime_ns
            for digest, size in described.items():
                yield ExhibitFile(digest, size + sizes.get(digest, 0), kept_ns.get(digest, 0))
            for digest in (sizes.keys() - described.keys()) if clearing else ():
                for path in shard.glob(f"{digest}.*"):
                    path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes | memoryview) -> None:
        temporary = path.with_name(path.name + _TEMPORARY)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._unsynced.add(path)

    def _known(self, sha256: str) -> Path | None:
        """Where its JSON would be; None for what is no digest."""
        if len(sha256) != 64 or not all(one in "0123456789abcdef" for one in sha256):
            return None
        return self._folder / sha256[:2] / f"{sha256}.json"

    def _paths(self, digest: str, codec: str) -> tuple[Path, Path]:
        folder = self._folder / digest[:2]
        return folder / f"{digest}.{codec}", folder / f"{digest}.json"

    def _read(self, known: Path) -> dict[str, Any] | None:
        try:
            described = json.loads(known.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return described if isinstance(described, dict) and isinstance(described.get("sightings"), list) else None


def _same_visit(sighting: Facts, keyframe: Keyframe) -> bool:
    return bool(sighting["camera_id"] == keyframe.camera_id and sighting["visit_id"] == keyframe.visit_id)


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # its turn to go came first
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
