"""The folders of supervisors: one that was killed leaves its own, and the next removes it."""

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.supervisor.run_folder import RunFolder, remove_stale

HOLD = """
from engine.supervisor.run_folder import RunFolder
folder = RunFolder()
print(folder.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_the_folder_of_a_supervisor_that_was_killed_is_removed_by_the_next() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        (folder / "feed").write_text("a socket")
        assert remove_stale() == [], "its supervisor lives"
        process.kill()
    assert folder.exists()
    assert remove_stale() == [folder]
    assert not folder.exists()


def test_a_folder_of_our_own_stays_until_we_remove_it() -> None:
    folder = RunFolder()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert remove_stale() == []
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_what_is_no_folder_of_a_supervisor_stays(tmp_path: Path) -> None:
    (tmp_path / "patrol-report").mkdir()
    (tmp_path / "patrol-file").write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "supervisor.lock").write_text("")
    (tmp_path / "patrol-link").symlink_to(elsewhere)
    linked = tmp_path / "patrol-locked"
    linked.mkdir()
    (linked / "supervisor.lock").symlink_to(elsewhere / "supervisor.lock")
    assert remove_stale() == []
    assert len(list(tmp_path.iterdir())) == 5


def test_a_supervisor_that_starts_at_the_same_moment_does_not_take_the_new_folder_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, removed = fcntl.flock, []

    def another_is_faster(descriptor: int, operation: int) -> None:
        """Before the first folder is locked, another supervisor takes it for that of a dead one."""
        monkeypatch.setattr(fcntl, "flock", lock)
        removed.extend(remove_stale())
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", another_is_faster)
    folder = RunFolder()
    assert removed
    assert folder.path not in removed
    assert folder.path.is_dir()
    assert remove_stale() == []
    folder.remove()
