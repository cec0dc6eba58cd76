"""What the release before left works with this one: database, keyframes, configuration, tokens, gateways; and back.

`tests/support/upgrade/before` is a recording of commit f2db90c, the last one before passwords were sealed. Where the
history is there, that commit is run once more, and runs again on the copy that was made before the upgrade.
"""

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.storage.db import schema
from engine.storage.db.passwords.keys import KeySource
from engine.storage.db.store import Store
from tests.support.upgrade.record import (
    PASSWORD,
    REPLIES,
    SECRET,
    Commands,
    free_ports,
    push,
    record,
    wait_for,
)

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "support" / "upgrade" / "before"
COMMIT = "f2db90c14a10f52cbb2610aa6b1b6dd77c4a9226"
Rows = dict[str, list[tuple[Any, ...]]]

CHANGES = {
    "cameras": ("latestVerdict",),
    "findings": ("state", "level", "deadlineTime", "changeTime", "number", "overdue"),
    "notices": ("state", "attempts", "nextTime", "lastError"),
    "tokens": ("lastUseTime",),
}
"""What time alone changes, by what was asked: deadlines pass, and the next level has another one; deliveries are tried
again."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation of the release before, from the recording."""
    return installed(KEPT, tmp_path / "patrol")


def installed(recording: Path, folder: Path) -> Path:
    folder.mkdir()
    config = (recording / "patrol.toml").read_text(encoding="utf-8").replace("@FOLDER@", str(folder))
    for number, port in enumerate(free_ports(2)):
        config = config.replace(f"@PORT{number}@", str(port))
    (folder / "patrol.toml").write_text(config, encoding="utf-8")
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    shutil.copytree(recording / "ev", folder / "ev")
    with closing(sqlite3.connect(folder / "patrol.db")) as database:
        database.executescript((recording / "database.sql").read_text(encoding="utf-8"))
    return folder


def replies_of(recording: Path) -> dict[str, Any]:
    replies: dict[str, Any] = json.loads((recording / "replies.json").read_text(encoding="utf-8"))
    return replies


def rows_of(database: Path) -> Rows:
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def without_urls(rows: Rows) -> Rows:
    kept = {name: rows[name] for name in rows if name not in ("cameras", "alembic_version", "patrol_about")}
    # Later releases added photographs, and the shard of a notice.
    known = {"finding_events": 13, "outbox": 7, "deliveries": 7}
    shortened = {name: [row[:columns] for row in rows[name]] for name, columns in known.items()}
    return kept | {"cameras": [(row[0], *row[2:14]) for row in rows["cameras"]]} | shortened


def shows(reply: dict[str, Any], recorded: dict[str, Any], without: tuple[str, ...]) -> bool:
    """Whether a reply has all that the release before gave; it may have more."""
    return all(reply.get(key) == value for key, value in recorded.items() if key not in without)


def require_the_same_replies(patrol: Commands, recorded: dict[str, Any]) -> None:
    for name, words in REPLIES.items():
        replies = patrol.rows(*words)
        for row in recorded[name]:
            assert any(shows(reply, row, CHANGES.get(name, ())) for reply in replies), (name, row, replies)


def push_is_judged(patrol: Commands, recording: Path, folder: Path) -> None:
    """Send the recorded message of a gateway, and wait for its verdict."""
    frames = [base64.b64decode(frame) for frame in json.loads((recording / "push.json").read_text())]
    config = (folder / "patrol.toml").read_text(encoding="utf-8")
    address = config.partition('listen = "tcp://')[2].partition('"')[0]
    before = {verdict["name"] for verdict in patrol.rows("verdicts", "pushed")}
    push(frames, f"tcp://{address}")

    def has_new() -> bool:
        new = [verdict for verdict in patrol.rows("verdicts", "pushed") if verdict["name"] not in before]
        return any("FAULT_KIND_TOO_DARK" in verdict.get("kinds", ()) for verdict in new)

    wait_for(has_new, "a verdict on the pushed picture")


def commands(checkout: Path, folder: Path, token: str) -> Commands:
    patrol = Commands(checkout, folder)
    patrol.environment["PATROL_TOKEN"] = token
    return patrol


def upgrade(patrol: Commands, folder: Path) -> None:
    """Upgrade as docs/install.md says, and compare every row."""
    with pytest.raises(RuntimeError, match="patrol db upgrade"):
        patrol.run("db", "check")
    patrol.run("config", "check", "patrol.toml", config=())
    patrol.run("db", "backup", "before.db")
    before = rows_of(folder / "patrol.db")
    assert "0009 ->" in patrol.run("db", "upgrade")
    patrol.run("db", "check")
    after = rows_of(folder / "patrol.db")
    assert without_urls(before) == {name: without_urls(after)[name] for name in without_urls(before)}
    assert not any(PASSWORD.encode() in (folder / name).read_bytes() for name in ("patrol.db", "patrol.db.key"))


def go_back(patrol: Commands, folder: Path, before: Rows) -> None:
    """Restore the copy that was made before the upgrade."""
    patrol.run("db", "restore", "before.db")
    assert rows_of(folder / "patrol.db") == before


def run_and_compare(patrol: Commands, recording: Path, folder: Path) -> None:
    engine = patrol.start()
    try:
        require_the_same_replies(patrol, replies_of(recording))
        push_is_judged(patrol, recording, folder)
    except BaseException:
        sys.stderr.write((folder / "engine.log").read_text(encoding="utf-8"))
        raise
    finally:
        engine.terminate()
        ended = engine.wait(60)
    assert ended == 0


@pytest.mark.long
@pytest.mark.timeout(400)  # a dozen commands, each a process of its own
def test_an_installation_of_the_release_before_runs_after_the_upgrade(folder: Path) -> None:
    replies = replies_of(KEPT)
    patrol = commands(ROOT, folder, replies["token"])
    before = rows_of(folder / "patrol.db")
    upgrade(patrol, folder)
    store = Store.open(f"sqlite:///{folder}/patrol.db", KeySource(folder / "patrol.db.key"))
    urls = [camera.url for camera in store.registry.cameras() if camera.url]
    store.close()
    assert urls == [f"rtsp://admin:{PASSWORD}@127.0.0.1:9/{n}" for n in range(1, 5)]
    patrol.run("evidence", "verify")
    run_and_compare(patrol, KEPT, folder)
    go_back(patrol, folder, before)
    assert schema.current(f"sqlite:///{folder}/patrol.db") == replies["schema"] == "0009"


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_the_release_before_runs_again_on_the_copy_made_before_the_upgrade(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", COMMIT], capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"needs the history of the repository: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(checkout)], input=archive.stdout, check=True)
    subprocess.run([sys.executable, "setup.py", "-q", "protos"], cwd=checkout, check=True)
    recording = tmp_path / "recording"
    record(checkout, recording)

    folder = installed(recording, tmp_path / "patrol")
    token = replies_of(recording)["token"]
    new, old = commands(ROOT, folder, token), commands(checkout, folder, token)
    before = rows_of(folder / "patrol.db")
    upgrade(new, folder)
    run_and_compare(new, recording, folder)
    go_back(new, folder, before)
    run_and_compare(old, recording, folder)
