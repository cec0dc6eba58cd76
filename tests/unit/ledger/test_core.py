"""The ledger: what opens a finding, what becomes of it, and what never does."""

import pytest

from engine.model.findings import FindingState, Level, Step
from engine.model.verdict import Cause, FaultKind, Severity, State
from tests.support.ledgers import HOUR, INSPECTOR, MINUTE, OPERATOR, Desk, camera

COVERED, PARTLY, GREASE, BLURRED = FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.GREASE, FaultKind.BLURRED


def test_an_announced_fault_opens_a_finding_with_level_and_deadline_of_the_policy() -> None:
    desk = Desk()
    assert desk.look(COVERED) == [Step.OPENED]
    finding = desk.finding()
    assert (finding.state, finding.severity, finding.level) == (FindingState.OPEN, Severity.BLIND, Level.SCHOOL)
    assert finding.deadline_wall_ns == finding.opened_wall_ns + 24 * HOUR
    subject = finding.subject
    assert (subject.camera_id, subject.cause_key, subject.region) == ("c1", "covered", "130102")


def test_the_longest_region_that_says_something_decides() -> None:
    regions = [
        {"region": "13", "blind_hours": {"school": 9}, "first_level": {"blind": "county"}},
        {"region": "1301", "blind_hours": {"county": 3}},
        {"region": "130199", "blind_hours": {"county": 1}},
    ]
    desk = Desk(regions=regions)
    desk.look(COVERED)
    assert desk.finding().level is Level.COUNTY
    assert desk.finding().deadline_wall_ns == desk.now_ns + 3 * HOUR
    desk.look(COVERED, at=camera("c2", "1402"))
    assert desk.finding(2).deadline_wall_ns == desk.now_ns + 24 * HOUR


def test_what_is_seen_but_not_announced_opens_nothing() -> None:
    desk = Desk()
    assert desk.look(COVERED, announced=()) == []
    assert desk.look(state=State.UNKNOWN) == []


def test_what_is_announced_but_not_seen_any_more_opens_nothing() -> None:
    assert Desk().look(announced=(COVERED,)) == []


def test_a_fault_that_flaps_is_one_finding() -> None:
    desk = Desk()
    for _ in range(20):
        desk.look(COVERED)
        desk.look(announced=(COVERED,))
        desk.look(announced=(), since_h=0.02)
    assert [event.step for event in desk.log] == [Step.OPENED]


def test_kinds_that_pass_into_one_another_and_causes_that_change_are_one_finding() -> None:
    desk = Desk()
    desk.look(BLURRED, cause=Cause.DEFOCUS)
    desk.look(GREASE, cause=Cause.GREASE)
    desk.look(BLURRED)
    assert desk.finding().subject.cause_key == "blurred/defocus"
    assert len(desk.log) == 1


def test_faults_of_different_families_are_findings_of_their_own() -> None:
    desk = Desk()
    desk.look(GREASE, FaultKind.COLOUR_CAST)
    assert {desk.finding(1).subject.cause_key, desk.finding(2).subject.cause_key} == {"grease", "colour_cast"}
    assert desk.finding(2).severity is Severity.COSMETIC


def test_a_black_picture_without_signal_is_one_finding() -> None:
    desk = Desk()
    assert desk.look(FaultKind.TOO_DARK, FaultKind.SIGNAL_LOSS) == [Step.OPENED]
    assert desk.finding().subject.cause_key == "signal_loss"


def test_a_fault_that_grows_worse_has_less_time_and_one_that_grows_milder_keeps_what_it_has() -> None:
    desk = Desk()
    desk.look(PARTLY)
    assert desk.finding().severity is Severity.IMPAIRED
    assert desk.look(COVERED) == [Step.CHANGED]
    worse = desk.finding()
    assert (worse.severity, worse.deadline_wall_ns) == (Severity.BLIND, desk.now_ns + 24 * HOUR)
    assert desk.look(PARTLY) == []
    assert desk.finding() == worse


def test_growing_worse_never_puts_a_deadline_off() -> None:
    desk = Desk()
    desk.look(PARTLY)
    deadline_ns = desk.finding().deadline_wall_ns
    desk.wait(60 * HOUR)
    desk.look(COVERED)
    assert desk.finding().deadline_wall_ns == deadline_ns


def test_a_camera_offline_is_a_finding_after_the_time_that_outages_take() -> None:
    desk = Desk()
    assert desk.look(state=State.OFFLINE, since_h=0.1) == []
    assert desk.look(state=State.OFFLINE, since_h=0.6) == [Step.OPENED]
    assert desk.finding().subject.cause_key == "offline"
    assert desk.finding().severity is Severity.BLIND


