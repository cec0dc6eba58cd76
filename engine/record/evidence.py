"""The latest keyframe of each camera, as it came, one file each, within a budget of bytes."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from pathlib import Path

from engine.errors import StoreError
from engine.types import Codec, FeedKind, Keyframe

_MAGIC = b"PKE1"
_HEADER_BYTES_MAX = 4096
_MARK_BYTES = 8


class Evidence:
    """Files `ab/<digest of the camera id>`; the oldest go when the budget is spent. Any thread.

    Layout of a file: "PKE1", the length of the header as two bytes (big-endian), the header (JSON), the payload, the
    visit id as eight bytes.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"record.evidence_dir = {str(folder)!r}: {error.strerror}; give a directory we may write to"
            ) from error
        self._index()

    @property
    def bytes_kept(self) -> int:
        """Size of all files."""
        return self._bytes

    def put(self, keyframe: Keyframe) -> None:
        """Keep this keyframe in the place of the camera's older one. Raises OSError."""
        path = self._path(keyframe.camera_id)
        header = json.dumps(
            {
                "camera_id": keyframe.camera_id,
                "visit_id": keyframe.visit_id,
                "codec": keyframe.codec,
                "arrival_wall_ns": keyframe.arrival_wall_ns,
                "stream_time_ns": keyframe.stream_time_ns,
                "source": keyframe.source,
            }
        ).encode()
        mark = keyframe.visit_id.to_bytes(_MARK_BYTES, "big")
        size = len(_MAGIC) + 2 + len(header) + len(keyframe.payload) + _MARK_BYTES
        if size > self._bytes_max:
            return
        # Written over the older one: a fresh file and a rename cost three times as much. The mark at the end tells a
        # reader that it saw the whole of it.
        parts = [_MAGIC + len(header).to_bytes(2, "big") + header, keyframe.payload, mark]
        flags = os.O_WRONLY | os.O_CREAT
        try:
            descriptor = os.open(path, flags, 0o640)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, flags, 0o640)
        try:
            written = os.writev(descriptor, parts)
            os.ftruncate(descriptor, written)
        finally:
            os.close(descriptor)
        if written != size:
            raise OSError(f"{written} of {size} bytes written to {path}; is the disk full?")
        with self._lock:
            self._bytes += size - self._sizes.pop(path, 0)
            self._sizes[path] = size
            while self._bytes > self._bytes_max:
                oldest, freed = self._sizes.popitem(last=False)
                self._bytes -= freed
                oldest.unlink(missing_ok=True)

    def get(self, camera_id: str) -> Keyframe | None:
        """The camera's keyframe; None if none is kept or its file is not whole."""
        try:
            raw = self._path(camera_id).read_bytes()
        except FileNotFoundError:
            return None
        try:
            length = int.from_bytes(raw[4:6], "big")
            if raw[:4] != _MAGIC or length > _HEADER_BYTES_MAX:
                return None
            header = json.loads(raw[6 : 6 + length])
            if int.from_bytes(raw[-_MARK_BYTES:], "big") != header["visit_id"]:
                return None
            return Keyframe(
                camera_id=header["camera_id"],
                visit_id=header["visit_id"],
                codec=Codec(header["codec"]),
                payload=raw[6 + length : -_MARK_BYTES],
                arrival_wall_ns=header["arrival_wall_ns"],
                stream_time_ns=header["stream_time_ns"],
                source=FeedKind(header["source"]),
            )
        except (ValueError, KeyError):
            return None

    def remove(self, camera_id: str) -> None:
        """Let the camera's keyframe go."""
        path = self._path(camera_id)
        with self._lock:
            self._bytes -= self._sizes.pop(path, 0)
        path.unlink(missing_ok=True)

    def _path(self, camera_id: str) -> Path:
        digest = hashlib.blake2b(camera_id.encode(), digest_size=16).hexdigest()
        return self._folder / digest[:2] / digest

    def _index(self) -> None:
        """Sizes and ages of what an earlier run left."""
        found: list[tuple[float, Path, int]] = []
        for shard in self._folder.iterdir():
            if not shard.is_dir():
                continue
            for entry in os.scandir(shard):
                facts = entry.stat()
                found.append((facts.st_mtime, Path(entry.path), facts.st_size))
        for _, path, size in sorted(found):
            self._sizes[path] = size
            self._bytes += size
