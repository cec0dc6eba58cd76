"""Disks of a test's own, which only root can mount: a small one in memory, and one that turns read-only in use."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MB = 1 << 20


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount an empty file system in memory at `folder`; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _unmount(folder)


class FailingDisk:
    """A file system in a file, like a disk that fails: `fail` makes it read-only under the files that are open."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._image = image
        with image.open("wb") as file:
            file.truncate(64 * _MB)
        folder.mkdir(parents=True, exist_ok=True)
        _run_or_skip("mkfs.ext4", "-q", str(image))
        _mount("-o", "loop", str(image), str(folder))

    def fail(self) -> None:
        """Make it read-only, as the kernel does after an error of the disk: writes to open files fail."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.folder)], check=True, capture_output=True)

    def repair(self) -> None:
        """Check it and mount it again; nobody may have a file open on it."""
        subprocess.run(["umount", str(self.folder)], check=True)
        subprocess.run(["fsck.ext4", "-p", str(self._image)], check=False, capture_output=True)
        _mount("-o", "loop", str(self._image), str(self.folder))

    def close(self) -> None:
        """Unmount it."""
        _unmount(self.folder)


def remount(folder: Path, mode: str) -> None:
    """Mount a disk in memory anew as `ro` or `rw`; for `ro` no file may be open for writing."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True, capture_output=True)


def _mount(*arguments: str) -> None:
    _run_or_skip("mount", *arguments)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _run_or_skip(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"needs {command[0]}: {error}")
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.strip()}")
