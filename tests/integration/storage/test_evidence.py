"""Evidence on a real disk, with real bitstreams: bit for bit, beside its baseline, within its budget, after crashes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config.schema import RecordSettings
from engine.decode.render import render_jpeg
from engine.errors import IntegrityError
from engine.hub.services.evidence_retention import EvidenceRetention
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingState, LedgerEvent, Level, LoggedEvent, Step, Subject
from engine.model.keyframe import Codec, EvidenceKeyframe, Keyframe
from engine.model.measurement import Scores
from engine.model.verdict import FaultKind, Severity, State, Verdict
from engine.model.visit import FeedKind
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.exhibits import SIGHTINGS_MAX, Exhibits
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer
from tests.support.expect import present
from tests.support.feed.clips import encode, scene

OK, FAULT, UNKNOWN = State.OK, State.FAULT, State.UNKNOWN


@pytest.fixture(scope="module")
def bitstreams() -> dict[Codec, list[bytes]]:
    """Keyframes of each codec, each of another scene."""
    return {
        codec: [encode(codec, [scene(160, 128, seed)], gop=1)[0] for seed in range(4)]
        for codec in (Codec.H264, Codec.H265, Codec.MJPEG)
    }


def verdict(state: State, announced: State, visit_id: int, camera_id: str = "c") -> Verdict:
    kinds = (FaultKind.BLURRED,) if state == FAULT else ()
    return Verdict(
        camera_id, visit_id, visit_id * 10**9, state, kinds, announced=announced,
        announced_kinds=(FaultKind.BLURRED,) if announced == FAULT else (), scores=Scores(12.5, None, 0.0),
        figures={"edge_width": 3.25, "luma_mean": 101.0}, rules_version="2", width=160, height=128,
        severity=Severity.IMPAIRED, tiles=(3, 4),
    )  # fmt: skip


def keyframe(payload: bytes, visit_id: int, codec: Codec = Codec.H264, camera_id: str = "c") -> Keyframe:
    return Keyframe(camera_id, visit_id, codec, payload, visit_id * 10**9, -3, FeedKind.RTSP)


def see(
    evidence: EvidenceStore, payload: bytes, visit_id: int, state: State, announced: State, camera_id: str = "c"
) -> None:
    evidence.store(keyframe(payload, visit_id, camera_id=camera_id), verdict(state, announced, visit_id, camera_id))


def sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.MJPEG])
def test_a_fault_is_kept_bit_for_bit_with_all_that_is_known_of_it(
    tmp_path: Path, bitstreams: dict[Codec, list[bytes]], codec: Codec
) -> None:
    evidence = EvidenceStore(tmp_path, 10**9)
    frame = keyframe(bitstreams[codec][0], 7, codec)
    (digest,) = evidence.add_exhibit(frame, verdict(FAULT, FAULT, 7))
    evidence.sync()
    assert digest == sha256(bitstreams[codec][0])
    assert (tmp_path / "exhibits" / digest[:2] / f"{digest}.{codec}").read_bytes() == bitstreams[codec][0]
    exhibit = EvidenceStore(tmp_path, 10**9).get_exhibit(digest)
    assert exhibit is not None
    assert exhibit.keyframe == frame
    assert exhibit.facts["figures"] == {"edge_width": 3.25, "luma_mean": 101.0}
    assert exhibit.facts["announced_kinds"] == ["blurred"]
    assert render_jpeg(codec, bytes(exhibit.keyframe.payload)).width == 160


def test_beside_the_fault_stand_the_last_picture_announced_ok_and_the_last_good_one(
    tmp_path: Path, bitstreams: dict[Codec, list[bytes]]
) -> None:
    old, baseline, good, bad = bitstreams[Codec.H264]
    evidence = EvidenceStore(tmp_path, 10**9)
    see(evidence, old, 1, OK, OK)
    see(evidence, baseline, 2, OK, OK)
    see(evidence, bad, 3, FAULT, OK)
    assert present(evidence.get("c")).visit_id == 3
    see(evidence, good, 4, OK, FAULT)  # it flaps: a good look, while the fault is announced
    again = EvidenceStore(tmp_path, 10**9)  # and the engine was restarted in between
    assert present(again.get("c")).visit_id == 4
    digests = again.add_exhibit(keyframe(bad, 5), verdict(FAULT, FAULT, 5))
    assert digests == (sha256(bad), sha256(baseline), sha256(good))
    assert present(again.get_exhibit(digests[1])).keyframe.visit_id == 2
    assert present(again.get_exhibit(digests[1])).facts["state"] == "ok"


def test_what_stands_beside_a_fault_is_named_in_it_and_held_along_with_it(tmp_path: Path) -> None:
    baseline, bad, worse = (os.urandom(5000) for _ in range(3))
    evidence = EvidenceStore(tmp_path, 10**6)
    assert evidence.pin([sha256(bad)]) == (sha256(bad),)  # the ledger knows the digest before the file is there
    see(evidence, baseline, 1, OK, OK)
    evidence.add_exhibit(keyframe(bad, 2), verdict(FAULT, FAULT, 2))
    exhibit = evidence.get_exhibit(sha256(bad))
    assert present(exhibit).beside == {"baseline": sha256(baseline), "good": sha256(baseline)}
    assert evidence.counts()["pinned"] == 2
    evidence.add_exhibit(keyframe(worse, 3), verdict(FAULT, FAULT, 3))
    assert evidence.pin([sha256(worse), sha256(bad)]) == ()
    assert evidence.counts() == {"latest": 1, "beside": 0, "exhibit": 0, "pinned": 3}
    evidence.unpin([sha256(bad), sha256(bad)])
    assert evidence.counts()["pinned"] == 2  # the baseline is held along with the other fault
    evidence.unpin([sha256(worse), sha256(worse), "0" * 64])
    assert evidence.counts()["pinned"] == 0
    again = EvidenceStore(tmp_path, 10**6, pinned=[sha256(worse)])
    assert again.counts()["pinned"] == 2


def committed(*events: LedgerEvent) -> list[LoggedEvent]:
    subject = Subject("c", "covered", "", "", "")
    finding = Finding(1, subject, FindingState.OPEN, Severity.BLIND, Level.SCHOOL, 0, 0, 0)
    return [LoggedEvent(seq, event, finding) for seq, event in enumerate(events, 1)]


def test_evidence_is_held_while_its_finding_is_open(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10**6)
    first, second, third = (
        evidence.add_exhibit(keyframe(os.urandom(100), 1), verdict(FAULT, FAULT, 1))[0] for _ in range(3)
    )
    pins = EvidenceRetention(evidence, {7: [first, first]}, lambda _: ())
    pins.update(
        committed(
            LedgerEvent(8, 1, Step.OPENED, 1, "engine", evidence=(first, second)),
            LedgerEvent(8, 2, Step.RECHECK_FAILED, 2, "engine", evidence=(third, second)),
            LedgerEvent(8, 3, Step.ACKNOWLEDGED, 3, "li"),
        )
    )
    assert evidence.counts()["pinned"] == 3
    pins.update(committed(LedgerEvent(8, 4, Step.CLOSED, 4, "li")))
    assert evidence.counts()["pinned"] == 1  # the other finding still refers to the first
    pins.update(committed(LedgerEvent(7, 2, Step.DISMISSED, 5, "li", evidence=(second,))))
    assert evidence.counts() == {"latest": 0, "beside": 0, "exhibit": 3, "pinned": 0}


def test_a_good_look_that_the_ledger_cites_is_kept_alone(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10**6)
    see(evidence, b"before", 1, OK, OK)
    assert evidence.add_exhibit(keyframe(b"now", 2), verdict(OK, FAULT, 2)) == (sha256(b"now"),)


def test_the_writer_keeps_an_announced_fault_before_the_verdict_that_refers_to_it(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    store.registry.upsert([Camera("c", "rtsp://h/1")])
    evidence = EvidenceStore(tmp_path / "ev", 10**6)
    cited: list[tuple[str, ...]] = []
    there: list[bool] = []

    def ride(_: object, records: Sequence[VisitRecord]) -> None:
        cited.extend(record.evidence for record in records)
        there.extend(evidence.get_exhibit(digest) is not None for record in records for digest in record.evidence)

    store.transaction_hooks.append(ride)
    written: list[VisitRecord] = []
    writer = Writer(store, evidence, RecordSettings())
    writer.start(written.extend)
    writer.submit(VisitRecord(verdict(OK, OK, 1), b"h"), EvidenceKeyframe(keyframe(b"good", 1)))
    writer.submit(VisitRecord(verdict(FAULT, FAULT, 2), b"h", exhibit=True), EvidenceKeyframe(keyframe(b"bad", 2)))
    assert writer.flush(10)
    writer.close()
    store.close()
    wanted = [(), (sha256(b"bad"), sha256(b"good"))]
    assert [record.evidence for record in written] == cited == wanted
    assert there == [True, True]


def test_a_camera_that_is_well_again_keeps_one_file(tmp_path: Path, bitstreams: dict[Codec, list[bytes]]) -> None:
    first, second, third, fourth = bitstreams[Codec.H264]
    evidence = EvidenceStore(tmp_path, 10**9)
    for visit_id, (payload, state, announced) in enumerate(
        [(first, OK, OK), (second, FAULT, FAULT), (third, OK, FAULT), (fourth, OK, OK)], 1
    ):
        see(evidence, payload, visit_id, state, announced)
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".ok"]
    assert present(evidence.get("c")).payload == fourth
    assert evidence.bytes_kept == sum(path.stat().st_size for path in tmp_path.rglob("*.*"))


def test_the_same_picture_is_kept_once_with_a_sighting_for_each_visit(
    tmp_path: Path, bitstreams: dict[Codec, list[bytes]]
) -> None:
    payload = bitstreams[Codec.H264][0]
    evidence = EvidenceStore(tmp_path, 10**9)
    for visit_id in range(1, SIGHTINGS_MAX + 20):
        evidence.add_exhibit(keyframe(payload, visit_id), verdict(FAULT, FAULT, visit_id))
    evidence.add_exhibit(keyframe(payload, 900, camera_id="d"), verdict(FAULT, FAULT, 900, "d"))
    digest = sha256(payload)
    assert len(list(tmp_path.rglob("*.h264"))) == 1
    visits = [sighting["visit_id"] for sighting in Exhibits(tmp_path / "exhibits").sightings()]
    assert (len(visits), visits[0], visits[-2:]) == (SIGHTINGS_MAX, 1, [SIGHTINGS_MAX + 19, 900])
    assert present(evidence.get_exhibit(digest, "c")).keyframe.visit_id == SIGHTINGS_MAX + 19
    assert present(evidence.get_exhibit(digest, "d")).keyframe.visit_id == 900
    assert evidence.get_exhibit(digest, "nobody") is None


def test_bits_that_have_changed_are_told_and_never_shown(tmp_path: Path, bitstreams: dict[Codec, list[bytes]]) -> None:
    evidence = EvidenceStore(tmp_path, 10**9)
    flipped, gone, whole = (
        evidence.add_exhibit(keyframe(payload, 1), verdict(FAULT, FAULT, 1))[0]
        for payload in bitstreams[Codec.H264][:3]
    )
    path = tmp_path / "exhibits" / flipped[:2] / f"{flipped}.h264"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    (tmp_path / "exhibits" / gone[:2] / f"{gone}.h264").unlink()
    with pytest.raises(IntegrityError, match="other bits"):
        evidence.get_exhibit(flipped)
    with pytest.raises(IntegrityError, match="gone"):
        evidence.get_exhibit(gone)
    exhibits = Exhibits(tmp_path / "exhibits")
    assert {digest for digest in exhibits.digests() if exhibits.verify(digest)} == {flipped, gone}
    assert evidence.get_exhibit(whole) is not None
    assert evidence.get_exhibit("../../etc/passwd") is None


def test_when_the_budget_is_spent_open_findings_lose_nothing_and_new_faults_have_no_room(tmp_path: Path) -> None:
    gone: list[str] = []
    evidence = EvidenceStore(tmp_path, 40_000, on_evicted=gone.append)
    frames = [os.urandom(5000) for _ in range(12)]
    (pinned,) = evidence.add_exhibit(keyframe(frames[0], 1), verdict(FAULT, FAULT, 1))
    assert evidence.pin([pinned]) == ()
    closed = [evidence.add_exhibit(keyframe(frame, 1), verdict(FAULT, FAULT, 1))[0] for frame in frames[1:3]]
    for number in range(8):
        see(evidence, frames[3 + number], 1, OK, OK, camera_id=f"c{number}")
    assert set(gone) == {"latest"}
    assert evidence.bytes_kept <= 40_000
    gone.clear()
    newer = [evidence.add_exhibit(keyframe(os.urandom(5000), 1), verdict(FAULT, FAULT, 1))[0] for _ in range(6)]
    assert gone == ["latest"] * gone.count("latest") + ["exhibit"] * gone.count("exhibit")
    assert evidence.get_exhibit(closed[0]) is None
    assert evidence.get_exhibit(pinned) is not None
    assert evidence.get_exhibit(newer[-1]) is not None
    evidence.pin(newer)
    gone.clear()
    late = [evidence.add_exhibit(keyframe(os.urandom(5000), 1), verdict(FAULT, FAULT, 1)) for _ in range(3)]
    assert late[-1] == ()  # no room is left but that of open findings, so it is not kept
    assert "pinned" not in gone
    smaller = EvidenceStore(tmp_path, 12_000, [pinned, *newer], gone.append)
    see(smaller, b"x", 2, OK, OK)
    assert smaller.add_exhibit(keyframe(os.urandom(5000), 1), verdict(FAULT, FAULT, 1)) == ()
    assert "pinned" not in gone
    assert all(smaller.get_exhibit(digest) is not None for digest in (pinned, *newer))
    assert smaller.bytes_kept == smaller.bytes_pinned > 12_000


def test_a_finding_that_was_open_before_a_restart_still_holds_its_evidence(tmp_path: Path) -> None:
    first = EvidenceStore(tmp_path, 10**6)
    held, other = (first.add_exhibit(keyframe(os.urandom(5000), 1), verdict(FAULT, FAULT, 1))[0] for _ in range(2))
    gone: list[str] = []
    again = EvidenceStore(tmp_path, 6500, pinned=[held, "0" * 64], on_evicted=gone.append)
    see(again, b"x", 1, OK, OK)
    assert (again.get_exhibit(other), gone) == (None, ["latest", "exhibit"])
    assert again.get_exhibit(held) is not None
    again.unpin([held])
    assert again.counts() == {"latest": 0, "beside": 0, "exhibit": 1, "pinned": 0}


def test_the_good_pictures_of_a_camera_in_doubt_outlast_latest_ones(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 20_000)
    see(evidence, os.urandom(3000), 1, OK, OK)
    see(evidence, os.urandom(3000), 2, FAULT, OK)
    for number in range(10):
        see(evidence, os.urandom(3000), 1, OK, OK, camera_id=f"other{number}")
    assert evidence.get("c") is None  # its latest went
    digests = evidence.add_exhibit(keyframe(os.urandom(3000), 3), verdict(FAULT, FAULT, 3))
    assert len(digests) == 2  # its baseline did not


def test_what_a_crash_left_half_done_is_cleared_up_at_the_next_start(tmp_path: Path) -> None:
    first = EvidenceStore(tmp_path, 10**6)
    (digest,) = first.add_exhibit(keyframe(b"payload", 1), verdict(FAULT, FAULT, 1))
    folder = tmp_path / "exhibits" / digest[:2]
    (folder / f"{digest}.json.part").write_bytes(b"{")
    orphan = "ab" + "0" * 62
    (tmp_path / "exhibits" / "ab").mkdir(exist_ok=True)
    (tmp_path / "exhibits" / "ab" / f"{orphan}.h264").write_bytes(b"never described")
    again = EvidenceStore(tmp_path, 10**6)
    assert sorted(path.name for path in (tmp_path / "exhibits").rglob("*.*")) == [f"{digest}.h264", f"{digest}.json"]
    assert again.bytes_kept == first.bytes_kept


KILLED = """
import sys
from pathlib import Path
from engine.storage.evidence.store import EvidenceStore
from tests.integration.storage.test_evidence import FAULT, keyframe, verdict
import random
evidence = EvidenceStore(Path(sys.argv[1]), 10**9)
draw = random.Random(int(sys.argv[2]))
visit = 0
while True:
    visit += 1
    payload = draw.randbytes(200_000)
    digests = evidence.add_exhibit(keyframe(payload, visit), verdict(FAULT, FAULT, visit))
    evidence.store(keyframe(payload, visit), verdict(FAULT, FAULT, visit))
    evidence.sync()
    print(digests[0], flush=True)
