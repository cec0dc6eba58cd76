"""Renders findings and their events as table rows."""

from rich.text import Text

from engine.model.findings import Finding, FindingState, LedgerEvent
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
    """Return the cells under `event_columns`, with digests of evidence and photographs cut to 12 characters."""
    photographs = (f"photograph {digest[:_DIGEST_CHARS]}" for digest in event.photographs)
    evidence = ", ".join([*(digest[:_DIGEST_CHARS] for digest in event.evidence), *photographs])
    return [
        str(event.number),
        event.step.value,
        times.day(event.at_wall_ns),
        event.who,
        event.role,
        event.why,
        evidence,
    ]


def _flags(finding: Finding) -> list[str]:
    flags = []
    if finding.overdue and finding.state is not FindingState.OVERDUE:
        flags.append("overdue")
    if finding.supervised and finding.state is not FindingState.SUPERVISED:
        flags.append("supervised")
    return flags
