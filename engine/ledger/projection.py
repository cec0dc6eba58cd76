"""Applies events to findings: the only code that says what an event does, in the live ledger and in a replay. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from engine.errors import LedgerError
from engine.model.findings import Finding, FindingState, LedgerEvent, Step


def apply(finding: Finding | None, event: LedgerEvent) -> Finding:
    """Return the finding after an event. `finding`: before it; None for the opening event.

    Raises LedgerError if the event is out of order, or comes after the finding ended, unless it undoes a dismissal.
    """
    if event.step is Step.OPENED:
        return _open(finding, event)
    if finding is None or event.number != finding.number + 1:
        before = "no event" if finding is None else f"event {finding.number}"
        raise LedgerError(
            f"event {event.number} ({event.step}) of finding {event.finding_id} comes after {before}; events of a "
            "finding are numbered 1, 2, ...: give all of them, in order"
        )
    if finding.state.ended and (event.step, finding.state) != (Step.REOPENED, FindingState.DISMISSED):
        raise LedgerError(
            f"event {event.number} ({event.step}) of finding {event.finding_id} comes after it was {finding.state}; "
            "nothing happens to a finding that ended, but that its dismissal is undone"
        )
    if event.step is Step.REOPENED and not finding.state.ended:
        raise LedgerError(
            f"event {event.number} of finding {event.finding_id} reopens it while it is {finding.state}; only a "
            "dismissal is undone"
        )
    after = replace(
        finding,
        number=event.number,
        changed_wall_ns=event.at_wall_ns,
        severity=event.severity or finding.severity,
        level=event.level or finding.level,
    )
    if event.deadline_wall_ns is not None:
        after = replace(after, deadline_wall_ns=event.deadline_wall_ns, overdue=False)
    return _apply_step(after, event)


def replay(events: Iterable[LedgerEvent], until_wall_ns: int | None = None) -> dict[int, Finding]:
    """Return all findings by id, ended ones included, as they were after the events up to and at `until_wall_ns`.

    `events`: each finding's in the order of their numbers. `until_wall_ns`: None applies all events. Raises LedgerError
    if an event is missing or out of order.
    """
    findings: dict[int, Finding] = {}
    for event in events:
        if until_wall_ns is None or event.at_wall_ns <= until_wall_ns:
            findings[event.finding_id] = apply(findings.get(event.finding_id), event)
    return findings


def _open(finding: Finding | None, event: LedgerEvent) -> Finding:
    if finding is not None or event.number != 1:
        raise LedgerError(
            f"finding {event.finding_id} is opened by event {event.number}; it is opened once, by event 1"
        )
    if event.subject is None or event.severity is None or event.level is None or event.deadline_wall_ns is None:
        raise LedgerError(
            f"the opening of finding {event.finding_id} lacks subject, severity, level or deadline; it must have all"
        )
    return Finding(
        finding_id=event.finding_id,
        subject=event.subject,
        state=FindingState.OPEN,
        severity=event.severity,
        level=event.level,
        deadline_wall_ns=event.deadline_wall_ns,
        opened_wall_ns=event.at_wall_ns,
        changed_wall_ns=event.at_wall_ns,
    )


def _apply_step(finding: Finding, event: LedgerEvent) -> Finding:
    """Return the finding with the state, standing and marks that the step gives it."""
    standing = finding.standing
    match event.step:
        case Step.CLAIMED:
            # A person who claims also acknowledges; a claim of the engine (which has no role) does not.
            if event.role and standing in (FindingState.OPEN, FindingState.NOTIFIED):
                standing = FindingState.ACKNOWLEDGED
            return replace(
                finding,
                state=FindingState.RECTIFIED,
                standing=standing,
                claims=finding.claims + 1,
                claimed_by=event.who,
            )
        case Step.RECHECK_BEGUN:
            return replace(finding, state=FindingState.RECHECKING)
        case Step.RECHECK_FAILED:
            return replace(finding, state=standing, claimed_by="")
        case Step.CLOSED:
            return replace(finding, state=FindingState.CLOSED)
        case Step.DISMISSED:
            return replace(finding, state=FindingState.DISMISSED)
        case Step.REOPENED:
            # The claim that was made before the dismissal is still there, and its re-check begins anew.
            return replace(finding, state=FindingState.RECTIFIED if finding.claimed_by else standing)
        case Step.NOTIFIED if standing is FindingState.OPEN:
            standing = FindingState.NOTIFIED
        case Step.ACKNOWLEDGED:
            standing = FindingState.ACKNOWLEDGED
        case Step.FELL_OVERDUE:
            standing = FindingState.SUPERVISED if finding.supervised else FindingState.OVERDUE
            finding = replace(finding, overdue=True)
        case Step.SUPERVISED:
            standing = FindingState.SUPERVISED
            finding = replace(finding, supervised=True)
    return replace(finding, standing=standing, state=finding.state if finding.state.claimed else standing)
