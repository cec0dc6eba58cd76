"""Checks a ledger from outside: from the verdicts it received and the events it returned, without its internals."""

from collections import defaultdict
from dataclasses import dataclass, field

from engine.config.ledger import LedgerSettings
from engine.model.access import ENGINE, Actor, Role
from engine.model.faults import BLIND, OFFLINE, family_of_cause_key, family_of_kind, group_by_family
from engine.model.findings import Finding, LedgerEvent, Level, Step
from engine.model.verdict import State, Verdict

LEVELS = list(Level)


class AuditError(AssertionError):
    """Raised when the ledger broke a rule."""


@dataclass
class FindingRecord:
    """What the auditor knows of one finding."""

    events: list[LedgerEvent] = field(default_factory=list)
    deadline_ns: int = 0
    level: Level = Level.SCHOOL
    observations: list[bool] | None = None
    """True for each good and False for each bad observation since the claim; None without a claim."""
    claimed_ns: int = 0
    decided: bool = False
    """Whether a person ended it and its fault has been announced ever since."""

    @property
    def ended(self) -> bool:
        return self.events[-1].step in (Step.CLOSED, Step.DISMISSED)

    @property
    def family(self) -> str:
        assert self.events[0].subject is not None
        return family_of_cause_key(self.events[0].subject.cause_key)


