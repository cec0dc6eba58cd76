"""N of M: what the engine stands by, from what the latest visits said. Pure.

A fault, an outage or an unknown is announced when it was seen in `confirm_n` of the last `confirm_m` visits, and ok
again after `recover_n` ok visits in a row: one bad picture raises no alarm, and a camera that flaps stays announced.
Frozen is announced at once, since it takes several equal visits to be seen at all. A camera's first ok is announced
at once too; anything else begins as unknown.
"""

from dataclasses import replace

from engine.config.schema import JudgeSettings
from engine.judge.history import OUTCOMES_MAX, History, Outcome
from engine.types import FaultKind, State


def announce(history: History, outcome: Outcome, at_wall_ns: int, settings: JudgeSettings) -> History:
    """The memory with this visit's outcome in it and the announcement brought up to date."""
    outcomes = (*history.outcomes, outcome)[-OUTCOMES_MAX:]
    state, kinds = _announcement(history, outcomes, settings)
    since = history.since_wall_ns if state == history.announced else at_wall_ns
    return replace(history, outcomes=outcomes, announced=state, announced_kinds=kinds, since_wall_ns=since)


def _announcement(
    history: History, outcomes: tuple[Outcome, ...], settings: JudgeSettings
) -> tuple[State, tuple[FaultKind, ...]]:
    now = outcomes[-1]
    # fewer visits than confirm_n could never confirm anything
    recent = outcomes[-max(settings.confirm_m, settings.confirm_n) :]
    if now.state == State.OK:
        run = outcomes[-settings.recover_n :]
        recovered = len(run) == settings.recover_n and all(one.state == State.OK for one in run)
        if recovered or history.announced is None:
            return State.OK, ()
    elif now.state == State.FAULT:
        if kinds := _confirmed(recent, settings.confirm_n):
            return State.FAULT, kinds
    elif sum(one.state == now.state for one in recent) >= settings.confirm_n:
        return now.state, ()
    if history.announced is None:
        return State.UNKNOWN, ()
    return history.announced, history.announced_kinds


def _confirmed(recent: tuple[Outcome, ...], confirm_n: int) -> tuple[FaultKind, ...]:
    now = recent[-1].kinds
    return tuple(
        kind
        for kind in FaultKind
        if sum(kind in one.kinds for one in recent) >= confirm_n or (kind == FaultKind.FROZEN and kind in now)
    )
