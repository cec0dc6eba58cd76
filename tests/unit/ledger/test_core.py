"""The ledger: what opens a finding, what becomes of it, and what never does."""

import pytest

from engine.model.findings import FindingState, Level, Step
from engine.model.verdict import Cause, FaultKind, Severity, State
from tests.support.ledger.ledgers import HOUR, INSPECTOR, MINUTE, OPERATOR, LedgerHarness, camera

COVERED, PARTLY, GREASE, BLURRED = FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.GREASE, FaultKind.BLURRED


def test_an_announced_fault_opens_a_finding_with_level_and_deadline_of_the_policy() -> None:
    harness = LedgerHarness()
    assert harness.observe(COVERED) == [Step.OPENED]
    finding = harness.finding()
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
    harness = LedgerHarness(regions=regions)
    harness.observe(COVERED)
    assert harness.finding().level is Level.COUNTY
    assert harness.finding().deadline_wall_ns == harness.now_ns + 3 * HOUR
    harness.observe(COVERED, at=camera("c2", "1402"))
    assert harness.finding(2).deadline_wall_ns == harness.now_ns + 24 * HOUR


def test_what_is_seen_but_not_announced_opens_nothing() -> None:
    harness = LedgerHarness()
    assert harness.observe(COVERED, announced=()) == []
    assert harness.observe(state=State.UNKNOWN) == []


def test_what_is_announced_but_not_seen_any_more_opens_nothing() -> None:
    assert LedgerHarness().observe(announced=(COVERED,)) == []


def test_a_fault_that_flaps_is_one_finding() -> None:
    harness = LedgerHarness()
    for _ in range(20):
        harness.observe(COVERED)
        harness.observe(announced=(COVERED,))
        harness.observe(announced=(), since_h=0.02)
    assert [event.step for event in harness.log] == [Step.OPENED]


def test_kinds_that_pass_into_one_another_and_causes_that_change_are_one_finding() -> None:
    harness = LedgerHarness()
    harness.observe(BLURRED, cause=Cause.DEFOCUS)
    harness.observe(GREASE, cause=Cause.GREASE)
    harness.observe(BLURRED)
    assert harness.finding().subject.cause_key == "blurred/defocus"
    assert len(harness.log) == 1


def test_faults_of_different_families_are_findings_of_their_own() -> None:
    harness = LedgerHarness()
    harness.observe(GREASE, FaultKind.COLOUR_CAST)
    assert {harness.finding(1).subject.cause_key, harness.finding(2).subject.cause_key} == {"grease", "colour_cast"}
    assert harness.finding(2).severity is Severity.COSMETIC


def test_a_black_picture_without_signal_is_one_finding() -> None:
    harness = LedgerHarness()
    assert harness.observe(FaultKind.TOO_DARK, FaultKind.SIGNAL_LOSS) == [Step.OPENED]
    assert harness.finding().subject.cause_key == "signal_loss"


def test_a_fault_that_grows_worse_has_less_time_and_one_that_grows_milder_keeps_what_it_has() -> None:
    harness = LedgerHarness()
    harness.observe(PARTLY)
    assert harness.finding().severity is Severity.IMPAIRED
    assert harness.observe(COVERED) == [Step.CHANGED]
    worse = harness.finding()
    assert (worse.severity, worse.deadline_wall_ns) == (Severity.BLIND, harness.now_ns + 24 * HOUR)
    assert harness.observe(PARTLY) == []
    assert harness.finding() == worse


def test_growing_worse_never_puts_a_deadline_off() -> None:
    harness = LedgerHarness()
    harness.observe(PARTLY)
    deadline_ns = harness.finding().deadline_wall_ns
    harness.wait(60 * HOUR)
    harness.observe(COVERED)
    assert harness.finding().deadline_wall_ns == deadline_ns


def test_a_camera_offline_is_a_finding_after_the_time_that_outages_take() -> None:
    harness = LedgerHarness()
    assert harness.observe(state=State.OFFLINE, since_h=0.1) == []
    assert harness.observe(state=State.OFFLINE, since_h=0.6) == [Step.OPENED]
    assert harness.finding().subject.cause_key == "offline"
    assert harness.finding().severity is Severity.BLIND


def test_a_notice_that_arrived_makes_it_notified_once() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    assert harness.record(harness.ledger.record_delivery(1, "county", harness.now_ns)) == [Step.NOTIFIED]
    assert harness.finding().state is FindingState.NOTIFIED
    assert harness.record(harness.ledger.record_delivery(1, "county", harness.now_ns)) == []
    assert harness.record(harness.ledger.record_delivery(99, "county", harness.now_ns)) == []


