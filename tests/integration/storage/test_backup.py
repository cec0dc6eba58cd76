"""Copies of a database, and exports from it: whole, checked, and never in the way of the engine."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from engine.cli.main import app
from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.model.camera import Camera
from engine.model.measurement import Scores
from engine.model.verdict import Cause, FaultKind, State, Verdict
from engine.storage import parquet
from engine.storage.db import schema, writer_lock
from engine.storage.db.backup import backup, restore
from engine.storage.db.store import Store, VisitRecord
from tests.support.waiting import wait_until

BEGAN_NS = 1_763_913_600_000_000_000  # 2025-11-24 00:00 in China
HOUR_NS = 3_600_000_000_000
CHINA = ZoneInfo("Asia/Shanghai")


def record(number: int) -> VisitRecord:
    verdict = Verdict(
        f"c{number % 2}", number + 1, BEGAN_NS + number * HOUR_NS, State.FAULT if number % 3 else State.OK,
        (FaultKind.BLURRED,) if number % 3 else (), detail="为何", scores=Scores(float(number), None, 1.0),
        figures={"luma_mean": 0.5 * number}, cause=Cause.DEFOCUS if number % 3 else None, tiles=(1, 2),
    )  # fmt: skip
    return VisitRecord(verdict, b"h", number == 0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/patrol.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    store.registry.upsert([Camera("c0", "rtsp://h/1", region="130102"), Camera("c1", "rtsp://h/2", region="130200")])
    store.write([record(number) for number in range(30)])
    yield store
    store.close()


def visits(url: str) -> list[int]:
    store = Store.open(url)
    found = [logged.verdict.visit_id for logged in store.history.after(0, 10**6)]
    store.close()
    return found


def more_than(written: list[int], number: int) -> bool:
    return written[0] > number


def test_a_copy_made_while_the_writer_writes_is_of_one_moment(store: Store, url: str, tmp_path: Path) -> None:
    stop, written = threading.Event(), [30]

    def write() -> None:
        while not stop.is_set():
            store.write([record(written[0] + at) for at in range(10)])
            written[0] += 10

    thread = threading.Thread(target=write)
    thread.start()
    try:
        copies = []
        for number in range(3):
            before = written[0]
            wait_until(partial(more_than, written, before))
            before = written[0]
            backup(url, tmp_path / f"copy{number}.db")
            copies.append((before, written[0] + 10))
    finally:
        stop.set()
        thread.join()
    for number, (least, most) in enumerate(copies):
        found = visits(f"sqlite:///{tmp_path}/copy{number}.db")
        assert found == list(range(1, len(found) + 1))
        assert least <= len(found) <= most
        assert len(found) % 10 == 0


def test_a_copy_takes_the_place_of_no_file(store: Store, url: str, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        backup(url, there)
    assert there.read_text() == "mine"


def test_a_restored_copy_is_what_was_kept_and_the_one_before_is_kept_too(
    store: Store, url: str, tmp_path: Path
) -> None:
    backup(url, tmp_path / "copy.db")
    store.write([record(30)])
    store.close()
    kept = restore(url, tmp_path / "copy.db")
    assert visits(url) == list(range(1, 31))
    assert visits(f"sqlite:///{kept}") == list(range(1, 32))
    assert not (tmp_path / "patrol.db.restoring").exists()


def test_what_a_killed_engine_left_in_its_log_does_not_get_into_the_restored_file(
    store: Store, url: str, tmp_path: Path
) -> None:
    backup(url, tmp_path / "copy.db")
    store.write([record(number) for number in range(30, 60)])
    log = (tmp_path / "patrol.db-wal").read_bytes()
    store.close()
    (tmp_path / "patrol.db-wal").write_bytes(log)
    restore(url, tmp_path / "copy.db")
    assert visits(url) == list(range(1, 31))


def test_nothing_is_restored_or_upgraded_while_an_engine_writes(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lock, "_WAIT_S", 0.2)
    backup(url, tmp_path / "copy.db")
    store.write([record(30)])
    store.acquire_writer_lock()
    with pytest.raises(StoreError, match="another process writes"):
        restore(url, tmp_path / "copy.db")
    with pytest.raises(StoreError, match="another process writes"):
        schema.upgrade(url)
    assert len(store.history.after(0)) == 31


@pytest.mark.parametrize("bad", ["damaged", "theirs", "newer", "text", "empty"])
def test_a_copy_that_cannot_be_used_changes_nothing(store: Store, url: str, tmp_path: Path, bad: str) -> None:
    copy = tmp_path / "copy.db"
    if bad in ("damaged", "newer"):
        backup(url, copy)
    if bad == "damaged":
        raw = bytearray(copy.read_bytes())
        raw[4096 * 3 : 4096 * 12] = b"\xff" * 4096 * 9
        copy.write_bytes(raw)
    elif bad == "text":
        copy.write_text("notes " * 1000)
    elif bad == "newer":
        with sqlite3.connect(copy) as ours:
            ours.execute("UPDATE alembic_version SET version_num = '9999'")
    else:
        with sqlite3.connect(copy) as theirs:
            if bad == "theirs":
                theirs.execute("CREATE TABLE invoices (id INTEGER)")
            else:
                theirs.execute("VACUUM")
    store.close()
    with pytest.raises(StoreError, match=r"damaged|holds other tables|9999|not a database|is empty|malformed"):
        restore(url, copy)
    assert visits(url) == list(range(1, 31))
    assert sorted(path.name for path in tmp_path.iterdir() if "restoring" in path.name) == []


def test_postgresql_is_told_its_own_tools(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump") as told:
        backup("postgresql+psycopg://patrol:sesame@h/patrol", tmp_path / "copy")
    assert "sesame" not in str(told.value)


def test_verdicts_are_exported_in_order(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 7)
    assert parquet.write_verdicts(store.history.between(0, BEGAN_NS + 100 * HOUR_NS), tmp_path / "all.parquet") == 30
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["seq"] for row in rows] == list(range(1, 31))
    assert rows[4] | {"thresholds": None} == {
        "seq": 5, "camera_id": "c0", "at": datetime(2025, 11, 23, 20, tzinfo=UTC), "visit_id": 5, "changed": False,
        "state": "fault", "kinds": ["blurred"], "reason": "", "detail": "为何", "announced": "unknown",
        "announced_kinds": [], "since": datetime(1970, 1, 1, tzinfo=UTC), "cause": "defocus", "announced_cause": None,
        "severity": None, "confidence": 0.0, "sharpness": 4.0, "exposure": None, "occlusion": 1.0, "tiles": [1, 2],
        "width": 0, "height": 0, "codec": None, "stream": "main", "figures": [("luma_mean", 2.0)], "rules_version": "",
        "thresholds": None,
    }  # fmt: skip


def test_sums_are_exported_with_their_means(store: Store, tmp_path: Path) -> None:
    for _ in range(8):
        store.maintenance.step(RecordSettings(), BEGAN_NS, CHINA)
    sums = store.history.sums("day", BEGAN_NS, BEGAN_NS + 24 * HOUR_NS, "", CHINA)
    assert parquet.write_sums(sums, "day", tmp_path / "days.parquet") == 2
    rows = pq.read_table(tmp_path / "days.parquet").to_pylist()
    assert [(row["day"], row["camera_id"]) for row in rows] == [
        (date(2025, 11, 24), camera_id) for camera_id in ("c0", "c1")
    ]
    first = rows[0]
    assert (first["ok"], first["fault"], first["sharpness_min"], first["sharpness_max"]) == (4, 8, 0.0, 22.0)
    assert (first["sharpness_mean"], first["exposure_mean"], first["exposure_count"]) == (11.0, None, 0)
    hours = store.history.sums("hour", BEGAN_NS, BEGAN_NS + 24 * HOUR_NS, "1302", CHINA)
    assert parquet.write_sums(hours, "hour", tmp_path / "hours.parquet") == 12
    rows = pq.read_table(tmp_path / "hours.parquet").to_pylist()
    assert {row["camera_id"] for row in rows} == {"c1"}
    assert rows[0]["hour"] == datetime(2025, 11, 23, 17, tzinfo=UTC)


def test_sums_come_whole_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.storage.db import verdict_history

    monkeypatch.setattr(verdict_history, "_EXPORT_ROWS", 4)
    for _ in range(8):
        store.maintenance.step(RecordSettings(), BEGAN_NS, CHINA)
    pieces = list(store.history.sums("hour", 0, BEGAN_NS + 1000 * HOUR_NS, "", CHINA))
    assert [len(piece) for piece in pieces] == [4] * 7 + [2]
    assert len({(row["hour"], row["camera_id"]) for piece in pieces for row in piece}) == 30


def test_the_commands_copy_restore_and_export(store: Store, url: str, tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{url}"\n', encoding="utf-8")
    run = CliRunner()

    def patrol(*words: str) -> str:
        done = run.invoke(app, [*words, "-c", str(config)])
        assert done.exception is None, done.exception
        return done.output.replace("\n", "")

    assert "bytes" in patrol("db", "backup", str(tmp_path / "copy.db"))
    times = ("--since", "2025-11-24", "--until", "2025-11-24T06:00:00")
    assert "6 rows" in patrol("export", "verdicts", str(tmp_path / "v.parquet"), *times)
    assert "3 rows" in patrol("export", "verdicts", str(tmp_path / "w.parquet"), *times, "--region", "1301")
    assert "0 rows" in patrol("export", "days", str(tmp_path / "d.parquet"))
    store.close()
    assert "the previous database is" in patrol("db", "restore", str(tmp_path / "copy.db"))
    assert visits(url) == list(range(1, 31))
