"""Keeps exhibits: keyframes of announced faults, bit for bit, in files named by their SHA-256, with a JSON file each.

    ab/ab12...ef.h264    the payload as it came; any player opens it
    ab/ab12...ef.json    digest, size, codec, and its sightings: camera, visit, times, the facts of the verdict

The JSON is written last and renamed into place: an exhibit exists if and only if its JSON does. A payload that several
visits brought is stored once, with a sighting for each. After `sync` exhibits survive a power cut.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import IntegrityError
from engine.model.keyframe import Keyframe
from engine.storage.evidence.keyframe_file import Facts, keyframe_of, origin_of

EXHIBITS_FOLDER = "exhibits"
SIGHTINGS_MAX = 32
"""Sightings kept of one payload: the first and the latest ones."""
_TEMPORARY = ".part"
_SYNC_THREADS_MAX = 16


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One keyframe as one visit brought it.

    `facts`: what the verdict said (engine.storage.evidence.keyframe_file). `beside`: digests of the good pictures that
    the fault was compared with, by `baseline` and `good`.
    """

    sha256: str
    keyframe: Keyframe
    facts: Facts
    beside: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExhibitFile:
    """An exhibit as a scan of the folder finds it. `size_bytes`: payload and JSON; `kept_ns`: mtime of the payload's
    file."""

    sha256: str
    size_bytes: int
    kept_ns: int


@dataclass(frozen=True, slots=True)
class ExhibitProblem:
    """What is wrong with an exhibit, in a sentence."""

    sha256: str
    message: str


@dataclass(frozen=True, slots=True)
class ExhibitFiles:
    """The content of an exhibit's two files. `described`: the JSON."""

    codec: str
    payload: bytes
    described: Mapping[str, Any]

    @property
    def json(self) -> bytes:
        """The JSON as it is written."""
        return _json(self.described)


