"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import log
from engine.runtime.log_burst import BurstLimit
from tests.support import postgres

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's shared clips; they are not in the repository."""
    if not (SHARED_DATA / "MANIFEST.md").is_file():
        pytest.skip(f"needs the shared clips, which are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server for all tests of a run."""
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.server() as postgres_server:
        yield postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: a file of SQLite, then one of a real PostgreSQL server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/patrol.db"
    url: str = request.getfixturevalue("postgres_server").database()
    return url


@pytest.fixture
def all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of the log is left out because tests before had many of its kind within this second."""
    monkeypatch.setattr(log, "_burst", BurstLimit(log.LINES_MAX))
