"""What an outsider may demand of a ledger, from what it was told and what it said. Knows nothing of its inside."""

from collections import defaultdict
from dataclasses import dataclass, field

from engine.model.access import ENGINE, Actor, Role
from engine.model.faults import BLIND, OFFLINE, by_family, family, family_of
from engine.model.findings import Finding, LedgerEvent, Level, Step
from engine.model.verdict import State, Verdict

LEVELS = list(Level)


class AuditError(AssertionError):
    """The ledger did what no ledger may do."""


@dataclass
class Book:
    """What the outsider knows of one finding."""

    events: list[LedgerEvent] = field(default_factory=list)
    deadline_ns: int = 0
    level: Level = Level.SCHOOL
    looks: list[bool] | None = None
    """Good and bad looks since the claim; None without one."""
    claimed_ns: int = 0
    decided: bool = False
    """Ended by a decision, and announced ever since."""

    @property
    def ended(self) -> bool:
        return self.events[-1].step in (Step.CLOSED, Step.DISMISSED)

    @property
    def word(self) -> str:
        assert self.events[0].subject is not None
        return family_of(self.events[0].subject.cause_key)


class Auditor:
    """Tell it of every look before the ledger hears it, and of everything that the ledger says."""

    def __init__(self, recheck_n: int, recheck_m: int) -> None:
        self.recheck_n, self.recheck_m = recheck_n, recheck_m
        self.books: dict[int, Book] = {}
        self.of_camera: defaultdict[str, list[Book]] = defaultdict(list)
        self.verdict: Verdict | None = None
        self.requests: set[tuple[str, str]] = set()

    def look(self, verdict: Verdict) -> None:
        self.verdict = verdict
        for book in self.of_camera[verdict.camera_id]:
            book.decided &= book.word in _announced(verdict)
            if not book.ended and book.looks is not None and verdict.at_wall_ns > book.claimed_ns:
                good = _good(verdict, book.word)
                if good is not None:
                    book.looks.append(good)

    def clock_went_back(self, duration_ns: int) -> None:
        """Pictures are compared with claims by the same clock."""
        for book in self.books.values():
            book.claimed_ns -= duration_ns

    def said(self, event: LedgerEvent, now_ns: int, actor: Actor = ENGINE) -> None:
        """An event came. `actor`: whose command it was, if it was one's."""
        book = self.books.setdefault(event.finding_id, Book())
        if event.number != len(book.events) + 1:
            raise AuditError(f"event {event.number} of finding {event.finding_id} after {len(book.events)} of them")
        if book.events and book.ended:
            raise AuditError(f"{event.step} after finding {event.finding_id} ended")
        if book.events and event.at_wall_ns < book.events[-1].at_wall_ns:
            raise AuditError(f"the events of finding {event.finding_id} go back in time")
        request = event.who, event.request_id
        if event.request_id and request in self.requests:
            raise AuditError(f"{request} was carried out twice")
        self.requests.add(request)
        before = book.events[-1].step if book.events else None
        self._judge(book, event, before, now_ns, actor)
        book.events.append(event)
        book.deadline_ns = event.deadline_wall_ns or book.deadline_ns
        book.level = event.level or book.level
        if event.step is Step.OPENED:
            assert event.subject is not None
            self.of_camera[event.subject.camera_id].append(book)
        elif event.step is Step.CLAIMED:
            book.looks, book.claimed_ns = [], now_ns
        elif event.step is Step.RECHECK_FAILED:
            book.looks = None
        book.decided = book.ended and actor is not ENGINE

    def decided(self) -> dict[str, set[str]]:
        """By camera, families that were decided on and are announced still."""
        return {
            camera_id: words
            for camera_id, books in self.of_camera.items()
            if (words := {book.word for book in books if book.decided})
        }

    def decides(self) -> None:
        """After a look: a re-check that is decided has ended."""
        verdict = self.verdict
        assert verdict is not None
        for book in self.of_camera[verdict.camera_id]:
            if book.ended or book.looks is None or verdict.at_wall_ns <= book.claimed_ns:
                continue
            passed = book.looks.count(True) >= self.recheck_n and book.word not in _announced(verdict)
            if passed or book.looks.count(False) > self.recheck_m - self.recheck_n:
                raise AuditError(f"a re-check goes on after looks {book.looks}")

    def agrees(self, findings: dict[int, Finding], now_ns: int) -> None:
        """What the ledger holds is what has not ended, and nothing is left undone."""
        open_ids = {finding_id for finding_id, book in self.books.items() if not book.ended}
        if open_ids != set(findings):
            raise AuditError(f"{sorted(open_ids)} have not ended, {sorted(findings)} are held")
        for finding_id, finding in findings.items():
            book = self.books[finding_id]
            if finding.number != len(book.events):
                raise AuditError(f"finding {finding_id} is at event {finding.number} of {len(book.events)}")
            late = now_ns > finding.deadline_wall_ns and book.looks is None
            if late and not any(event.step is Step.FELL_OVERDUE and event.at_wall_ns >= book.deadline_ns
                                for event in book.events):  # fmt: skip
                raise AuditError(f"the deadline of finding {finding_id} passed, and nobody was told")

    def _judge(self, book: Book, event: LedgerEvent, before: Step | None, now_ns: int, actor: Actor) -> None:
        match event.step:
            case Step.OPENED:
                self._opening(event)
            case Step.FELL_OVERDUE if now_ns < book.deadline_ns or book.looks is not None:
                raise AuditError(f"finding {event.finding_id} fell overdue before its deadline, or during a re-check")
            case Step.ESCALATED if before is not Step.FELL_OVERDUE or event.level is not _above(book.level):
                raise AuditError(f"finding {event.finding_id} was escalated from {book.level} to {event.level}")
            case Step.RECHECK_PASSED:
                looks = book.looks or []
                if looks.count(True) < self.recheck_n or looks.count(False) > self.recheck_m - self.recheck_n:
                    raise AuditError(f"a re-check passed with looks {looks}")
                if self.verdict is None or book.word in _announced(self.verdict):
                    raise AuditError(f"a re-check passed while {book.word} is announced")
            case Step.CLOSED | Step.DISMISSED if actor is ENGINE:
                if event.step is Step.DISMISSED or before is not Step.RECHECK_PASSED:
                    raise AuditError(f"the engine ended finding {event.finding_id} without a re-check that passed")
            case Step.CLOSED | Step.DISMISSED | Step.SUPERVISED if actor is not ENGINE:
                if not actor.role.may(Role.OPERATOR) or not event.why:
                    raise AuditError(f"{actor.name} ({actor.role}) did {event.step}, because {event.why!r}")

    def _opening(self, event: LedgerEvent) -> None:
        verdict, subject = self.verdict, event.subject
        if verdict is None or subject is None or verdict.camera_id != subject.camera_id:
            raise AuditError(f"finding {event.finding_id} was opened by nothing that was seen")
        word = family_of(subject.cause_key)
        seen = {OFFLINE} if verdict.state is State.OFFLINE else {family(kind) for kind in verdict.kinds}
        if word not in _announced(verdict) & seen:
            raise AuditError(f"{subject.cause_key} was opened; announced {_announced(verdict)}, seen {seen}")
        if any(book.decided and book.word == word for book in self.of_camera[subject.camera_id]):
            raise AuditError(f"{subject.cause_key} was opened although somebody decided on it while it was announced")
        if any(not book.ended and book.word == word for book in self.of_camera[subject.camera_id]):
            raise AuditError(f"{subject.camera_id} has an open finding of {word} already")


def _announced(verdict: Verdict) -> set[str]:
    """Families that the engine stands by."""
    if verdict.announced is State.OFFLINE:
        return {OFFLINE}
    return set(by_family(verdict.announced_kinds)) if verdict.announced is State.FAULT else set()


def _above(level: Level) -> Level | None:
    place = LEVELS.index(level) + 1
    return LEVELS[place] if place < len(LEVELS) else None


def _good(verdict: Verdict, word: str) -> bool | None:
    """What a look says of a fault; None if nothing."""
    if word == OFFLINE:
        return {State.OFFLINE: False, State.OK: True, State.FAULT: True}.get(verdict.state)
    if any(family(kind) == word for kind in verdict.kinds):
        return False
    if verdict.state is State.OK or (verdict.state is State.FAULT and BLIND.isdisjoint(verdict.kinds)):
        return True
    return None
