"""A dismissal that is undone: by whom, for how long, and that the finding stands as it stood before."""

from dataclasses import replace

import pytest

from engine.errors import ConflictError, ErrorReason, InvalidArgumentError, LedgerError, StateError
from engine.ledger import dismissals
from engine.ledger.projection import apply
from engine.model.findings import Finding, FindingState, LedgerEvent, Step
from engine.model.verdict import FaultKind
from tests.support.ledger.ledgers import HOUR, INSPECTOR, MINUTE, OPERATOR, LedgerHarness, camera

COVERED, GREASE = FaultKind.COVERED, FaultKind.GREASE


@pytest.fixture
def harness() -> LedgerHarness:
    made = LedgerHarness()
    made.observe(COVERED)
    return made


def refused(harness: LedgerHarness, number: int = 0) -> StateError:
    with pytest.raises(StateError) as caught:
        harness.act(Step.REOPENED, OPERATOR, number=number)
    return caught.value


def stands_as(before: Finding, now: Finding) -> bool:
    return now == replace(before, number=now.number, changed_wall_ns=now.changed_wall_ns)


@pytest.mark.parametrize("steps", [[], [Step.ACKNOWLEDGED], [Step.SUPERVISED], [Step.ACKNOWLEDGED, Step.SUPERVISED]])
def test_it_stands_again_as_it_stood_before(harness: LedgerHarness, steps: list[Step]) -> None:
    for step in steps:
        harness.act(step, OPERATOR)
    before = harness.finding()
    harness.act(Step.DISMISSED, OPERATOR)
    harness.wait(HOUR)
    assert harness.act(Step.REOPENED, OPERATOR, why="it is a fault after all") == [Step.REOPENED]
    assert stands_as(before, harness.finding())
    assert harness.log[-1].why == "it is a fault after all"


def test_its_deadline_goes_on_and_what_passed_meanwhile_is_overdue_at_once(harness: LedgerHarness) -> None:
    harness.wait(23 * HOUR)
    harness.act(Step.DISMISSED, OPERATOR)
    assert harness.wait(2 * HOUR) == []
    harness.act(Step.REOPENED, OPERATOR)
    assert harness.wait(MINUTE) == [Step.FELL_OVERDUE, Step.ESCALATED]


def test_a_persons_claim_is_rechecked_anew(harness: LedgerHarness) -> None:
    harness.act(Step.CLAIMED)
    harness.observe()
    assert harness.finding().state is FindingState.RECHECKING
    harness.act(Step.DISMISSED, OPERATOR)
    harness.rechecks.clear()
    harness.act(Step.REOPENED, OPERATOR)
    assert (harness.finding().state, harness.finding().claimed_by) == (FindingState.RECTIFIED, INSPECTOR.name)
    assert harness.rechecks == ["c1"]
    assert harness.observe() == [Step.RECHECK_BEGUN], "the good check of before does not count"
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]


def test_the_engines_claim_goes_on_without_requests(harness: LedgerHarness) -> None:
    assert harness.observe() == [Step.CLAIMED]
    harness.act(Step.DISMISSED, OPERATOR)
    harness.act(Step.REOPENED, OPERATOR)
    assert (harness.finding().state, harness.rechecks) == (FindingState.RECTIFIED, [])
    harness.observe()
    assert harness.observe()[-1] is Step.CLOSED


