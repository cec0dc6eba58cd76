"""Fixtures of the tests of storage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import FailingDisk
from tests.support.disks import small_disk as mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    with mounted(tmp_path / "disk", 48 << 20) as folder:
        yield folder


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[FailingDisk]:
    """A disk that turns read-only when it is told to."""
    disk = FailingDisk(tmp_path / "image", tmp_path / "failing")
    yield disk
    disk.close()
