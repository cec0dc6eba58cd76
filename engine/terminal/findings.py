"""Renders findings and their events as table rows and as JSON."""

from typing import Any

from rich.text import Text

from engine.model.findings import Finding, FindingState, LedgerEvent
from engine.terminal.formatting import utc_text
from engine.terminal.tables import Cell
from engine.terminal.times import Times

_STYLES = {
    FindingState.OPEN: "bold red",
    FindingState.OVERDUE: "bold red",
    FindingState.SUPERVISED: "bold red",
    FindingState.NOTIFIED: "yellow",
    FindingState.ACKNOWLEDGED: "yellow",
    FindingState.CLOSED: "green",
}
_DIGEST_CHARS = 12


def columns(times: Times) -> list[str]:
    """Return the heads over finding_row."""
    names = ["finding", "camera", "canteen", "region", "cause", "severity", "state", "level"]
    return [*names, *times.head("deadline", "opened")]


def event_columns(times: Times) -> list[str]:
    """Return the heads over event_row."""
    return ["#", "step", *times.head("at"), "who", "role", "why", "evidence"]


def finding_row(finding: Finding, times: Times) -> list[Cell]:
    """Return the cells under `columns`. `overdue` and `supervised` follow the state where they hold beside it."""
    subject = finding.subject
    return [
        str(finding.finding_id),
        subject.camera_id,
        subject.site_name or subject.site_id,
        subject.region,
        subject.cause_key,
        finding.severity.value,
        Text(", ".join((finding.state, *_flags(finding))), style=_STYLES.get(finding.state, "")),
        finding.level.value,
        "" if finding.state.ended else times.day(finding.deadline_wall_ns),
        times.day(finding.opened_wall_ns),
    ]


def event_row(event: LedgerEvent, times: Times) -> list[Cell]:
    """Return the cells under `event_columns`, with digests of the evidence cut to their first 12 characters."""
    evidence = ", ".join(digest[:_DIGEST_CHARS] for digest in event.evidence)
    return [
        str(event.number),
        event.step.value,
        times.day(event.at_wall_ns),
        event.who,
        event.role,
        event.why,
        evidence,
    ]


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return the finding as JSON for programs; times are RFC 3339 in UTC."""
    subject = finding.subject
    return {
        "finding": finding.finding_id,
        "camera_id": subject.camera_id,
        "cause_key": subject.cause_key,
        "site_id": subject.site_id,
        "site_name": subject.site_name,
        "region": subject.region,
        "state": finding.state,
        "severity": finding.severity,
        "level": finding.level,
        "deadline": utc_text(finding.deadline_wall_ns),
        "opened": utc_text(finding.opened_wall_ns),
        "changed": utc_text(finding.changed_wall_ns),
        "number": finding.number,
        "claims": finding.claims,
        "overdue": finding.overdue,
        "supervised": finding.supervised,
    }


def event_json(event: LedgerEvent) -> dict[str, Any]:
    """Return the event as JSON; severity, level and deadline are null where the event does not change them."""
    return {
        "number": event.number,
        "step": event.step,
        "at": utc_text(event.at_wall_ns),
        "who": event.who,
        "role": event.role,
        "why": event.why,
        "evidence": event.evidence,
        "severity": event.severity,
        "level": event.level,
        "deadline": None if event.deadline_wall_ns is None else utc_text(event.deadline_wall_ns),
    }


def _flags(finding: Finding) -> list[str]:
    flags = []
    if finding.overdue and finding.state is not FindingState.OVERDUE:
        flags.append("overdue")
    if finding.supervised and finding.state is not FindingState.SUPERVISED:
        flags.append("supervised")
    return flags