"""


@pytest.mark.long
def test_kill_9_in_the_middle_of_a_put_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    answered: list[str] = []
    for seed in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), str(seed)], stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert writer.stdout is not None
        answered.append(writer.stdout.readline().strip())
        time.sleep(0.02 + 0.013 * seed)
        writer.send_signal(signal.SIGKILL)
        answered += writer.stdout.read().split()
        writer.wait()
    assert all(len(digest) == 64 for digest in answered)
    evidence = EvidenceStore(tmp_path, 10**9)
    exhibits = Exhibits(tmp_path / "exhibits")
    assert [flaw for digest in exhibits.digests() if (flaw := exhibits.verify(digest))] == []
    assert {digest for digest in answered if evidence.get_exhibit(digest) is None} == set()
    assert evidence.bytes_kept == sum(path.stat().st_size for path in tmp_path.rglob("*.*"))


def test_a_file_that_is_not_whole_reads_as_none(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10_000)
    see(evidence, b"payload", 1, OK, OK)
    (path,) = tmp_path.rglob("*.ok")
    whole = path.read_bytes()
    for broken in (b"", b"PKE2\0\0\0\x10garbage", whole[:-1], whole[: len(whole) // 2], b"PKE1" + whole[4:]):
        path.write_bytes(broken)
        assert evidence.get("c") is None
    path.write_bytes(whole)
    assert present(evidence.get("c")).payload == b"payload"


def test_the_json_beside_an_exhibit_is_for_other_programs_too(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10_000)
    (digest,) = evidence.add_exhibit(keyframe(b"payload", 9), verdict(FAULT, FAULT, 9))
    described = json.loads((tmp_path / "exhibits" / digest[:2] / f"{digest}.json").read_text())
    assert (described["sha256"], described["bytes"], described["codec"]) == (digest, 7, "h264")
    (sighting,) = described["sightings"]
    assert (sighting["camera_id"], sighting["visit_id"], sighting["arrival_wall_ns"]) == ("c", 9, 9 * 10**9)
    assert sighting["verdict"]["scores"] == [12.5, None, 0.0]
