"""What people may do to a finding, and what they are told where they may not."""

from typing import Any

import pytest

from engine.errors import ConflictError, DeniedError, ErrorReason, InvalidArgumentError, LedgerError, StateError
from engine.ledger.commands import ROLES, check_command
from engine.ledger.projection import apply, replay
from engine.ledger.requests import REQUESTS_MAX
from engine.model.access import ENGINE, Actor
from engine.model.faults import severity as severity_of_kinds
from engine.model.findings import FindingCommand, FindingState, LedgerEvent, Step
from engine.model.verdict import FaultKind
from tests.support.ledger.ledgers import INSPECTOR, OPERATOR, VIEWER, LedgerHarness

COVERED = FaultKind.COVERED


@pytest.fixture
def harness() -> LedgerHarness:
    made = LedgerHarness()
    made.observe(COVERED)
    return made


@pytest.mark.parametrize(
    ("step", "actor"),
    [
        (Step.ACKNOWLEDGED, VIEWER),
        (Step.CLAIMED, VIEWER),
        (Step.SUPERVISED, INSPECTOR),
        (Step.CLOSED, INSPECTOR),
        (Step.DISMISSED, INSPECTOR),
        (Step.REOPENED, INSPECTOR),
    ],
)
def test_a_role_that_is_too_low_is_told_which_it_takes(harness: LedgerHarness, step: Step, actor: Actor) -> None:
    with pytest.raises(DeniedError, match=f"{actor.name} is {actor.role}; {step} needs"):
        harness.act(step, actor)
    assert len(harness.log) == 1


@pytest.mark.parametrize("step", [Step.SUPERVISED, Step.CLOSED, Step.DISMISSED])
def test_a_decision_without_a_reason_is_none(harness: LedgerHarness, step: Step) -> None:
    with pytest.raises(InvalidArgumentError, match="why: is empty"):
        harness.act(step, OPERATOR, why="  ")


@pytest.mark.parametrize("step", sorted(set(ROLES) - {Step.CLAIMED}))
def test_photographs_come_with_claims_only(step: Step) -> None:
    with pytest.raises(InvalidArgumentError, match="photographs: come with a claim"):
        check_command(FindingCommand(1, step, "why", photographs=("0" * 64,)), OPERATOR)


@pytest.mark.parametrize("step", sorted(set(Step) - set(ROLES)))
def test_what_only_the_engine_does_nobody_can_ask_for(harness: LedgerHarness, step: Step) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{step}' is not a command; allowed: acknowledged, claimed"):
        harness.act(step, OPERATOR)


def test_a_reason_longer_than_the_ledger_keeps_is_refused(harness: LedgerHarness) -> None:
    with pytest.raises(InvalidArgumentError, match="501 characters; allowed: at most 500"):
        harness.act(Step.ACKNOWLEDGED, why="x" * 501)
    with pytest.raises(InvalidArgumentError, match="request_id: 65 characters"):
        harness.act(Step.ACKNOWLEDGED, request_id="x" * 65)


def test_who_has_not_seen_the_latest_event_does_not_overrule_it(harness: LedgerHarness) -> None:
    harness.act(Step.ACKNOWLEDGED, number=1)
    with pytest.raises(ConflictError, match="its latest event is number 2, not 1: it is acknowledged now; read it"):
        harness.act(Step.DISMISSED, OPERATOR, number=1)
    assert harness.act(Step.DISMISSED, OPERATOR, number=2) == [Step.DISMISSED]


def test_what_has_been_done_already_is_a_conflict_that_says_so(harness: LedgerHarness) -> None:
    harness.act(Step.ACKNOWLEDGED)
    with pytest.raises(StateError, match="is acknowledged already"):
        harness.act(Step.ACKNOWLEDGED)
    harness.act(Step.SUPERVISED, OPERATOR)
    with pytest.raises(StateError, match="is supervised already"):
        harness.act(Step.SUPERVISED, OPERATOR)
    harness.act(Step.CLAIMED)
    with pytest.raises(StateError, match="is rectified, claimed by wang; wait for the re-check"):
        harness.act(Step.CLAIMED)


def test_a_request_sent_again_is_the_same_command(harness: LedgerHarness) -> None:
    assert harness.act(Step.CLAIMED, request_id="r1") == [Step.CLAIMED]
    assert harness.act(Step.CLAIMED, request_id="r1") == []
    assert harness.log[-1].request_id == "r1"
    with pytest.raises(InvalidArgumentError, match="request_id: 'r1' was claimed of findings/1"):
        harness.act(Step.DISMISSED, INSPECTOR, request_id="r1")


