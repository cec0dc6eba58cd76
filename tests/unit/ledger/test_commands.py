"""What people may do to a finding, and what they are told where they may not."""

import pytest

from engine.errors import ConflictError, DeniedError, InvalidArgumentError, LedgerError, StateError
from engine.ledger.commands import ROLES
from engine.ledger.projection import apply, replay
from engine.ledger.requests import REQUESTS_MAX
from engine.model.access import ENGINE, Actor
from engine.model.findings import FindingState, LedgerEvent, Step
from engine.model.verdict import FaultKind
from tests.support.ledgers import INSPECTOR, OPERATOR, VIEWER, Desk

COVERED = FaultKind.COVERED


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.look(COVERED)
    return made


@pytest.mark.parametrize(
    ("step", "actor"),
    [
        (Step.ACKNOWLEDGED, VIEWER),
        (Step.CLAIMED, VIEWER),
        (Step.SUPERVISED, INSPECTOR),
        (Step.CLOSED, INSPECTOR),
        (Step.DISMISSED, INSPECTOR),
    ],
)
def test_a_role_that_is_too_low_is_told_which_it_takes(desk: Desk, step: Step, actor: Actor) -> None:
    with pytest.raises(DeniedError, match=f"{actor.name} is {actor.role}; {step} needs"):
        desk.act(step, actor)
    assert len(desk.log) == 1


@pytest.mark.parametrize("step", [Step.SUPERVISED, Step.CLOSED, Step.DISMISSED])
def test_a_decision_without_a_reason_is_none(desk: Desk, step: Step) -> None:
    with pytest.raises(InvalidArgumentError, match="why: is empty"):
        desk.act(step, OPERATOR, why="  ")


@pytest.mark.parametrize("step", sorted(set(Step) - set(ROLES)))
def test_what_only_the_engine_does_nobody_can_ask_for(desk: Desk, step: Step) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{step}' is not a command; allowed: acknowledged, claimed"):
        desk.act(step, OPERATOR)


def test_a_reason_longer_than_the_ledger_keeps_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidArgumentError, match="501 characters; allowed: at most 500"):
        desk.act(Step.ACKNOWLEDGED, why="x" * 501)
    with pytest.raises(InvalidArgumentError, match="request_id: 65 characters"):
        desk.act(Step.ACKNOWLEDGED, request_id="x" * 65)


def test_who_has_not_seen_the_latest_event_does_not_overrule_it(desk: Desk) -> None:
    desk.act(Step.ACKNOWLEDGED, number=1)
    with pytest.raises(ConflictError, match="its latest event is number 2, not 1: it is acknowledged now; read it"):
        desk.act(Step.DISMISSED, OPERATOR, number=1)
    assert desk.act(Step.DISMISSED, OPERATOR, number=2) == [Step.DISMISSED]


def test_what_has_been_done_already_is_a_conflict_that_says_so(desk: Desk) -> None:
    desk.act(Step.ACKNOWLEDGED)
    with pytest.raises(StateError, match="is acknowledged already"):
        desk.act(Step.ACKNOWLEDGED)
    desk.act(Step.SUPERVISED, OPERATOR)
    with pytest.raises(StateError, match="is supervised already"):
        desk.act(Step.SUPERVISED, OPERATOR)
    desk.act(Step.CLAIMED)
    with pytest.raises(StateError, match="is rectified, claimed by wang; wait for the re-check"):
        desk.act(Step.CLAIMED)


def test_a_request_sent_again_is_the_same_command(desk: Desk) -> None:
    assert desk.act(Step.CLAIMED, request_id="r1") == [Step.CLAIMED]
    assert desk.act(Step.CLAIMED, request_id="r1") == []
    assert desk.log[-1].request_id == "r1"
    with pytest.raises(ConflictError, match="request_id 'r1' was claimed of findings/1"):
        desk.act(Step.DISMISSED, INSPECTOR, request_id="r1")


def test_two_callers_may_have_the_same_request_id(desk: Desk) -> None:
    desk.act(Step.ACKNOWLEDGED, request_id="1")
    assert desk.act(Step.SUPERVISED, OPERATOR, request_id="1") == [Step.SUPERVISED]


def test_a_command_that_was_refused_may_be_sent_again_with_its_request_id(desk: Desk) -> None:
    with pytest.raises(InvalidArgumentError):
        desk.act(Step.CLOSED, OPERATOR, why="", request_id="r1")
    assert desk.act(Step.CLOSED, OPERATOR, why="agreed", request_id="r1") == [Step.CLOSED]


def test_only_so_many_request_ids_are_remembered(desk: Desk) -> None:
    for number in range(REQUESTS_MAX + 10):
        desk.act(Step.CLAIMED, request_id=f"r{number}")
        desk.look(COVERED)
        desk.look(COVERED)
    assert desk.ledger.requests_held == REQUESTS_MAX


def test_every_event_says_who_and_in_what_role(desk: Desk) -> None:
    desk.act(Step.CLAIMED, why="lens cleaned")
    opened, claimed = desk.log
    assert (opened.who, opened.role) == (ENGINE.name, "")
    assert (claimed.who, claimed.role, claimed.why) == ("wang", "inspector", "lens cleaned")


def test_a_log_with_a_gap_or_something_after_the_end_is_no_ledger(desk: Desk) -> None:
    desk.act(Step.ACKNOWLEDGED)
    desk.act(Step.CLOSED, OPERATOR)
    opened, acknowledged, closed = desk.log
    with pytest.raises(LedgerError, match=r"event 3 \(closed\) of finding 1 comes after event 1"):
        replay([opened, closed])
    with pytest.raises(LedgerError, match="comes after no event"):
        apply(None, acknowledged)
    with pytest.raises(LedgerError, match="opened by event 1; it is opened once"):
        replay([opened, opened])
    with pytest.raises(LedgerError, match="comes after it was closed"):
        replay([*desk.log, LedgerEvent(1, 4, Step.CLAIMED, closed.at_wall_ns, "wang")])


def test_a_replay_to_a_moment_is_what_was_known_then(desk: Desk) -> None:
    moments = [(desk.now_ns, desk.finding())]
    for step, actor in ((Step.ACKNOWLEDGED, INSPECTOR), (Step.SUPERVISED, OPERATOR), (Step.DISMISSED, OPERATOR)):
        desk.now_ns += 1
        desk.act(step, actor)
        moments.append((desk.now_ns, desk.finding()))
    assert moments[-1][1].state is FindingState.DISMISSED
    for at_ns, then in moments:
        assert replay(desk.log, at_ns) == {1: then}
    assert replay(desk.log, moments[0][0] - 1) == {}
