"""Databases of every age, in SQLite and in a real PostgreSQL: made, brought up to date, refused."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from typer.testing import CliRunner

from engine.cli.main import app
from engine.errors import StoreError
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.findings import (
    Finding,
    FindingCursor,
    FindingOrder,
    FindingQuery,
    FindingState,
    LedgerEvent,
    Level,
    Step,
    Subject,
)
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict
from engine.storage.db import schema
from engine.storage.db.database import connect, parse_url, write_transaction
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store
from engine.storage.db.tables import metadata
from tests.support.upgrade.revisions import undo_since_0012

VERSION_1 = """
CREATE TABLE patrol_about (key VARCHAR(32) NOT NULL, value VARCHAR(200) NOT NULL, PRIMARY KEY (key));
CREATE TABLE cameras (
    camera_id VARCHAR(64) NOT NULL, url VARCHAR(2048) NOT NULL, name VARCHAR(200) NOT NULL,
    site_id VARCHAR(64) NOT NULL, site_name VARCHAR(200) NOT NULL, region VARCHAR(6) NOT NULL,
    key_point VARCHAR(32) NOT NULL, required BOOLEAN NOT NULL, uplink VARCHAR(200) NOT NULL,
    hours VARCHAR(64) NOT NULL, platform_status VARCHAR(64) NOT NULL, push BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL, PRIMARY KEY (camera_id)
);
CREATE INDEX cameras_by_region ON cameras (region, camera_id);
CREATE INDEX cameras_by_site ON cameras (site_id, camera_id);
CREATE TABLE latest (
    camera_id VARCHAR(64) NOT NULL, visit_id BIGINT NOT NULL, at_wall_ns BIGINT NOT NULL,
    announced VARCHAR(16) NOT NULL, since_wall_ns BIGINT NOT NULL, verdict BLOB NOT NULL, history BLOB NOT NULL,
    PRIMARY KEY (camera_id)
);
CREATE INDEX latest_by_announced ON latest (announced, camera_id);
INSERT INTO patrol_about VALUES ('schema', '1');
INSERT INTO cameras (camera_id, url, name, site_id, site_name, region, key_point, required, uplink, hours,
    platform_status, push, enabled)
