"""Checks the invariants of a ledger: after every step of its property tests, and when the engine stops. Pure."""

from collections import Counter

from engine.ledger.core import Ledger
from engine.ledger.recheck import NEVER_NS
from engine.ledger.requests import REQUESTS_MAX
from engine.ledger.wakeups import WAKEUP_SLACK
from engine.model.faults import family_of_cause_key
from engine.model.findings import Finding, FindingState, FindingTally

_STANDINGS = {
    FindingState.OPEN,
    FindingState.NOTIFIED,
    FindingState.ACKNOWLEDGED,
    FindingState.OVERDUE,
    FindingState.SUPERVISED,
}


class LedgerInvariantError(AssertionError):
    """Raised when an invariant of the ledger is broken; the message says which."""


def check_invariants(ledger: Ledger) -> None:
    """Raise LedgerInvariantError if findings, indexes, counts and wake-ups are inconsistent."""
    held: Counter[tuple[str, str]] = Counter()
    counts: Counter[FindingTally] = Counter()
    due: dict[int, int] = {}
    for finding_id, finding in ledger.findings.items():
        _check_finding(finding_id, finding)
        held[finding.subject.camera_id, family_of_cause_key(finding.subject.cause_key)] += 1
        counts[finding.tally] += 1
        due_ns = ledger.due_wall_ns(finding_id)
        if due_ns != NEVER_NS:
            due[finding_id] = due_ns
        elif not finding.overdue:
            raise LedgerInvariantError(f"finding {finding_id} ({finding.state}) has no deadline, but is not overdue")
    if any(number > 1 for number in held.values()):
        raise LedgerInvariantError(f"two open findings of one camera and fault: {held.most_common(1)}")
    index = {
        (camera_id, family): finding_id
        for camera_id in {finding.subject.camera_id for finding in ledger.findings.values()}
        for family, finding_id in ledger.findings_of(camera_id).items()
    }
    if set(index) != set(held) or set(index.values()) != set(ledger.findings):
        raise LedgerInvariantError("the index by camera and the findings differ")
    if counts != +ledger.counts:
        raise LedgerInvariantError(f"counted {dict(+ledger.counts)}, there are {dict(counts)}")
    claimed = {finding_id for finding_id, finding in ledger.findings.items() if finding.state.claimed}
    if claimed != ledger.rechecked_ids:
        raise LedgerInvariantError(f"claimed {sorted(claimed)}, re-checked {sorted(ledger.rechecked_ids)}")
    wakeups = set(ledger.wakeups.entries)
    for finding_id, due_ns in due.items():
        if (due_ns, finding_id) not in wakeups:
            raise LedgerInvariantError(f"finding {finding_id} is due at {due_ns}, but has no wake-up")
    if len(ledger.wakeups.entries) > 2 * len(ledger.findings) + WAKEUP_SLACK:
        raise LedgerInvariantError(f"{len(ledger.wakeups.entries)} wake-ups for {len(ledger.findings)} findings")
    if ledger.requests_held > REQUESTS_MAX:
        raise LedgerInvariantError(f"{ledger.requests_held} request ids are held; allowed: at most {REQUESTS_MAX}")


def _check_finding(finding_id: int, finding: Finding) -> None:
    if finding.finding_id != finding_id or finding.number < 1:
        raise LedgerInvariantError(f"finding {finding_id} has id {finding.finding_id}, event {finding.number}")
    if finding.state.ended:
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state} but still held")
    if finding.standing not in _STANDINGS or not (finding.state.claimed or finding.state is finding.standing):
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state} and stands {finding.standing}")
    if bool(finding.claimed_by) is not finding.state.claimed:
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state}, claimed by {finding.claimed_by!r}")
    if finding.standing is FindingState.SUPERVISED and not finding.supervised:
        raise LedgerInvariantError(f"finding {finding_id} stands supervised, and is not")
    if finding.changed_wall_ns < finding.opened_wall_ns:
        raise LedgerInvariantError(f"finding {finding_id} changed before it was opened")
