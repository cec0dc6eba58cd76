"""Claims and re-checks: only looks after a claim, or a decision by a named role, close a finding."""

from typing import Any

import pytest

from engine.model.access import ENGINE
from engine.model.findings import FindingState, Step
from engine.model.verdict import FaultKind, State
from tests.support.ledgers import HOUR, MINUTE, OPERATOR, Desk

COVERED, GREASE = FaultKind.COVERED, FaultKind.GREASE
BEGUN_FAILED = [Step.RECHECK_BEGUN, Step.RECHECK_FAILED]


def opened(*kinds: FaultKind, **settings: Any) -> Desk:
    desk = Desk(**settings)
    desk.look(*(kinds or (COVERED,)))
    return desk


def claimed(*kinds: FaultKind, **settings: Any) -> Desk:
    desk = opened(*kinds, **settings)
    desk.act(Step.CLAIMED)
    return desk


def test_a_claim_has_the_camera_looked_at_at_once() -> None:
    desk = claimed()
    assert desk.wanted == ["c1"]
    finding = desk.finding()
    assert (finding.state, finding.claims, finding.claimed_by) == (FindingState.RECTIFIED, 1, "wang")


def test_two_good_looks_of_three_close_it() -> None:
    desk = claimed()
    assert desk.look() == [Step.RECHECK_BEGUN]
    assert desk.look(COVERED, announced=()) == []
    assert desk.look() == [Step.RECHECK_PASSED, Step.CLOSED]
    assert desk.finding().state is FindingState.CLOSED
    assert desk.log[-2].why == "2 good and 1 bad looks after the claim"


def test_a_claim_too_early_is_handed_back_to_who_made_it() -> None:
    desk = claimed()
    assert desk.look(COVERED) == [Step.RECHECK_BEGUN]
    assert desk.look(COVERED) == [Step.RECHECK_FAILED]
    finding = desk.finding()
    assert (finding.state, finding.claimed_by) == (FindingState.ACKNOWLEDGED, "")
    desk.act(Step.CLAIMED)
    desk.look()
    assert desk.look() == [Step.RECHECK_PASSED, Step.CLOSED]
    assert desk.finding().claims == 2


def test_a_picture_of_before_the_claim_proves_nothing() -> None:
    desk = claimed(recheck_n=1, recheck_m=1)
    assert desk.look(late_ns=2 * MINUTE) == []
    assert desk.finding().state is FindingState.RECTIFIED


def test_as_long_as_the_fault_is_announced_good_looks_do_not_close_it() -> None:
    desk = claimed(recheck_n=1, recheck_m=1)
    assert desk.look(announced=(COVERED,)) == [Step.RECHECK_BEGUN]
    assert desk.look() == [Step.RECHECK_PASSED, Step.CLOSED]


@pytest.mark.parametrize("state", [State.UNKNOWN, State.OFFLINE])
def test_what_cannot_be_judged_closes_nothing_and_fails_nothing(state: State) -> None:
    desk = claimed()
    for _ in range(10):
        desk.look(state=state, announced=(COVERED,))
    assert desk.finding().state is FindingState.RECHECKING
    desk.look()
    assert desk.look() == [Step.RECHECK_PASSED, Step.CLOSED]


def test_another_fault_that_blinds_tells_nothing_and_one_that_does_not_blind_tells_that_it_is_gone() -> None:
    desk = claimed()
    desk.look(FaultKind.TOO_DARK, announced=(FaultKind.TOO_DARK,))
    assert desk.finding().state is FindingState.RECHECKING
    desk.look(GREASE, announced=(GREASE,))
    assert Step.CLOSED in desk.look(GREASE, announced=(GREASE,))
    assert {finding.subject.cause_key for finding in desk.ledger.findings.values()} == {"too_dark", "grease"}


def test_a_camera_that_was_offline_is_back_with_any_picture() -> None:
    desk = Desk()
    desk.look(state=State.OFFLINE)
    desk.act(Step.CLAIMED)
    desk.look(GREASE, announced=())
    assert Step.CLOSED in desk.look(GREASE, announced=(GREASE,))


def test_looks_are_ordered_until_it_is_decided_ever_less_often_while_they_tell_nothing() -> None:
    desk = claimed(recheck_spacing_s=60)
    desk.wait(HOUR)
    early = len(desk.wanted)
    assert 5 <= early <= 7
    desk.wait(10 * HOUR)
    assert len(desk.wanted) - early <= 11
    desk.look()
    before = len(desk.wanted)
    desk.wait(MINUTE)
    assert len(desk.wanted) == before + 1


def test_a_recheck_that_comes_to_no_end_has_failed() -> None:
    desk = claimed()
    steps = desk.wait(24 * HOUR)
    assert steps[:2] == BEGUN_FAILED
    assert "undecided after 24 h" in next(event.why for event in desk.log if event.step is Step.RECHECK_FAILED)


def test_a_deadline_waits_for_the_recheck_and_falls_due_when_that_fails() -> None:
    desk = opened()
    desk.wait(23 * HOUR)
    desk.act(Step.CLAIMED)
    assert desk.wait(2 * HOUR) == []
    desk.look(COVERED)
    desk.look(COVERED)
    assert desk.wait(0) == [Step.FELL_OVERDUE, Step.ESCALATED]


def test_a_recheck_that_fails_leaves_an_overdue_finding_overdue() -> None:
    desk = opened()
    desk.wait(25 * HOUR)
    desk.act(Step.CLAIMED)
    desk.look(COVERED)
    desk.look(COVERED)
    assert desk.finding().state is FindingState.OVERDUE


def test_a_fault_that_goes_away_unclaimed_is_claimed_by_the_engine_once_it_has_settled() -> None:
    desk = opened()
    assert desk.look(since_h=3.9) == []
    assert desk.look(since_h=4.0) == [Step.CLAIMED]
    assert desk.finding().claimed_by == ENGINE.name
    assert desk.finding().standing is FindingState.OPEN
    assert desk.look(since_h=4.1) == [Step.RECHECK_BEGUN]
    assert desk.look(since_h=4.2) == [Step.RECHECK_PASSED, Step.CLOSED]
    assert desk.wanted == []


def test_a_fault_that_comes_back_during_the_engines_own_recheck_is_the_same_finding() -> None:
    desk = opened()
    desk.look(since_h=4)
    desk.look(COVERED, announced=())
    desk.look(COVERED)
    finding = desk.finding()
    assert (finding.state, finding.finding_id, len(desk.ledger.findings)) == (FindingState.OPEN, 1, 1)


def test_a_claim_of_people_takes_over_from_the_engines_and_has_looks_ordered() -> None:
    desk = opened()
    desk.look(since_h=4)
    desk.look(since_h=4.1)
    assert desk.act(Step.CLAIMED) == [Step.CLAIMED]
    assert (desk.finding().claimed_by, desk.wanted) == ("wang", ["c1"])


def test_a_recheck_goes_on_after_a_restart() -> None:
    desk = claimed()
    desk.look()
    desk.restart()
    desk.wanted.clear()
    desk.wait(0)
    assert desk.wanted == ["c1"]
    desk.look()
    assert desk.look() == [Step.RECHECK_PASSED, Step.CLOSED]


def test_a_decision_ends_a_recheck() -> None:
    desk = claimed()
    assert desk.act(Step.CLOSED, OPERATOR, why="seen on site") == [Step.CLOSED]
    desk.wanted.clear()
    assert desk.wait(100 * HOUR) == []
    assert desk.wanted == []
