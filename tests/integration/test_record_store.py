"""Keyframes in their files: the latest of each camera, and those that took workers down."""

import time
from pathlib import Path

from engine.record.evidence import Evidence
from engine.record.quarantine import Quarantine
from engine.types import Codec, FeedKind, Keyframe


def keyframe(camera_id: str, visit_id: int = 1, size: int = 1000) -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.H264, bytes(size), 7, -3, FeedKind.RTSP)


def test_evidence_stays_within_its_budget_and_the_oldest_goes(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, 5000)
    for number in range(10):
        evidence.put(keyframe(f"c{number}"))
        time.sleep(0.01)
    assert evidence.bytes_kept <= 5000
    assert evidence.get("c0") is None
    assert evidence.get("c9") == keyframe("c9")
    again = Evidence(tmp_path, 5000)
    assert again.bytes_kept == evidence.bytes_kept
    again.put(keyframe("new"))
    assert again.get("new") is not None
    assert again.bytes_kept <= 5000


def test_a_newer_keyframe_takes_the_place_of_the_older(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, 10_000)
    evidence.put(keyframe("c", 1, 100))
    evidence.put(keyframe("c", 2, 200))
    assert evidence.get("c").visit_id == 2
    evidence.remove("c")
    assert evidence.get("c") is None
    assert evidence.bytes_kept == 0


def test_a_keyframe_file_that_is_broken_reads_as_none(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, 10_000)
    evidence.put(keyframe("c"))
    (path,) = [one for one in tmp_path.rglob("*") if one.is_file()]
    path.write_bytes(b"PKE1\x00\x10garbage")
    assert evidence.get("c") is None


def test_quarantine_keeps_the_newest_with_their_reason(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "q", 2)
    for visit in range(1, 5):
        frame = Keyframe("c", visit, Codec.H264, b"x", visit, None, FeedKind.RTSP)
        path = quarantine.keep(frame, "two workers died")
    assert path.read_bytes() == b"x"
    assert "two workers died" in path.with_name(path.name + ".json").read_text()
    assert len(list((tmp_path / "q").iterdir())) == 4
