"""Claims and re-checks: only looks after a claim, or a decision by a named role, close a finding."""

from typing import Any

import pytest

from engine.model.access import ENGINE
from engine.model.findings import FindingState, Step
from engine.model.verdict import FaultKind, State
from tests.support.ledger.ledgers import HOUR, MINUTE, OPERATOR, LedgerHarness

COVERED, GREASE = FaultKind.COVERED, FaultKind.GREASE
BEGUN_FAILED = [Step.RECHECK_BEGUN, Step.RECHECK_FAILED]


def opened(*kinds: FaultKind, **settings: Any) -> LedgerHarness:
    harness = LedgerHarness(**settings)
    harness.observe(*(kinds or (COVERED,)))
    return harness


def claimed(*kinds: FaultKind, **settings: Any) -> LedgerHarness:
    harness = opened(*kinds, **settings)
    harness.act(Step.CLAIMED)
    return harness


def test_a_claim_has_the_camera_looked_at_at_once() -> None:
    harness = claimed()
    assert harness.rechecks == ["c1"]
    finding = harness.finding()
    assert (finding.state, finding.claims, finding.claimed_by) == (FindingState.RECTIFIED, 1, "wang")


def test_two_good_looks_of_three_close_it() -> None:
    harness = claimed()
    assert harness.observe() == [Step.RECHECK_BEGUN]
    assert harness.observe(COVERED, announced=()) == []
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]
    assert harness.finding().state is FindingState.CLOSED
    assert harness.log[-2].why == "2 good and 1 bad checks after the claim"


def test_a_claim_too_early_is_handed_back_to_who_made_it() -> None:
    harness = claimed()
    assert harness.observe(COVERED) == [Step.RECHECK_BEGUN]
    assert harness.observe(COVERED) == [Step.RECHECK_FAILED]
    finding = harness.finding()
    assert (finding.state, finding.claimed_by) == (FindingState.ACKNOWLEDGED, "")
    harness.act(Step.CLAIMED)
    harness.observe()
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]
    assert harness.finding().claims == 2


def test_a_picture_of_before_the_claim_proves_nothing() -> None:
    harness = claimed(recheck_n=1, recheck_m=1)
    assert harness.observe(late_ns=2 * MINUTE) == []
    assert harness.finding().state is FindingState.RECTIFIED


def test_as_long_as_the_fault_is_announced_good_looks_do_not_close_it() -> None:
    harness = claimed(recheck_n=1, recheck_m=1)
    assert harness.observe(announced=(COVERED,)) == [Step.RECHECK_BEGUN]
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]


@pytest.mark.parametrize("state", [State.UNKNOWN, State.OFFLINE])
def test_what_cannot_be_judged_closes_nothing_and_fails_nothing(state: State) -> None:
    harness = claimed()
    for _ in range(10):
        harness.observe(state=state, announced=(COVERED,))
    assert harness.finding().state is FindingState.RECHECKING
    harness.observe()
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]


def test_another_fault_that_blinds_tells_nothing_and_one_that_does_not_blind_tells_that_it_is_gone() -> None:
    harness = claimed()
    harness.observe(FaultKind.TOO_DARK, announced=(FaultKind.TOO_DARK,))
    assert harness.finding().state is FindingState.RECHECKING
    harness.observe(GREASE, announced=(GREASE,))
    assert Step.CLOSED in harness.observe(GREASE, announced=(GREASE,))
    assert {finding.subject.cause_key for finding in harness.ledger.findings.values()} == {"too_dark", "grease"}


def test_a_camera_that_was_offline_is_back_with_any_picture() -> None:
    harness = LedgerHarness()
    harness.observe(state=State.OFFLINE)
    harness.act(Step.CLAIMED)
    harness.observe(GREASE, announced=())
    assert Step.CLOSED in harness.observe(GREASE, announced=(GREASE,))


def test_looks_are_ordered_until_it_is_decided_ever_less_often_while_they_tell_nothing() -> None:
    harness = claimed(recheck_spacing_s=60)
    harness.wait(HOUR)
    early = len(harness.rechecks)
    assert 5 <= early <= 7
    harness.wait(10 * HOUR)
    assert len(harness.rechecks) - early <= 11
    harness.observe()
    before = len(harness.rechecks)
    harness.wait(MINUTE)
    assert len(harness.rechecks) == before + 1


def test_a_recheck_that_comes_to_no_end_has_failed() -> None:
    harness = claimed()
    steps = harness.wait(24 * HOUR)
    assert steps[:2] == BEGUN_FAILED
    assert "undecided after 24 h" in next(event.why for event in harness.log if event.step is Step.RECHECK_FAILED)


def test_a_deadline_waits_for_the_recheck_and_falls_due_when_that_fails() -> None:
    harness = opened()
    harness.wait(23 * HOUR)
    harness.act(Step.CLAIMED)
    assert harness.wait(2 * HOUR) == []
    harness.observe(COVERED)
    harness.observe(COVERED)
    assert harness.wait(0) == [Step.FELL_OVERDUE, Step.ESCALATED]


def test_a_recheck_that_fails_leaves_an_overdue_finding_overdue() -> None:
    harness = opened()
    harness.wait(25 * HOUR)
    harness.act(Step.CLAIMED)
    harness.observe(COVERED)
    harness.observe(COVERED)
    assert harness.finding().state is FindingState.OVERDUE


def test_a_fault_that_goes_away_unclaimed_is_claimed_by_the_engine_once_it_has_settled() -> None:
    harness = opened()
    assert harness.observe(since_h=3.9) == []
    assert harness.observe(since_h=4.0) == [Step.CLAIMED]
    assert harness.finding().claimed_by == ENGINE.name
    assert harness.finding().standing is FindingState.OPEN
    assert harness.observe(since_h=4.1) == [Step.RECHECK_BEGUN]
    assert harness.observe(since_h=4.2) == [Step.RECHECK_PASSED, Step.CLOSED]
    assert harness.rechecks == []


def test_a_fault_that_comes_back_during_the_engines_own_recheck_is_the_same_finding() -> None:
    harness = opened()
    harness.observe(since_h=4)
    harness.observe(COVERED, announced=())
    harness.observe(COVERED)
    finding = harness.finding()
    assert (finding.state, finding.finding_id, len(harness.ledger.findings)) == (FindingState.OPEN, 1, 1)


def test_a_claim_of_people_takes_over_from_the_engines_and_has_looks_ordered() -> None:
    harness = opened()
    harness.observe(since_h=4)
    harness.observe(since_h=4.1)
    assert harness.act(Step.CLAIMED) == [Step.CLAIMED]
    assert (harness.finding().claimed_by, harness.rechecks) == ("wang", ["c1"])


def test_a_recheck_goes_on_after_a_restart() -> None:
    harness = claimed()
    harness.observe()
    harness.restart()
    harness.rechecks.clear()
    harness.wait(0)
    assert harness.rechecks == ["c1"]
    harness.observe()
    assert harness.observe() == [Step.RECHECK_PASSED, Step.CLOSED]


def test_a_decision_ends_a_recheck() -> None:
    harness = claimed()
    assert harness.act(Step.CLOSED, OPERATOR, why="seen on site") == [Step.CLOSED]
    harness.rechecks.clear()
    assert harness.wait(100 * HOUR) == []
    assert harness.rechecks == []
