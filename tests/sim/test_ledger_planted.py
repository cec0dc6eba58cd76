"""The checkers of the ledger are worth something: each rule that is broken on purpose is noticed, none without."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from engine.config.ledger import LedgerSettings
from engine.ledger import commands, core, recheck_evidence
from engine.ledger.core import Ledger
from engine.ledger.muted import Muted
from engine.ledger.operator_list import OperatorList
from engine.ledger.recheck import Recheck
from engine.ledger.recheck_evidence import RecheckSign
from engine.model.access import Actor, Role
from engine.model.findings import Level, Step
from engine.model.verdict import FaultKind, State
from engine.model.visit import FailureReason
from tests.property.test_ledger_machine import LedgerMachine
from tests.support.ledger.ledgers import HOUR, MINUTE

Plant = Callable[[], Any]
SEEDS, STEPS = range(30), 150

SHOWN = [
    (State.OK, ()),
    (State.OK, ()),
    (State.FAULT, (FaultKind.COVERED,)),
    (State.FAULT, (FaultKind.COVERED,)),
    (State.FAULT, (FaultKind.PARTLY_COVERED, FaultKind.GREASE)),
    (State.UNKNOWN, ()),
    (State.OFFLINE, ()),
]
DONE = [Step.CLAIMED, Step.CLAIMED, Step.ACKNOWLEDGED, Step.SUPERVISED, Step.CLOSED, Step.DISMISSED]
PEOPLE = [Actor("i", Role.INSPECTOR), Actor("o", Role.OPERATOR), Actor("o", Role.OPERATOR)]
REASONS = [FailureReason.REFUSED, FailureReason.UNAUTHORIZED]
WAITS_NS = [0, MINUTE, HOUR, 30 * HOUR]


def play(seed: int) -> None:
    """Two cameras and their people, at random, before the eyes of all checkers."""
    chance = Random(seed)
    machine = LedgerMachine()
    offline_min_h = chance.choice([0, 0.25])
    machine.begin(LedgerSettings(recheck_n=chance.choice([1, 2]), recheck_m=2, settle_h=1, offline_min_h=offline_min_h))
    for _ in range(STEPS):
        throw = chance.random()
        if throw < 0.6:
            camera_id = chance.choice(["c1", "c2"])
            announced = machine.shown.get(camera_id) or chance.choice(SHOWN)
            seen = announced if chance.random() < 0.5 else chance.choice(SHOWN)
            late_ns = chance.choice([0, 0, HOUR])
            agree, since_ns, reason = chance.random() < 0.7, chance.choice(WAITS_NS), chance.choice(REASONS)
            machine.see(camera_id, seen, announced, agree, since_ns, late_ns, reason)
        elif throw < 0.8:
            request_id = chance.choice(["", "", "r1", "r2"])
            machine.act(chance.randrange(1, 3), chance.choice(DONE), chance.choice(PEOPLE), "seen", 0, request_id)
        elif throw < 0.85:
            machine.clock_goes_back(chance.choice([1, HOUR]))
        else:
            machine.wait(chance.choice(WAITS_NS))
        machine.books_balance()
    machine.teardown()


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> Plant:
    """The function replaced by `wrapper(real, ...)`."""
    real = getattr(owner, name)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return wrapper(real, *args, **kwargs)

    return lambda: patch.object(owner, name, replaced)


def instead(owner: Any, name: str, new: Any) -> Plant:
    getattr(owner, name)  # a bug planted nowhere would never be noticed
    return lambda: patch.object(owner, name, new)


def _old_pictures_count(real: Any, self: Ledger, finding: Any, now_ns: int) -> None:
    real(self, finding, now_ns)
    self._rechecks[finding.finding_id].since_wall_ns = 0


def _no_wake_up_for_some(real: Any, self: Ledger, finding: Any) -> None:
    if finding.finding_id % 2:
        real(self, finding)


def _forget_to_count(real: Any, self: Ledger, finding: Any) -> None:
    real(self, finding)
    self.counts[finding.tally] += 1


def _nobody_falls_overdue(real: Any, self: Ledger, finding: Any, actions: Any) -> None:
    self.findings[finding.finding_id] = finding


def _a_claim_stops_no_deadline(real: Any, self: Ledger, finding_id: int) -> int:
    due_ns: int = real(self, finding_id)
    finding = self.findings.get(finding_id)
    if finding is not None and finding.state.claimed and not finding.overdue:
        self._rechecks.pop(finding_id, None)
        return finding.deadline_wall_ns
    return due_ns


BUGS: dict[str, Plant] = {
    "what cannot be judged counts as good": around(
        recheck_evidence,
        "recheck_sign",
        lambda real, *args, **named: (
            RecheckSign.GOOD if real(*args, **named) is RecheckSign.INCONCLUSIVE else real(*args, **named)
        ),
    ),
    "a re-check never fails": instead(Recheck, "failed", lambda self, policy: False),
    "a re-check passes with one look too few": instead(
        Recheck, "passed", lambda self, policy: self.good >= policy.settings.recheck_n - 1
    ),
    "a re-check passes while the fault is announced": around(
        Ledger,
        "_check_finding",
        lambda real, self, finding, look, actions: real(self, finding, replace(look, fault=None), actions),
    ),
    "pictures of before the claim count": around(Ledger, "_begin_recheck", _old_pictures_count),
    "a kind that drifts opens another finding": instead(core, "family_of_cause_key", lambda key: key),
    "a decision is overruled by the next look": instead(Muted, "still", lambda self, *_: frozenset()),
    "what is announced opens a finding though it is not seen": instead(core, "shows", lambda *_: True),
    "a reason of ours opens a finding": around(
        OperatorList,
        "blames_school",
        lambda real, self, verdict, policy: real(self, verdict, policy) or policy.is_for_operator(verdict),
    ),
    "one visit with a reason of the school opens a finding": instead(
        OperatorList, "blames_school", lambda self, verdict, policy: not policy.is_for_operator(verdict)
    ),
    "a claim fails for a reason of ours": around(
        recheck_evidence, "recheck_sign", lambda real, *args, is_for_operator: real(*args, is_for_operator=False)
    ),
    "deadlines pass unnoticed": around(Ledger, "_mark_overdue", _nobody_falls_overdue),
    "a deadline does not wait for a claim": around(Ledger, "due_wall_ns", _a_claim_stops_no_deadline),
    "every escalation goes to the province": instead(core, "next_level", lambda _: Level.PROVINCE),
    "nobody is woken for some findings": around(Ledger, "_schedule_wakeup", _no_wake_up_for_some),
    "findings are counted wrong": around(Ledger, "_remove", _forget_to_count),
    "a request is carried out each time it is sent": instead(Ledger, "is_repeated", lambda *_: False),
    "everybody may do everything": instead(commands, "check_command", lambda *_: None),
    "events are stamped as the clock says": lambda: patch.object(core, "max", lambda now, _: now, create=True),
}


def hunt() -> None:
    for seed in SEEDS:
        play(seed)


def test_the_ledger_as_it_is_passes() -> None:
    hunt()


@pytest.mark.parametrize("name", BUGS)
def test_a_checker_notices_that(name: str) -> None:
    with BUGS[name](), pytest.raises((AssertionError, KeyError)):
        hunt()
