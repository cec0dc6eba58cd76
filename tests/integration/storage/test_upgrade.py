"""An upgrade goes on where it was stopped or killed, says beforehand what it needs, and loses nothing meanwhile."""

import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from engine.cli.main import app
from engine.errors import StoreError
from engine.model.camera import Camera
from engine.storage.db import schema
from engine.storage.db.database import connect, parse_url, sqlite_file, write_transaction
from engine.storage.db.passwords import sealed_urls
from engine.storage.db.passwords.keys import KeySource
from engine.storage.db.passwords.scrub import scrub
from engine.storage.db.passwords.sealer import Sealer
from engine.storage.db.store import Store
from engine.storage.db.upgrading.plan import SCRUB, SEAL, Plan, Step
from engine.storage.db.upgrading.watch import UpgradeStoppedError, Watch
from engine.storage.db.writer_lock import exclusively
from tests.support.upgrade.revisions import undo_since_0012

CAMERAS = [Camera(f"c{n:05}", f"rtsp://admin:sesame{n:05}@10.0.0.1/{n}", region="130102") for n in range(3500)]
BYTES_OF_LOG = 3_000_000


@pytest.fixture
def keys(tmp_path: Path) -> KeySource:
    return KeySource(tmp_path / "keys" / "patrol.key")


