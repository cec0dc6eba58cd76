"""Keyframes that took workers down, in their files."""

from pathlib import Path

from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.storage.evidence.quarantine import Quarantine


def test_quarantine_keeps_the_newest_with_their_reason(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "q", 2)
    for visit in range(1, 5):
        frame = Keyframe("c", visit, Codec.H264, b"x", visit, None, FeedKind.RTSP)
        path = quarantine.add(frame, "two workers died")
    assert path.read_bytes() == b"x"
    assert "two workers died" in path.with_name(path.name + ".json").read_text()
    assert len(list((tmp_path / "q").iterdir())) == 4