def test_a_fault_that_ended_meanwhile_is_closed_by_its_recheck(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    harness.observe()
    harness.act(Step.REOPENED, OPERATOR)
    steps = [step for _ in range(3) for step in harness.observe()]
    assert steps == [Step.CLAIMED, Step.RECHECK_BEGUN, Step.RECHECK_PASSED, Step.CLOSED]


def test_it_is_not_opened_twice_and_can_be_dismissed_again(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    harness.act(Step.REOPENED, OPERATOR)
    assert harness.observe(COVERED) == []
    assert refused(harness).error_reason is ErrorReason.FINDING_NOT_DISMISSED
    harness.act(Step.DISMISSED, OPERATOR)
    assert harness.observe(COVERED) == [], "the second decision stands as the first did"
    harness.act(Step.REOPENED, OPERATOR)
    assert harness.finding().number == 5


def test_after_reopening_and_closing_a_new_fault_is_a_new_finding(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    harness.act(Step.REOPENED, OPERATOR)
    for _ in range(3):
        harness.observe()
    assert harness.finding().state is FindingState.CLOSED
    assert harness.observe(COVERED) == [Step.OPENED]


@pytest.mark.parametrize(("hours", "later_h"), [(24, 24.1), (1, 1.1), (0, 0.1)])
def test_it_is_too_late_after_reopen_hours(hours: float, later_h: float) -> None:
    harness = LedgerHarness(reopen_hours=hours)
    harness.observe(COVERED)
    harness.act(Step.DISMISSED, OPERATOR)
    harness.wait(round(later_h * HOUR))
    error = refused(harness)
    assert (error.error_reason, f"reopen_hours = {hours}" in str(error)) == (ErrorReason.FINDING_REOPEN_TOO_LATE, True)


def test_another_open_finding_of_the_same_fault_takes_its_place(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    harness.observe()
    assert harness.observe(FaultKind.PARTLY_COVERED) == [Step.OPENED], "of the same family"
    error = refused(harness)
    assert (error.error_reason, error.metadata["open_finding"]) == (ErrorReason.FINDING_SUPERSEDED, "findings/2")


def test_a_finding_of_another_fault_or_camera_is_no_obstacle(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    harness.observe(GREASE, COVERED)
    harness.observe(COVERED, at=camera("c2"))
    assert harness.act(Step.REOPENED, OPERATOR) == [Step.REOPENED]
    assert len(harness.ledger.findings) == 3


def test_who_has_not_seen_the_latest_event_is_refused(harness: LedgerHarness) -> None:
    harness.act(Step.DISMISSED, OPERATOR)
    with pytest.raises(ConflictError, match="number 2, not 1"):
        harness.act(Step.REOPENED, OPERATOR, number=1)
    with pytest.raises(InvalidArgumentError, match="needs a reason"):
        harness.act(Step.REOPENED, OPERATOR, why=" ")
    harness.act(Step.REOPENED, OPERATOR, number=2, request_id="r1")
    assert harness.act(Step.REOPENED, OPERATOR, number=2, request_id="r1") == [], "a retry changes nothing"


def test_an_open_finding_is_not_reopened_and_a_closed_one_is_not_held(harness: LedgerHarness) -> None:
    assert refused(harness).error_reason is ErrorReason.FINDING_NOT_DISMISSED
    harness.act(Step.CLOSED, OPERATOR)
    with pytest.raises(KeyError):
        harness.act(Step.REOPENED, OPERATOR)


def test_it_can_be_reopened_after_a_restart(harness: LedgerHarness) -> None:
    before = harness.finding()
    harness.act(Step.DISMISSED, OPERATOR)
    harness.restart()
    harness.act(Step.REOPENED, OPERATOR)
    assert stands_as(before, harness.finding())


def test_only_so_many_dismissals_are_held(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dismissals, "DISMISSALS_MAX", 1)
    harness.observe(COVERED, at=camera("c2"))
    for finding_id in (1, 2):
        harness.act(Step.DISMISSED, OPERATOR, finding_id)
    harness.act(Step.REOPENED, OPERATOR, 2)
    with pytest.raises(KeyError):
        harness.act(Step.REOPENED, OPERATOR, 1)


@pytest.mark.parametrize("last", [Step.CLOSED, Step.ACKNOWLEDGED])
def test_a_replay_takes_no_reopening_of_what_was_not_dismissed(harness: LedgerHarness, last: Step) -> None:
    harness.act(last, OPERATOR)
    event = LedgerEvent(1, 3, Step.REOPENED, harness.now_ns, "li")
    finding = replace(harness.finding(), number=2)
    with pytest.raises(LedgerError, match="dismissal is undone"):
        apply(finding, event)
