"""A real SQLite file: what is written comes back, also after a restart; what is no database of ours is refused."""

import hashlib
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.record.codec import pack_verdict, unpack_verdict
from engine.record.evidence import Evidence
from engine.record.quarantine import Quarantine
from engine.record.store import Store, VisitRecord
from engine.record.writer import Writer
from engine.replies import CameraQuery
from engine.types import (
    Camera,
    Cause,
    Codec,
    FaultKind,
    FeedKind,
    Keyframe,
    KeyPoint,
    Scores,
    Severity,
    SiteKind,
    State,
    Verdict,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new/patrol.db"


@pytest.fixture
def store(url: str):
    one = Store.open(url)
    yield one
    one.close()


def verdict(camera_id: str, visit_id: int = 1, announced: State = State.OK) -> Verdict:
    return Verdict(
        camera_id, visit_id, 1_700_000_000_000_000_000, State.FAULT, (FaultKind.BLURRED,), "", "why", announced,
        (FaultKind.FROZEN,), 5, Scores(1.5, None, 0.0), {"luma_mean": 12.25}, {"limit": 3.0}, "1", 640, 480, Codec.H265,
        Cause.DEFOCUS, Cause.CLOCK_STILL, Severity.BLIND, 0.875, (0, 17),
    )  # fmt: skip


def keyframe(camera_id: str, visit_id: int = 1, size: int = 1000) -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.H264, bytes(size), 7, -3, FeedKind.RTSP)


def test_the_registry_survives_a_restart(url: str) -> None:
    camera = Camera(
        "c", "rtsp://u:p@h/1", "灶", "s", "校", "130102", KeyPoint.COOKING, True, "nvr", "06:00-19:00", "on",
        site_kind=SiteKind.HIGH,
    )  # fmt: skip
    first = Store.open(url)
    assert first.put_cameras([camera, Camera("d", "rtsp://h/2")]) == (2, 0, 0)
    assert first.put_cameras([camera, Camera("d", "rtsp://h/3")]) == (0, 1, 1)
    first.close()
    second = Store.open(url)
    assert list(second.cameras()) == [camera, Camera("d", "rtsp://h/3")]
    second.close()


def test_verdict_and_memory_survive_a_restart(url: str) -> None:
    first = Store.open(url)
    first.put_cameras([Camera("c", "rtsp://h/1")])
    first.write([VisitRecord(verdict("c", 1), b"old"), VisitRecord(verdict("c", 2), b"new")])
    first.close()
    second = Store.open(url)
    assert list(second.verdicts()) == [verdict("c", 2)]
    assert list(second.histories()) == [("c", b"new")]
    assert second.camera("c").latest == verdict("c", 2)
    second.close()


def test_a_memory_is_replaced_where_there_is_one(store: Store) -> None:
    store.put_cameras([Camera("c", "rtsp://h/1"), Camera("d", "rtsp://h/1")])
    store.write([VisitRecord(verdict("c"), b"old")])
    store.put_histories({"c": b"new", "d": b"never visited"})
    assert list(store.histories()) == [("c", b"new")]
    assert store.camera("c").latest == verdict("c")
    store.put_histories({})


def test_verdicts_of_the_first_rules_are_still_read() -> None:
    fields = json.loads(pack_verdict(verdict("c")))
    for name in ("cause", "announced_cause", "severity", "confidence", "tiles"):
        del fields[name]
    old = unpack_verdict(json.dumps(fields).encode())
    assert (old.cause, old.severity, old.confidence, old.tiles) == (None, None, 0.0, ())


def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    store.put_cameras([Camera(f"c{n:04}", "rtsp://h/1", region="130102" if n % 2 else "130200") for n in range(1234)])
    seen, token, total = [], "", 0
    while True:
        page = store.page(CameraQuery(region_prefix="1301", page_size=100, page_token=token))
        seen += [status.camera.camera_id for status in page.cameras]
        total = page.total
        token = page.next_page_token
        if not token:
            break
    assert seen == [f"c{n:04}" for n in range(1234) if n % 2]
    assert total == len(seen)