@pytest.mark.parametrize(
    ("settings", "kind", "allowed"),
    [
        ({}, FaultKind.NOISY, True),  # cosmetic
        ({}, FaultKind.BLURRED, False),  # impaired
        ({}, COVERED, False),  # blind
        ({"inspector_dismiss_severity": "impaired"}, FaultKind.BLURRED, True),
        ({"inspector_dismiss_severity": "impaired"}, COVERED, False),
        ({"inspector_dismiss_severity": "blind"}, COVERED, True),
        ({"inspector_dismiss_severity": "never"}, FaultKind.NOISY, False),
        ({"inspector_dismiss_severity": "never", "inspector_dismiss_kinds": ["covered"]}, COVERED, True),
        ({"inspector_dismiss_kinds": ["moved", "offline"]}, COVERED, False),
    ],
)
def test_an_inspector_dismisses_what_the_policy_allows(settings: Any, kind: FaultKind, allowed: bool) -> None:
    harness = LedgerHarness(**settings)
    severity = severity_of_kinds([kind])
    harness.observe(kind)
    if allowed:
        assert harness.act(Step.DISMISSED, INSPECTOR, why="a reflection") == [Step.DISMISSED]
        assert (harness.log[-1].who, harness.log[-1].role) == ("wang", "inspector")
        return
    with pytest.raises(DeniedError, match="ask someone with that role") as caught:
        harness.act(Step.DISMISSED, INSPECTOR, why="a reflection")
    assert caught.value.metadata == {
        "role_needed": "operator", "role": "inspector", "finding": "findings/1", "severity": str(severity),
    }  # fmt: skip
    assert harness.act(Step.DISMISSED, OPERATOR, why="a reflection") == [Step.DISMISSED]


def test_a_refusal_names_the_state_for_programs(harness: LedgerHarness) -> None:
    harness.act(Step.CLAIMED)
    with pytest.raises(StateError) as claimed:
        harness.act(Step.CLAIMED)
    assert claimed.value.error_reason is ErrorReason.FINDING_ALREADY_CLAIMED
    assert claimed.value.metadata == {"finding": "findings/1", "state": "rectified", "claimed_by": "wang"}
    with pytest.raises(ConflictError) as stale:
        harness.act(Step.CLAIMED, number=1)
    assert stale.value.error_reason is ErrorReason.FINDING_CHANGED
    assert stale.value.metadata["expected_number"] == "1"
    assert stale.value.metadata["number"] == "2"


def test_two_callers_may_have_the_same_request_id(harness: LedgerHarness) -> None:
    harness.act(Step.ACKNOWLEDGED, request_id="1")
    assert harness.act(Step.SUPERVISED, OPERATOR, request_id="1") == [Step.SUPERVISED]


def test_a_command_that_was_refused_may_be_sent_again_with_its_request_id(harness: LedgerHarness) -> None:
    with pytest.raises(InvalidArgumentError):
        harness.act(Step.CLOSED, OPERATOR, why="", request_id="r1")
    assert harness.act(Step.CLOSED, OPERATOR, why="agreed", request_id="r1") == [Step.CLOSED]


def test_only_so_many_request_ids_are_remembered(harness: LedgerHarness) -> None:
    for number in range(REQUESTS_MAX + 10):
        harness.act(Step.CLAIMED, request_id=f"r{number}")
        harness.observe(COVERED)
        harness.observe(COVERED)
    assert harness.ledger.requests_held == REQUESTS_MAX


def test_every_event_says_who_and_in_what_role(harness: LedgerHarness) -> None:
    harness.act(Step.CLAIMED, why="lens cleaned")
    opened, claimed = harness.log
    assert (opened.who, opened.role) == (ENGINE.name, "")
    assert (claimed.who, claimed.role, claimed.why) == ("wang", "inspector", "lens cleaned")


def test_a_log_with_a_gap_or_something_after_the_end_is_no_ledger(harness: LedgerHarness) -> None:
    harness.act(Step.ACKNOWLEDGED)
    harness.act(Step.CLOSED, OPERATOR)
    opened, acknowledged, closed = harness.log
    with pytest.raises(LedgerError, match=r"event 3 \(closed\) of finding 1 comes after event 1"):
        replay([opened, closed])
    with pytest.raises(LedgerError, match="comes after no event"):
        apply(None, acknowledged)
    with pytest.raises(LedgerError, match="opened by event 1; it is opened once"):
        replay([opened, opened])
    with pytest.raises(LedgerError, match="comes after it was closed"):
        replay([*harness.log, LedgerEvent(1, 4, Step.CLAIMED, closed.at_wall_ns, "wang")])


def test_a_replay_to_a_moment_is_what_was_known_then(harness: LedgerHarness) -> None:
    moments = [(harness.now_ns, harness.finding())]
    for step, actor in ((Step.ACKNOWLEDGED, INSPECTOR), (Step.SUPERVISED, OPERATOR), (Step.DISMISSED, OPERATOR)):
        harness.now_ns += 1
        harness.act(step, actor)
        moments.append((harness.now_ns, harness.finding()))
    assert moments[-1][1].state is FindingState.DISMISSED
    for at_ns, then in moments:
        assert replay(harness.log, at_ns) == {1: then}
    assert replay(harness.log, moments[0][0] - 1) == {}
