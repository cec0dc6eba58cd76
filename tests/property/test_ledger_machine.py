"""Any order of looks, commands, deadlines and clocks: the ledger's books balance, and its log tells all of it."""

from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.config.ledger import LedgerSettings
from engine.errors import ConflictError, DeniedError, InvalidArgumentError, StateError
from engine.hub.services.digest_report import cases
from engine.ledger.actions import Action, RecheckRequest
from engine.ledger.core import Ledger
from engine.ledger.invariants import check_invariants
from engine.ledger.operator_list import OperatorCase
from engine.ledger.projection import replay
from engine.model.access import ENGINE, Actor, Role
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingCommand, FindingState, LedgerEvent, RecordedEvent, Step
from engine.model.verdict import Cause, FaultKind, State, Verdict
from engine.model.visit import FailureReason
from engine.notices.digest import FindingsSummary
from tests.support.ledger.auditor import Auditor
from tests.support.ledger.ledgers import HOUR, MINUTE, START

IDS = st.sampled_from(["c1", "c1", "c2"])
KINDS = st.sampled_from(
    [
        (FaultKind.COVERED,),
        (FaultKind.COVERED,),
        (FaultKind.PARTLY_COVERED,),
        (FaultKind.COVERED, FaultKind.GREASE),
        (FaultKind.GREASE,),
        (FaultKind.TOO_DARK, FaultKind.SIGNAL_LOSS),
    ]
)
REASONS = st.sampled_from([FailureReason.REFUSED, FailureReason.UNAUTHORIZED])
Shown = tuple[State, tuple[FaultKind, ...]]
SEEN = st.one_of(
    st.tuples(st.just(State.OK), st.just(())),
    st.tuples(st.just(State.FAULT), KINDS),
    st.tuples(st.sampled_from([State.UNKNOWN, State.OFFLINE]), st.just(())),
)
STEPS = st.sampled_from([Step.ACKNOWLEDGED, Step.CLAIMED, Step.CLAIMED, Step.SUPERVISED, Step.CLOSED, Step.DISMISSED,
                         Step.ESCALATED])  # fmt: skip
ACTORS = st.sampled_from([Actor("v", Role.VIEWER), Actor("i", Role.INSPECTOR), Actor("o", Role.OPERATOR)])
DURATIONS = st.sampled_from([0, 1, MINUTE, HOUR, 5 * HOUR, 30 * HOUR, 500 * HOUR])
POLICIES = st.builds(
    LedgerSettings,
    recheck_n=st.integers(1, 2),
    recheck_m=st.integers(2, 4),
    settle_h=st.sampled_from([0, 1]),
    offline_min_h=st.sampled_from([0, 1]),
    recheck_max_h=st.sampled_from([0.1, 24]),
    supervised_level=st.sampled_from(["county", "province", "never"]),
    operator_reasons=st.sampled_from([(), (FailureReason.UNAUTHORIZED,)]),
    reopen_hours=st.sampled_from([0, 24, 168]),
)