def test_deadlines_that_pass_carry_it_up_level_by_level_each_with_a_time_of_its_own() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    opened_ns = harness.now_ns
    assert harness.wait(24 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED]
    county = harness.finding()
    assert (county.level, county.state, county.overdue) == (Level.COUNTY, FindingState.OVERDUE, False)
    assert county.deadline_wall_ns == opened_ns + 48 * HOUR
    assert harness.wait(24 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED, Step.SUPERVISED]
    assert (harness.finding().level, harness.finding().state) == (Level.CITY, FindingState.SUPERVISED)
    assert harness.wait(48 * HOUR) == [Step.FELL_OVERDUE, Step.ESCALATED]
    assert harness.wait(500 * HOUR) == [Step.FELL_OVERDUE]
    last = harness.finding()
    assert (last.level, last.state, last.overdue) == (Level.PROVINCE, FindingState.SUPERVISED, True)
    assert harness.ledger.next_wakeup_wall_ns() is None


def test_after_a_long_stop_every_level_still_has_its_time() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.now_ns += 1000 * HOUR
    assert harness.record(harness.ledger.tick(harness.now_ns)) == [Step.FELL_OVERDUE, Step.ESCALATED]
    assert harness.finding().deadline_wall_ns == harness.now_ns + 24 * HOUR


def test_many_deadlines_at_once_are_dealt_with_in_turns() -> None:
    harness = LedgerHarness()
    for number in range(250):
        harness.observe(COVERED, at=camera(f"c{number}"))
    harness.now_ns += 100 * HOUR
    turns = [len(harness.ledger.tick(harness.now_ns)) for _ in range(4)]
    assert turns == [200, 200, 100, 0]


def test_acknowledged_by_the_next_level_it_is_overdue_no_more() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.wait(25 * HOUR)
    harness.act(Step.ACKNOWLEDGED)
    assert (harness.finding().state, harness.finding().level) == (FindingState.ACKNOWLEDGED, Level.COUNTY)


def test_supervised_by_a_decision_it_stays_so_through_a_deadline() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.act(Step.SUPERVISED, OPERATOR, why="again the same canteen")
    harness.wait(25 * HOUR)
    finding = harness.finding()
    assert (finding.state, finding.supervised, finding.level) == (FindingState.SUPERVISED, True, Level.COUNTY)


def test_a_decision_closes_it_and_it_is_no_news_until_its_announcement_has_ended() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.act(Step.DISMISSED, OPERATOR, why="the kitchen is being rebuilt")
    assert harness.finding().state is FindingState.DISMISSED
    assert harness.observe(COVERED) == []
    assert harness.observe(announced=()) == []
    assert harness.observe(COVERED) == [Step.OPENED]


def test_a_decision_on_one_fault_hides_no_other() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.act(Step.CLOSED, OPERATOR, why="agreed with the county")
    assert harness.observe(COVERED, FaultKind.COLOUR_CAST) == [Step.OPENED]
    assert harness.finding(2).subject.cause_key == "colour_cast"


def test_new_settings_are_for_what_begins_from_now_on() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    before = harness.finding().deadline_wall_ns
    harness.configure(blind_hours={"school": 1, "county": 2, "city": 3, "province": 4})
    assert harness.finding().deadline_wall_ns == before
    harness.observe(COVERED, at=camera("c2"))
    assert harness.finding(2).deadline_wall_ns == harness.now_ns + HOUR


@pytest.mark.parametrize("gone_back_h", [1, 24, 365 * 24])
def test_a_clock_that_goes_back_turns_no_event_around(gone_back_h: int) -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.now_ns -= gone_back_h * HOUR
    harness.act(Step.CLAIMED)
    harness.observe()
    harness.observe()
    finding = harness.finding()
    assert finding.state is FindingState.CLOSED
    assert finding.changed_wall_ns >= finding.opened_wall_ns
    assert [event.at_wall_ns for event in harness.log] == sorted(event.at_wall_ns for event in harness.log)


def test_a_clock_that_goes_back_makes_no_recheck_wait_for_it() -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    harness.act(Step.CLAIMED, INSPECTOR)
    harness.rechecks.clear()
    harness.now_ns -= 100 * HOUR
    harness.record(harness.ledger.tick(harness.now_ns))
    harness.observe()
    assert harness.finding().state is FindingState.RECHECKING
    harness.wait(MINUTE)
    assert harness.rechecks
