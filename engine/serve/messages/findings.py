"""Converts findings and events of the ledger to messages of patrol.v1 and back. Pure."""

from collections.abc import Iterable

from engine.model.findings import (
    Finding,
    FindingCount,
    FindingCounts,
    FindingOrder,
    FindingQuery,
    FindingState,
    FindingSummary,
    GroupBy,
    LedgerEvent,
    Level,
    Step,
    Subject,
)
from engine.model.verdict import Severity
from engine.model.viewing import Viewer
from engine.serve.messages.convert import (
    key_point_number,
    key_point_of,
    severity_number,
    severity_of,
    timestamp,
    wall_ns_of,
)
from engine.serve.messages.resource_names import camera_id_of, camera_name, number_of, numbered_name
from patrol.v1 import findings_pb2

_LEVEL_NUMBER = {level: getattr(findings_pb2, f"FINDING_LEVEL_{level.name}") for level in Level}
_STATE_NUMBER = {state: getattr(findings_pb2, f"FINDING_STATE_{state.name}") for state in FindingState}
_STEP_NUMBER = {step: getattr(findings_pb2, f"FINDING_STEP_{step.name}") for step in Step}
_LEVEL = {number: level for level, number in _LEVEL_NUMBER.items()}
_STATE = {number: state for state, number in _STATE_NUMBER.items()}
_STEP = {number: step for step, number in _STEP_NUMBER.items()}
COLLECTION = "findings"


def level_number(level: Level) -> findings_pb2.FindingLevel:
    """Return the enum number of a level."""
    number: findings_pb2.FindingLevel = _LEVEL_NUMBER[level]
    return number


def level_of(number: int) -> Level | None:
    """Return the level of an enum number; None for UNSPECIFIED and unknown numbers."""
    return _LEVEL.get(number)


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
        camera_display_name=subject.camera_name,
        key_point=key_point_number(subject.key_point),
    )


def finding_of(message: findings_pb2.Finding) -> Finding:
    """Return the finding in a message."""
    return Finding(
        finding_id=number_of(message.name),
        subject=Subject(
            camera_id_of(message.camera),
            message.cause_key,
            message.site_id,
            message.site_name,
            message.region,
            message.camera_display_name,
            key_point_of(message.key_point),
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
        photographs=event.photographs,
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
        photographs=tuple(message.photographs),
    )


def viewers_message(finding_id: int, viewers: Iterable[Viewer]) -> findings_pb2.FindingViewers:
    """Return who has a finding open as a message."""
    return findings_pb2.FindingViewers(
        name=numbered_name(COLLECTION, finding_id),
        viewers=(
            findings_pb2.Viewer(display_name=viewer.name, mark_time=timestamp(viewer.marked_wall_ns))
            for viewer in viewers
        ),
    )


def viewers_of(message: findings_pb2.FindingViewers) -> tuple[Viewer, ...]:
    """Return the viewers in a message."""
    return tuple(Viewer(viewer.display_name, wall_ns_of(viewer.mark_time)) for viewer in message.viewers)


def query_of(message: findings_pb2.FindingFilter) -> FindingQuery:
    """Return the query of a filter; the caller sets its page. Raises InvalidArgumentError for a bad camera name."""
    return FindingQuery(
        region_prefix=message.region_prefix,
        site_id=message.site_id,
        camera_id=camera_id_of(message.camera, "filter.camera") if message.camera else "",
        states=frozenset(_STATE[number] for number in message.states if number in _STATE),
        level=_LEVEL.get(message.level) if message.HasField("level") else None,
        open_only=message.open_only,
        severity_min=severity_of(message.severity_min),
        cause_keys=frozenset(message.cause_keys),
        open_from_wall_ns=wall_ns_of(message.open_start_time),
        open_until_wall_ns=wall_ns_of(message.open_end_time),
        deadline_until_wall_ns=wall_ns_of(message.deadline_end_time),
        overdue=message.overdue if message.HasField("overdue") else None,
        supervised=message.supervised if message.HasField("supervised") else None,
        text=message.query,
    )


def filter_message(query: FindingQuery) -> findings_pb2.FindingFilter:
    """Return the filter of a query as a message."""
    message = findings_pb2.FindingFilter(
        region_prefix=query.region_prefix,
        site_id=query.site_id,
        camera=camera_name(query.camera_id) if query.camera_id else "",
        states=[_STATE_NUMBER[state] for state in sorted(query.states)],
        open_only=query.open_only,
        cause_keys=sorted(query.cause_keys),
        open_start_time=timestamp(query.open_from_wall_ns),
        open_end_time=timestamp(query.open_until_wall_ns),
        deadline_end_time=timestamp(query.deadline_until_wall_ns),
        query=query.text,
    )
    if query.overdue is not None:
        message.overdue = query.overdue
    if query.supervised is not None:
        message.supervised = query.supervised
    if query.level is not None:
        message.level = _LEVEL_NUMBER[query.level]
    if query.severity_min is not None:
        message.severity_min = severity_number(query.severity_min)
    return message


def order_of(order_by: str) -> tuple[FindingOrder, bool]:
    """Return the order in a request, and whether it is descending; the .proto has checked it. Empty: newest first."""
    field, _, descending = order_by.partition(" ")
    return (FindingOrder(field), bool(descending)) if field else (FindingOrder.NUMBER, True)


def order_text(query: FindingQuery) -> str:
    """Return the order of a query as requests have it; the numbers of findings only go down."""
    if query.order is FindingOrder.NUMBER:
        return ""
    return f"{query.order} desc" if query.descending else query.order.value


def summary_message(summary: FindingSummary) -> findings_pb2.SummarizeFindingsResponse:
    """Return the counts as a message."""
    return findings_pb2.SummarizeFindingsResponse(
        total=_count_message(summary.total),
        tables=(
            findings_pb2.FindingTable(
                group_by=",".join(table.by), groups=map(_count_message, table.groups), left_out=table.left_out
            )
            for table in summary.tables
        ),
    )


def summary_of(message: findings_pb2.SummarizeFindingsResponse) -> FindingSummary:
    """Return the counts in a message."""
    tables = (
        FindingCounts(
            tuple(GroupBy(part) for part in table.group_by.split(",")),
            tuple(map(_count_of, table.groups)),
            table.left_out,
        )
        for table in message.tables
    )
    return FindingSummary(_count_of(message.total), tuple(tables))


def _count_message(count: FindingCount) -> findings_pb2.FindingGroup:
    message = findings_pb2.FindingGroup(
        region=count.region,
        kind=count.kind,
        cause_key=count.cause_key,
        count=count.count,
        open_count=count.open,
        overdue_count=count.overdue_open,
        supervised_count=count.supervised_open,
    )
    if count.overdue is not None:
        message.overdue = count.overdue
    if count.supervised is not None:
        message.supervised = count.supervised
    if count.state is not None:
        message.state = _STATE_NUMBER[count.state]
    if count.severity is not None:
        message.severity = severity_number(count.severity)
    if count.level is not None:
        message.level = _LEVEL_NUMBER[count.level]
    return message


def _count_of(message: findings_pb2.FindingGroup) -> FindingCount:
    return FindingCount(
        region=message.region,
        state=_STATE.get(message.state),
        kind=message.kind,
        cause_key=message.cause_key,
        severity=severity_of(message.severity),
        level=_LEVEL.get(message.level),
        overdue=message.overdue if message.HasField("overdue") else None,
        supervised=message.supervised if message.HasField("supervised") else None,
        count=message.count,
        open=message.open_count,
        overdue_open=message.overdue_count,
        supervised_open=message.supervised_count,
    )
