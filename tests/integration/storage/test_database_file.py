"""A database whose file is deleted or replaced while it is open: nothing is committed into nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.errors import NoDatabaseError, StoreError
from engine.model.camera import Camera
from engine.storage.database_file import DatabaseReplacedError
from engine.storage.db.database import write_transaction
from engine.storage.db.store import Store
from engine.storage.db.tables import cameras


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(url(tmp_path))
    store.acquire_writer_lock()
    store.registry.upsert([Camera("first", "rtsp://h/1")])
    yield store
    store.close()


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/patrol.db"


def ids(store: Store) -> set[str]:
    return {camera.camera_id for camera in store.registry.cameras()}


def test_a_write_after_the_file_was_deleted_is_refused_with_the_remedy(store: Store, tmp_path: Path) -> None:
    (tmp_path / "patrol.db").unlink()
    assert store.file_problem() == "is gone"
    with pytest.raises(DatabaseReplacedError, match=r"patrol\.db is gone.*restore a backup"):
        store.registry.upsert([Camera("second", "rtsp://h/1")])
    assert ids(store) == {"first"}, "what is still known can be read"


def test_a_file_that_is_put_back_is_written_to_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "patrol.db").rename(tmp_path / "elsewhere")
    with pytest.raises(DatabaseReplacedError):
        store.registry.upsert([Camera("second", "rtsp://h/1")])
    (tmp_path / "elsewhere").rename(tmp_path / "patrol.db")
    store.registry.upsert([Camera("second", "rtsp://h/1")])
    assert ids(store) == {"first", "second"}


def test_another_file_in_its_place_is_not_taken_for_it(store: Store, tmp_path: Path) -> None:
    other = Store.open(f"sqlite:///{tmp_path}/other.db")
    other.close()
    (tmp_path / "other.db").replace(tmp_path / "patrol.db")
    with pytest.raises(DatabaseReplacedError, match="is another one than the engine has open"):
        store.registry.upsert([Camera("second", "rtsp://h/1")])


def test_a_transaction_is_not_committed_if_the_file_goes_meanwhile(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DatabaseReplacedError), write_transaction(store._engine) as connection:  # noqa: PT012
        connection.execute(sa.delete(cameras))
        (tmp_path / "patrol.db").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rename(tmp_path / "patrol.db")
    assert ids(store) == {"first"}


def test_no_empty_database_is_made_for_a_new_connection(store: Store, tmp_path: Path) -> None:
    (tmp_path / "patrol.db").unlink()
    store._engine.dispose()
    with pytest.raises(DatabaseReplacedError):
        ids(store)
    assert not (tmp_path / "patrol.db").exists()


def test_an_engine_does_not_begin_empty_beside_the_log_of_a_lost_database(store: Store, tmp_path: Path) -> None:
    (tmp_path / "patrol.db").unlink()
    with pytest.raises(StoreError, match=r"its write-ahead log patrol\.db-wal is left; put the database back"):
        Store.open(url(tmp_path))
    assert not (tmp_path / "patrol.db").exists()


def test_a_hub_that_is_started_again_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="no such database"):
        Store.open_existing(url(tmp_path))
    assert not (tmp_path / "patrol.db").exists()


def test_the_size_of_the_database_counts_its_log(store: Store, tmp_path: Path) -> None:
    files = (tmp_path / "patrol.db", tmp_path / "patrol.db-wal")
    assert store.size_bytes() == sum(file.stat().st_size for file in files) > 0
