"""Findings of a wrong clock or name: readings open and close them, visits do neither."""

from engine.ledger.core import Ledger
from engine.model.camera import Camera
from engine.model.findings import FindingState, Step
from engine.model.overlay import OverlayVerdict, ReadFault
from engine.model.verdict import Cause, FaultKind, Severity
from tests.support.ledger.ledgers import HOUR, INSPECTOR, MINUTE, OPERATOR, LedgerHarness, camera

CLOCK, NAME = FaultKind.CLOCK_WRONG, FaultKind.NAME_WRONG
OFF = "the clock shows 2024-03-01 12:00:00, 600 s behind"


class ReadingHarness(LedgerHarness):
    def read(
        self, *wrong: FaultKind, right: tuple[FaultKind, ...] = (), cause: Cause | None = None, at: Camera | None = None
    ) -> list[Step]:
        """Conclude from readings, of a keyframe that came a minute later."""
        self.now_ns += MINUTE
        faults = {kind: ReadFault(kind, cause, OFF) for kind in wrong}
        whose = at or camera()
        verdict = OverlayVerdict(whose.camera_id, self.now_ns, faults, frozenset(right))
        return self.record(self.ledger.observe_reading(verdict, whose, self.now_ns))


def test_a_wrong_clock_opens_a_cosmetic_finding_that_says_how_wrong() -> None:
    harness = ReadingHarness()
    assert harness.read(CLOCK) == [Step.OPENED]
    assert harness.read(CLOCK) == []
    finding = harness.finding()
    assert (finding.subject.cause_key, finding.severity) == ("clock_wrong", Severity.COSMETIC)
    assert harness.log[0].why == OFF


def test_a_clock_that_stands_is_the_same_finding_with_a_cause() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK, cause=Cause.CLOCK_STILL)
    assert harness.finding().subject.cause_key == "clock_wrong/clock_still"
    assert harness.read(CLOCK) == []


def test_clock_and_name_are_findings_of_their_own() -> None:
    harness = ReadingHarness()
    assert harness.read(CLOCK, NAME) == [Step.OPENED, Step.OPENED]


def test_visits_neither_close_nor_change_it() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    for _ in range(10):
        harness.observe(since_h=100)
    assert [event.step for event in harness.log] == [Step.OPENED]


def test_it_is_closed_when_the_clock_is_read_right_again() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    assert harness.read(right=(CLOCK,)) == [Step.CLAIMED]
    harness.wait(1)
    assert harness.rechecks == ["c1"]
    assert harness.read(right=(CLOCK,)) == [Step.RECHECK_BEGUN]
    assert harness.read(right=(CLOCK,)) == [Step.RECHECK_PASSED, Step.CLOSED]
    assert harness.finding().state is FindingState.CLOSED
    assert harness.read(CLOCK) == [Step.OPENED]


def test_readings_that_are_not_sure_decide_nothing() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    for _ in range(5):
        assert harness.read(right=(NAME,)) == []
    harness.act(Step.CLAIMED)
    assert harness.read() == [Step.RECHECK_BEGUN]
    assert harness.read() == []
    assert harness.finding().state is FindingState.RECHECKING


def test_a_claim_fails_when_the_clock_is_still_wrong() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    harness.act(Step.CLAIMED)
    harness.observe()
    assert harness.read(CLOCK) == [Step.RECHECK_BEGUN]
    assert harness.read(CLOCK) == [Step.RECHECK_FAILED]
    assert harness.finding().state is FindingState.ACKNOWLEDGED


def test_a_decision_stands_until_the_clock_was_right() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    harness.act(Step.DISMISSED, INSPECTOR)
    harness.observe(since_h=100)
    assert harness.read(CLOCK) == []
    assert harness.read(right=(CLOCK,)) == []
    assert harness.read(CLOCK) == [Step.OPENED]


def test_a_decision_survives_a_restart() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    harness.act(Step.CLOSED, OPERATOR)
    harness.ledger = Ledger(harness.settings, harness.now_ns, muted={"c1": {"clock_wrong"}})
    assert harness.read(CLOCK) == []


def test_a_claim_of_the_engine_asks_for_readings_after_a_restart_too() -> None:
    harness = ReadingHarness()
    harness.read(CLOCK)
    harness.read(right=(CLOCK,))
    harness.restart()
    harness.rechecks.clear()
    harness.wait(HOUR)
    assert "c1" in harness.rechecks
