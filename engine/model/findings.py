"""Types of the ledger (台账): findings, their events, and what callers may ask for. Pure.

A finding is defined by its events alone; everything known about it is in one of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from engine.model.verdict import Severity

WHY_CHARS_MAX = 500
"""Longest `why` of an event or a command, in characters."""
REQUEST_ID_CHARS_MAX = 64


class Level(StrEnum):
    """The administrative level that is responsible for a finding, lowest first."""

    SCHOOL = "school"
    COUNTY = "county"
    CITY = "city"
    PROVINCE = "province"


class FindingState(StrEnum):
    """The state of a finding."""

    OPEN = "open"
    """The fault is announced; nobody was notified yet."""
    NOTIFIED = "notified"
    """A notice of the finding was delivered."""
    ACKNOWLEDGED = "acknowledged"
    """A person has taken it on."""
    RECTIFIED = "rectified"
    """Somebody claims it is put right (整改); no re-check has begun."""
    RECHECKING = "rechecking"
    """The engine is re-checking the claim."""
    OVERDUE = "overdue"
    """A deadline passed, and nobody has acted on it since."""
    SUPERVISED = "supervised"
    """A higher level watches the finding (挂牌督办)."""
    CLOSED = "closed"
    """Put right: a re-check passed, or an operator decided so (整改销号)."""
    DISMISSED = "dismissed"
    """An operator decided, with a reason, that it is no fault, or not ours to deal with."""

    @property
    def ended(self) -> bool:
        """Whether the finding is closed or dismissed; it has no further events."""
        return self in (FindingState.CLOSED, FindingState.DISMISSED)

    @property
    def claimed(self) -> bool:
        """Whether a claim is waiting for its re-check, or being re-checked."""
        return self in (FindingState.RECTIFIED, FindingState.RECHECKING)


class Step(StrEnum):
    """What an event does to a finding."""

    OPENED = "opened"
    CHANGED = "changed"
    """The fault got worse: a higher severity, and perhaps a higher level or an earlier deadline."""
    NOTIFIED = "notified"
    """A notice of the opening was delivered."""
    ACKNOWLEDGED = "acknowledged"
    CLAIMED = "claimed"
    """Somebody, or the engine, says that the fault is gone."""
    RECHECK_BEGUN = "recheck_begun"
    RECHECK_FAILED = "recheck_failed"
    RECHECK_PASSED = "recheck_passed"
    FELL_OVERDUE = "fell_overdue"
    ESCALATED = "escalated"
    """The next level becomes responsible, with a deadline of its own."""
    SUPERVISED = "supervised"
    CLOSED = "closed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about, as the registry had it when the finding was opened.

    `cause_key`: the fault kind, `kind/cause` if the cause is known, or `offline`. `site_id`, `site_name`: the canteen.
    `region`: GB/T 2260 code.
    """

    camera_id: str
    cause_key: str
    site_id: str = ""
    site_name: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One entry of the ledger. It is never changed and never removed.

    `number`: 1, 2, ... within the finding. `who`, `role`: name and role of the actor; the engine's role is empty.
    `why`: text for people, at most WHY_CHARS_MAX characters. `evidence`: SHA-256 of keyframes, in hexadecimal.
    `subject`: set in the opening event only. `severity`, `level`, `deadline_wall_ns`: the new value from this event
    on; None if the event does not change it. `request_id`: that of the command which caused the event; empty if none.
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


PUBLISHED_STEPS = frozenset(Step) - {Step.NOTIFIED}
"""Steps that notices are sent about: all except that a notice was delivered."""


class FindingTally(NamedTuple):
    """What open findings are counted by."""

    state: FindingState
    level: Level
    severity: Severity
    overdue: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """The current state of a finding: what its events add up to.

    `subject`, `opened_wall_ns`: from the opening event. `severity`: of the fault. `level`: who is responsible now;
    `deadline_wall_ns`: until when. `changed_wall_ns`, `number`: time and number of the latest event; callers send
    `number` with a command so that it cannot overrule an event they have not seen. `claims`: number of claims so far.
    `overdue`: the deadline of the current level has passed, whatever the state. `supervised`: a higher level watches
    the finding, whatever the state. `standing`: the state without regard to claims (open, notified, acknowledged,
    overdue or supervised); the state returns to it when a re-check fails. `claimed_by`: who made the claim that is
    being re-checked; empty if there is none.
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
    supervised: bool = False
    standing: FindingState = FindingState.OPEN
    claimed_by: str = ""

    @property
    def tally(self) -> FindingTally:
        """What this finding is counted by."""
        return FindingTally(self.state, self.level, self.severity, self.overdue)


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A new event, and its finding as the event left it."""

    event: LedgerEvent
    finding: Finding


@dataclass(frozen=True, slots=True)
class FindingCommand:
    """What a caller wants to do to a finding.

    `step`: acknowledged, claimed, supervised, closed or dismissed. `why`: the caller's reason. `expected_number`: the
    number of the latest event the caller has seen; 0 skips the check. `request_id`: makes the command idempotent; a
    second command with the same id changes nothing. Empty: not idempotent.
    """

    finding_id: int
    step: Step
    why: str = ""
    expected_number: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class FindingQuery:
    """Which findings to list, newest first. Empty fields do not filter.

    `region_prefix`: GB/T 2260 prefix. `open_only`: leave out closed and dismissed findings. `page_token`: a finding
    id; the page holds smaller ids only. 0 starts at the newest.
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
    """One page of findings. `next_page_token`: 0 on the last page. `total`: findings that match, on all pages."""

    findings: tuple[Finding, ...]
    next_page_token: int
    total: int


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A ledger event with its place in the log of all findings, and its finding as it is now.

    `seq`: strictly increasing in the order of commits; a stream of events resumes after it.
    """

    seq: int
    event: LedgerEvent
    finding: Finding