def test_a_notice_that_arrived_makes_it_notified_once() -> None:
    desk = Desk()
    desk.look(COVERED)
    assert desk.take(desk.ledger.record_delivery(1, "county", desk.now_ns)) == [Step.NOTIFIED]
    assert desk.finding().state is FindingState.NOTIFIED
    assert desk.take(desk.ledger.record_delivery(1, "county", desk.now_ns)) == []
    assert desk.take(desk.ledger.record_delivery(99, "county", desk.now_ns)) == []


def test_deadlines_that_pass_carry_it_up_level_by_level_each_with_a_time_of_its_own() -> None:
    desk = Desk()
    desk.look(COVERED)
    opened_ns = desk.now_ns
    assert desk.wait(24 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED]
    county = desk.finding()
    assert (county.level, county.state, county.overdue) == (Level.COUNTY, FindingState.OVERDUE, False)
    assert county.deadline_wall_ns == opened_ns + 48 * HOUR
    assert desk.wait(24 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED, Step.SUPERVISED]
    assert (desk.finding().level, desk.finding().state) == (Level.CITY, FindingState.SUPERVISED)
    assert desk.wait(48 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED]
    assert desk.wait(500 * HOUR) == [Step.FELL_OVERDUE]
    last = desk.finding()
    assert (last.level, last.state, last.overdue) == (Level.PROVINCE, FindingState.SUPERVISED, True)
    assert desk.ledger.next_wakeup_wall_ns() is None


def test_after_a_long_stop_every_level_still_has_its_time() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.now_ns += 1000 * HOUR
    assert desk.take(desk.ledger.tick(desk.now_ns)) == [Step.FELL_OVERDUE, Step.ESCALATED]
    assert desk.finding().deadline_wall_ns == desk.now_ns + 24 * HOUR


def test_many_deadlines_at_once_are_dealt_with_in_turns() -> None:
    desk = Desk()
    for number in range(250):
        desk.look(COVERED, at=camera(f"c{number}"))
    desk.now_ns += 100 * HOUR
    turns = [len(desk.ledger.tick(desk.now_ns)) for _ in range(4)]
    assert turns == [200, 200, 100, 0]


def test_acknowledged_by_the_next_level_it_is_overdue_no_more() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.wait(25 * HOUR)
    desk.act(Step.ACKNOWLEDGED)
    assert (desk.finding().state, desk.finding().level) == (FindingState.ACKNOWLEDGED, Level.COUNTY)


def test_supervised_by_a_decision_it_stays_so_through_a_deadline() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.act(Step.SUPERVISED, OPERATOR, why="again the same canteen")
    desk.wait(25 * HOUR)
    finding = desk.finding()
    assert (finding.state, finding.supervised, finding.level) == (FindingState.SUPERVISED, True, Level.COUNTY)


def test_a_decision_closes_it_and_it_is_no_news_until_its_announcement_has_ended() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.act(Step.DISMISSED, OPERATOR, why="the kitchen is being rebuilt")
    assert desk.finding().state is FindingState.DISMISSED
    assert desk.look(COVERED) == []
    assert desk.look(announced=()) == []
    assert desk.look(COVERED) == [Step.OPENED]


def test_a_decision_on_one_fault_hides_no_other() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.act(Step.CLOSED, OPERATOR, why="agreed with the county")
    assert desk.look(COVERED, FaultKind.COLOUR_CAST) == [Step.OPENED]
    assert desk.finding(2).subject.cause_key == "colour_cast"


def test_new_settings_are_for_what_begins_from_now_on() -> None:
    desk = Desk()
    desk.look(COVERED)
    before = desk.finding().deadline_wall_ns
    desk.configure(blind_hours={"school": 1, "county": 2, "city": 3, "province": 4})
    assert desk.finding().deadline_wall_ns == before
    desk.look(COVERED, at=camera("c2"))
    assert desk.finding(2).deadline_wall_ns == desk.now_ns + HOUR


@pytest.mark.parametrize("gone_back_h", [1, 24, 365 * 24])
def test_a_clock_that_goes_back_turns_no_event_around(gone_back_h: int) -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.now_ns -= gone_back_h * HOUR
    desk.act(Step.CLAIMED)
    desk.look()
    desk.look()
    finding = desk.finding()
    assert finding.state is FindingState.CLOSED
    assert finding.changed_wall_ns >= finding.opened_wall_ns
    assert [event.at_wall_ns for event in desk.log] == sorted(event.at_wall_ns for event in desk.log)


def test_a_clock_that_goes_back_makes_no_recheck_wait_for_it() -> None:
    desk = Desk()
    desk.look(COVERED)
    desk.act(Step.CLAIMED, INSPECTOR)
    desk.wanted.clear()
    desk.now_ns -= 100 * HOUR
    desk.take(desk.ledger.tick(desk.now_ns))
    desk.look()
    assert desk.finding().state is FindingState.RECHECKING
    desk.wait(MINUTE)
    assert desk.wanted
