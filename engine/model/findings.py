"""Types of the ledger (台账): findings, their events, and what callers may ask for. Pure.

A finding is defined by its events alone; everything known about it is in one of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from engine.model.camera import Camera, KeyPoint
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
        """Whether the finding is closed or dismissed; it has no further events unless a dismissal is undone."""
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
    REOPENED = "reopened"
    """A dismissal was undone: the finding stands as it stood before."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about, as the registry had it when the finding was opened.

    `cause_key`: the fault kind, `kind/cause` if the cause is known, or `offline`. `site_id`, `site_name`: the canteen.
    `region`: GB/T 2260 code. `camera_name`, `key_point`: of the camera; a finding from before they were stored has
    those that the registry had at the upgrade.
    """

    camera_id: str
    cause_key: str
    site_id: str = ""
    site_name: str = ""
    region: str = ""
    camera_name: str = ""
    key_point: KeyPoint = KeyPoint.OTHER

    @classmethod
    def of_camera(cls, camera: Camera, cause_key: str) -> "Subject":
        """Return the subject of a finding on a camera that is opened now."""
        return cls(
            camera.camera_id, cause_key, camera.site_id, camera.site_name, camera.region, camera.name, camera.key_point
        )


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One entry of the ledger. It is never changed and never removed.

    `number`: 1, 2, ... within the finding. `who`, `role`: name and role of the actor; the engine's role is empty.
    `why`: text for people, at most WHY_CHARS_MAX characters. `evidence`: SHA-256 of keyframes, in hexadecimal.
    `subject`: set in the opening event only. `severity`, `level`, `deadline_wall_ns`: the new value from this event
    on; None if the event does not change it. `request_id`: that of the command which caused the event; empty if none.
    `photographs`: SHA-256, in hexadecimal, of the photographs that came with a claim, or of what a reading of clock and
    name rests on.
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
    photographs: tuple[str, ...] = ()


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

    `step`: acknowledged, claimed, supervised, closed, dismissed or reopened. `why`: the caller's reason.
    `expected_number`: the number of the latest event the caller has seen; 0 skips the check. `request_id`: makes the
    command idempotent; a second command with the same id changes nothing. Empty: not idempotent. `photographs`: of a
    claim, the SHA-256 of what is kept already.
    """

    finding_id: int
    step: Step
    why: str = ""
    expected_number: int = 0
    request_id: str = ""
    photographs: tuple[str, ...] = ()


class FindingOrder(StrEnum):
    """What a list of findings is ordered by; equal ones are in the order of their numbers."""

    NUMBER = "number"
    OPEN_TIME = "open_time"
    DEADLINE_TIME = "deadline_time"
    SEVERITY = "severity"
    """Cosmetic is the lowest, blind the highest."""
    LEVEL = "level"
    """School is the lowest, province the highest."""


@dataclass(frozen=True, slots=True)
class FindingCursor:
    """A position in an ordered list: behind this finding.

    `value`: the finding's value in the order of the list, as a number; 0 for order NUMBER.
    """

    finding_id: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class FindingQuery:
    """Which findings to list, and in which order. Empty fields do not filter.

    `region_prefix`: GB/T 2260 prefix. `open_only`: leave out closed and dismissed findings. `severity_min`: this severe
    or worse. `cause_keys`: a kind without a cause stands for all its causes. `open_from_wall_ns`,
    `open_until_wall_ns`: opened in this span; the end is excluded. `deadline_until_wall_ns`: with an earlier deadline.
    0 means no limit. `overdue`, `supervised`: None does not filter. `text`: part of the camera's or the canteen's name;
    upper and lower case are the same. `after`: the page begins behind this position; None begins at the first.
    """

    region_prefix: str = ""
    site_id: str = ""
    camera_id: str = ""
    states: frozenset[FindingState] = frozenset()
    level: Level | None = None
    open_only: bool = False
    page_size: int = 100
    after: FindingCursor | None = None
    order: FindingOrder = FindingOrder.NUMBER
    descending: bool = True
    severity_min: Severity | None = None
    cause_keys: frozenset[str] = frozenset()
    open_from_wall_ns: int = 0
    open_until_wall_ns: int = 0
    deadline_until_wall_ns: int = 0
    overdue: bool | None = None
    supervised: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class FindingPage:
    """One page of findings.

    `next_after`: `after` of the next page; None on the last page. `total`: findings that match, on all pages.
    """

    findings: tuple[Finding, ...]
    next_after: FindingCursor | None
    total: int


class GroupBy(StrEnum):
    """What findings are counted by."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    STATE = "state"
    KIND = "kind"
    CAUSE_KEY = "cause_key"
    SEVERITY = "severity"
    LEVEL = "level"
    OVERDUE = "overdue"
    SUPERVISED = "supervised"


@dataclass(frozen=True, slots=True)
class FindingCount:
    """Number of findings with the same values. Empty fields, and None: not grouped by it.

    `count`: all of them. `open`: those that have not ended. `overdue_open`, `supervised_open`: of those.
    """

    region: str = ""
    state: FindingState | None = None
    kind: str = ""
    cause_key: str = ""
    severity: Severity | None = None
    level: Level | None = None
    overdue: bool | None = None
    supervised: bool | None = None
    count: int = 0
    open: int = 0
    overdue_open: int = 0
    supervised_open: int = 0


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """Counts of findings, grouped in one way, the largest first. `left_out`: groups beyond the most that are given."""

    by: tuple[GroupBy, ...]
    groups: tuple[FindingCount, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """Counts of the findings of one query. `total`: of all of them. `tables`: one for each way of grouping."""

    total: FindingCount
    tables: tuple[FindingCounts, ...]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A ledger event with its place in the log of all findings, and its finding as it is now.

    `seq`: strictly increasing in the order of commits; a stream of events resumes after it.
    """

    seq: int
    event: LedgerEvent
    finding: Finding
