"""Fixtures that every kind of test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's shared clips; they are not in the repository."""
    if not (SHARED_DATA / "MANIFEST.md").is_file():
        pytest.skip(f"needs the shared clips, which are not at {SHARED_DATA}")
    return SHARED_DATA
