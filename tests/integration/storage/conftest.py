"""Fixtures of the tests of storage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    with mounted(tmp_path / "disk", 48 << 20) as folder:
        yield folder
