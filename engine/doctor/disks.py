"""Examines the folders that the engine writes to: may it write, how much is free, how fast is the disk."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.config.schema import Settings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning

_WRITES = 20
_WRITE_BYTES = 4096
_SLOW_MS = 50.0
"""A commit waits for the disk; the writer commits five times a second."""
_FREE_BYTES_MIN = 1 << 30


def folders(settings: Settings, database_file: Path | None) -> dict[str, Path]:
    """Return the folders that the engine writes to, by what configures them."""
    found = {
        "record.evidence_dir": Path(settings.record.evidence_dir),
        "record.quarantine_dir": Path(settings.record.quarantine_dir),
    }
    if database_file is not None:
        found["record.url"] = database_file.parent
    return found


def writable(key: str, folder: Path) -> Diagnosis | None:
    """Return why a folder cannot be written to; None if it can, or will be made. Nothing is left behind."""
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=present):
            return None
    except OSError as error:
        return fault(
            "folders",
            f"{key}: {str(present)!r} cannot be written to ({error.strerror})",
            f"give it to the engine's user: chown or chmod, ReadWritePaths= of the systemd unit; or change {key}",
        )


def free_space(key: str, free_bytes: int, needed_bytes: int) -> Diagnosis:
    """Judge the free space. `needed_bytes`: what the folder may still grow by."""
    found = f"{key}: {_gb(free_bytes)} free"
    if free_bytes < _FREE_BYTES_MIN:
        return fault("disk space", found, "free some, or move the folder to a larger disk")
    if free_bytes < needed_bytes:
        return warning(
            "disk space",
            f"{found}, it may grow by {_gb(needed_bytes)}",
            "lower record.evidence_bytes_max, or move the folder to a larger disk",
        )
    return ok("disk space", found)


def speed(key: str, written_ms: Sequence[float]) -> Diagnosis:
    """Judge how long small writes took to reach the disk, in milliseconds."""
    typical_ms, slowest_ms = statistics.median(written_ms), max(written_ms)
    found = f"{key}: a write reaches the disk in {typical_ms:.1f} ms, the slowest took {slowest_ms:.1f} ms"
    if typical_ms > _SLOW_MS:
        return warning(
            "disk speed", found, "put the database on a local SSD: verdicts are committed five times a second"
        )
    return ok("disk speed", found)


def private(path: Path) -> Diagnosis | None:
    """Warn if others than the engine's user may read a file or a folder."""
    mode = path.stat().st_mode & 0o777
    if not mode & 0o077:
        return None
    allowed = "0700" if path.is_dir() else "0600"
    return warning(
        "permissions",
        f"{str(path)!r} has mode {mode:04o}: others may read it",
        f"chmod {allowed} {path}; it holds the addresses of cameras, or pictures of kitchens",
    )


def examine(settings: Settings, database_file: Path | None) -> Iterator[Diagnosis]:
    """Examine all folders."""
    evidence_bytes = settings.record.evidence_bytes_max if settings.record.evidence != "none" else 0
    refused = False
    for key, folder in folders(settings, database_file).items():
        problem = writable(key, folder)
        if problem is not None:
            refused = True
            yield problem
            continue
        present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if key != "record.quarantine_dir":
            needed = max(0, evidence_bytes - _size(folder)) if key == "record.evidence_dir" else 0
            yield free_space(key, shutil.disk_usage(present).free, needed)
        if key == "record.url":
            yield speed(key, _write_ms(present))
    if not refused:
        yield ok("folders", "all can be written to")
    for path in (database_file, Path(settings.record.evidence_dir)):
        if path is not None and path.exists() and (exposed := private(path)) is not None:
            yield exposed


def _write_ms(folder: Path) -> list[float]:
    taken = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_WRITES):
            began_s = time.perf_counter()
            file.write(os.urandom(_WRITE_BYTES))
            os.fsync(file.fileno())
            taken.append(1e3 * (time.perf_counter() - began_s))
    return taken


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder; unreadable ones count nothing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _gb(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"