class LedgerMachine(RuleBasedStateMachine):
    """One ledger, all that it said, and what it held at every moment."""

    @initialize(policy=POLICIES)
    def begin(self, policy: LedgerSettings) -> None:
        self.policy = policy
        self.now_ns = self.told_ns = START
        self.ledger = Ledger(policy, START)
        self.log: list[LedgerEvent] = []
        self.moments: list[tuple[int, dict[int, Finding]]] = []
        self.shown: dict[str, Shown] = {}
        self.auditor = Auditor(policy)

    def record(self, actions: list[Action], actor: Actor = ENGINE) -> None:
        events = [action.event for action in actions if isinstance(action, RecordedEvent)]
        for event in events:
            self.auditor.check_event(event, self.now_ns, actor)
        self.log += events
        self.told_ns = self.now_ns
        for action in actions:
            if isinstance(action, RecheckRequest):
                assert self.ledger.findings[action.finding_id].state.claimed
        if self.moments and self.moments[-1][0] >= self.now_ns:
            self.moments.pop()
        # a moment that the clock went back to has been before, and was another
        if self.now_ns >= max((event.at_wall_ns for event in self.log), default=0):
            self.moments.append((self.now_ns, dict(self.ledger.findings)))

    @rule(camera_id=IDS, seen=SEEN, announced=SEEN, agree=st.booleans(), since_ns=DURATIONS, late_ns=DURATIONS,
          reason=REASONS)  # fmt: skip
    def see(
        self, camera_id: str, seen: Shown, announced: Shown, agree: bool, since_ns: int, late_ns: int, reason: str
    ) -> None:
        self.shown[camera_id] = seen
        self.observe(camera_id, seen, seen if agree else announced, since_ns, late_ns, reason)

    @rule(camera_id=IDS, since_ns=DURATIONS, reason=REASONS)
    def it_still_shows_the_same(self, camera_id: str, since_ns: int, reason: str) -> None:
        if seen := self.shown.get(camera_id):
            self.observe(camera_id, seen, seen, since_ns, 0, reason)

    def observe(self, camera_id: str, seen: Shown, announced: Shown, since_ns: int, late_ns: int, reason: str) -> None:
        self.now_ns += MINUTE
        (state, kinds), (told, told_kinds) = seen, announced
        verdict = Verdict(
            camera_id=camera_id,
            visit_id=1,
            at_wall_ns=self.now_ns - min(late_ns, HOUR),
            state=state,
            kinds=kinds,
            announced=told,
            announced_kinds=told_kinds,
            announced_cause=Cause.GREASE if FaultKind.GREASE in told_kinds else None,
            since_wall_ns=self.now_ns - since_ns,
            reason=reason if state is State.OFFLINE else "",
        )
        self.auditor.observe(verdict)
        self.record(self.ledger.observe(verdict, Camera(camera_id, "", region="130102"), self.now_ns))
        self.auditor.check_rechecks()

    @rule(number=st.integers(1, 3), step=STEPS, actor=ACTORS, why=st.sampled_from(["", "seen", "seen"]),
          expected=st.sampled_from([0, 0, 0, 1, 2]), request_id=st.sampled_from(["", "", "", "r1", "r2"]))  # fmt: skip
    def act(self, number: int, step: Step, actor: Actor, why: str, expected: int, request_id: str) -> None:
        before = dict(self.ledger.findings)
        number = sorted(before)[-number] if number <= len(before) else number
        command = FindingCommand(number, step, why, expected, request_id)
        try:
            if number not in before or self.ledger.is_repeated(command, actor):
                return
            self.told_ns = self.now_ns
            finding, actions = self.ledger.execute(command, actor, self.now_ns)
        except (InvalidArgumentError, ConflictError, DeniedError, StateError):
            assert self.ledger.findings == before
            return
        assert finding.number == before[number].number + 1
        self.record(actions, actor)

    @rule(number=st.integers(1, 3), actor=ACTORS, why=st.sampled_from(["", "a fault", "a fault"]),
          expected=st.sampled_from([0, 0, 2]), request_id=st.sampled_from(["", "", "r1"]))  # fmt: skip
    def reopen(self, number: int, actor: Actor, why: str, expected: int, request_id: str) -> None:
        everything = replay(self.log)
        ended = [finding_id for finding_id, finding in everything.items() if finding.state.ended]
        if not ended:
            return
        finding_id = sorted(ended)[-min(number, len(ended))]
        before, open_ones = everything[finding_id], dict(self.ledger.findings)
        command = FindingCommand(finding_id, Step.REOPENED, why, expected, request_id)
        try:
            if self.ledger.target(command) is None or self.ledger.is_repeated(command, actor):
                return
            self.told_ns = self.now_ns
            after, actions = self.ledger.execute(command, actor, self.now_ns)
        except (InvalidArgumentError, ConflictError, DeniedError, StateError):
            assert self.ledger.findings == open_ones
            return
        self.record(actions, actor)
        stood = FindingState.RECTIFIED if before.claimed_by else before.standing
        assert after == replace(before, state=stood, number=before.number + 1, changed_wall_ns=after.changed_wall_ns)

    @rule(number=st.integers(1, 6))
    def notice_arrives(self, number: int) -> None:
        self.record(self.ledger.record_delivery(number, "a webhook", self.now_ns))

    @rule(duration_ns=DURATIONS)
    def wait(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        for _ in range(1000):
            wakeup_ns = self.ledger.next_wakeup_wall_ns()
            if wakeup_ns is None or wakeup_ns > end_ns:
                break
            self.now_ns = max(self.now_ns, wakeup_ns)
            self.record(self.ledger.tick(self.now_ns))
        else:
            raise AssertionError("the ledger wakes for ever")
        self.now_ns = end_ns
        self.auditor.check_findings(self.ledger.findings, self.now_ns)

    @rule(duration_ns=DURATIONS)
    def clock_goes_back(self, duration_ns: int) -> None:
        self.now_ns -= duration_ns
        # a moment that the ledger was not told of was none
        self.auditor.clock_went_back(max(0, self.told_ns - self.now_ns))
        self.moments.clear()
        self.record(self.ledger.tick(self.now_ns))

    @rule(policy=POLICIES)
    def reload(self, policy: LedgerSettings) -> None:
        kept = {"recheck_n": self.policy.recheck_n, "recheck_m": self.policy.recheck_m}
        self.policy = self.auditor.policy = policy.model_copy(update=kept)
        self.ledger.configure(self.policy)

    @rule()
    def restart(self) -> None:
        everything = replay(self.log).values()
        open_ones = [finding for finding in everything if not finding.state.ended]
        self.told_ns = self.now_ns
        self.ledger = Ledger(
            self.policy,
            self.now_ns,
            open_ones,
            muted=self.auditor.decided(),
            requests=[
                ((event.who, event.request_id), FindingCommand(event.finding_id, event.step))
                for event in self.log
                if event.request_id
            ],
            finding_ids=count(len(self.auditor.records) + 1),
            operator_cases={camera_id: OperatorCase("", at_ns) for camera_id, at_ns in self.auditor.ours_ns.items()},
            dismissed=[finding for finding in everything if finding.state is FindingState.DISMISSED],
        )
        for book in self.auditor.records.values():
            if book.observations is not None:
                book.observations, book.claimed_ns = [], self.now_ns

    @invariant()
    def books_balance(self) -> None:
        if hasattr(self, "ledger"):
            check_invariants(self.ledger)
            everything = replay(self.log)
            assert {finding_id: f for finding_id, f in everything.items() if not f.state.ended} == self.ledger.findings

    def teardown(self) -> None:
        self.a_digest_counts_every_finding_once()
        for at_ns, held in getattr(self, "moments", [])[::3]:
            then = replay(self.log, at_ns)
            assert {finding_id: finding for finding_id, finding in then.items() if not finding.state.ended} == held

    def a_digest_counts_every_finding_once(self) -> None:
        log = sorted(getattr(self, "log", []), key=lambda event: (event.finding_id, event.number))
        ends = {event.at_wall_ns for event in log if event.step in (Step.DISMISSED, Step.REOPENED)}
        for end_ns in [*sorted(ends)[:5], 2**62]:
            then = replay([event for event in log if event.at_wall_ns < end_ns])
            summary = FindingsSummary(cases(log, end_ns), 0)
            total = summary.total
            assert total.opened == total.closed + total.dismissed + total.standing == len(then)
            open_then = {finding_id for finding_id, finding in then.items() if not finding.state.ended}
            assert {case.finding.finding_id for case in summary.standing} == open_then


LedgerMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
test_the_ledger_holds_whatever_happens = LedgerMachine.TestCase
