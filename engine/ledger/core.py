"""The ledger's state machine: verdicts, commands and time go in; events and check requests come out. Pure.

The caller stores the events. Only findings that have not ended are held here. Every event goes through
projection.apply, so a replay gives the same findings. If the wall clock is set back, no re-check takes longer, and
times stay in order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from engine.config.ledger import LedgerSettings
from engine.ledger import commands, recheck_evidence
from engine.ledger.actions import Action, RecheckRequest
from engine.ledger.camera_index import CameraIndex
from engine.ledger.dismissals import Dismissals
from engine.ledger.muted import Muted
from engine.ledger.opening import opening_event, raised
from engine.ledger.operator_list import OperatorCase, OperatorList
from engine.ledger.policy import Policy, next_level
from engine.ledger.projection import apply
from engine.ledger.recheck import NEVER_NS, Recheck
from engine.ledger.recheck_evidence import READ_FAMILIES, Fault, Look, announced_faults, is_read, shows
from engine.ledger.requests import RequestKey, RequestMemory
from engine.ledger.wakeups import Wakeups
from engine.model.access import ENGINE, Actor
from engine.model.camera import Camera
from engine.model.faults import OFFLINE, family_of_cause_key
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingState,
    FindingTally,
    LedgerEvent,
    Level,
    RecordedEvent,
    Step,
)
from engine.model.overlay import OverlayVerdict
from engine.model.verdict import FaultKind, Severity, Verdict

_TICK_FINDINGS_MAX = 100
"""Most findings that one tick processes, so that the hub gets back to its keyframes even after a long stop."""
_ENGINE_ROLE = ""
_NO_COMMAND = FindingCommand(0, Step.OPENED)
"""What an event has that no command caused."""


class Ledger:
    """The findings that have not ended.

    The arguments restore it after a restart. `findings`: those that have not ended, as their events left them. `muted`:
    by camera, the families that an operator closed or dismissed and that have been announced ever since; they open no
    finding until the announcement ends. `requests`: the latest commands with a request id, oldest first.
    `finding_ids`: gives ids for new findings, each greater than every id ever used here. `operator_cases`: offline for
    a reason of ours, by camera. `dismissed`: what people dismissed lately, the earliest first; it can be reopened.

    Attributes: `findings`: by id. `counts`: number of findings by what they are counted by. `wakeups`: when they are
    due. `operator_list`: offline cameras that are no findings.
    """

    def __init__(
        self,
        settings: LedgerSettings,
        now_wall_ns: int,
        findings: Iterable[Finding] = (),
        muted: Mapping[str, Iterable[str]] | None = None,
        requests: Iterable[tuple[RequestKey, FindingCommand]] = (),
        finding_ids: Iterator[int] | None = None,
        operator_cases: Mapping[str, OperatorCase] | None = None,
        dismissed: Iterable[Finding] = (),
    ) -> None:
        self._policy = Policy(settings)
        self._now_wall_ns = now_wall_ns
        self._finding_ids = finding_ids or count(1)
        self.findings: dict[int, Finding] = {}
        self.counts: Counter[FindingTally] = Counter()
        self._index = CameraIndex()
        self._muted = Muted(muted or {})
        self._dismissals = Dismissals(dismissed)
        self._rechecks: dict[int, Recheck] = {}
        self.wakeups = Wakeups(self.due_wall_ns)
        self._requests = RequestMemory(requests)
        self.operator_list = OperatorList(operator_cases)
        self.adopt(findings)

    def adopt(self, findings: Iterable[Finding]) -> None:
        """Hold these findings, which have not ended, as their events left them; those held already stay as they are."""
        for finding in findings:
            if finding.finding_id not in self.findings:
                self._add(finding)
                if finding.state.claimed:
                    self._begin_recheck(finding, self._now_wall_ns)
                self._schedule_wakeup(finding)

    def release(self, camera_ids: Iterable[str]) -> None:
        """Hold the findings of these cameras no more, without an event: another ledger holds them now."""
        for camera_id in camera_ids:
            for finding_id in list(self._index.of(camera_id).values()):
                self._remove(self.findings[finding_id])
                self._rechecks.pop(finding_id, None)

    def observe(self, verdict: Verdict, camera: Camera, now_wall_ns: int) -> list[Action]:
        """Process the verdict of a visit; return the events and check requests that follow from it.

        What counts is what the verdict announces, and every verdict announces it anew, so a verdict that is never
        passed in does no lasting harm.
        """
        self._advance_clock(now_wall_ns)
        self.operator_list.observe(verdict, self._policy)
        held = self._index.of(verdict.camera_id)
        faults = announced_faults(verdict)
        if not held and not faults and verdict.camera_id not in self._muted:
            return []
        actions: list[Action] = []
        muted = self._muted.still(verdict.camera_id, faults.keys() | READ_FAMILIES)
        for family, finding_id in list(held.items()):
            if family not in READ_FAMILIES:
                look = recheck_evidence.look_of_visit(verdict, family, faults.get(family), self._policy)
                self._check_finding(self.findings[finding_id], look, actions)
        held = self._index.of(verdict.camera_id)
        for family, fault in faults.items():
            is_new = family not in held and family not in muted
            blamed = family != OFFLINE or self.operator_list.blames_school(verdict, self._policy)
            if is_new and blamed and shows(verdict, family):
                self._open_finding(fault, camera, verdict.detail or verdict.reason, actions)
        return actions

    def observe_reading(self, verdict: OverlayVerdict, camera: Camera, now_wall_ns: int) -> list[Action]:
        """Process what readings of clock and name conclude, as `observe` does: of findings of READ_KINDS alone."""
        self._advance_clock(now_wall_ns)
        actions: list[Action] = []
        for family in sorted(READ_FAMILIES):
            look = recheck_evidence.look_of_reading(verdict, family)
            held = self._index.of(camera.camera_id).get(family)
            if held is not None:
                self._check_finding(self.findings[held], look, actions)
            elif look.fault is None:
                if look.settled:
                    self._muted.remove(camera.camera_id, family)
            elif self.may_open(camera.camera_id, family):
                self._open_finding(look.fault, camera, verdict.faults[FaultKind(family)].detail, actions)
        return actions

    def may_open(self, camera_id: str, family: str) -> bool:
        """Return whether a fault of this family would open a finding: there is none, and no decision against it."""
        return family not in self._index.of(camera_id) and not self._muted.has(camera_id, family)

    def record_delivery(self, finding_id: int, why: str, now_wall_ns: int) -> list[Action]:
        """Record that a notice of the finding was delivered; no event unless the finding stands open.

        `why`: the endpoint, for people.
        """
        self._advance_clock(now_wall_ns)
        actions: list[Action] = []
        finding = self.findings.get(finding_id)
        if finding is not None and finding.standing is FindingState.OPEN:
            self._record(finding, Step.NOTIFIED, actions, why=why)
        return actions

    def is_repeated(self, command: FindingCommand, actor: Actor) -> bool:
        """Return whether this command was executed before.

        Raises InvalidArgumentError if the actor used its request id for another command.
        """
        return self._requests.is_repeated(command, actor)

    def check(self, command: FindingCommand, actor: Actor) -> Finding:
        """Check a command, and change nothing; return its finding. Raises as `execute`."""
        if (finding := self.target(command)) is None:
            raise KeyError(command.finding_id)
        commands.check_allowed(command, finding, actor, self._policy)
        if finding.state.ended:
            commands.check_reopening(command, finding, self._now_wall_ns, self._policy, self._index.like(finding))
        else:
            commands.check_state(command, finding)
        return finding

    def target(self, command: FindingCommand) -> Finding | None:
        """Return the finding that a command is about: an open one or, to be reopened, one that was dismissed lately.

        None if it is not held here.
        """
        dismissed = self._dismissals.get(command.finding_id) if command.step is Step.REOPENED else None
        return dismissed or self.findings.get(command.finding_id)

    def execute(self, command: FindingCommand, actor: Actor, now_wall_ns: int) -> tuple[Finding, list[Action]]:
        """Execute a caller's command; return the finding after it, and the events and check requests.

        Call `is_repeated` first. Raises KeyError if the finding is not held here, and InvalidArgumentError,
        DeniedError, StateError or ConflictError if the command is not allowed.
        """
        self._advance_clock(now_wall_ns)
        finding = self.check(command, actor)
        actions: list[Action] = []
        finding = self._record(finding, command.step, actions, actor, command.why.strip(), command=command)
        self._requests.add(command, actor)
        if command.step is Step.REOPENED:
            self._dismissals.remove(finding.finding_id)
            self._muted.remove(finding.subject.camera_id, family_of_cause_key(finding.subject.cause_key))
        if finding.state is FindingState.RECTIFIED and command.step in (Step.CLAIMED, Step.REOPENED):
            self._begin_recheck(finding, self._now_wall_ns)
            self._schedule_wakeup(finding)
            if finding.claimed_by != ENGINE.name:
                self._request_check(finding, actions)
        elif finding.state.ended:
            # The fault is perhaps still announced; an announcement known at the time must not overrule the decision.
            self._muted.add(finding.subject.camera_id, family_of_cause_key(finding.subject.cause_key))
            if command.step is Step.DISMISSED:
                self._dismissals.add(finding)
        return finding, actions

    def tick(self, now_wall_ns: int) -> list[Action]:
        """Process what is due at `now_wall_ns`: missed deadlines, checks to request, re-checks that took too long."""
        self._advance_clock(now_wall_ns)
        actions: list[Action] = []
        for _ in range(_TICK_FINDINGS_MAX):
            if (wakeup_ns := self.next_wakeup_wall_ns()) is None or wakeup_ns > now_wall_ns:
                break
            finding_id = self.wakeups.pop()
            finding = self.findings[finding_id]
            recheck = self._rechecks.get(finding_id)
            if recheck is None:
                self._mark_overdue(finding, actions)
            elif now_wall_ns >= recheck.ends_wall_ns:
                hours = self._policy.settings.recheck_max_h
                self._fail_recheck(finding, f"undecided after {hours:g} h: {recheck.counts}", actions)
            else:
                self._request_check(finding, actions)
        return actions

    def next_wakeup_wall_ns(self) -> int | None:
        """Return when to call `tick` next; None if nothing will ever be due."""
        return self.wakeups.next_wall_ns()

    def configure(self, settings: LedgerSettings) -> None:
        """Apply new settings to deadlines and waits that begin from now on."""
        self._policy = Policy(settings)

    def findings_of(self, camera_id: str) -> dict[str, int]:
        """Return the ids of a camera's findings by family."""
        return dict(self._index.of(camera_id))

    @property
    def rechecked_ids(self) -> set[int]:
        """Ids of the findings whose claim is being re-checked."""
        return set(self._rechecks)

    @property
    def requests_held(self) -> int:
        """Number of request ids that are held."""
        return len(self._requests)

    def _advance_clock(self, now_wall_ns: int) -> None:
        if now_wall_ns < self._now_wall_ns:
            self.operator_list.shift(self._now_wall_ns - now_wall_ns)
            for finding_id, recheck in self._rechecks.items():
                recheck.shift(self._now_wall_ns - now_wall_ns)
                self._schedule_wakeup(self.findings[finding_id])
        self._now_wall_ns = now_wall_ns

    def _open_finding(self, fault: Fault, camera: Camera, why: str, actions: list[Action]) -> None:
        event = opening_event(next(self._finding_ids), fault, camera, why, self._policy, self._now_wall_ns)
        finding = apply(None, event)
        self._add(finding)
        self._schedule_wakeup(finding)
        actions.append(RecordedEvent(event, finding))

    def _check_finding(self, finding: Finding, look: Look, actions: list[Action]) -> None:
        """Apply a look at the finding's camera to the finding."""
        fault = look.fault
        if fault is not None and fault.is_worse_than(finding.severity):
            finding = self._worsen(finding, fault, actions)
        recheck = self._rechecks.get(finding.finding_id)
        if recheck is None:
            if look.settled:
                finding = self._record(finding, Step.CLAIMED, actions, why=look.settled)
                self._begin_recheck(finding, self._now_wall_ns)
                self._schedule_wakeup(finding)
            return
        if look.at_wall_ns <= recheck.since_wall_ns:
            return  # the picture was taken before the claim
        if finding.state is FindingState.RECTIFIED:
            finding = self._record(finding, Step.RECHECK_BEGUN, actions)
        recheck.add_check(look.sign, self._now_wall_ns, self._policy)
        if recheck.failed(self._policy):
            self._fail_recheck(finding, f"seen again: {recheck.counts}", actions)
        elif recheck.passed(self._policy) and fault is None:
            finding = self._record(finding, Step.RECHECK_PASSED, actions, why=recheck.counts)
            self._record(finding, Step.CLOSED, actions, why="the re-check passed")
        else:
            self._schedule_wakeup(finding)

    def _worsen(self, finding: Finding, fault: Fault, actions: list[Action]) -> Finding:
        level, deadline_ns = raised(finding, fault, self._policy, self._now_wall_ns)
        return self._record(
            finding,
            Step.CHANGED,
            actions,
            why=f"{fault.cause_key}: {fault.severity} now",
            severity=fault.severity,
            level=level,
            deadline_wall_ns=deadline_ns,
        )

    def _fail_recheck(self, finding: Finding, why: str, actions: list[Action]) -> None:
        if finding.state is FindingState.RECTIFIED:
            finding = self._record(finding, Step.RECHECK_BEGUN, actions)
        self._record(finding, Step.RECHECK_FAILED, actions, why=why)

    def _mark_overdue(self, finding: Finding, actions: list[Action]) -> None:
        """Record that the deadline passed; the next level becomes responsible, with a deadline of its own."""
        finding = self._record(finding, Step.FELL_OVERDUE, actions, why=f"the deadline of the {finding.level} passed")
        if (above := next_level(finding.level)) is None:
            return
        time_ns = self._policy.time_ns(finding.subject.region, finding.severity, above)
        finding = self._record(
            finding,
            Step.ESCALATED,
            actions,
            why=f"from {finding.level} to {above}",
            level=above,
            deadline_wall_ns=self._now_wall_ns + time_ns,
        )
        if self._policy.supervises(above) and not finding.supervised:
            self._record(finding, Step.SUPERVISED, actions, why=f"escalated to the {above}")

    def _request_check(self, finding: Finding, actions: list[Action]) -> None:
        self._rechecks[finding.finding_id].request_check(self._now_wall_ns, self._policy)
        self._schedule_wakeup(finding)
        actions.append(RecheckRequest(finding.subject.camera_id, finding.finding_id, is_read(finding)))

    def _begin_recheck(self, finding: Finding, now_wall_ns: int) -> None:
        """Begin to count checks. They are requested for claims of people, and for readings, which come once a day
        otherwise; other claims of the engine's own await the patrol."""
        check_ns = NEVER_NS if finding.claimed_by == ENGINE.name and not is_read(finding) else now_wall_ns
        self._rechecks[finding.finding_id] = Recheck(now_wall_ns, now_wall_ns + self._policy.recheck_max_ns, check_ns)

    def _record(
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
        command: FindingCommand = _NO_COMMAND,
    ) -> Finding:
        """Make one event, apply it, and add it to `actions`; return the finding after it."""
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
            request_id=command.request_id,
            photographs=command.photographs,
        )
        after = apply(finding, event)
        actions.append(RecordedEvent(event, after))
        if not finding.state.ended:
            self._remove(finding)
        if not after.state.claimed:
            self._rechecks.pop(finding.finding_id, None)
        if not after.state.ended:
            self._add(after)
            self._schedule_wakeup(after)
        return after

    def _add(self, finding: Finding) -> None:
        self.findings[finding.finding_id] = finding
        self.counts[finding.tally] += 1
        self._index.add(finding)

    def _remove(self, finding: Finding) -> None:
        del self.findings[finding.finding_id]
        self.counts[finding.tally] -= 1
        self._index.remove(finding)

    def due_wall_ns(self, finding_id: int) -> int:
        """Return when the passing of time alone affects a finding; NEVER_NS if it does not.

        While a claim is re-checked the deadline of the finding is suspended.
        """
        if (finding := self.findings.get(finding_id)) is None:
            return NEVER_NS
        recheck = self._rechecks.get(finding_id)
        if recheck is not None:
            return recheck.due_wall_ns
        return NEVER_NS if finding.overdue or finding.state.claimed else finding.deadline_wall_ns

    def _schedule_wakeup(self, finding: Finding) -> None:
        self.wakeups.schedule(finding.finding_id, self.findings)
