"""Watches what the engine writes to: the database's file, the folders of keyframes, and the room on their disks.

A thread of its own does it, because a disk that hangs holds up whoever asks. What it found last is read by others.
"""

import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from engine.clock import NS_PER_S, monotonic_ns, seconds
from engine.errors import PatrolError
from engine.metrics.vitals import VitalsRecorder
from engine.runtime.log import logger
from engine.storage.db.store import Store

_INTERVAL_S = 1.0
_SLOW_NS = 5 * NS_PER_S
"""Time between two attempts to write to the folder, and two measurements of the database."""
_HUNG_NS = 10 * NS_PER_S
_TRIAL = bytes(256 * 1024)
"""What such an attempt writes, and is gone at once: as much as a keyframe."""
_JOIN_S = 1.0

Problems = dict[str, str]
"""By part, one of NOT_READY_PARTS, what is wrong in one sentence."""


class StorageWatch:
    """`evidence`: the folder that keyframes are written to. `folders`: others whose disks are measured, by name.
    `problems` is for any thread."""

    def __init__(self, store: Store, evidence: Path, folders: Mapping[str, Path], vitals: VitalsRecorder) -> None:
        self._store = store
        self._evidence = evidence
        self._folders = {"evidence": evidence, **folders}
        if store.file is not None:
            self._folders["database"] = store.file.absolute().parent
        self._vitals = vitals
        self._found: Problems = {}
        self._unkept = ""
        self._observed_ns = monotonic_ns()
        self._next_slow_ns = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="storage-watch", daemon=True)

    def start(self) -> None:
        """Observe once, and begin to watch."""
        self.observe(monotonic_ns())
        self._thread.start()

    def close(self) -> None:
        """End the watch; a disk that hangs is not waited for."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def problems(self, now_ns: int) -> Problems:
        """Return what was wrong at the last observation, and whether that is too long ago."""
        silent_ns = now_ns - self._observed_ns
        if silent_ns <= _HUNG_NS:
            return self._found
        hung = f"a disk of the engine has not answered for {seconds(silent_ns):.0f} s; is a mount gone?"
        return {**self._found, "disks": hung}

    def observe(self, now_ns: int) -> None:
        """Observe what is due, and log what became wrong since the last time."""
        found = self._problems(now_ns)
        for part in found.keys() - self._found.keys():
            logger().error("the engine is not ready", part=part, detail=found[part])
        for part in self._found.keys() - found.keys():
            logger().info("the engine is ready again", part=part)
        self._found, self._observed_ns = found, monotonic_ns()

    def _run(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            try:
                self.observe(monotonic_ns())
            except Exception as error:  # noqa: BLE001 (whatever it is, the watch goes on)
                logger().error("disks not observed", detail=str(error))

    def _problems(self, now_ns: int) -> Problems:
        found: Problems = {}
        problem = self._file_problem()
        if problem:
            found["database_file"] = problem
        if now_ns >= self._next_slow_ns:
            self._next_slow_ns = now_ns + _SLOW_NS
            self._unkept = _trial(self._evidence)
            self._measure()
        if self._unkept:
            found["evidence"] = self._unkept
        return found

    def _file_problem(self) -> str:
        try:
            problem = self._store.file_problem()
        except OSError as error:
            return f"the file of the database cannot be read ({error.strerror}); is its disk there?"
        if not problem:
            return ""
        return (
            f"the file of the database {problem}, and nothing is written: move it back, or stop the engine, restore a "
            "backup and start it again"
        )

    def _measure(self) -> None:
        free: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for name, folder in self._folders.items():
            try:
                disk = os.statvfs(folder)
            except OSError:
                continue  # the attempt to write says what is wrong
            free[name], sizes[name] = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        self._vitals.disks(free, sizes)
        try:
            self._vitals.database(self._store.size_bytes())
        except (OSError, PatrolError):
            pass  # the readiness says so


def _trial(folder: Path) -> str:
    """Return why no keyframe can be written to a folder; empty if one can. The folder is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            _write_all(file.fileno())
    except OSError as error:
        return (
            f"keyframes cannot be kept in record.evidence_dir ({error.strerror}); free space there, or mend its disk "
            "and permissions"
        )
    return ""


def _write_all(descriptor: int) -> None:
    """Write the trial; a disk that is nearly full takes a part of it first."""
    left = memoryview(_TRIAL)
    while left:
        left = left[os.write(descriptor, left) :]
