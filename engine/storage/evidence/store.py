"""Keeps evidence within a budget: the latest and last good keyframe of each camera, exhibits of faults, photographs.

A camera has up to three files: `ok`, the last that was ok while ok was announced; `good`, the last that was ok while
something else was announced; `doubt`, the last that was not ok. A camera without a fault has only the first. So a fault
finds its baseline and its last good picture, and nothing is stored twice.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType

import structlog

from engine.clock import wall_ns
from engine.errors import StoreError
from engine.model.keyframe import Keyframe
from engine.model.photograph import PHOTOGRAPH_SUFFIX, photograph_name
from engine.model.verdict import State, Verdict
from engine.storage.evidence import keyframe_file
from engine.storage.evidence.archive import Archive
from engine.storage.evidence.exhibit_reader import ExhibitReader
from engine.storage.evidence.exhibits import Exhibit
from engine.storage.evidence.keyframe_file import Facts
from engine.storage.evidence.pins import Pins
from engine.storage.evidence.quota import Quota, Rank
from engine.storage.private_files import FILE_MODE, FOLDER_MODE, make_folder

OK, GOOD, DOUBT = "ok", "good", "doubt"
SLOTS = (OK, GOOD, DOUBT)
EVICTED_AT_ONCE = 1000
"""Files that one turn of upkeep deletes: some tens of milliseconds, in which nothing else is stored."""


class EvidenceStore:
    """Keyframe files within a budget of bytes. Any thread may call.

    Beyond `bytes_max` files are evicted in the order of their ranks, oldest first: latest keyframes; good ones beside a
    doubtful one; exhibits that no open finding cites. Exhibits of open findings are never evicted: after the budget was
    lowered they may exceed it, and then nothing else is kept.
    `pinned`: digests that open findings cite at the start. `on_evicted` is called with the rank's label for each file.
    `archive`: gets a copy of each exhibit and photograph, and is asked for those that are not in the folder.
    Raises StoreError if the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        bytes_max: int,
        pinned: Iterable[str] = (),
        on_evicted: Callable[[str], None] = lambda _: None,
        archive: Archive | None = None,
    ) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._on_evicted = on_evicted
        self._archive = archive
        self._lock = threading.Lock()
        self._exhibit_lock = threading.Lock()
        self._exceeded = False
        self._quota = Quota()
        self._newest: dict[str, str] = {}
        self._pins = Pins(self._rank_anew)
        self._reader = ExhibitReader(folder, None if archive is None else archive.files)
        self._exhibits = self._reader.exhibits
        self._photographs = self._reader.photographs
        try:
            make_folder(folder)
            self._load()
        except OSError as error:
            raise StoreError(
                f"record.evidence_dir = {str(folder)!r}: {error.strerror}; give a directory that can be written to"
            ) from error
        missing = self.pin(pinned)
        if missing:
            structlog.get_logger().error("open findings refer to exhibits that are gone", exhibits=len(missing))

    @property
    def bytes_max(self) -> int:
        """The most that all files may be."""
        return self._bytes_max

    @property
    def bytes_kept(self) -> int:
        """The size of all files."""
        return self._quota.total_bytes

    @property
    def bytes_pinned(self) -> int:
        """The size of the exhibits of open findings, and of what they were compared with."""
        return self._quota.bytes_of(Rank.PINNED)

    @property
    def uncopied(self) -> int:
        """How many exhibits and photographs have no copy in the archive yet."""
        return 0 if self._archive is None else self._archive.waiting

    def resize(self, bytes_max: int) -> None:
        """Set another budget. `keep_within_budget` brings what is kept below a smaller one."""
        self._bytes_max = bytes_max

    def resize_archive(self, bytes_max: int) -> None:
        """Set another budget of the archive. `step_archive` brings what is kept there below a smaller one."""
        if self._archive is not None:
            self._archive.resize(bytes_max)

    def keep_within_budget(self) -> bool:
        """Evict what exceeds the budget, at most EVICTED_AT_ONCE files; return whether there is more to do.

        Logs an error, once, if exhibits of open findings alone exceed it. Raises OSError.
        """
        with self._lock:
            more = self._make_room(EVICTED_AT_ONCE)
            pinned, budget = self.bytes_pinned, self._bytes_max
        if pinned > budget and not self._exceeded:
            structlog.get_logger().error(
                "exhibits of open findings exceed record.evidence_bytes_max: they stay, and nothing new is kept",
                pinned_bytes=pinned,
                evidence_bytes_max=budget,
            )
        self._exceeded = pinned > budget
        return more

    def counts(self) -> dict[str, int]:
        """Return the number of files by the label of their rank; an exhibit counts as one."""
        with self._lock:
            return {rank.label: self._quota.count(rank) for rank in Rank}

    def store(self, keyframe: Keyframe, verdict: Verdict) -> None:
        """Store this keyframe as the camera's latest. Raises OSError."""
        stem = _file_stem(keyframe.camera_id)
        slot = _slot_of(verdict)
        parts = keyframe_file.pack(keyframe, keyframe_file.facts_of(verdict))
        size = sum(map(len, parts))
        if size > self._bytes_max:
            return
        self._write_over(self._path(stem, slot), parts, size)
        with self._lock:
            self._quota.add(_quota_name(stem, slot), size, Rank.LATEST)
            self._newest[stem] = slot
            for other in SLOTS:
                if other == slot:
                    continue
                if slot == OK:
                    self._drop(stem, other)
                else:
                    self._quota.move(_quota_name(stem, other), Rank.LATEST if other == DOUBT else Rank.BESIDE)
            self._make_room()

    def get(self, camera_id: str) -> Keyframe | None:
        """Return the camera's latest keyframe; None if none is kept, or its file is incomplete."""
        latest = self.latest(camera_id)
        return None if latest is None else latest[0]

    def latest(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """Return the camera's latest keyframe with the facts of its verdict; None as in `get`."""
        stem = _file_stem(camera_id)
        slot = self._newest.get(stem)
        return None if slot is None else self._read(stem, slot)

    def latest_origin(self, camera_id: str) -> tuple[int, int] | None:
        """Return visit id and arrival (wall ns) of the camera's latest keyframe, without reading the keyframe itself.

        None as in `get`; the file may be overwritten at any moment.
        """
        stem = _file_stem(camera_id)
        slot = self._newest.get(stem)
        if slot is None:
            return None
        try:
            with self._path(stem, slot).open("rb", buffering=0) as file:
                origin = keyframe_file.unpack_origin(file.read(keyframe_file.HEADER_BYTES_MAX))
        except FileNotFoundError:
            return None
        return None if origin is None else (origin["visit_id"], origin["arrival_wall_ns"])

    def remove(self, camera_id: str) -> None:
        """Delete the camera's keyframes. Its exhibits stay: the ledger cites them."""
        stem = _file_stem(camera_id)
        with self._lock:
            self._newest.pop(stem, None)
            for slot in SLOTS:
                self._drop(stem, slot)

    def add_exhibit(self, keyframe: Keyframe, verdict: Verdict, sha256: str = "") -> tuple[str, ...]:
        """Keep this keyframe bit for bit as an exhibit, because a fault is announced or the ledger will cite it.

        Unless the verdict is ok, the baseline (the last keyframe that was ok while ok was announced) and the last good
        one become exhibits as well. Returns the SHA-256 digests of the payloads, each once, the keyframe's own first;
        one that does not fit into the budget is left out. `sha256`: digest of this keyframe's payload, if the caller
        knows it. Call `add_exhibit` before `store`, then call `sync`. Raises OSError.
        """
        stem = _file_stem(keyframe.camera_id)
        beside: dict[str, str] = {}
        if verdict.state != State.OK:
            for name, slots in (("baseline", (OK,)), ("good", (GOOD, OK))):
                files = (self._read(stem, slot) for slot in slots)
                good = next((file for file in files if file is not None), None)
                digest = "" if good is None else self._add_exhibit(*good)
                if digest:
                    beside[name] = digest
        fault = self._add_exhibit(keyframe, keyframe_file.facts_of(verdict), beside, sha256)
        with self._lock:
            self._pins.add_beside(fault, beside.values())
        return tuple(dict.fromkeys(digest for digest in (fault, *beside.values()) if digest))

    def sync(self) -> None:
        """Make exhibits survive a power cut, and the loss of the machine if there is an archive that answers; call it
        before anything that cites them is committed. Raises OSError."""
        with self._exhibit_lock:
            self._exhibits.sync()
        if self._archive is not None:
            self._archive.copy(self._exhibits, self._photographs)

    def archive_uncopied(self) -> None:
        """Have a copy made of what an earlier run left without one. Raises StoreError if the database is away."""
        if self._archive is not None:
            self._archive.add_uncopied(self._exhibits, self._photographs)

    def step_archive(self) -> bool:
        """Do a small step of the archive's upkeep; return whether there is more to do."""
        return self._archive is not None and self._archive.step(self._exhibits, self._photographs)

    def get_exhibit(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """Return one exhibit as this camera's latest sighting has it, or any camera's; None if it is not kept.

        Raises IntegrityError if its keyframe's file is missing or has changed.
        """
        return self._reader.exhibit(sha256, camera_id)

    def add_photograph(self, jpeg: bytes) -> str:
        """Keep a photograph that came with a claim, durably; return its SHA-256, or an empty text if it does not fit
        into the budget. It ranks as an exhibit. Raises OSError."""
        if len(jpeg) > self._bytes_max:
            return ""
        with self._exhibit_lock:
            digest = self._photographs.add(jpeg)
            name = photograph_name(digest)
            with self._lock:
                self._quota.add(name, len(jpeg), self._rank_of(name))
                self._make_room()
                if name not in self._quota:
                    return ""
        if self._archive is not None:
            self._archive.add([name])
            self._archive.copy(self._exhibits, self._photographs)
        return digest

    def get_photograph(self, sha256: str) -> bytes | None:
        """Return a photograph as JPEG; None if it is not kept. Raises IntegrityError if its bits have changed."""
        return self._reader.photograph(sha256)

    def pin(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Pin exhibits, or photographs by their `photograph_name`, that an open finding cites, once per call; return
        those that are not kept.

        The good pictures that they were compared with are pinned too. The exhibit may be added later.
        """
        compared = [(digest, self._exhibits.beside(digest)) for digest in digests]
        with self._lock:
            for digest, beside in compared:
                self._pins.add(digest, beside)
            return tuple(digest for digest, _ in compared if digest not in self._quota)

    def unpin(self, digests: Iterable[str]) -> None:
        """Undo one `pin` of each of these, because the finding has ended."""
        with self._lock:
            for digest in digests:
                self._pins.remove(digest)

    def _rank_anew(self, name: str) -> None:
        self._quota.move(name, self._rank_of(name))

    def _rank_of(self, name: str) -> Rank:
        return Rank.PINNED if name in self._pins else Rank.EXHIBIT

    def _add_exhibit(
        self,
        keyframe: Keyframe,
        facts: Facts,
        beside: Mapping[str, str] = MappingProxyType({}),
        sha256: str = "",
    ) -> str:
        if len(keyframe.payload) > self._bytes_max:
            return ""
        with self._exhibit_lock:
            kept = self._exhibits.add(keyframe, facts, dict(beside), sha256)
            with self._lock:
                self._quota.add(kept.sha256, kept.size_bytes, self._rank_of(kept.sha256))
                self._make_room()
                is_kept = kept.sha256 in self._quota
        if is_kept and self._archive is not None:
            self._archive.add([kept.sha256])
        return kept.sha256 if is_kept else ""

    def _read(self, stem: str, slot: str) -> tuple[Keyframe, Facts] | None:
        try:
            return keyframe_file.unpack(self._path(stem, slot).read_bytes())
        except FileNotFoundError:
            return None

    def _write_over(self, path: Path, parts: list[bytes | memoryview], size: int) -> None:
        """Overwrite the camera's older file in place: a new file and a rename cost three times as much."""
        flags = os.O_WRONLY | os.O_CREAT
        try:
            descriptor = os.open(path, flags, FILE_MODE)
        except FileNotFoundError:
            path.parent.mkdir(FOLDER_MODE, exist_ok=True)
            descriptor = os.open(path, flags, FILE_MODE)
        try:
            written = os.writev(descriptor, parts)
            os.ftruncate(descriptor, written)
            # File systems set times in steps of milliseconds; at a start the time decides which file is the latest.
            os.utime(descriptor, ns=(now_ns := wall_ns(), now_ns))
        finally:
            os.close(descriptor)
        if written != size:
            raise OSError(f"{written} of {size} bytes written to {path}; is the disk full?")

    def _make_room(self, files_max: int | None = None) -> bool:
        """Evict until the budget is kept, or `files_max` files; return whether those were too few."""
        for _ in count() if files_max is None else range(files_max):
            evicted = self._quota.evict(self._bytes_max)
            if evicted is None:
                return False
            name, rank = evicted
            if name.endswith(PHOTOGRAPH_SUFFIX):
                self._photographs.remove(name.removesuffix(PHOTOGRAPH_SUFFIX))
            elif rank == Rank.EXHIBIT:
                self._exhibits.remove(name)
            else:
                stem, _, slot = name.partition(".")
                self._path(stem, slot).unlink(missing_ok=True)
                if self._newest.get(stem) == slot:
                    del self._newest[stem]
            self._on_evicted(rank.label)
        return True

    def _drop(self, stem: str, slot: str) -> None:
        if self._quota.remove(_quota_name(stem, slot)):
            self._path(stem, slot).unlink(missing_ok=True)

    def _path(self, stem: str, slot: str) -> Path:
        return _path_of_stem(self._folder, stem, slot)

    def _load(self) -> None:
        """Read the sizes and ages of what an earlier run has left."""
        files: list[tuple[int, str, str, int]] = []
        for shard in self._folder.iterdir():
            if len(shard.name) != 2 or not shard.is_dir():
                continue
            for entry in os.scandir(shard):
                stem, _, slot = entry.name.partition(".")
                if slot in SLOTS:
                    stat = entry.stat()
                    files.append((stat.st_mtime_ns, stem, slot, stat.st_size))
        for _, stem, slot, size in sorted(files):
            self._newest[stem] = slot
            self._quota.add(_quota_name(stem, slot), size, Rank.LATEST)
        for _, stem, slot, _ in files:
            if slot != DOUBT and self._newest[stem] != slot:
                self._quota.move(_quota_name(stem, slot), Rank.BESIDE)
        proofs = [(file.kept_ns, file.sha256, file.size_bytes) for file in self._exhibits.clean_up()]
        proofs += [
            (file.kept_ns, photograph_name(file.sha256), file.size_bytes) for file in self._photographs.clean_up()
        ]
        for _, name, size in sorted(proofs):
            self._quota.add(name, size, Rank.EXHIBIT)


def path_of(folder: Path, camera_id: str, slot: str) -> Path:
    """Return the path of a camera's keyframe, whether it exists or not."""
    return _path_of_stem(folder, _file_stem(camera_id), slot)


def _path_of_stem(folder: Path, stem: str, slot: str) -> Path:
    return folder / stem[:2] / f"{stem}.{slot}"


def _file_stem(camera_id: str) -> str:
    return hashlib.blake2b(camera_id.encode(), digest_size=16).hexdigest()


def _quota_name(stem: str, slot: str) -> str:
    return f"{stem}.{slot}"


def _slot_of(verdict: Verdict) -> str:
    if verdict.state != State.OK:
        return DOUBT
    return OK if verdict.announced == State.OK else GOOD
