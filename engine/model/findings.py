"""Nouns of the ledger (台账): what was found, what became of it, who is to act, until when.

A finding is the sum of its events; nothing of it is known that no event says. Times are since 1970 UTC, nanoseconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.verdict import Severity

WHY_CHARS_MAX = 500
REQUEST_ID_CHARS_MAX = 64


class Level(StrEnum):
    """Who is responsible for a finding, from near to far."""

    SCHOOL = "school"
    COUNTY = "county"
    CITY = "city"
    PROVINCE = "province"


class FindingState(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    """Announced; nobody was told yet."""
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    """Somebody took it on."""
    RECTIFIED = "rectified"
    """Somebody says it is mended (整改); the engine has not begun to look."""
    RECHECKING = "rechecking"
    """The engine looks again."""
    OVERDUE = "overdue"
    """The deadline passed."""
    SUPERVISED = "supervised"
    """A higher level watches over it (挂牌督办)."""
    CLOSED = "closed"
    """Mended and seen to be so, or decided by a named role (整改销号)."""
    DISMISSED = "dismissed"
    """Was no fault, or is none of ours; with a reason."""

    @property
    def ended(self) -> bool:
        """Nothing more is to happen."""
        return self in (FindingState.CLOSED, FindingState.DISMISSED)

    @property
    def claimed(self) -> bool:
        """A claim is under way."""
        return self in (FindingState.RECTIFIED, FindingState.RECHECKING)


class Step(StrEnum):
    """What happened to a finding."""

    OPENED = "opened"
    CHANGED = "changed"
    """It got worse: another severity, and perhaps another level or an earlier deadline."""
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    CLAIMED = "claimed"
    """Somebody says that it is mended."""
    RECHECK_BEGUN = "recheck_begun"
    RECHECK_FAILED = "recheck_failed"
    RECHECK_PASSED = "recheck_passed"
    FELL_OVERDUE = "fell_overdue"
    ESCALATED = "escalated"
    """One level up, with a deadline of its own."""
    SUPERVISED = "supervised"
    CLOSED = "closed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. `cause_key`: the fault's kind, `kind/cause` where a cause is known, or `offline`."""

    camera_id: str
    cause_key: str
    site_id: str = ""
    site_name: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One line of the ledger, never changed and never taken back.

    `number`: 1, 2, ... within the finding. `who`, `role`: the actor; the engine's role is empty. `why`: for people,
    WHY_CHARS_MAX characters at most. `evidence`: SHA-256 of keyframes, hexadecimal. `subject` stands in the opening
    event alone. `severity`, `level`, `deadline_wall_ns`: what they are from here on; None where the event leaves them.
    `request_id`: of the command that made it.
    """

    finding_id: int
    number: int
    step: Step
    at_wall_ns: int
    who: str
    role: str = ""
    why: str = ""
    evidence: tuple[str, ...] = ()
    subject: Subject | None = None
    severity: Severity | None = None
    level: Level | None = None
    deadline_wall_ns: int | None = None
    request_id: str = ""


TOLD = frozenset(Step) - {Step.NOTIFIED}
"""Steps that the outside is told of: all but that it was told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as its events left it.

    `number`: of its latest event, which callers send along so that they do not overrule what they have not seen.
    `claims`: how often it was said to be mended. `standing`: where it stands whatever is claimed: open, notified,
    acknowledged, overdue or supervised; a re-check that fails takes it back there. `claimed_by`: who says that it is
    mended, while that is looked into.
    """

    finding_id: int
    subject: Subject
    state: FindingState
    severity: Severity
    level: Level
    deadline_wall_ns: int
    opened_wall_ns: int
    changed_wall_ns: int
    number: int = 1
    claims: int = 0
    overdue: bool = False
    """The deadline of its level has passed, whatever the state."""
    supervised: bool = False
    standing: FindingState = FindingState.OPEN
    claimed_by: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that just came about, and the finding as it left it."""

    event: LedgerEvent
    finding: Finding


@dataclass(frozen=True, slots=True)
class FindingCommand:
    """What a caller wants to happen to a finding.

    `step`: acknowledged, claimed, supervised, closed or dismissed. `expected_number`: the finding's latest event as the
    caller knows it; 0: whatever it is. `request_id`: the same one again is the same command, and changes nothing.
    """

    finding_id: int
    step: Step
    why: str = ""
    expected_number: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class FindingQuery:
    """Which findings a list call wants. Empty fields do not filter; newest first.

    `open_only`: without those that ended. `page_token`: a finding's id; the page begins below it.
    """

    region_prefix: str = ""
    site_id: str = ""
    camera_id: str = ""
    states: frozenset[FindingState] = frozenset()
    level: Level | None = None
    open_only: bool = False
    page_size: int = 100
    page_token: int = 0


@dataclass(frozen=True, slots=True)
class FindingPage:
    """One page. `next_page_token`: 0 on the last. `total`: findings that match, on all pages."""

    findings: tuple[Finding, ...]
    next_page_token: int
    total: int


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A line of the ledger with its place in the log of all findings, and its finding as it is now.

    `seq`: strictly rising in the order of the commits.
    """

    seq: int
    event: LedgerEvent
    finding: Finding
