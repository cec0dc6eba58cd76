"""Keyframes that are kept: of each camera the latest and the last good ones, and what announced faults have left.

A camera has up to three files: `ok`, the last that was ok while ok was announced; `good`, the last that was ok while
something else was announced; `doubt`, the last that was not ok. Who is well has the first alone, so that a fault finds
its baseline and last good picture without anything being kept twice.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import structlog

from engine.clock import wall_ns
from engine.errors import StoreError
from engine.model.keyframe import Keyframe
from engine.model.verdict import State, Verdict
from engine.storage.evidence import keyframe_file
from engine.storage.evidence.exhibits import Exhibit, Exhibits
from engine.storage.evidence.keyframe_file import Facts
from engine.storage.evidence.quota import Quota, Rank

_OK, _GOOD, _DOUBT = "ok", "good", "doubt"
_SLOTS = (_OK, _GOOD, _DOUBT)
EXHIBITS_FOLDER = "exhibits"


@dataclass(slots=True)
class _Held:
    """How often an exhibit is pinned, and what is held along with it."""

    times: int = 0
    along: list[str] = field(default_factory=list)


class EvidenceStore:
    """Files within a budget of bytes. Any thread.

    When it is spent, the latest keyframes go first, then the good ones beside doubtful ones, then exhibits that no open
    finding refers to, at last those that one does, which is logged for each; of a kind the oldest. `pinned`: digests
    that open findings refer to now. `on_out` hears of everything that goes, by the word of its rank.
    """

    def __init__(
        self,
        folder: Path,
        bytes_max: int,
        pinned: Iterable[str] = (),
        on_out: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._on_out = on_out
        self._lock = threading.Lock()
        self._exhibiting = threading.Lock()
        self._quota = Quota()
        self._newest: dict[str, str] = {}
        self._pins: dict[str, int] = {}
        self._held: dict[str, _Held] = {}
        self._exhibits = Exhibits(folder / EXHIBITS_FOLDER)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._look()
        except OSError as error:
            raise StoreError(
                f"record.evidence_dir = {str(folder)!r}: {error.strerror}; give a directory we may write to"
            ) from error
        missing = self.pin(pinned)
        if missing:
            structlog.get_logger().error("open findings refer to exhibits that are gone", exhibits=len(missing))

    @property
    def bytes_kept(self) -> int:
        """Size of all files."""
        return self._quota.total_bytes

    def numbers(self) -> dict[str, int]:
        """Files by the word of their rank; an exhibit counts as one."""
        with self._lock:
            return {rank.word: self._quota.number(rank) for rank in Rank}

    def put(self, keyframe: Keyframe, verdict: Verdict) -> None:
        """Keep this keyframe as the camera's latest. Raises OSError."""
        whose = _name_of(keyframe.camera_id)
        slot = _slot_of(verdict)
        parts = keyframe_file.pack(keyframe, keyframe_file.facts_of(verdict))
        size = sum(map(len, parts))
        if size > self._bytes_max:
            return
        self._write_over(self._path(whose, slot), parts, size)
        with self._lock:
            self._quota.put(_entry(whose, slot), size, Rank.LATEST)
            self._newest[whose] = slot
            for other in _SLOTS:
                if other == slot:
                    continue
                if slot == _OK:
                    self._drop(whose, other)
                else:
                    self._quota.move(_entry(whose, other), Rank.LATEST if other == _DOUBT else Rank.BESIDE)
            self._make_room()

    def get(self, camera_id: str) -> Keyframe | None:
        """The camera's latest keyframe; None if none is kept or its file is not whole."""
        seen = self.latest(camera_id)
        return None if seen is None else seen[0]

    def latest(self, camera_id: str) -> tuple[Keyframe, Facts] | None:
        """The same, with what was said of it."""
        whose = _name_of(camera_id)
        slot = self._newest.get(whose)
        return None if slot is None else self._read(whose, slot)

    def remove(self, camera_id: str) -> None:
        """Let the camera's keyframes go; exhibits stay, they belong to the ledger."""
        whose = _name_of(camera_id)
        with self._lock:
            self._newest.pop(whose, None)
            for slot in _SLOTS:
                self._drop(whose, slot)

    def exhibit(self, keyframe: Keyframe, verdict: Verdict) -> tuple[str, ...]:
        """A fault is announced, or the ledger cites a look: keep this keyframe bit for bit, and beside one that is not
        ok the baseline (the last that was ok while ok was announced) and the last good one.

        Returns their digests (SHA-256 of the payloads), the keyframe's own first; the same picture stands once. Call
        before `put`, then `settle`. Raises OSError.
        """
        whose = _name_of(keyframe.camera_id)
        beside: dict[str, str] = {}
        if verdict.state != State.OK:
            for name, slots in (("baseline", (_OK,)), ("good", (_GOOD, _OK))):
                seen = next((one for slot in slots if (one := self._read(whose, slot)) is not None), None)
                digest = "" if seen is None else self._exhibit(*seen)
                if digest:
                    beside[name] = digest
        fault = self._exhibit(keyframe, keyframe_file.facts_of(verdict), beside)
        with self._lock:
            self._hold_along(fault, beside.values())
        return tuple(dict.fromkeys(one for one in (fault, *beside.values()) if one))

    def settle(self) -> None:
        """Make exhibits outlast a power cut before anything that refers to them is committed. Raises OSError."""
        with self._exhibiting:
            self._exhibits.settle()

    def exhibited(self, sha256: str, camera_id: str = "") -> Exhibit | None:
        """One exhibit, its bits checked against its name; of any camera, or of this one. Raises StoreError."""
        return self._exhibits.get(sha256, camera_id)

    def pin(self, digests: Iterable[str]) -> tuple[str, ...]:
        """A finding is open that refers to these; as often as it is unpinned later. Returns those that are not here.

        The good pictures beside them are held along. It may come before the exhibit does.
        """
        wanted = [(digest, self._exhibits.beside(digest)) for digest in digests]
        with self._lock:
            for digest, beside in wanted:
                held = self._held.setdefault(digest, _Held())
                held.times += 1
                for one in (digest, *held.along):
                    self._hold(one, 1)
                self._hold_along(digest, beside)
            return tuple(digest for digest, _ in wanted if digest not in self._quota)

    def unpin(self, digests: Iterable[str]) -> None:
        """The finding has ended."""
        with self._lock:
            for digest in digests:
                held = self._held.get(digest)
                if held is None:
                    continue
                held.times -= 1
                if not held.times:
                    del self._held[digest]
                for one in (digest, *held.along):
                    self._hold(one, -1)

    def _hold(self, digest: str, times: int) -> None:
        left = self._pins.get(digest, 0) + times
        if left:
            self._pins[digest] = left
        else:
            del self._pins[digest]
        self._quota.move(digest, Rank.PINNED if left else Rank.EXHIBIT)

    def _hold_along(self, digest: str, beside: Iterable[str]) -> None:
        """What stands beside an exhibit is held as often as it is itself."""
        held = self._held.get(digest)
        if held is None:
            return
        for one in beside:
            if one != digest and one not in held.along:
                held.along.append(one)
                self._hold(one, held.times)

    def _exhibit(self, keyframe: Keyframe, facts: Facts, beside: Mapping[str, str] = MappingProxyType({})) -> str:
        if len(keyframe.payload) > self._bytes_max:
            return ""
        with self._exhibiting:
            kept = self._exhibits.put(keyframe, facts, dict(beside))
            with self._lock:
                rank = Rank.PINNED if kept.sha256 in self._pins else Rank.EXHIBIT
                self._quota.put(kept.sha256, kept.size_bytes, rank)
                self._make_room()
                return kept.sha256 if kept.sha256 in self._quota else ""

    def _read(self, whose: str, slot: str) -> tuple[Keyframe, Facts] | None:
        try:
            return keyframe_file.unpack(self._path(whose, slot).read_bytes())
        except FileNotFoundError:
            return None

    def _write_over(self, path: Path, parts: list[bytes | memoryview], size: int) -> None:
        """In the place of the older one: a fresh file and a rename cost three times as much."""
        flags = os.O_WRONLY | os.O_CREAT
        try:
            descriptor = os.open(path, flags, 0o640)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, flags, 0o640)
        try:
            written = os.writev(descriptor, parts)
            os.ftruncate(descriptor, written)
            # By itself the time of a file goes in steps of milliseconds; it tells the latest of a camera's.
            os.utime(descriptor, ns=(now_ns := wall_ns(), now_ns))
        finally:
            os.close(descriptor)
        if written != size:
            raise OSError(f"{written} of {size} bytes written to {path}; is the disk full?")

    def _make_room(self) -> None:
        while (gone := self._quota.first_out(self._bytes_max)) is not None:
            name, rank = gone
            if rank in (Rank.EXHIBIT, Rank.PINNED):
                self._exhibits.remove(name)
            else:
                whose, _, slot = name.partition(".")
                self._path(whose, slot).unlink(missing_ok=True)
                if self._newest.get(whose) == slot:
                    del self._newest[whose]
            if rank == Rank.PINNED:
                structlog.get_logger().error(
                    "evidence of an open finding is gone: record.evidence_bytes_max is spent", sha256=name
                )
            self._on_out(rank.word)

    def _drop(self, whose: str, slot: str) -> None:
        if self._quota.remove(_entry(whose, slot)):
            self._path(whose, slot).unlink(missing_ok=True)

    def _path(self, whose: str, slot: str) -> Path:
        return self._folder / whose[:2] / f"{whose}.{slot}"

    def _look(self) -> None:
        """Sizes and ages of what an earlier run left."""
        found: list[tuple[int, str, str, int]] = []
        for shard in self._folder.iterdir():
            if len(shard.name) != 2 or not shard.is_dir():
                continue
            for entry in os.scandir(shard):
                whose, _, slot = entry.name.partition(".")
                if slot in _SLOTS:
                    facts = entry.stat()
                    found.append((facts.st_mtime_ns, whose, slot, facts.st_size))
        for _, whose, slot, size in sorted(found):
            self._newest[whose] = slot
            self._quota.put(_entry(whose, slot), size, Rank.LATEST)
        for _, whose, slot, _ in found:
            if slot != _DOUBT and self._newest[whose] != slot:
                self._quota.move(_entry(whose, slot), Rank.BESIDE)
        for kept in self._exhibits.clear_up():
            self._quota.put(kept.sha256, kept.size_bytes, Rank.EXHIBIT)


def _name_of(camera_id: str) -> str:
    return hashlib.blake2b(camera_id.encode(), digest_size=16).hexdigest()


def _entry(whose: str, slot: str) -> str:
    return f"{whose}.{slot}"


def _slot_of(verdict: Verdict) -> str:
    if verdict.state != State.OK:
        return _DOUBT
    return _OK if verdict.announced == State.OK else _GOOD
