"""The ledger's state machine: verdicts, commands and time in; events and orders out. The caller keeps the events.

Only findings that have not ended are held. Whatever happens to one goes through fold.apply, so a replay of the events
gives the same. Times are wall-clock, since 1970 UTC; a clock that goes back lengthens no re-check, and never turns the
times of a finding's events around.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from engine.config.ledger import LedgerSettings
from engine.ledger import commands
from engine.ledger.policy import LEVELS, Policy, next_level
from engine.ledger.projection import apply
from engine.ledger.recheck import NEVER_NS, Recheck
from engine.ledger.recheck_evidence import Fault, announced_faults, is_settled, recheck_sign, shows
from engine.model.access import ENGINE, Actor
from engine.model.camera import Camera
from engine.model.faults import OFFLINE, family_of_cause_key
from engine.model.findings import (
    WHY_CHARS_MAX,
    Finding,
    FindingCommand,
    FindingState,
    LedgerEvent,
    Level,
    RecordedEvent,
    Step,
    Subject,
)
from engine.model.verdict import Severity, Verdict

REQUESTS_MAX = 10_000
"""Commands whose request ids are remembered; older ones are in the record only."""
_TURN_FINDINGS_MAX = 100
"""Findings that one tick deals with, so that the hub turns to its frames; after a long stop the rest has the next."""
WAKEUP_SLACK = 1024
_ENGINE_ROLE = ""

RequestKey = tuple[str, str]
"""Who asked, and the request id."""


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """The camera is to be looked at as soon as the caps allow."""

    camera_id: str
    finding_id: int


Action = RecordedEvent | RecheckRequest


class Ledger:
    """The findings that have not ended.

    `findings`: those of before, as their events left them. `muted`: by camera, families that were closed or dismissed
    by a decision and have been announced ever since; they are no news until the announcement ends. `requests`: the
    latest commands by who and request id, oldest first. `next_finding_id`: above every id that was ever given.
    `armed`: a heap of when what is due, stale entries in it.
    """

    def __init__(
        self,
        settings: LedgerSettings,
        now_wall_ns: int,
        findings: Iterable[Finding] = (),
        muted: Mapping[str, Iterable[str]] | None = None,
        requests: Iterable[tuple[RequestKey, FindingCommand]] = (),
        next_finding_id: int = 1,
    ) -> None:
        self._policy = Policy(settings)
        self._now_wall_ns = now_wall_ns
        self._next_id = next_finding_id
        self.findings: dict[int, Finding] = {}
        self.counts: Counter[tuple[FindingState, Level]] = Counter()
        self._by_camera: dict[str, dict[str, int]] = {}
        self._muted = {camera_id: set(words) for camera_id, words in (muted or {}).items()}
        self._rechecks: dict[int, Recheck] = {}
        self.armed: list[tuple[int, int]] = []
        self._requests: OrderedDict[RequestKey, FindingCommand] = OrderedDict()
        for key, command in requests:
            self._remember(key, command)
        for finding in findings:
            self._hold(finding)
            if finding.state.claimed:
                self._begin_recheck(finding, now_wall_ns)
            self._arm(finding)

    def observe(self, verdict: Verdict, camera: Camera, now_wall_ns: int) -> list[Action]:
        """A visit was judged. What is announced counts, each time anew, so a verdict that is not heard does no harm."""
        self._clock(now_wall_ns)
        held = self._by_camera.get(verdict.camera_id)
        faults = announced_faults(verdict)
        if held is None and not faults and verdict.camera_id not in self._muted:
            return []
        actions: list[Action] = []
        muted = self._unmute(verdict.camera_id, faults)
        for word, finding_id in list((held or {}).items()):
            self._look(self.findings[finding_id], word, faults.get(word), verdict, actions)
        held = self._by_camera.get(verdict.camera_id, {})
        for word, fault in faults.items():
            if word not in held and word not in muted and shows(verdict, word) and not self._too_new(word, verdict):
                self._open(fault, camera, verdict, actions)
        return actions

    def delivered(self, finding_id: int, why: str, now_wall_ns: int) -> list[Action]:
        """A notice of it reached somebody; news for a finding that nobody was told of yet."""
        self._clock(now_wall_ns)
        actions: list[Action] = []
        finding = self.findings.get(finding_id)
        if finding is not None and finding.standing is FindingState.OPEN:
            self._step(finding, Step.NOTIFIED, actions, why=why)
        return actions

    def repeats(self, command: FindingCommand, actor: Actor) -> bool:
        """Whether this command was taken before; raises ConflictError if its request id was another's."""
        return bool(command.request_id) and commands.is_repeated(
            command, self._requests.get((actor.name, command.request_id))
        )

    def act(self, command: FindingCommand, actor: Actor, now_wall_ns: int) -> tuple[Finding, list[Action]]:
        """Do what a caller wants to a finding that is held: what became of it, and what follows.

        Ask `repeats` first. KeyError for a finding that is not held; InvalidArgumentError, DeniedError, StateError and
        ConflictError for what may not be done.
        """
        self._clock(now_wall_ns)
        finding = self.findings[command.finding_id]
        commands.check_command(command, actor)
        commands.check_state(command, finding)
        actions: list[Action] = []
        finding = self._step(finding, command.step, actions, actor, command.why.strip(), request_id=command.request_id)
        if command.request_id:
            self._remember((actor.name, command.request_id), command)
        if command.step is Step.CLAIMED:
            self._begin_recheck(finding, self._now_wall_ns)
            self._order_look(finding, actions)
        elif finding.state.ended:
            # It is announced still, or may be: a decision is not overruled by what was known when it was made.
            self._muted.setdefault(finding.subject.camera_id, set()).add(family_of_cause_key(finding.subject.cause_key))
        return finding, actions

    def tick(self, now_wall_ns: int) -> list[Action]:
        """Time has come to next_wakeup_wall_ns(): deadlines pass, looks are ordered, re-checks have taken too long."""
        self._clock(now_wall_ns)
        actions: list[Action] = []
        for _ in range(_TURN_FINDINGS_MAX):
            wakeup_ns = self.next_wakeup_wall_ns()
            if wakeup_ns is None or wakeup_ns > now_wall_ns:
                break
            _, finding_id = heappop(self.armed)
            finding = self.findings[finding_id]
            recheck = self._rechecks.get(finding_id)
            if recheck is None:
                self._fall_overdue(finding, actions)
            elif now_wall_ns >= recheck.ends_wall_ns:
                self._fail(
                    finding, f"undecided after {self._policy.settings.recheck_max_h:g} h: {_looks(recheck)}", actions
                )
            else:
                self._order_look(finding, actions)
        return actions

    def next_wakeup_wall_ns(self) -> int | None:
        """When `tick` has something to do; None while nothing is due ever."""
        while self.armed:
            due_ns, finding_id = self.armed[0]
            if self.due_wall_ns(finding_id) == due_ns:
                return due_ns
            heappop(self.armed)
        return None

    def configure(self, settings: LedgerSettings) -> None:
        """New settings: for deadlines and waits that begin from now on."""
        self._policy = Policy(settings)

    def held_of(self, camera_id: str) -> dict[str, int]:
        """Findings of a camera by family."""
        return dict(self._by_camera.get(camera_id, {}))

    @property
    def rechecked(self) -> set[int]:
        """Findings whose claim is looked into."""
        return set(self._rechecks)

    @property
    def requests(self) -> int:
        """Request ids that are remembered."""
        return len(self._requests)

    def _clock(self, now_wall_ns: int) -> None:
        if now_wall_ns < self._now_wall_ns:
            for finding_id, recheck in self._rechecks.items():
                recheck.shift(self._now_wall_ns - now_wall_ns)
                self._arm(self.findings[finding_id])
        self._now_wall_ns = now_wall_ns

    def _unmute(self, camera_id: str, faults: Mapping[str, Fault]) -> frozenset[str]:
        """Families of the camera that are no news; those whose announcement has ended would be from now on."""
        muted = self._muted.get(camera_id)
        if muted is None:
            return frozenset()
        muted &= faults.keys()
        if not muted:
            del self._muted[camera_id]
        return frozenset(muted)

    def _too_new(self, word: str, verdict: Verdict) -> bool:
        return word == OFFLINE and verdict.at_wall_ns - verdict.since_wall_ns < self._policy.offline_min_ns

    def _open(self, fault: Fault, camera: Camera, verdict: Verdict, actions: list[Action]) -> None:
        level = self._policy.first_level(camera.region, fault.severity)
        event = LedgerEvent(
            finding_id=self._next_id,
            number=1,
            step=Step.OPENED,
            at_wall_ns=self._now_wall_ns,
            who=ENGINE.name,
            why=(verdict.detail or verdict.reason)[:WHY_CHARS_MAX],
            subject=Subject(camera.camera_id, fault.cause_key, camera.site_id, camera.site_name, camera.region),
            severity=fault.severity,
            level=level,
            deadline_wall_ns=self._now_wall_ns + self._policy.time_ns(camera.region, fault.severity, level),
        )
        self._next_id += 1
        finding = apply(None, event)
        self._hold(finding)
        self._arm(finding)
        actions.append(RecordedEvent(event, finding))

    def _look(self, finding: Finding, word: str, fault: Fault | None, verdict: Verdict, actions: list[Action]) -> None:
        """A look at a camera with this finding."""
        if fault is not None and _worse(fault.severity, finding.severity):
            finding = self._worsen(finding, fault, actions)
        recheck = self._rechecks.get(finding.finding_id)
        if recheck is None:
            if is_settled(verdict, word, self._policy.settle_ns):
                since_h = (verdict.at_wall_ns - verdict.since_wall_ns) / 3.6e12
                finding = self._step(finding, Step.CLAIMED, actions, why=f"not seen any more for {since_h:.1f} h")
                self._begin_recheck(finding, self._now_wall_ns)
                self._arm(finding)
            return
        if verdict.at_wall_ns <= recheck.since_wall_ns:
            return  # the picture was taken before the claim
        if finding.state is FindingState.RECTIFIED:
            finding = self._step(finding, Step.RECHECK_BEGUN, actions)
        recheck.count(recheck_sign(verdict, word), self._now_wall_ns, self._policy)
        if recheck.failed(self._policy):
            self._fail(finding, f"seen again: {_looks(recheck)}", actions)
        elif recheck.passed(self._policy) and fault is None:
            finding = self._step(finding, Step.RECHECK_PASSED, actions, why=_looks(recheck))
            self._step(finding, Step.CLOSED, actions, why="the re-check passed")
        else:
            self._arm(finding)

    def _worsen(self, finding: Finding, fault: Fault, actions: list[Action]) -> Finding:
        region = finding.subject.region
        first = self._policy.first_level(region, fault.severity)
        raised = first if LEVELS.index(first) > LEVELS.index(finding.level) else None
        time_ns = self._policy.time_ns(region, fault.severity, raised or finding.level)
        deadline_ns: int | None = self._now_wall_ns + time_ns
        if raised is None and deadline_ns is not None and deadline_ns >= finding.deadline_wall_ns:
            deadline_ns = None
        return self._step(
            finding,
            Step.CHANGED,
            actions,
            why=f"{fault.cause_key}: {fault.severity} now",
            severity=fault.severity,
            level=raised,
            deadline_wall_ns=deadline_ns,
        )

    def _fail(self, finding: Finding, why: str, actions: list[Action]) -> None:
        if finding.state is FindingState.RECTIFIED:
            finding = self._step(finding, Step.RECHECK_BEGUN, actions)
        self._step(finding, Step.RECHECK_FAILED, actions, why=why)

    def _fall_overdue(self, finding: Finding, actions: list[Action]) -> None:
        """The deadline of a level passed: the next one has it now, with a deadline of its own."""
        finding = self._step(finding, Step.FELL_OVERDUE, actions, why=f"the deadline of the {finding.level} passed")
        above = next_level(finding.level)
        if above is None:
            return
        time_ns = self._policy.time_ns(finding.subject.region, finding.severity, above)
        finding = self._step(
            finding,
            Step.ESCALATED,
            actions,
            why=f"from {finding.level} to {above}",
            level=above,
            deadline_wall_ns=self._now_wall_ns + time_ns,
        )
        if self._policy.supervises(above) and not finding.supervised:
            self._step(finding, Step.SUPERVISED, actions, why=f"escalated to the {above}")

    def _order_look(self, finding: Finding, actions: list[Action]) -> None:
        self._rechecks[finding.finding_id].order(self._now_wall_ns, self._policy)
        self._arm(finding)
        actions.append(RecheckRequest(finding.subject.camera_id, finding.finding_id))

    def _begin_recheck(self, finding: Finding, now_wall_ns: int) -> None:
        """Looks from now on count. The engine's own claim waits for the patrol's visits, people's are looked into."""
        look_ns = NEVER_NS if finding.claimed_by == ENGINE.name else now_wall_ns
        self._rechecks[finding.finding_id] = Recheck(now_wall_ns, now_wall_ns + self._policy.recheck_max_ns, look_ns)

    def _step(
        self,
        finding: Finding,
        step: Step,
        actions: list[Action],
        actor: Actor = ENGINE,
        why: str = "",
        *,
        severity: Severity | None = None,
        level: Level | None = None,
        deadline_wall_ns: int | None = None,
        request_id: str = "",
    ) -> Finding:
        """One event: made, applied, told."""
        event = LedgerEvent(
            finding_id=finding.finding_id,
            number=finding.number + 1,
            step=step,
            at_wall_ns=max(self._now_wall_ns, finding.changed_wall_ns),
            who=actor.name,
            role=_ENGINE_ROLE if actor is ENGINE else actor.role.value,
            why=why,
            severity=severity,
            level=level,
            deadline_wall_ns=deadline_wall_ns,
            request_id=request_id,
        )
        after = apply(finding, event)
        actions.append(RecordedEvent(event, after))
        self._let_go(finding)
        if not after.state.claimed:
            self._rechecks.pop(finding.finding_id, None)
        if not after.state.ended:
            self._hold(after)
            self._arm(after)
        return after

    def _hold(self, finding: Finding) -> None:
        self.findings[finding.finding_id] = finding
        self.counts[finding.state, finding.level] += 1
        of_camera = self._by_camera.setdefault(finding.subject.camera_id, {})
        of_camera[family_of_cause_key(finding.subject.cause_key)] = finding.finding_id

    def _let_go(self, finding: Finding) -> None:
        del self.findings[finding.finding_id]
        self.counts[finding.state, finding.level] -= 1
        of_camera = self._by_camera[finding.subject.camera_id]
        del of_camera[family_of_cause_key(finding.subject.cause_key)]
        if not of_camera:
            del self._by_camera[finding.subject.camera_id]

    def due_wall_ns(self, finding_id: int) -> int:
        """When something happens to a finding by time alone, NEVER_NS if nothing does; a claim holds its deadline."""
        finding = self.findings.get(finding_id)
        if finding is None:
            return NEVER_NS
        recheck = self._rechecks.get(finding_id)
        if recheck is not None:
            return recheck.due_wall_ns
        return NEVER_NS if finding.overdue or finding.state.claimed else finding.deadline_wall_ns

    def _arm(self, finding: Finding) -> None:
        due_ns = self.due_wall_ns(finding.finding_id)
        if due_ns != NEVER_NS:
            heappush(self.armed, (due_ns, finding.finding_id))
        if len(self.armed) > 2 * len(self.findings) + WAKEUP_SLACK:
            held = ((self.due_wall_ns(finding_id), finding_id) for finding_id in self.findings)
            self.armed = [entry for entry in held if entry[0] != NEVER_NS]
            heapify(self.armed)

    def _remember(self, key: RequestKey, command: FindingCommand) -> None:
        self._requests[key] = command
        if len(self._requests) > REQUESTS_MAX:
            self._requests.popitem(last=False)


def _worse(one: Severity, other: Severity) -> bool:
    ranks = list(Severity)
    return ranks.index(one) < ranks.index(other)


def _looks(recheck: Recheck) -> str:
    return f"{recheck.good} good and {recheck.bad} bad looks after the claim"
