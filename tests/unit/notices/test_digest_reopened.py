"""A digest counts a finding that was dismissed and reopened once, and as it stood at the end of the period."""

import pytest

from engine.hub.services.digest_report import cases
from engine.model.findings import Step
from engine.model.verdict import FaultKind
from engine.notices.digest import FindingsSummary
from tests.support.ledger.ledgers import HOUR, MINUTE, OPERATOR, START, LedgerHarness


@pytest.fixture
def harness() -> LedgerHarness:
    """Opened in hour 0, dismissed in hour 10, reopened in hour 30."""
    made = LedgerHarness()
    made.observe(FaultKind.COVERED)
    made.wait(10 * HOUR)
    made.act(Step.DISMISSED, OPERATOR)
    made.wait(20 * HOUR)
    made.act(Step.REOPENED, OPERATOR)
    return made


@pytest.mark.parametrize(
    ("begin_h", "end_h", "opened", "dismissed", "standing"),
    [(0, 5, 1, 0, 1), (0, 20, 1, 1, 0), (8, 20, 0, 1, 0), (0, 40, 1, 0, 1), (25, 40, 0, 0, 1)],
)
def test_it_is_counted_once(
    harness: LedgerHarness, begin_h: int, end_h: int, opened: int, dismissed: int, standing: int
) -> None:
    begin_ns, end_ns = START + begin_h * HOUR, START + end_h * HOUR
    total = FindingsSummary(cases(harness.log, end_ns), begin_ns).total
    assert (total.opened, total.dismissed, total.standing, total.closed) == (opened, dismissed, standing, 0)


def test_between_its_dismissal_and_its_reopening_there_is_nothing_to_tell(harness: LedgerHarness) -> None:
    summary = FindingsSummary(cases(harness.log, START + 25 * HOUR), START + 10 * HOUR + 5 * MINUTE)
    assert (dict(summary.by_county), dict(summary.by_canteen), summary.standing) == ({}, {}, [])
