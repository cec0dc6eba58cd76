"""Passwords of cameras are sealed in SQLite and in a real PostgreSQL: no dump shows one, and none is lost."""

import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from engine.cli.main import app
from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.model.camera import Camera
from engine.redact import redact_url
from engine.storage.db import schema
from engine.storage.db.database import connect, parse_url, sqlite_file, write_transaction
from engine.storage.db.passwords.keys import KeySource, KeyUnavailableError, new_key, parse, source_of
from engine.storage.db.passwords.rotation import rotate
from engine.storage.db.store import Store
from tests.support.secrets import VENDOR_URLS

SECRET = "Zq7secretX9"
CAMERAS = [Camera(f"c{number:02}", url.format(SECRET)) for number, url in enumerate(VENDOR_URLS)]
OPEN = Camera("open", "rtsp://10.0.0.9/1")


@pytest.fixture
def keys(tmp_path: Path) -> KeySource:
    return KeySource(tmp_path / "keys" / "patrol.key")


def in_dump(url: str, text: str) -> bool:
    """Whether the text is in the database's files (SQLite), or in any value of the table (PostgreSQL)."""
    path = sqlite_file(parse_url(url))
    if path is not None:
        files = [file for file in path.parent.iterdir() if file.name.startswith(path.name) and file.is_file()]
        return any(text.encode() in file.read_bytes() for file in files)
    engine = connect(parse_url(url))
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT cameras::text, sealed_url FROM cameras"))
        found = any(text in row[0] or text.encode() in (row[1] or b"") for row in rows)
    engine.dispose()
    return found


def in_clear(url: str, cameras: list[Camera]) -> None:
    """Put the URLs into the database as an engine before sealing did."""
    engine = connect(parse_url(url))
    with write_transaction(engine) as connection:
        for camera in cameras:
            connection.execute(
                sa.text("UPDATE cameras SET url = :url, sealed_url = NULL WHERE camera_id = :camera"),
                {"url": camera.url, "camera": camera.camera_id},
            )
    engine.dispose()


