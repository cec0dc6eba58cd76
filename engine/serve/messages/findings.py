"""Converts findings and events of the ledger to messages of patrol.v1 and back. Pure."""

from engine.model.findings import Finding, FindingQuery, FindingState, LedgerEvent, Level, Step, Subject
from engine.model.verdict import Severity
from engine.serve.messages.convert import severity_number, severity_of, timestamp, wall_ns_of
from engine.serve.messages.resource_names import camera_id_of, camera_name, number_of, numbered_name
from patrol.v1 import findings_pb2

_LEVEL_NUMBER = {level: getattr(findings_pb2, f"FINDING_LEVEL_{level.name}") for level in Level}
_STATE_NUMBER = {state: getattr(findings_pb2, f"FINDING_STATE_{state.name}") for state in FindingState}
_STEP_NUMBER = {step: getattr(findings_pb2, f"FINDING_STEP_{step.name}") for step in Step}
_LEVEL = {number: level for level, number in _LEVEL_NUMBER.items()}
_STATE = {number: state for state, number in _STATE_NUMBER.items()}
_STEP = {number: step for step, number in _STEP_NUMBER.items()}
COLLECTION = "findings"


def finding_message(finding: Finding) -> findings_pb2.Finding:
    """Return a finding as a message."""
    subject = finding.subject
    return findings_pb2.Finding(
        name=numbered_name(COLLECTION, finding.finding_id),
        camera=camera_name(subject.camera_id),
        cause_key=subject.cause_key,
        site_id=subject.site_id,
        site_name=subject.site_name,
        region=subject.region,
        state=_STATE_NUMBER[finding.state],
        severity=severity_number(finding.severity),
        level=_LEVEL_NUMBER[finding.level],
        deadline_time=timestamp(finding.deadline_wall_ns),
        open_time=timestamp(finding.opened_wall_ns),
        change_time=timestamp(finding.changed_wall_ns),
        number=finding.number,
        claims=finding.claims,
        overdue=finding.overdue,
        supervised=finding.supervised,
    )


def finding_of(message: findings_pb2.Finding) -> Finding:
    """Return the finding in a message."""
    return Finding(
        finding_id=number_of(message.name),
        subject=Subject(
            camera_id_of(message.camera), message.cause_key, message.site_id, message.site_name, message.region
        ),
        state=_STATE[message.state],
        severity=severity_of(message.severity) or Severity.COSMETIC,
        level=_LEVEL[message.level],
        deadline_wall_ns=wall_ns_of(message.deadline_time),
        opened_wall_ns=wall_ns_of(message.open_time),
        changed_wall_ns=wall_ns_of(message.change_time),
        number=message.number,
        claims=message.claims,
        overdue=message.overdue,
        supervised=message.supervised,
    )


def event_message(event: LedgerEvent) -> findings_pb2.FindingEvent:
    """Return an event as a message, without its subject, which only the Finding message holds."""
    message = findings_pb2.FindingEvent(
        name=f"{numbered_name(COLLECTION, event.finding_id)}/events/{event.number}",
        step=_STEP_NUMBER[event.step],
        time=timestamp(event.at_wall_ns),
        who=event.who,
        role=event.role,
        why=event.why,
        evidence=event.evidence,
        deadline_time=timestamp(event.deadline_wall_ns or 0),
    )
    if event.severity is not None:
        message.severity = severity_number(event.severity)
    if event.level is not None:
        message.level = _LEVEL_NUMBER[event.level]
    return message


def event_of(message: findings_pb2.FindingEvent) -> LedgerEvent:
    """Return the event in a message, without its subject."""
    finding, _, number = message.name.partition("/events/")
    return LedgerEvent(
        finding_id=number_of(finding),
        number=int(number),
        step=_STEP[message.step],
        at_wall_ns=wall_ns_of(message.time),
        who=message.who,
        role=message.role,
        why=message.why,
        evidence=tuple(message.evidence),
        severity=severity_of(message.severity),
        level=_LEVEL.get(message.level),
        deadline_wall_ns=wall_ns_of(message.deadline_time) or None,
    )


def query_of(message: findings_pb2.FindingFilter) -> FindingQuery:
    """Return the query of a filter; the caller sets its page. Raises InvalidArgumentError for a bad camera name."""
    return FindingQuery(
        region_prefix=message.region_prefix,
        site_id=message.site_id,
        camera_id=camera_id_of(message.camera, "filter.camera") if message.camera else "",
        states=frozenset(_STATE[number] for number in message.states if number in _STATE),
        level=_LEVEL.get(message.level) if message.HasField("level") else None,
        open_only=message.open_only,
    )


def filter_message(query: FindingQuery) -> findings_pb2.FindingFilter:
    """Return the filter of a query as a message."""
    message = findings_pb2.FindingFilter(
        region_prefix=query.region_prefix,
        site_id=query.site_id,
        camera=camera_name(query.camera_id) if query.camera_id else "",
        states=[_STATE_NUMBER[state] for state in sorted(query.states)],
        open_only=query.open_only,
    )
    if query.level is not None:
        message.level = _LEVEL_NUMBER[query.level]
    return message
