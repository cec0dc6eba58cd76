"""A camera that is offline for a reason of ours is on the operator's list, and is no finding of the school."""

import pytest
from pydantic import ValidationError

from engine.config.ledger import LedgerSettings
from engine.ledger.core import Ledger
from engine.ledger.operator_list import OperatorCase
from engine.model.findings import FindingState, Step
from engine.model.verdict import FaultKind, State
from engine.model.visit import FailureReason
from tests.support.ledger.ledgers import HOUR, MINUTE, LedgerHarness, camera

OURS = FailureReason.UNAUTHORIZED
THEIRS = FailureReason.TIMEOUT_CONNECT


def offline(harness: LedgerHarness, reason: FailureReason, **more: float) -> list[Step]:
    return harness.observe(state=State.OFFLINE, reason=reason, since_h=more.get("since_h", 100.0))


@pytest.mark.parametrize(
    "reason", [FailureReason.UNAUTHORIZED, FailureReason.UNSUPPORTED_CODEC, FailureReason.SOURCE_REFUSED]
)
def test_a_reason_of_ours_opens_no_finding_however_long_it_lasts(reason: FailureReason) -> None:
    harness = LedgerHarness()
    for _ in range(5):
        assert offline(harness, reason) == []
        assert harness.wait(10 * HOUR) == []
    assert harness.ledger.operator_list.counts() == {reason: 1}


@pytest.mark.parametrize("reason", sorted(set(FailureReason) - set(LedgerSettings().operator_reasons)))
def test_every_other_reason_opens_one(reason: FailureReason) -> None:
    harness = LedgerHarness()
    assert offline(harness, reason) == [Step.OPENED]
    assert harness.ledger.operator_list.counts() == {}


def test_when_the_reason_becomes_the_schools_a_finding_opens_after_the_time_that_outages_take() -> None:
    harness = LedgerHarness(offline_min_h=0.5)
    offline(harness, OURS)
    assert offline(harness, THEIRS) == [], "one visit proves nothing: the camera was ours a minute ago"
    assert harness.ledger.operator_list.counts() == {}
    harness.wait(20 * MINUTE)
    assert offline(harness, THEIRS) == []
    harness.wait(10 * MINUTE)
    assert offline(harness, THEIRS) == [Step.OPENED]


def test_a_password_that_is_refused_now_and_then_never_becomes_a_finding() -> None:
    harness = LedgerHarness(offline_min_h=0.5)
    for _ in range(10):
        assert offline(harness, OURS) == []
        harness.wait(15 * MINUTE)
        assert offline(harness, THEIRS) == []


def test_a_camera_that_was_back_in_between_is_judged_afresh() -> None:
    harness = LedgerHarness()
    offline(harness, OURS)
    harness.observe()
    assert harness.ledger.operator_list.counts() == {}
    assert offline(harness, THEIRS) == [Step.OPENED]


def test_an_open_finding_stays_when_its_reason_becomes_ours_and_no_claim_fails_for_it() -> None:
    harness = LedgerHarness(recheck_n=2, recheck_m=2)
    offline(harness, THEIRS)
    assert offline(harness, OURS) == []
    assert harness.finding().state is FindingState.OPEN
    assert harness.ledger.operator_list.counts() == {OURS: 1}
    harness.act(Step.CLAIMED)
    for _ in range(5):
        assert offline(harness, OURS) in ([], [Step.RECHECK_BEGUN])
    assert harness.finding().state is FindingState.RECHECKING
    assert offline(harness, THEIRS) == [Step.RECHECK_FAILED]


def test_a_fault_of_the_same_camera_is_a_finding_all_the_same() -> None:
    harness = LedgerHarness()
    offline(harness, OURS)
    assert harness.observe(FaultKind.COVERED) == [Step.OPENED]


def test_a_reload_changes_whose_reason_it_is() -> None:
    harness = LedgerHarness(offline_min_h=0.5)
    offline(harness, OURS)
    harness.configure(operator_reasons=(THEIRS,))
    harness.wait(30 * MINUTE)
    assert offline(harness, THEIRS) == []
    assert offline(harness, OURS) == []
    harness.wait(30 * MINUTE)
    assert offline(harness, OURS) == [Step.OPENED]
    harness.configure(operator_reasons=())
    assert harness.observe(state=State.OFFLINE, reason=THEIRS, at=camera("c2")) == [Step.OPENED]


def test_a_clock_that_is_set_back_shortens_no_time_and_lengthens_none() -> None:
    harness = LedgerHarness(offline_min_h=1)
    offline(harness, OURS)
    harness.now_ns -= 5 * HOUR
    harness.record(harness.ledger.tick(harness.now_ns))
    harness.wait(58 * MINUTE)
    assert offline(harness, THEIRS) == []
    harness.wait(MINUTE)
    assert offline(harness, THEIRS) == [Step.OPENED]


def test_a_restart_reads_the_list_back() -> None:
    harness = LedgerHarness(offline_min_h=1)
    offline(harness, OURS)
    cases = {"c1": OperatorCase(OURS, harness.now_ns)}
    harness.ledger = Ledger(harness.settings, harness.now_ns, operator_cases=cases)
    assert harness.ledger.operator_list.counts() == {OURS: 1}
    assert offline(harness, THEIRS) == []
    harness.wait(HOUR)
    assert offline(harness, THEIRS) == [Step.OPENED]


def test_a_camera_that_leaves_the_registry_leaves_the_list() -> None:
    harness = LedgerHarness()
    offline(harness, OURS)
    harness.ledger.operator_list.forget(["c1", "never seen"])
    assert harness.ledger.operator_list.counts() == {}


def test_only_known_reasons_are_taken() -> None:
    with pytest.raises(ValidationError, match="operator_reasons"):
        LedgerSettings.model_validate({"operator_reasons": ["laziness"]})