def old_database(url: str) -> None:
    """Make a database as the release before sealing left it: schema 0009, passwords in clear."""
    store = Store.open(url)
    store.registry.upsert(replace(camera, url="rtsp://h/1") for camera in CAMERAS)
    store.close()
    engine = connect(parse_url(url))
    with write_transaction(engine) as connection:
        connection.execute(sa.text("ALTER TABLE cameras DROP COLUMN sealed_url"))
        connection.execute(sa.text("ALTER TABLE finding_events DROP COLUMN photographs"))
        undo_since_0012(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))
        connection.execute(
            sa.text("UPDATE cameras SET url = :url WHERE camera_id = :id"),
            [{"id": camera.camera_id, "url": camera.url} for camera in CAMERAS],
        )
        connection.execute(
            sa.text("INSERT INTO measurements VALUES (:id, 1, :working, :body)"),
            [{"id": f"m{n}", "working": True, "body": bytes(10_000)} for n in range(BYTES_OF_LOG // 10_000)],
        )
    engine.dispose()
    _leave_a_trace(sqlite_file(parse_url(url)))


def _leave_a_trace(path: Path | None) -> None:
    """Leave a password in a free page, as a SQLite does that does not overwrite what it deletes."""
    if path is None:
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE trace (text)")
        connection.executemany("INSERT INTO trace VALUES (?)", [("sesame of a deleted camera " * 100,)] * 500)
        connection.execute("DROP TABLE trace")


def in_clear(url: str) -> int:
    engine = connect(parse_url(url))
    with engine.connect() as connection:
        number = connection.scalar(sa.text("SELECT COUNT(*) FROM cameras WHERE url LIKE '%sesame%'"))
    engine.dispose()
    return int(number or 0)


def files_hold(url: str, text: str) -> bool:
    path = sqlite_file(parse_url(url))
    assert path is not None
    return any(text.encode() in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def is_whole(url: str, keys: KeySource) -> bool:
    store = Store.open(url, keys)
    try:
        return list(store.registry.cameras()) == CAMERAS
    finally:
        store.close()


def _upgrade_until(url: str, key_file: Path, step: str, at: int) -> None:
    def kill(name: str, done: int, total: int) -> None:
        del total
        if name == step and done >= at:
            os.kill(os.getpid(), signal.SIGKILL)

    schema.upgrade(url, KeySource(key_file), watch=Watch(kill))


def killed_at(url: str, keys: KeySource, step: str, at: int) -> bool:
    """Upgrade in a process that kills itself when `step` is `at` rows or bytes far; return whether it did."""
    process = multiprocessing.get_context("spawn").Process(target=_upgrade_until, args=(url, keys.file, step, at))
    process.start()
    process.join(60)
    return process.exitcode == -signal.SIGKILL


def test_an_upgrade_that_is_killed_goes_on_where_it_was(database_url: str, keys: KeySource) -> None:
    old_database(database_url)
    assert killed_at(database_url, keys, SEAL, 1)
    assert in_clear(database_url) == 2500  # a thousand a transaction
    assert killed_at(database_url, keys, SEAL, 1)
    assert in_clear(database_url) == 1500
    assert schema.plan(database_url).steps[0].rows == 1500
    done = schema.upgrade(database_url, keys)
    assert (done.before, done.sealed, done.is_scrubbed) == (schema.head(), 1500, True)
    assert is_whole(database_url, keys)
    assert schema.plan(database_url).steps == ()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_file_whose_rewriting_is_killed_is_as_it_was_and_is_rewritten_later(
    tmp_path: Path, keys: KeySource, share: float
) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    old_database(url)
    assert killed_at(url, keys, SCRUB, round(share * BYTES_OF_LOG))
    assert schema.current(url) == schema.head()
    assert schema.is_scrub_pending(url)
    assert is_whole(url, keys)
    assert files_hold(url, "sesame")  # that is why it has to be rewritten
    done = schema.upgrade(url, keys)
    assert (done.sealed, done.is_scrubbed) == (0, True)
    assert not schema.is_scrub_pending(url)
    assert not files_hold(url, "sesame")
    assert is_whole(url, keys)


def test_an_upgrade_that_is_told_to_stop_keeps_what_it_has_done(database_url: str, keys: KeySource) -> None:
    old_database(database_url)
    with pytest.raises(UpgradeStoppedError, match="run the same command again"):
        schema.upgrade(database_url, keys, watch=Watch(is_stopped=lambda: True))
    assert in_clear(database_url) == 2500
    assert schema.upgrade(database_url, keys).sealed == 2500
    assert is_whole(database_url, keys)


def test_progress_is_told_step_by_step(tmp_path: Path, keys: KeySource) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    old_database(url)
    told: list[tuple[str, int, int]] = []
    schema.upgrade(url, keys, watch=Watch(lambda *args: told.append(args)))
    assert [(done, total) for step, done, total in told if step == SEAL] == [
        (done, 3500) for done in (1000, 2000, 3000, 3500)
    ]
    bytes_done = [done for step, done, _ in told if step == SCRUB]
    assert bytes_done == sorted(bytes_done)
    assert bytes_done[-1] >= BYTES_OF_LOG


def test_while_a_file_is_rewritten_nobody_is_told_of_a_write_that_is_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    old_database(url)
    schema.upgrade(url, KeySource(tmp_path / "k"), with_scrub=False)
    writes: list[str] = []

    def write(done: int, total: int) -> None:
        del done, total
        with closing(sqlite3.connect(tmp_path / "patrol.db", timeout=0, isolation_level=None)) as other:
            try:
                other.execute("INSERT INTO patrol_about VALUES ('written', 'meanwhile')")
                writes.append("acknowledged")
            except sqlite3.OperationalError as error:
                writes.append(str(error))

    with exclusively(url) as (engine, _):
        scrub(engine, write)
    assert set(writes) == {"database is locked"}
    schema.check(url)


def test_a_file_that_another_program_has_open_is_left_and_said(tmp_path: Path, keys: KeySource) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    old_database(url)
    with closing(sqlite3.connect(tmp_path / "patrol.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM cameras").fetchone()
        with pytest.raises(StoreError, match=r"passwords are sealed, but .*patrol db scrub"):
            schema.upgrade(url, keys)
    assert schema.is_scrub_pending(url)
    assert is_whole(url, keys)
    schema.scrub_unused(url)
    assert not files_hold(url, "sesame")


def test_a_full_disk_is_said_before_anything_is_changed(tmp_path: Path, keys: KeySource, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/patrol.db"
    old_database(url)
    with pytest.raises(StoreError, match=r"needs about .* MB free .* nothing was changed.*--skip-scrub"):
        schema.upgrade(url, keys)
    assert schema.current(url) == "0009"
    assert in_clear(url) == len(CAMERAS)
    done = schema.upgrade(url, keys, with_scrub=False)
    assert (done.sealed, done.is_scrub_left) == (len(CAMERAS), True)
    assert is_whole(url, keys)


def test_room_is_needed_only_for_what_is_rewritten() -> None:
    steps = (Step("schema 0010", "Add the column."), Step(SCRUB, "", 0, 5_000_000_000))
    Plan("patrol.db", "0009", "0010", steps[:1], 0).require_room()
    Plan("patrol.db", "0009", "0010", steps, 6_000_000_000).require_room()
    Plan("a server's", "0009", "0010", steps, None).require_room()
    with pytest.raises(StoreError, match=r"needs about 5,067 MB free on its disk, and 5,000 MB are free"):
        Plan("patrol.db", "0009", "0010", steps, 5_000_000_000).require_room()


def test_findings_of_before_are_filled_in_chunks(database_url: str) -> None:
    engine = connect(parse_url(database_url))
    with write_transaction(engine) as connection:
        schema._run_alembic(connection, "0007")
        connection.execute(
            sa.text(
                "INSERT INTO cameras (camera_id, url, name, site_id, site_name, region, key_point, required, uplink, "
                "hours, platform_status, push, enabled) VALUES "
                "('a', 'rtsp://h/1', '烹饪间', '', '', '130102', 'cooking', :no, '', '', '', :no, :yes)"
            ),
            {"no": False, "yes": True},
        )
        connection.execute(
            sa.text(
                "INSERT INTO findings VALUES (:id, :camera, 'blurred', '', '', '130102', 'open', 'seen', 'blind', "
                "'city', 1, 1, 1, 1, 0, '', :no, :no)"
            ),
            [{"id": n, "camera": "ab"[n % 2], "no": False} for n in range(1, 12_001)],
        )
    engine.dispose()
    assert schema.plan(database_url).steps[0].rows == 12_000
    told: list[int] = []
    schema.upgrade(database_url, watch=Watch(lambda step, done, total: told.append(done)))
    assert told == [5_000, 10_000, 12_000]
    with connect(parse_url(database_url)).connect() as connection:
        query = "SELECT camera_id, camera_name, key_point, severity_rank, level_rank, COUNT(*) FROM findings "
        rows = connection.execute(sa.text(query + "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1")).all()
    assert [tuple(row) for row in rows] == [("a", "烹饪间", "cooking", 3, 3, 6_000), ("b", "", "other", 3, 3, 6_000)]


@pytest.fixture
def patrol(tmp_path: Path) -> Callable[..., Any]:
    """Run `patrol db` on the database in the test's folder."""
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{tmp_path}/patrol.db"\n', encoding="utf-8")
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["db", *words, "-c", str(config)], catch_exceptions=False)


def test_the_command_says_what_it_would_do_and_what_it_did(tmp_path: Path, patrol: Callable[..., Any]) -> None:
    old_database(f"sqlite:///{tmp_path}/patrol.db")
    said = patrol("upgrade", "--dry-run").output
    assert "alters tables, rewrites no rows" in said
    assert "(3500 rows)" in said
    assert "on the disk; free: " in said
    asked = json.loads(patrol("upgrade", "--dry-run", "--json").output)
    assert (asked["schemaBefore"], len(asked["steps"]), int(asked["bytesNeeded"]) > BYTES_OF_LOG) == ("0009", 12, True)
    assert schema.current(f"sqlite:///{tmp_path}/patrol.db") == "0009"

    said = patrol("upgrade", "--skip-scrub").output
    assert "3500 passwords of cameras are sealed" in said
    assert "run `patrol db scrub`" in said
    assert "may still hold old passwords" in patrol("check").output
    assert "the file is rewritten" in patrol("upgrade").output
    assert "may still hold" not in patrol("check").output
    assert "nothing to do" in patrol("upgrade").output
    assert "nothing to do" in patrol("upgrade", "--dry-run").output


def test_ctrl_c_stops_the_command_between_two_batches(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    old_database(url)
    process = multiprocessing.get_context("spawn").Process(target=_interrupted_upgrade, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 130
    assert 0 < in_clear(url) < len(CAMERAS)
    assert schema.current(url) == schema.head()


def _interrupted_upgrade(folder: Path) -> None:
    """Run the command, and press Ctrl-C after the first batch."""
    original = sealed_urls.seal_batch

    def seal_batch(connection: sa.Connection, sealer: Sealer, after: str) -> sealed_urls.SealedBatch | None:
        batch = original(connection, sealer, after)
        os.kill(os.getpid(), signal.SIGINT)
        return batch

    vars(schema)["seal_batch"] = seal_batch
    config = folder / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{folder}/patrol.db"\n', encoding="utf-8")
    with suppress(KeyboardInterrupt):
        raise SystemExit(CliRunner().invoke(app, ["db", "upgrade", "-c", str(config)]).exit_code)
