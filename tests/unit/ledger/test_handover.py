"""A camera that changes its shard takes its open findings from one ledger to another."""

from engine.ledger.core import Ledger
from engine.ledger.invariants import check_invariants
from engine.model.findings import FindingCommand, FindingState, Step
from engine.model.verdict import FaultKind
from tests.support.ledger.ledgers import HOUR, INSPECTOR, LedgerHarness, camera


def test_findings_go_on_in_the_other_ledger_as_they_were() -> None:
    here = LedgerHarness()
    here.observe(FaultKind.COVERED)
    here.observe(FaultKind.GREASE, at=camera("c2"))
    claimed, _ = here.ledger.execute(FindingCommand(1, Step.CLAIMED, "done"), INSPECTOR, here.now_ns)
    there = Ledger(here.settings, here.now_ns)
    there.adopt([claimed])
    here.ledger.release(["c1", "unknown"])
    for ledger in (here.ledger, there):
        check_invariants(ledger)
    assert set(here.ledger.findings) == {2}
    assert there.findings == {1: claimed}
    assert there.rechecked_ids == {1}, "its claim is re-checked there"
    assert there.next_wakeup_wall_ns() == here.now_ns
    here.ledger.tick(here.now_ns + 1000 * HOUR)  # the wake-ups of what it holds no more do no harm
    assert here.ledger.findings[2].state is FindingState.OVERDUE
    check_invariants(here.ledger)


def test_a_finding_that_is_held_already_stays_as_it_is() -> None:
    harness = LedgerHarness()
    harness.observe(FaultKind.COVERED)
    before = harness.ledger.findings[1]
    after, _ = harness.ledger.execute(FindingCommand(1, Step.ACKNOWLEDGED, ""), INSPECTOR, harness.now_ns)
    harness.ledger.adopt([before])
    assert harness.ledger.findings[1] == after
    assert after.state is FindingState.ACKNOWLEDGED
    check_invariants(harness.ledger)
