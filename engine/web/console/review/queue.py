"""The review queue: open findings that nobody acknowledged, the worst first, and the place of each.

The API orders findings by one thing at a time. By deadline are asked for: the blind ones, those that are impaired or
worse, and all. Each reply begins with the first of its own severity, so that together they are the queue's first part.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.page import Page
from patrol.v1.findings_pb2 import FindingFilter, FindingLevel, FindingState, ListFindingsRequest
from patrol.v1.verdicts_pb2 import FaultKind, FaultSeverity

WINDOW = 200
"""So many of the worst findings are read. Who has acted on them gets the next."""
STATES = (
    FindingState.FINDING_STATE_OPEN,
    FindingState.FINDING_STATE_NOTIFIED,
    FindingState.FINDING_STATE_OVERDUE,
    FindingState.FINDING_STATE_SUPERVISED,
)
"""Those in which nobody has acknowledged a finding, or nobody of the level that is responsible now."""
LEVELS: Mapping[str, int] = {
    name.removeprefix("FINDING_LEVEL_").lower(): value for name, value in FindingLevel.items() if value
}
KINDS: Mapping[str, int] = {
    name.removeprefix("FAULT_KIND_").lower(): value for name, value in FaultKind.items() if value
}
OFFLINE = "offline"
_EITHER = ("yes", "no")
_SEVERITIES = (
    FaultSeverity.FAULT_SEVERITY_BLIND,
    FaultSeverity.FAULT_SEVERITY_IMPAIRED,
    FaultSeverity.FAULT_SEVERITY_UNSPECIFIED,
)
"""The least severity of each list that is read: the last has all findings."""


@dataclass(frozen=True)
class QueueFilter:
    """What the user chose. Empty fields do not filter. `overdue`, `supervised`: yes or no."""

    region: str = ""
    level: str = ""
    kind: str = ""
    overdue: str = ""
    supervised: str = ""

    @classmethod
    def of(cls, fields: Any) -> "QueueFilter":
        """Read it from a query or form. Raises InvalidArgumentError."""
        region = forms.text(fields, "region", 6)
        if region and not (region.isascii() and region.isdigit()):
            raise InvalidArgumentError("region", f"{region!r}; allowed: up to 6 digits of GB/T 2260")
        return cls(
            region,
            forms.choice(fields, "level", LEVELS),
            forms.choice(fields, "kind", (*KINDS, OFFLINE)),
            forms.choice(fields, "overdue", _EITHER),
            forms.choice(fields, "supervised", _EITHER),
        )

    def query(self) -> dict[str, str]:
        """Return it as fields of a URL."""
        return {name: value for name, value in vars(self).items() if value}

    def message(self, severity_min: int) -> FindingFilter:
        """Return it as a filter of the API, for findings at least this severe."""
        asked = FindingFilter(region_prefix=self.region, states=STATES, severity_min=severity_min)  # type: ignore[arg-type]
        if self.level:
            asked.level = LEVELS[self.level]  # type: ignore[assignment]
        if self.kind:
            asked.cause_keys.append(self.kind)
        if self.overdue:
            asked.overdue = self.overdue == "yes"
        if self.supervised:
            asked.supervised = self.supervised == "yes"
        return asked


@dataclass(frozen=True)
class Queue:
    """`findings`: the first of the queue, in its order. `total`: how many it has in all."""

    findings: Sequence[Any]
    total: int

    def place(self, finding: Any) -> int:
        """Return the place of a finding, from 1; 0 if it is not among these."""
        return next((place for place, other in enumerate(self.findings, 1) if other.name == finding.name), 0)

    def after(self, finding: Any) -> Any:
        """Return the finding behind this one, whether or not this one is in the queue; None: there is none."""
        key = _key(finding)
        return next((other for other in self.findings if _key(other) > key), None)

    def before(self, finding: Any) -> Any:
        """Return the finding before this one, whether or not this one is in the queue; None: there is none."""
        key = _key(finding)
        return next((other for other in reversed(self.findings) if _key(other) < key), None)

    @property
    def first(self) -> Any:
        """The worst finding; None if the queue is empty."""
        return self.findings[0] if self.findings else None


async def read_queue(page: Page, wanted: QueueFilter, window: int = WINDOW) -> Queue:
    """Read the first findings of the queue. Milder ones are read only where the worse do not fill it: a list of
    hundreds is most of what a step through the queue costs."""

    def asked(severity: int, size: int) -> ListFindingsRequest:
        return ListFindingsRequest(filter=wanted.message(severity), order_by="deadline_time", page_size=size)

    blind, impaired, everything = _SEVERITIES
    worst, counted = await asyncio.gather(page.call(asked(blind, window)), page.call(asked(everything, 1)))
    replies = [worst]
    if _is_whole(worst):
        replies.append(await page.call(asked(impaired, window)))
    if _is_whole(replies[-1]):
        counted = await page.call(asked(everything, window))
    return merge([*replies, counted], window)


def _is_whole(reply: Any) -> bool:
    """Whether a list has no further page, so that milder findings come next in the queue."""
    return bool(len(reply.findings) >= reply.total_size)


def merge(replies: Sequence[Any], window: int) -> Queue:
    """Return the queue of the three lists: blind, impaired or worse, all; each by deadline. Pure."""
    found: dict[str, Any] = {}
    for reply in replies:
        found |= {finding.name: finding for finding in reply.findings if finding.name not in found}
        if not _is_whole(reply):
            break  # the list goes on: milder findings come behind what was not read
    ordered = sorted(found.values(), key=_key)[:window]
    return Queue(ordered, max(replies[-1].total_size, len(ordered)))


def _key(finding: Any) -> tuple[int, int, int, int]:
    deadline = finding.deadline_time
    severity = max(finding.severity, FaultSeverity.FAULT_SEVERITY_COSMETIC)
    return -severity, deadline.seconds, deadline.nanos, int(names.finding_number(finding.name))