VALUES ('a', 'rtsp://h/1', '', '', '', '130102', 'other', 0, '', '', '', 0, 1);
"""
"""The oldest file there is of schema version 1: the later ones have all of this and more."""


VERDICT_1 = {
    "camera_id": "a", "visit_id": 7, "at_wall_ns": 1_700_000_000_000_000_000, "state": "fault", "kinds": ["blurred"],
    "reason": "", "detail": "为何", "announced": "fault", "announced_kinds": ["blurred"], "since_wall_ns": 5,
    "scores": [1.5, None, 0.0], "figures": {"luma_mean": 12.25}, "thresholds": {"limit": 3.0}, "rules_version": "1",
    "width": 640, "height": 480, "codec": "h265",
}  # fmt: skip
VERDICT_2 = VERDICT_1 | {
    "camera_id": "b", "cause": "defocus", "announced_cause": None, "severity": "blind", "confidence": 0.875,
    "tiles": [0, 17],
}  # fmt: skip
"""As the first rules gave them, and the second."""
PACKED_1 = Verdict(
    "a", 7, 1_700_000_000_000_000_000, State.FAULT, (FaultKind.BLURRED,), "", "为何", State.FAULT, (FaultKind.BLURRED,),
    5, Scores(1.5, None, 0.0), {"luma_mean": 12.25}, {"limit": 3.0}, "1", 640, 480, Codec.H265,
)  # fmt: skip
PACKED_2 = replace(
    PACKED_1, camera_id="b", cause=Cause.DEFOCUS, severity=Severity.BLIND, confidence=0.875, tiles=(0, 17)
)


def differences(url: str) -> list[object]:
    with connect(parse_url(url)).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def set_revision(url: str, revision: str) -> None:
    with connect(parse_url(url)).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def old_file(folder: Path) -> str:
    with sqlite3.connect(folder / "old.db") as old:
        old.executescript(VERSION_1)
        for text in (VERDICT_1, VERDICT_2):
            row = (text["camera_id"], 7, text["at_wall_ns"], "fault", 5, json.dumps(text).encode(), b"memory")
            old.execute("INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return f"sqlite:///{folder}/old.db"


def test_the_migrations_make_the_tables_that_the_program_knows(database_url: str) -> None:
    assert schema.upgrade(database_url) == schema.Upgraded(schema.EMPTY, schema.head())
    assert differences(database_url) == []
    assert schema.upgrade(database_url) == schema.Upgraded(schema.head(), schema.head())


def test_an_empty_database_is_made_at_the_start(database_url: str) -> None:
    assert schema.current(database_url) == schema.EMPTY
    schema.check(database_url)
    Store.open(database_url).close()
    assert schema.current(database_url) == schema.head()
    assert differences(database_url) == []


def test_asking_for_the_schema_of_a_file_does_not_make_it(tmp_path: Path) -> None:
    assert schema.current(f"sqlite:///{tmp_path}/no/patrol.db") == schema.EMPTY
    assert list(tmp_path.iterdir()) == []


def test_a_newer_database_is_refused(database_url: str) -> None:
    schema.upgrade(database_url)
    set_revision(database_url, "9999")
    for open_it in (Store.open, schema.check, schema.upgrade):
        with pytest.raises(StoreError, match="is of schema 9999, this program knows"):
            open_it(database_url)


def test_an_older_database_is_refused_at_the_start_with_the_remedy(database_url: str) -> None:
    schema.upgrade(database_url)
    set_revision(database_url, "0000")
    for open_it in (Store.open, schema.check):
        with pytest.raises(StoreError, match="patrol db upgrade"):
            open_it(database_url)


def test_a_file_of_version_1_opens_after_an_upgrade_and_keeps_what_it_has(tmp_path: Path) -> None:
    url = old_file(tmp_path)
    with pytest.raises(StoreError, match=r"version 1.*patrol db upgrade"):
        Store.open(url)
    assert schema.upgrade(url) == schema.Upgraded(schema.BEFORE_REVISIONS, schema.head())
    assert differences(url) == []
    store = Store.open(url)
    assert list(store.registry.cameras()) == [Camera("a", "rtsp://h/1", region="130102")]
    kept = [(packed.verdict(camera_id), memory) for camera_id, packed, memory in store.latest()]
    assert kept == [(PACKED_1, b"memory"), (PACKED_2, b"memory")]
    assert store.registry.upsert([Camera("a", "rtsp://h/1", site_kind=SiteKind.KINDERGARTEN)]) == (0, 1, 0)
    store.close()


def test_claims_of_before_have_no_photographs(database_url: str) -> None:
    store = Store.open(database_url)
    finding = Finding(1, Subject("a", "covered"), FindingState.OPEN, Severity.BLIND, Level.CITY, 7, 5, 5)
    event = LedgerEvent(1, 1, Step.OPENED, 5, "engine", evidence=("e" * 64,), subject=finding.subject)
    engine = connect(parse_url(database_url))
    with write_transaction(engine) as connection:
        append(connection, [LedgerEntry(event, finding)])
        connection.execute(sa.text("ALTER TABLE finding_events DROP COLUMN photographs"))
        undo_since_0012(connection)
    store.close()
    engine.dispose()
    set_revision(database_url, _before("photographs"))
    with pytest.raises(StoreError, match="patrol db upgrade"):
        Store.open(database_url)
    step = schema.plan(database_url).steps[0]
    assert (step.name, step.rows) == ("schema 0011", 0)
    schema.upgrade(database_url)
    assert differences(database_url) == []
    store = Store.open(database_url)
    assert store.findings.events_of(1) == (event,)
    assert store.findings.cited() == {1: ("e" * 64,)}
    store.close()


def test_findings_of_before_get_the_name_of_their_camera_and_their_ranks(database_url: str) -> None:
    store = Store.open(database_url)
    store.registry.upsert([Camera("a", "rtsp://h/1", name="烹饪间", region="130102", key_point=KeyPoint.COOKING)])
    store.close()
    engine = connect(parse_url(database_url))
    event = LedgerEvent(1, 1, Step.OPENED, 5, "engine")
    with write_transaction(engine) as connection:
        for number, camera_id in ((1, "a"), (2, "gone")):
            finding = Finding(
                number, Subject(camera_id, "covered"), FindingState.OPEN, Severity.BLIND, Level.CITY, 7, 5, 5
            )
            append(connection, [LedgerEntry(replace(event, finding_id=number), finding)])
        # back to how the tables were
        connection.execute(sa.text("DROP TABLE kpi_hours"))
        connection.execute(sa.text("ALTER TABLE cameras DROP COLUMN sealed_url"))
        connection.execute(sa.text("ALTER TABLE finding_events DROP COLUMN photographs"))
        undo_since_0012(connection)
        for index in ("open_time", "deadline", "severity", "level"):
            connection.execute(sa.text(f"DROP INDEX findings_by_{index}"))
        for column in ("camera_name", "key_point", "severity_rank", "level_rank"):
            connection.execute(sa.text(f"ALTER TABLE findings DROP COLUMN {column}"))
    engine.dispose()
    set_revision(database_url, _before("findings_filters"))
    schema.upgrade(database_url)
    assert differences(database_url) == []
    store = Store.open(database_url)
    found = store.findings.get_all([1, 2])
    assert (found[1].subject.camera_name, found[1].subject.key_point) == ("烹饪间", KeyPoint.COOKING)
    assert (found[2].subject.camera_name, found[2].subject.key_point) == ("", KeyPoint.OTHER)
    assert store.findings.page(FindingQuery(severity_min=Severity.BLIND)).total == 2
    page = store.findings.page(FindingQuery(order=FindingOrder.LEVEL, descending=False, page_size=1))
    assert page.next_after == FindingCursor(1, 3)  # the city is the third level
    store.close()


def _before(name: str) -> str:
    """The revision that a migration follows."""
    (script,) = schema._SCRIPTS.glob(f"versions/*_{name}.py")
    (line,) = (line for line in script.read_text().splitlines() if line.startswith("down_revision"))
    return line.partition('"')[2].rstrip('"')


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    url = old_file(tmp_path)
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE VIEW spot_sites AS SELECT 1")
    with pytest.raises(StoreError, match="spot_sites"):
        schema.upgrade(url)
    with sqlite3.connect(tmp_path / "old.db") as old:
        tables = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {"patrol_about", "cameras", "latest"}
        assert old.execute("SELECT value FROM patrol_about").fetchall() == [("1",)]


def test_somebody_elses_database_is_left_alone(database_url: str) -> None:
    engine = connect(parse_url(database_url))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE invoices (id INTEGER)"))
    for open_it in (Store.open, schema.check, schema.upgrade):
        with pytest.raises(StoreError, match="invoices"):
            open_it(database_url)
    assert sa.inspect(engine).get_table_names() == ["invoices"]


def test_a_password_is_in_no_error() -> None:
    with pytest.raises(StoreError) as told:
        Store.open("postgresql://patrol:sesame@127.0.0.1:1/patrol")
    assert "sesame" not in str(told.value)
    assert "***" in str(told.value)


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database " * 50)
    with pytest.raises(StoreError, match=r"notes\.db.*not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_text().startswith("these are notes")


@pytest.mark.parametrize("bad", ["nonsense", "sqlite:////proc/nowhere/patrol.db"])
def test_a_url_that_leads_nowhere_is_refused(bad: str) -> None:
    with pytest.raises(StoreError, match=r"record\.url"):
        Store.open(bad)


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(StoreError, match="sqlite or postgresql"):
        Store.open("mysql://h/patrol")


def test_patrol_db_says_checks_and_upgrades(tmp_path: Path) -> None:
    url = old_file(tmp_path)
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{url}"\n', encoding="utf-8")
    run = CliRunner()

    def patrol(*words: str) -> str:
        done = run.invoke(app, ["db", *words, "-c", str(config)])
        return done.output if done.exception is None else str(done.exception)

    assert "schema 0000, this program needs" in patrol("current")
    assert "patrol db upgrade" in patrol("check")
    assert f"schema 0000 -> {schema.head()}" in patrol("upgrade")
    assert "nothing to do" in patrol("upgrade")
    assert "can start" in patrol("check")