class Auditor:
    """Receives every verdict before the ledger does, and every event of the ledger. All checks raise AuditError."""

    def __init__(self, policy: LedgerSettings) -> None:
        self.recheck_n, self.recheck_m = policy.recheck_n, policy.recheck_m
        self.policy = policy
        self.ours_ns: dict[str, int] = {}
        """By camera: when it was last offline for a reason of ours, if it is announced offline ever since."""
        self.records: dict[int, FindingRecord] = {}
        self.by_camera: defaultdict[str, list[FindingRecord]] = defaultdict(list)
        self.verdict: Verdict | None = None
        self.requests: set[tuple[str, str]] = set()

    def observe(self, verdict: Verdict) -> None:
        self.verdict = verdict
        if verdict.announced is not State.OFFLINE:
            self.ours_ns.pop(verdict.camera_id, None)
        elif self.is_ours(verdict):
            self.ours_ns[verdict.camera_id] = verdict.at_wall_ns
        for record in self.by_camera[verdict.camera_id]:
            record.decided &= record.family in _announced(verdict)
            if not record.ended and record.observations is not None and verdict.at_wall_ns > record.claimed_ns:
                good = None if self.is_ours(verdict) else _shows_no_fault(verdict, record.family)
                if good is not None:
                    record.observations.append(good)

    def is_ours(self, verdict: Verdict) -> bool:
        """Return whether the camera is offline for a reason that no school can put right."""
        return verdict.state is State.OFFLINE and verdict.reason in list(self.policy.operator_reasons)

    def clock_went_back(self, duration_ns: int) -> None:
        """Shift the times that are compared with the times of pictures."""
        self.ours_ns = {camera_id: at_ns - duration_ns for camera_id, at_ns in self.ours_ns.items()}
        for record in self.records.values():
            record.claimed_ns -= duration_ns

    def check_event(self, event: LedgerEvent, now_ns: int, actor: Actor = ENGINE) -> None:
        """Check an event. `actor`: who gave the command, if it came of one."""
        record = self.records.setdefault(event.finding_id, FindingRecord())
        if event.number != len(record.events) + 1:
            raise AuditError(f"event {event.number} of finding {event.finding_id} after {len(record.events)} of them")
        if record.events and record.ended and event.step is not Step.REOPENED:
            raise AuditError(f"{event.step} after finding {event.finding_id} ended")
        if record.events and event.at_wall_ns < record.events[-1].at_wall_ns:
            raise AuditError(f"the events of finding {event.finding_id} go back in time")
        request = event.who, event.request_id
        if event.request_id and request in self.requests:
            raise AuditError(f"{request} was carried out twice")
        self.requests.add(request)
        before = record.events[-1].step if record.events else None
        self._judge(record, event, before, now_ns, actor)
        record.events.append(event)
        record.deadline_ns = event.deadline_wall_ns or record.deadline_ns
        record.level = event.level or record.level
        if event.step is Step.OPENED:
            assert event.subject is not None
            self.by_camera[event.subject.camera_id].append(record)
        elif event.step is Step.CLAIMED:
            record.observations, record.claimed_ns = [], now_ns
        elif event.step is Step.RECHECK_FAILED:
            record.observations = None
        elif event.step is Step.REOPENED and record.observations is not None:
            record.observations, record.claimed_ns = [], now_ns
        record.decided = record.ended and actor is not ENGINE

    def decided(self) -> dict[str, set[str]]:
        """Return by camera the fault families that a person decided on and that are still announced."""
        return {
            camera_id: words
            for camera_id, records in self.by_camera.items()
            if (words := {record.family for record in records if record.decided})
        }

    def check_rechecks(self) -> None:
        """After a verdict: a recheck that is decided has ended."""
        verdict = self.verdict
        assert verdict is not None
        for record in self.by_camera[verdict.camera_id]:
            if record.ended or record.observations is None or verdict.at_wall_ns <= record.claimed_ns:
                continue
            passed = record.observations.count(True) >= self.recheck_n and record.family not in _announced(verdict)
            if passed or record.observations.count(False) > self.recheck_m - self.recheck_n:
                raise AuditError(f"a re-check goes on after observations {record.observations}")

    def check_findings(self, findings: dict[int, Finding], now_ns: int) -> None:
        """The ledger holds exactly the findings that have not ended, and none is past its deadline unnoticed."""
        open_ids = {finding_id for finding_id, record in self.records.items() if not record.ended}
        if open_ids != set(findings):
            raise AuditError(f"{sorted(open_ids)} have not ended, {sorted(findings)} are held")
        for finding_id, finding in findings.items():
            record = self.records[finding_id]
            if finding.number != len(record.events):
                raise AuditError(f"finding {finding_id} is at event {finding.number} of {len(record.events)}")
            late = now_ns > finding.deadline_wall_ns and record.observations is None
            if late and not any(event.step is Step.FELL_OVERDUE and event.at_wall_ns >= record.deadline_ns
                                for event in record.events):  # fmt: skip
                raise AuditError(f"the deadline of finding {finding_id} passed, and nobody was told")

    def _judge(self, record: FindingRecord, event: LedgerEvent, before: Step | None, now_ns: int, actor: Actor) -> None:
        match event.step:
            case Step.OPENED:
                self._opening(event)
            case Step.FELL_OVERDUE if now_ns < record.deadline_ns or record.observations is not None:
                raise AuditError(f"finding {event.finding_id} fell overdue before its deadline, or during a re-check")
            case Step.ESCALATED if before is not Step.FELL_OVERDUE or event.level is not _above(record.level):
                raise AuditError(f"finding {event.finding_id} was escalated from {record.level} to {event.level}")
            case Step.RECHECK_PASSED:
                observations = record.observations or []
                if (
                    observations.count(True) < self.recheck_n
                    or observations.count(False) > self.recheck_m - self.recheck_n
                ):
                    raise AuditError(f"a re-check passed with observations {observations}")
                if self.verdict is None or record.family in _announced(self.verdict):
                    raise AuditError(f"a re-check passed while {record.family} is announced")
            case Step.RECHECK_FAILED if event.why.startswith("seen again"):
                observations = record.observations or []
                if observations.count(False) <= self.recheck_m - self.recheck_n:
                    raise AuditError(f"a re-check failed with observations {observations}")
            case Step.REOPENED:
                self._reopening(record, event, before, now_ns, actor)
            case Step.CLOSED | Step.DISMISSED if actor is ENGINE:
                if event.step is Step.DISMISSED or before is not Step.RECHECK_PASSED:
                    raise AuditError(f"the engine ended finding {event.finding_id} without a re-check that passed")
            case Step.CLOSED | Step.DISMISSED | Step.SUPERVISED if actor is not ENGINE:
                if not actor.role.includes(Role.OPERATOR) or not event.why:
                    raise AuditError(f"{actor.name} ({actor.role}) did {event.step}, because {event.why!r}")

    def _reopening(
        self, record: FindingRecord, event: LedgerEvent, before: Step | None, now_ns: int, actor: Actor
    ) -> None:
        if before is not Step.DISMISSED or not actor.role.includes(Role.OPERATOR) or not event.why:
            raise AuditError(f"{actor.name} ({actor.role}) reopened a finding after {before}, because {event.why!r}")
        if now_ns - record.events[-1].at_wall_ns > self.policy.reopen_hours * 3600 * 10**9:
            raise AuditError(f"finding {event.finding_id} was reopened too late")
        subject = record.events[0].subject
        assert subject is not None
        if any(not other.ended and other.family == record.family for other in self.by_camera[subject.camera_id]):
            raise AuditError(f"finding {event.finding_id} was reopened beside another of {record.family}")

    def _opening(self, event: LedgerEvent) -> None:
        verdict, subject = self.verdict, event.subject
        if verdict is None or subject is None or verdict.camera_id != subject.camera_id:
            raise AuditError(f"finding {event.finding_id} was opened by nothing that was seen")
        name = family_of_cause_key(subject.cause_key)
        seen = {OFFLINE} if verdict.state is State.OFFLINE else {family_of_kind(kind) for kind in verdict.kinds}
        if name not in _announced(verdict) & seen:
            raise AuditError(f"{subject.cause_key} was opened; announced {_announced(verdict)}, seen {seen}")
        blamed_ns = verdict.at_wall_ns - self.ours_ns.get(subject.camera_id, -(2**62))
        if name == OFFLINE and (self.is_ours(verdict) or blamed_ns < self.policy.offline_min_h * 3600 * 10**9):
            raise AuditError(f"{subject.camera_id} is offline for a reason of ours, and was opened")
        if any(record.decided and record.family == name for record in self.by_camera[subject.camera_id]):
            raise AuditError(f"{subject.cause_key} was opened although somebody decided on it while it was announced")
        if any(not record.ended and record.family == name for record in self.by_camera[subject.camera_id]):
            raise AuditError(f"{subject.camera_id} has an open finding of {name} already")


def _announced(verdict: Verdict) -> set[str]:
    """Return the fault families that the verdict announces."""
    if verdict.announced is State.OFFLINE:
        return {OFFLINE}
    return set(group_by_family(verdict.announced_kinds)) if verdict.announced is State.FAULT else set()


def _above(level: Level) -> Level | None:
    place = LEVELS.index(level) + 1
    return LEVELS[place] if place < len(LEVELS) else None


def _shows_no_fault(verdict: Verdict, name: str) -> bool | None:
    """Return whether a verdict shows that the fault is gone; None if it does not tell."""
    if name == OFFLINE:
        return {State.OFFLINE: False, State.OK: True, State.FAULT: True}.get(verdict.state)
    if any(family_of_kind(kind) == name for kind in verdict.kinds):
        return False
    if verdict.state is State.OK or (verdict.state is State.FAULT and BLIND.isdisjoint(verdict.kinds)):
        return True
    return None
