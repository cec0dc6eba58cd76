"""Files and folders of the engine are for its own user, those from before too."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.storage.db.backup import backup, restore
from engine.storage.db.store import Store
from engine.storage.evidence.store import EvidenceStore
from engine.storage.private_files import make_folder, tighten


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_database_and_all_beside_it_is_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "patrol.db"
    store = Store.open(f"sqlite:///{path}")
    store.acquire_writer_lock()
    store.write([])
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert {"patrol.db", "patrol.db-wal", "patrol.db-shm", "patrol.db.lock"} <= {p.name for p in path.parent.iterdir()}
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    store.close()
    backup(f"sqlite:///{path}", tmp_path / "copy.db")
    restore(f"sqlite:///{path}", tmp_path / "copy.db")
    assert mode(tmp_path / "copy.db") == mode(path) == mode(path.with_name("patrol.db.before-restore")) == 0o600


def test_new_evidence_is_private(tmp_path: Path) -> None:
    EvidenceStore(tmp_path / "var" / "evidence", 1000)
    assert mode(tmp_path / "var" / "evidence") == mode(tmp_path / "var") == 0o700


def test_what_others_could_read_is_tightened_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    evidence = folder / "evidence"
    evidence.mkdir(parents=True)
    database = folder / "patrol.db"
    database.touch(0o644)
    (folder / "patrol.db-wal").touch(0o644)
    changed = {each.path.name: (each.before, each.after) for each in tighten(database, (evidence, folder / "none"))}
    assert changed == {
        "patrol.db": ("0644", "0600"),
        "patrol.db-wal": ("0644", "0600"),
        "evidence": ("0755", "0700"),
        "var": ("0755", "0700"),
    }
    assert mode(database) == 0o600
    assert mode(folder) == 0o700
    assert list(tighten(database, (evidence,))) == []


def test_a_folder_with_files_of_others_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "srv"
    folder.mkdir()
    database = folder / "patrol.db"
    database.touch(0o640)
    (folder / "website.html").touch(0o644)
    assert [each.path for each in tighten(database, ())] == [database]
    assert mode(folder) == 0o755
    assert mode(folder / "website.html") == 0o644


def test_folders_that_exist_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(0o755)
    make_folder(tmp_path / "there" / "new")
    make_folder(tmp_path / "there")
    assert mode(tmp_path / "there") == 0o755
    assert mode(tmp_path / "there" / "new") == 0o700
