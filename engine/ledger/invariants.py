"""What always holds of a ledger. Checked after every step of its property tests, and when the engine stops."""

from collections import Counter

from engine.ledger.core import REQUESTS_MAX, WAKEUP_SLACK, Ledger
from engine.ledger.recheck import NEVER_NS
from engine.model.faults import family_of_cause_key
from engine.model.findings import Finding, FindingState

_STANDINGS = {
    FindingState.OPEN,
    FindingState.NOTIFIED,
    FindingState.ACKNOWLEDGED,
    FindingState.OVERDUE,
    FindingState.SUPERVISED,
}


class LedgerInvariantError(AssertionError):
    """A rule of the ledger is broken; the message names it."""


def check_invariants(ledger: Ledger) -> None:
    """Raise LedgerInvariantError if the books do not balance."""
    held: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[FindingState, object]] = Counter()
    wanted: dict[int, int] = {}
    for finding_id, finding in ledger.findings.items():
        _check_finding(finding_id, finding)
        held[finding.subject.camera_id, family_of_cause_key(finding.subject.cause_key)] += 1
        counts[finding.state, finding.level] += 1
        due_ns = ledger.due_wall_ns(finding_id)
        if due_ns != NEVER_NS:
            wanted[finding_id] = due_ns
        elif not finding.overdue:
            raise LedgerInvariantError(f"nothing will ever happen to finding {finding_id} ({finding.state}) by time")
    if any(number > 1 for number in held.values()):
        raise LedgerInvariantError(f"two open findings of one camera and fault: {held.most_common(1)}")
    index = {
        (camera_id, word): finding_id
        for camera_id in {finding.subject.camera_id for finding in ledger.findings.values()}
        for word, finding_id in ledger.held_of(camera_id).items()
    }
    if set(index) != set(held) or set(index.values()) != set(ledger.findings):
        raise LedgerInvariantError("the index by camera and the findings differ")
    if counts != +ledger.counts:
        raise LedgerInvariantError(f"counted {dict(+ledger.counts)}, there are {dict(counts)}")
    claimed = {finding_id for finding_id, finding in ledger.findings.items() if finding.state.claimed}
    if claimed != ledger.rechecked:
        raise LedgerInvariantError(f"claimed {sorted(claimed)}, looked into {sorted(ledger.rechecked)}")
    armed = set(ledger.armed)
    for finding_id, due_ns in wanted.items():
        if (due_ns, finding_id) not in armed:
            raise LedgerInvariantError(f"finding {finding_id} is due at {due_ns}, and nobody will be woken for it")
    if len(ledger.armed) > 2 * len(ledger.findings) + WAKEUP_SLACK:
        raise LedgerInvariantError(f"{len(ledger.armed)} wake-ups for {len(ledger.findings)} findings")
    if ledger.requests > REQUESTS_MAX:
        raise LedgerInvariantError(f"{ledger.requests} request ids are remembered, at most {REQUESTS_MAX}")


def _check_finding(finding_id: int, finding: Finding) -> None:
    if finding.finding_id != finding_id or finding.number < 1:
        raise LedgerInvariantError(f"finding {finding_id} says that it is {finding.finding_id}, event {finding.number}")
    if finding.state.ended:
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state} and held")
    if finding.standing not in _STANDINGS or not (finding.state.claimed or finding.state is finding.standing):
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state} and stands {finding.standing}")
    if bool(finding.claimed_by) is not finding.state.claimed:
        raise LedgerInvariantError(f"finding {finding_id} is {finding.state}, claimed by {finding.claimed_by!r}")
    if finding.standing is FindingState.SUPERVISED and not finding.supervised:
        raise LedgerInvariantError(f"finding {finding_id} stands supervised, and is not")
    if finding.changed_wall_ns < finding.opened_wall_ns:
        raise LedgerInvariantError(f"finding {finding_id} changed before it was opened")