def test_no_password_is_in_a_dump_and_each_comes_back(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    assert store.registry.upsert([*CAMERAS, OPEN]) == (len(CAMERAS) + 1, 0, 0)
    assert store.registry.upsert([*CAMERAS, OPEN]) == (0, 0, len(CAMERAS) + 1)
    assert not in_dump(database_url, SECRET)  # while the log of SQLite is there, too
    assert in_dump(database_url, "10.0.0.9")
    assert list(store.registry.cameras()) == [*CAMERAS, OPEN]
    store.close()
    again = Store.open(database_url, keys)
    assert list(again.registry.cameras()) == [*CAMERAS, OPEN]
    assert again.registry.urls(["c01"]) == {"c01": (CAMERAS[1].url, CAMERAS[1].sub_url)}
    status = again.registry.get("c02")
    assert status is not None
    assert status.camera == CAMERAS[2]
    assert again.unreadable_urls() == (0, "")
    again.close()
    assert not in_dump(database_url, SECRET)
    assert keys.file is not None
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600


def test_an_upgrade_seals_what_was_in_clear_and_leaves_no_trace(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([replace(camera, url="rtsp://h/1") for camera in CAMERAS])
    in_clear(database_url, CAMERAS)
    store.registry.remove([CAMERAS[0].camera_id])  # leaves its row in a free page
    store.close()
    assert in_dump(database_url, SECRET)
    schema.upgrade(database_url, keys)
    assert not in_dump(database_url, SECRET)
    store = Store.open(database_url, keys)
    assert list(store.registry.cameras()) == CAMERAS[1:]
    store.close()


def test_a_sub_stream_is_sealed_as_the_main_one_is(database_url: str, keys: KeySource) -> None:
    camera = Camera("both", f"rtsp://u:{SECRET}@h/1", sub_url=f"rtsp://u:{SECRET}@h/2")
    only_sub = Camera("sub", "rtsp://h/1", sub_url=f"rtsp://h/2?token={SECRET}")
    store = Store.open(database_url, keys)
    assert store.registry.upsert([camera, only_sub]) == (2, 0, 0)
    assert store.registry.upsert([camera, only_sub]) == (0, 0, 2)
    store.close()
    assert not in_dump(database_url, SECRET)
    assert rotate(database_url, keys).sealed == 3
    assert keys.file is not None
    kept = keys.file.rename(keys.file.with_name("elsewhere"))
    store = Store.open(database_url, keys)
    masked = list(store.registry.cameras())
    assert [row.sub_url for row in masked] == ["rtsp://u:***@h/2", "rtsp://h/2?token=***"]
    assert store.unreadable_urls()[0] == 3
    store.registry.upsert([replace(row, name="new") for row in masked])
    store.close()
    kept.rename(keys.file)
    store = Store.open(database_url, keys)
    assert list(store.registry.cameras()) == [replace(camera, name="new"), replace(only_sub, name="new")]
    store.close()


def test_an_engine_seals_at_its_start(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([replace(camera, url="rtsp://h/1") for camera in CAMERAS])
    in_clear(database_url, CAMERAS)
    assert store.seal_clear_urls() == len(CAMERAS)
    assert store.seal_clear_urls() == 0
    assert list(store.registry.cameras()) == CAMERAS
    store.close()


def test_a_lost_key_keeps_the_sealed_and_stops_no_other_camera(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([CAMERAS[0], OPEN])
    store.close()
    assert keys.file is not None
    kept = keys.file.rename(keys.file.with_name("elsewhere"))

    store = Store.open(database_url, keys)
    masked = replace(CAMERAS[0], url=redact_url(CAMERAS[0].url))
    assert list(store.registry.cameras()) == [masked, OPEN]
    number, why = store.unreadable_urls()
    assert (number, "no such file" in why) == (1, True)
    with pytest.raises(KeyUnavailableError, match=r"no such file.*bring the key file back"):
        store.registry.upsert([CAMERAS[1]])
    assert not keys.file.exists()  # no new key is made over a lost one
    store.registry.upsert([replace(masked, name="new name"), replace(OPEN, name="new")])
    store.close()

    kept.rename(keys.file)
    store = Store.open(database_url, keys)
    assert list(store.registry.cameras()) == [replace(CAMERAS[0], name="new name"), replace(OPEN, name="new")]
    store.close()


def test_a_sealed_url_opens_for_its_own_camera_only(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([CAMERAS[0], CAMERAS[1]])
    engine = connect(parse_url(database_url))
    with write_transaction(engine) as connection:
        sealed = "(SELECT sealed_url FROM cameras WHERE camera_id = 'c00')"
        connection.execute(sa.text(f"UPDATE cameras SET sealed_url = {sealed} WHERE camera_id = 'c01'"))
    engine.dispose()
    assert store.registry.urls(["c01"]) == {"c01": (redact_url(CAMERAS[1].url), CAMERAS[1].sub_url)}
    store.close()


def test_a_key_is_changed_and_the_old_one_opens_nothing(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([*CAMERAS, OPEN])
    store.close()
    old = keys.read()
    done = rotate(database_url, keys)
    assert (done.sealed, done.unreadable) == (len(CAMERAS), 0)
    assert len(keys.read()) == 1
    assert keys.read() != old
    assert done.old_file is not None
    assert KeySource(done.old_file).read() == old
    second = keys.read()
    rotate(database_url, keys)
    assert KeySource(done.old_file).read() == [*second, *old]
    store = Store.open(database_url, keys)
    assert list(store.registry.cameras()) == [*CAMERAS, OPEN]
    store.close()
    store = Store.open(database_url, KeySource(done.old_file))
    assert store.unreadable_urls()[0] == len(CAMERAS)
    store.close()


def test_a_change_that_broke_off_leaves_keys_that_open_everything(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert(CAMERAS)
    keys.write([new_key(), *keys.read()], replace=True)  # what rotate has done when it is killed before the database
    store.close()
    store = Store.open(database_url, keys)
    assert list(store.registry.cameras()) == CAMERAS
    store.close()
    assert rotate(database_url, keys).sealed == len(CAMERAS)


def test_a_lost_key_is_replaced_only_if_asked(database_url: str, keys: KeySource) -> None:
    store = Store.open(database_url, keys)
    store.registry.upsert([CAMERAS[0]])
    store.close()
    assert keys.file is not None
    keys.file.unlink()
    with pytest.raises(StoreError, match="--lost"):
        rotate(database_url, keys)
    assert not keys.file.exists()
    done = rotate(database_url, keys, lost=True)
    assert (done.sealed, done.unreadable, done.old_file) == (0, 1, None)
    store = Store.open(database_url, keys)
    store.registry.upsert([CAMERAS[0]])
    assert list(store.registry.cameras()) == [CAMERAS[0]]
    store.close()


def test_a_key_comes_from_a_command(database_url: str, tmp_path: Path) -> None:
    made = KeySource(tmp_path / "made.key")
    made.create()
    command = KeySource(command=(sys.executable, "-c", f"print(open({str(made.file)!r}).read())"))
    store = Store.open(database_url, command)
    store.registry.upsert(CAMERAS)
    assert list(store.registry.cameras()) == CAMERAS
    store.close()
    made.write([new_key(), *made.read()], replace=True)
    assert rotate(database_url, command).sealed == len(CAMERAS)
    made.write(made.read()[:1], replace=True)
    store = Store.open(database_url, command)
    assert list(store.registry.cameras()) == CAMERAS
    store.close()


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ((sys.executable, "-c", "import sys; sys.exit(3)"), "has ended with 3"),
        (("/no/such/program",), "No such file"),
        ((sys.executable, "-c", "print('c2VjcmV0')"), "line 1 is no key"),
        ((sys.executable, "-c", ""), "holds no key"),
    ],
)
def test_a_command_that_gives_no_key_is_named(command: tuple[str, ...], what: str) -> None:
    with pytest.raises(KeyUnavailableError, match=what) as caught:
        KeySource(command=command).read()
    assert "c2VjcmV0" not in str(caught.value)


def test_a_key_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="regular file"):
        KeySource(Path("/dev/zero")).read()
    with pytest.raises(KeyUnavailableError, match="no key"):
        parse("# nothing\n", "record.key_file")
    assert "secret" not in repr(new_key())


def test_where_the_key_is_by_default(tmp_path: Path) -> None:
    def file_of(**record: object) -> Path | None:
        return source_of(RecordSettings.model_validate(record)).file

    assert file_of() == Path("var/patrol.db.key")
    assert file_of(url="postgresql://h/d", evidence_dir="/srv/ev") == Path("/srv/patrol.key")
    assert file_of(key_file="/etc/patrol.key") == Path("/etc/patrol.key")
    assert file_of(url="sqlite://") is None


def test_the_commands(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{url}"\nkey_file = "{tmp_path}/k/patrol.key"\n')
    runner = CliRunner()
    run = lambda *args: runner.invoke(app, ["db", *args, "--config", str(config)], catch_exceptions=False)  # noqa: E731
    store = Store.open(url, KeySource(tmp_path / "k" / "patrol.key"))
    store.registry.upsert(CAMERAS)
    store.close()
    shutil.copy(tmp_path / "patrol.db", tmp_path / "before.db")
    answer = run("rotate-key", "--json")
    assert (answer.exit_code, f'"sealed": {len(CAMERAS)}' in answer.stdout) == (0, True)
    assert run("scrub").exit_code == 0
    with (
        closing(sqlite3.connect(tmp_path / "before.db")) as before,
        closing(sqlite3.connect(tmp_path / "patrol.db")) as now,
    ):
        query = "SELECT camera_id, url FROM cameras ORDER BY camera_id"
        assert before.execute(query).fetchall() == now.execute(query).fetchall()