def test_filters_narrow_a_list(store: Store) -> None:
    store.put_cameras([Camera("a", "rtsp://h/1", site_id="s1"), Camera("b", "rtsp://h/1", site_id="s2")])
    store.write([VisitRecord(verdict("b", announced=State.FAULT), b"")])
    assert [s.camera.camera_id for s in store.page(CameraQuery(site_id="s1")).cameras] == ["a"]
    assert [s.camera.camera_id for s in store.page(CameraQuery(state=State.FAULT)).cameras] == ["b"]
    assert store.page(CameraQuery(region_prefix="1%")).total == 0


def test_a_removed_camera_leaves_nothing(store: Store) -> None:
    store.put_cameras([Camera("a", "rtsp://h/1")])
    store.write([VisitRecord(verdict("a"), b"h")])
    assert store.remove_cameras(["a", "nobody"]) == ("a",)
    assert store.camera("a") is None
    assert list(store.histories()) == []


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


def test_the_writer_stores_in_batches_and_tells_when(store: Store, tmp_path: Path) -> None:
    told: list[str] = []
    evidence = Evidence(tmp_path / "ev", 10_000_000)
    writer = Writer(
        store, evidence, RecordSettings(), lambda records: told.extend(r.verdict.camera_id for r in records)
    )
    store.put_cameras([Camera(f"c{n}", "rtsp://h/1") for n in range(300)])
    for number in range(300):
        writer.submit(VisitRecord(verdict(f"c{number}"), b"h"), keyframe(f"c{number}"))
    assert writer.flush(10)
    assert sorted(told) == sorted(f"c{n}" for n in range(300))
    assert writer.written_total == 300
    assert evidence.get("c299").visit_id == 1
    writer.close()


def test_while_the_database_is_locked_the_newest_verdict_of_each_camera_waits(
    store: Store, url: str, tmp_path: Path
) -> None:
    errors: list[str] = []
    writer = Writer(store, Evidence(tmp_path / "ev", 10), RecordSettings(), lambda _: None, errors.append)
    lock = sqlite3.connect(tmp_path / "new" / "patrol.db", timeout=0, isolation_level=None)
    lock.execute("PRAGMA busy_timeout=0")
    lock.execute("BEGIN IMMEDIATE")
    for visit in range(1, 6):
        writer.submit(VisitRecord(verdict("c", visit), b"h"), None)
    assert not writer.flush(0.5)
    threading.Timer(0.5, lambda: None).start()
    lock.execute("COMMIT")
    assert writer.flush(10)
    (stored,) = store.verdicts()
    assert stored.visit_id == 5
    writer.close()
    lock.close()


def test_the_digests_of_an_announced_fault_are_written_with_its_verdict(store: Store, tmp_path: Path) -> None:
    written: list[VisitRecord] = []
    writer = Writer(store, Evidence(tmp_path / "ev", 10**6), RecordSettings(), written.extend)
    store.put_cameras([Camera("c", "rtsp://h/1")])
    seen_by_riders: list[tuple[str, ...]] = []
    store.riders.append(lambda _, records: seen_by_riders.extend(one.evidence for one in records))
    frame = keyframe("c")
    writer.submit(VisitRecord(verdict("c"), b"h", exhibit=True), frame)
    assert writer.flush(10)
    writer.close()
    digest = hashlib.sha256(frame.payload).hexdigest()
    assert [one.evidence for one in written] == seen_by_riders == [(digest,)]
    assert Evidence(tmp_path / "ev", 10**6).exhibited(digest).keyframe == frame


def test_quarantine_keeps_the_newest_with_their_reason(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "q", 2)
    for visit in range(1, 5):
        frame = Keyframe("c", visit, Codec.H264, b"x", visit, None, FeedKind.RTSP)
        path = quarantine.keep(frame, "two workers died")
    assert path.read_bytes() == b"x"
    assert "two workers died" in path.with_name(path.name + ".json").read_text()
    assert len(list((tmp_path / "q").iterdir())) == 4
