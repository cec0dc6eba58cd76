"""In a folder without a database: reading commands create none and say which they looked for; writing ones say so."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import NoDatabaseError
from engine.storage.db import schema
from engine.storage.db.store import Store
from tests.support.command_line import patrol
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

NO_ENGINE = '[serve]\ngrpc_listen = "127.0.0.1:1"\n'
READING = (
    "cameras list", "cameras export -", "cameras disagree", "kpi", "kpi league",
    "report --day 2026-01-01 --html x.html", "export days x.parquet", "notices list", "notices replay --all",
    "rejudge", "token list", "audit", "db current",
    "db check", "db backup copy.db",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "patrol.toml").write_text(NO_ENGINE)
    return tmp_path


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_names_the_database_and_creates_nothing(command: str, folder: Path) -> None:
    done = patrol(*command.split(), "--config", "patrol.toml", cwd=folder)
    assert done.returncode == 2
    assert str(folder / "var" / "patrol.db") in done.stderr
    for remedy in ("no such database", "patrol run", "patrol cameras import", "--config", "--server"):
        assert remedy in done.stderr
    assert done.stdout == ""
    assert [path.name for path in folder.iterdir()] == ["patrol.toml"]


def test_evidence_is_looked_for_in_its_folder(folder: Path) -> None:
    for command in ("list", "verify"):
        done = patrol("evidence", command, "--config", "patrol.toml", cwd=folder)
        assert done.returncode == 2
        assert f"{folder / 'var' / 'evidence'}: no such folder" in done.stderr
    (folder / "var" / "evidence").mkdir(parents=True)
    done = patrol("evidence", "list", "--config", "patrol.toml", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 exhibits")


@pytest.mark.parametrize("command", ["cameras import cameras.csv", "token create --name a --role viewer", "db upgrade"])
def test_a_writing_command_says_that_the_database_is_new_once(command: str, folder: Path) -> None:
    (folder / "cameras.csv").write_text("camera_id,url\na,rtsp://10.0.0.1/1\n")
    said = f"the database {folder / 'var' / 'patrol.db'} is new"
    first, second = (patrol(*command.split(), "--config", "patrol.toml", cwd=folder) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert said in first.stderr
    assert said not in second.stderr


def test_the_engine_says_that_its_database_is_new(folder: Path) -> None:
    (folder / "patrol.toml").write_text(
        '[serve]\ngrpc_listen = "127.0.0.1:0"\nmetrics_listen = ""\n[intake]\nlisten = ""\n[feed]\ndemuxers = 0\n'
        "[web]\nenabled = false\n[worker]\ncount = 1\nspare = false\n"
    )
    log = folder / "log"
    with log.open("w") as stream:
        command = [sys.executable, "-m", "engine.cli", "run", "--config", "patrol.toml"]
        engine = subprocess.Popen(command, cwd=folder, stderr=stream)
        try:
            wait_until(lambda: "the database is new" in log.read_text(), 60, what="the line about the database")
        finally:
            engine.terminate()
            engine.wait(40)
    assert str(folder / "var" / "patrol.db") in log.read_text()


def test_a_file_without_our_tables_is_no_database_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    with pytest.raises(NoDatabaseError, match="holds no tables"):
        Store.open_existing(f"sqlite:///{file}")
    assert file.read_bytes() == b""


def test_a_postgresql_database_without_our_tables_is_named_without_its_password(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.database()
    with pytest.raises(NoDatabaseError, match="holds no tables yet") as caught:
        Store.open_existing(url)
    assert caught.value.name.startswith("postgresql+psycopg://")
    assert schema.current(url) == schema.EMPTY
    Store.open(url).close()
    store = Store.open_existing(url)
    assert store.created == ""
    store.close()
