"""Clocks in real keyframes, read by the real reader, open findings in a real ledger and close them."""

import itertools
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.clock import NS_PER_S, wall_ns
from engine.config.reader import ReaderSettings
from engine.hub.overlay.reader_link import Outcome, ReaderLink
from engine.hub.overlay.readings import OverlayReadings
from engine.hub.registry import Registry
from engine.media.jpeg import read_headers
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingQuery, FindingState, Step
from engine.model.keyframe import Codec, Keyframe
from engine.model.overlay import Box
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from engine.overlay.installed import is_installed
from engine.overlay.recognizer import Recognizer
from engine.reader import wire
from engine.reader.process import run_job
from engine.storage.evidence.store import EvidenceStore
from tests.support.ledger.findings_services import FindingsHarness, findings_harness
from tests.support.overlay.pictures import clock_text, keyframe_bytes

pytestmark = pytest.mark.skipif(not is_installed(), reason="no reader is installed: pip install 'kitchen-patrol[ocr]'")
NAME = "kitchen west"
HOUR_NS = 3600 * NS_PER_S


class OwnReader(ReaderLink):
    """A link that does each job at once, with the code that the process runs."""

    def __init__(self) -> None:
        self._recognizer = Recognizer()

    @property
    def is_free(self) -> bool:
        return True

    def ask(self, keyframe: Keyframe, crop: Box | None = None) -> "Future[Outcome]":
        answer: Future[Outcome] = Future()
        answer.set_result(run_job(self._recognizer, wire.Job(1, keyframe, crop)))
        return answer


@dataclass
class Site:
    harness: FindingsHarness
    evidence: EvidenceStore
    readings: OverlayReadings
    arrivals_ns: Iterator[int]

    def read(self, *, behind_s: float = 0, name: str = NAME, stands_at: str = "", frozen: bool = False) -> None:
        """Keep a keyframe that arrives an hour after the last, and read it."""
        at_ns = next(self.arrivals_ns)
        payload = keyframe_bytes(stands_at or clock_text(at_ns, behind_s), name)
        keyframe = Keyframe("c1", at_ns, Codec.H264, payload, at_ns, None, FeedKind.RTSP)
        kinds = (FaultKind.FROZEN,) if frozen else ()
        state = State.FAULT if frozen else State.OK
        self.evidence.store(keyframe, Verdict("c1", at_ns, at_ns, state, kinds, announced=state, announced_kinds=kinds))
        self.readings._read("c1", at_ns)

    def findings(self) -> list[Finding]:
        return list(self.harness.store.findings.page(FindingQuery()).findings)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    camera = Camera("c1", "rtsp://h/1", name=NAME, region="130102")
    with findings_harness(tmp_path) as harness:
        evidence = EvidenceStore(tmp_path / "kept", 10**8)
        readings = OverlayReadings(
            ReaderSettings(),
            ZoneInfo("Asia/Shanghai"),
            OwnReader(),
            harness.hub.calls,
            Registry([camera], {}),
            harness.service,
            evidence,
            Metrics("test"),
        )
        # In the future: what was taken before a claim does not count for its re-check.
        yield Site(harness, evidence, readings, itertools.count(wall_ns() + HOUR_NS, HOUR_NS))


def test_a_clock_that_is_off_opens_a_finding_with_its_crop_and_a_right_one_closes_it(site: Site) -> None:
    site.read(behind_s=600)
    assert site.findings() == []
    site.read(behind_s=600)
    (finding,) = site.findings()
    assert finding.subject.cause_key == "clock_wrong"
    opened = site.harness.store.findings.events_of(finding.finding_id)[0]
    assert "600 s behind" in opened.why
    assert site.evidence.get_exhibit(opened.evidence[0], "c1") is not None
    crop = site.evidence.get_photograph(opened.photographs[0])
    assert crop is not None
    headers = read_headers(crop)
    assert headers is not None
    assert headers.width > 5 * headers.height
    for _ in range(3):
        site.read()
    (finding,) = site.findings()
    assert finding.state is FindingState.CLOSED
    steps = [event.step for event in site.harness.store.findings.events_of(finding.finding_id)]
    assert steps[-1] is Step.CLOSED
    assert Step.CLAIMED in steps


def test_a_clock_that_stands_while_the_picture_moves_says_so(site: Site) -> None:
    stands_at = clock_text(wall_ns())
    for _ in range(2):
        site.read(stands_at=stands_at)
    assert [finding.subject.cause_key for finding in site.findings()] == ["clock_wrong/clock_still"]


def test_a_clock_that_stands_with_its_picture_is_left_to_the_judge(site: Site) -> None:
    stands_at = clock_text(wall_ns())
    for _ in range(3):
        site.read(stands_at=stands_at, frozen=True)
    assert site.findings() == []


def test_another_name_opens_a_finding_and_the_registry_s_does_not(site: Site) -> None:
    for _ in range(2):
        site.read()
    assert site.findings() == []
    for _ in range(2):
        site.read(name="Garage yard")
    (finding,) = site.findings()
    assert finding.subject.cause_key == "name_wrong"
    assert "Garage yard" in site.harness.store.findings.events_of(finding.finding_id)[0].why
