"""Runs a ledger in virtual time, so that a test reads as a list of verdicts, commands and waits."""

from itertools import count
from typing import Any

from engine.config.ledger import LedgerSettings
from engine.ledger.actions import Action, RecheckRequest
from engine.ledger.core import Ledger
from engine.ledger.invariants import check_invariants
from engine.ledger.projection import replay
from engine.model.access import Actor, Role
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingCommand, FindingState, LedgerEvent, RecordedEvent, Step
from engine.model.verdict import Cause, FaultKind, State, Verdict

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
START = 1_772_438_400 * 10**9
"""2026-03-02 08:00 UTC."""

INSPECTOR = Actor("wang", Role.INSPECTOR, "130102")
OPERATOR = Actor("li", Role.OPERATOR)
VIEWER = Actor("zhao", Role.VIEWER)


def camera(camera_id: str = "c1", region: str = "130102") -> Camera:
    return Camera(camera_id, "rtsp://h/1", site_id="s1", site_name="第一中学食堂", region=region)


class LedgerHarness:
    """A ledger, its clock, and every event and recheck that it asked for."""

    def __init__(self, **settings: Any) -> None:
        self.settings = LedgerSettings(**settings)
        self.now_ns = START
        self.ledger = Ledger(self.settings, START)
        self.log: list[LedgerEvent] = []
        self.rechecks: list[str] = []

    def record(self, actions: list[Action]) -> list[Step]:
        """Store actions and check the invariants; return the steps of the events."""
        events = [action.event for action in actions if isinstance(action, RecordedEvent)]
        self.log += events
        self.rechecks += [action.camera_id for action in actions if isinstance(action, RecheckRequest)]
        check_invariants(self.ledger)
        return [event.step for event in events]

    def wait(self, duration_ns: int) -> list[Step]:
        """Advance the clock, with a tick whenever the ledger asked for one; return the steps."""
        end_ns = self.now_ns + duration_ns
        steps: list[Step] = []
        while (wakeup_ns := self.ledger.next_wakeup_wall_ns()) is not None and wakeup_ns <= end_ns:
            self.now_ns = max(self.now_ns, wakeup_ns)
            steps += self.record(self.ledger.tick(self.now_ns))
        self.now_ns = end_ns
        return steps

    def observe(
        self,
        *kinds: FaultKind,
        state: State | None = None,
        announced: tuple[FaultKind, ...] | State | None = None,
        cause: Cause | None = None,
        since_h: float = 10.0,
        at: Camera | None = None,
        late_ns: int = 0,
        reason: str = "",
    ) -> list[Step]:
        """Observe a verdict one minute later. `announced`: kinds or a state; by default what the visit itself shows."""
        self.now_ns += MINUTE
        seen = state or (State.FAULT if kinds else State.OK)
        told: State = seen
        told_kinds: tuple[FaultKind, ...] = kinds
        if isinstance(announced, State):
            told, told_kinds = announced, ()
        elif announced is not None:
            told, told_kinds = (State.FAULT if announced else State.OK), announced
        whose = at or camera()
        verdict = Verdict(
            camera_id=whose.camera_id,
            visit_id=1,
            at_wall_ns=self.now_ns - late_ns,
            state=seen,
            kinds=kinds,
            announced=told,
            announced_kinds=told_kinds,
            announced_cause=cause,
            since_wall_ns=self.now_ns - round(since_h * HOUR),
            reason=reason,
        )
        return self.record(self.ledger.observe(verdict, whose, self.now_ns))

    def act(
        self, step: Step, actor: Actor = INSPECTOR, finding_id: int = 1, *, why: str = "seen", number: int = 0,
        request_id: str = "",
    ) -> list[Step]:  # fmt: skip
        command = FindingCommand(finding_id, step, why, number, request_id)
        if self.ledger.is_repeated(command, actor):
            return []
        _, actions = self.ledger.execute(command, actor, self.now_ns)
        return self.record(actions)

    def finding(self, finding_id: int = 1) -> Finding:
        """Return a finding replayed from the log; checks that the ledger holds the same until it ends."""
        found = replay(self.log)[finding_id]
        assert self.ledger.findings.get(finding_id) == (None if found.state.ended else found)
        return found

    def restart(self) -> None:
        """Replace the ledger by one made from the log."""
        findings = [finding for finding in replay(self.log).values() if not finding.state.ended]
        next_id = max((event.finding_id for event in self.log), default=0) + 1
        dismissed = [finding for finding in replay(self.log).values() if finding.state is FindingState.DISMISSED]
        self.ledger = Ledger(self.settings, self.now_ns, findings, finding_ids=count(next_id), dismissed=dismissed)
        check_invariants(self.ledger)

    def configure(self, **changes: Any) -> None:
        self.settings = LedgerSettings(**(self.settings.model_dump() | changes))
        self.ledger.configure(self.settings)
