"""A disk that is full: each keyframe that is not kept is counted, and the log stays short and says whose it was."""

from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.config.schema import RecordSettings
from engine.model.keyframe import Codec, EvidenceKeyframe, Keyframe
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind
from engine.runtime.log import LINES_MAX
from engine.runtime.log_burst import BurstLimit
from engine.runtime.log_events import KEYFRAME_NOT_STORED
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

VISITS = 200


def test_keyframes_that_are_not_kept_are_counted_and_a_few_are_logged_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    store.acquire_writer_lock()
    evidence = EvidenceStore(tmp_path / "evidence", 10_000_000)
    errors: Counter[str] = Counter()
    writer = Writer(store, evidence, RecordSettings(), lambda part: errors.update([part]))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evidence, "store", full)
    monkeypatch.setattr("engine.runtime.log._burst", BurstLimit(LINES_MAX))
    monkeypatch.setattr("engine.runtime.log.monotonic_ns", lambda: 7)  # all within one second
    with capture_logs() as lines:
        writer.start(lambda _records: None)
        for visit_id in range(VISITS):
            kept = Keyframe("c", visit_id, Codec.H264, bytes(100), 7, None, FeedKind.RTSP)
            record = VisitRecord(Verdict("c", visit_id, 7, State.OK), b"h", region="130102")
            writer.submit(record, EvidenceKeyframe(kept))
        assert writer.flush(20)
        writer.close()
    told = [line for line in lines if line["event"] == "keyframe not stored"]
    assert errors["evidence"] == VISITS
    assert set(told[0]) == {"event", "log_level", *KEYFRAME_NOT_STORED.fields}
    assert (told[0]["camera_id"], told[0]["region"], told[0]["visit_id"]) == ("c", "130102", 0)
    assert len(told) == LINES_MAX
    store.close()