class Exhibits:
    """The exhibits in one folder. Only one thread at a time may write. What is kept and for how long, the caller
    decides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsynced: set[Path] = set()

    def add(self, keyframe: Keyframe, facts: Facts, beside: Mapping[str, str], sha256: str = "") -> ExhibitFile:
        """Store a keyframe, or add a sighting to the one that is stored. Raises OSError; then nothing has changed.

        `sha256`: digest of the payload, if the caller knows it.
        """
        digest = sha256 or hashlib.sha256(keyframe.payload).hexdigest()
        payload, json_path = self._paths(digest, keyframe.codec)
        payload.parent.mkdir(parents=True, exist_ok=True)
        described = self._read(json_path)
        if described is None:
            described = {"sha256": digest, "bytes": len(keyframe.payload), "codec": keyframe.codec, "sightings": []}
        if not payload.exists() or payload.stat().st_size != len(keyframe.payload):
            self._write(payload, keyframe.payload)
        added = {**origin_of(keyframe), "verdict": facts, "beside": beside}
        described["sightings"] = with_sightings(described["sightings"], [added])
        self._write(json_path, _json(described))
        stat = payload.stat()
        return ExhibitFile(digest, stat.st_size + json_path.stat().st_size, stat.st_mtime_ns)

    def sync(self) -> None:
        """Flush the files written since the last call to the disk, so that they survive a power cut. Raises OSError."""
        files, self._unsynced = self._unsynced, set()
        if not files:
            return
        # In parallel: a disk that gets many flushes at once does them together.
        with ThreadPoolExecutor(min(len(files), _SYNC_THREADS_MAX)) as pool:
            for paths in (files, {path.parent for path in files}):
                list(pool.map(_sync, paths))

    def get(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """Return an exhibit as the latest sighting of this camera has it, or of any camera if `camera_id` is empty.

        None if it is not kept, or has no such sighting. Raises IntegrityError if the keyframe's file is missing, or its
        SHA-256 is not the one that it is named by.
        """
        json_path = self._json_path(sha256)
        described = None if json_path is None else self._read(json_path)
        if json_path is None or described is None:
            return None

        def payload() -> bytes | None:
            try:
                return json_path.with_suffix("." + described["codec"]).read_bytes()
            except FileNotFoundError:
                return None

        return exhibit_of(sha256, described, payload, camera_id, str(json_path.parent))

    def files(self, sha256: str) -> ExhibitFiles | None:
        """Return an exhibit's files as they are, for a copy elsewhere; None if it is not kept.

        Raises OSError, and IntegrityError if the keyframe's file has changed.
        """
        json_path = self._json_path(sha256)
        described = None if json_path is None else self._read(json_path)
        if json_path is None or described is None:
            return None
        payload = json_path.with_suffix("." + described["codec"]).read_bytes()
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise IntegrityError(_changed(sha256, str(json_path.parent)))
        return ExhibitFiles(described["codec"], payload, described)

    def beside(self, sha256: str) -> tuple[str, ...]:
        """Return the digests of all good pictures that any sighting was compared with."""
        json_path = self._json_path(sha256)
        described = None if json_path is None else self._read(json_path)
        sightings = described["sightings"] if described is not None else []
        digests = (digest for sighting in sightings for digest in sighting.get("beside", {}).values())
        return tuple(dict.fromkeys(digests))

    def remove(self, sha256: str) -> None:
        """Delete an exhibit; the JSON first, so that no JSON ever describes a file that is missing."""
        json_path = self._json_path(sha256)
        if json_path is not None:
            for path in (json_path, *json_path.parent.glob(f"{sha256}.*")):
                path.unlink(missing_ok=True)

    def clean_up(self) -> list[ExhibitFile]:
        """Return all exhibits, oldest first, and delete what a crash left incomplete. Only for the process that writes
        here."""
        return sorted(self._scan(clean=True), key=lambda exhibit: exhibit.kept_ns)

    def digests(self) -> list[str]:
        """Return the digests of all exhibits, sorted."""
        return sorted(exhibit.sha256 for exhibit in self._scan(clean=False))

    def sightings(self) -> Iterator[dict[str, Any]]:
        """Yield every sighting of every exhibit as its JSON has it, with the digest and the size."""
        for digest in self.digests():
            json_path = self._json_path(digest)
            described = None if json_path is None else self._read(json_path)
            for sighting in () if described is None else described["sightings"]:
                yield {"sha256": digest, "bytes": described["bytes"] if described else 0, **sighting}

    def verify(self, digest: str) -> ExhibitProblem | None:
        """Check an exhibit against its digest; None if it is right, or is not kept any more."""
        json_path = self._json_path(digest)
        if json_path is None or not json_path.exists():
            return None
        if self._read(json_path) is None:
            return ExhibitProblem(digest, "its JSON cannot be read")
        try:
            if self.get(digest) is None:
                return ExhibitProblem(digest, "its JSON names no sighting")
        except IntegrityError as error:
            return ExhibitProblem(digest, str(error))
        except (OSError, KeyError, ValueError) as error:
            return ExhibitProblem(digest, f"cannot be read: {error}")
        return None

    def _scan(self, *, clean: bool) -> Iterator[ExhibitFile]:
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
                    if clean:
                        Path(entry.path).unlink(missing_ok=True)
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue
                if suffix == "json":
                    described[digest] = stat.st_size
                else:
                    sizes[digest], kept_ns[digest] = stat.st_size, stat.st_mtime_ns
            for digest, size in described.items():
                yield ExhibitFile(digest, size + sizes.get(digest, 0), kept_ns.get(digest, 0))
            for digest in (sizes.keys() - described.keys()) if clean else ():
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

    def _json_path(self, sha256: str) -> Path | None:
        """Return the path of its JSON; None if this is no SHA-256 in lower-case hex."""
        return self._folder / sha256[:2] / f"{sha256}.json" if is_digest(sha256) else None

    def _paths(self, digest: str, codec: str) -> tuple[Path, Path]:
        folder = self._folder / digest[:2]
        return folder / f"{digest}.{codec}", folder / f"{digest}.json"

    def _read(self, json_path: Path) -> dict[str, Any] | None:
        try:
            return read_json(json_path.read_bytes())
        except FileNotFoundError:
            return None


def is_digest(text: str) -> bool:
    """Whether this is a SHA-256 in lower-case hex."""
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


def read_json(content: bytes) -> dict[str, Any] | None:
    """Return what an exhibit's JSON says; None if it is none."""
    try:
        described = json.loads(content)
    except ValueError:
        return None
    return described if isinstance(described, dict) and isinstance(described.get("sightings"), list) else None


def with_sightings(known: Sequence[Facts], added: Sequence[Facts]) -> list[Facts]:
    """Return sightings with others added, each visit once: the first, and the latest ones."""
    visits = {_visit_of(sighting) for sighting in added}
    others = [sighting for sighting in known if _visit_of(sighting) not in visits]
    together = [*others, *added]
    return [*together[:1], *together[1:][-(SIGHTINGS_MAX - 1) :]]


def exhibit_of(
    sha256: str, described: Mapping[str, Any], payload: Callable[[], bytes | None], camera_id: str, where: str
) -> Exhibit | None:
    """Return an exhibit as the latest sighting of this camera has it, or of any camera if `camera_id` is empty; None if
    it has no such sighting. `payload`: reads the keyframe's file. `where`: names the place in errors.

    Raises IntegrityError if the keyframe's file is missing, or its SHA-256 is not the one that it is named by.
    """
    sightings = [sighting for sighting in described["sightings"] if camera_id in ("", sighting["camera_id"])]
    if not sightings:
        return None
    content = payload()
    if content is None:
        raise IntegrityError(f"exhibit {sha256}: its keyframe is gone from {where}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IntegrityError(_changed(sha256, where))
    latest = sightings[-1]
    return Exhibit(sha256, keyframe_of(latest, content), latest["verdict"], latest["beside"])


def _changed(sha256: str, where: str) -> str:
    return f"exhibit {sha256}: the file in {where} has other bits than when it was kept"


def _json(described: Mapping[str, Any]) -> bytes:
    return json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()


def _visit_of(sighting: Facts) -> tuple[str, int]:
    return sighting["camera_id"], sighting["visit_id"]


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # evicted before it was synced
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
