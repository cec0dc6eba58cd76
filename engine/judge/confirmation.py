"""N of M: what the engine stands by, from what the latest visits said. Pure.

A fault, an outage or an unknown is announced when it was seen in `confirm_n` of the last `confirm_m` visits, and ok
again after `recover_n` ok visits in a row: one bad picture raises no alarm, and a camera that flaps stays announced.
Kinds that pass into one another as a damage grows or drifts confirm each other (SAME): the latest gives the name.
Frozen is announced at once, since it takes several equal visits to be seen at all. A camera's first ok is announced
at once too; anything else begins as unknown.
"""

from collections import Counter

from engine.config.judge import JudgeSettings
from engine.judge.state import OUTCOME_BYTES, OUTCOMES_MAX, JudgeState, Outcome, outcomes_of, pack_outcomes
from engine.model.faults import FAMILY_GROUPS
from engine.model.verdict import Cause, FaultKind, State


def announce(history: JudgeState, outcome: Outcome, at_wall_ns: int, settings: JudgeSettings) -> JudgeState:
    """The memory with this visit's outcome in it and the announcement brought up to date."""
    past = (history.past + pack_outcomes((outcome,)))[-OUTCOMES_MAX * OUTCOME_BYTES :]
    asked = max(settings.confirm_m, settings.confirm_n, settings.recover_n)
    outcomes = outcomes_of(past[-asked * OUTCOME_BYTES :])
    # fewer visits than confirm_n could never confirm anything
    recent = outcomes[-max(settings.confirm_m, settings.confirm_n) :]
    state, kinds = _announcement(history, outcomes, recent, settings)
    cause = _cause(history, recent, kinds) if state == State.FAULT else None
    since = history.since_wall_ns if state == history.announced else at_wall_ns
    return history._replace(
        past=past, announced=state, announced_kinds=kinds, announced_cause=cause, since_wall_ns=since
    )


def _announcement(
    history: JudgeState, outcomes: tuple[Outcome, ...], recent: tuple[Outcome, ...], settings: JudgeSettings
) -> tuple[State, tuple[FaultKind, ...]]:
    now = outcomes[-1]
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
    """Kinds seen often enough; of kinds that confirm each other, those of this visit."""
    now = recent[-1].kinds
    kinds: list[FaultKind] = []
    for kind in FaultKind:
        alike = next((group for group in FAMILY_GROUPS if kind in group), frozenset({kind}))
        seen = sum(not alike.isdisjoint(one.kinds) for one in recent) >= confirm_n
        named = kind in now or (alike.isdisjoint(now) and sum(kind in one.kinds for one in recent) >= confirm_n)
        if (seen and named) or (kind == FaultKind.FROZEN and kind in now):
            kinds.append(kind)
    return tuple(kinds)


def _cause(history: JudgeState, recent: tuple[Outcome, ...], kinds: tuple[FaultKind, ...]) -> Cause | None:
    """The cause that most of the visits with these kinds named, the latest of equals."""
    named = [one.cause for one in recent if one.cause is not None and not set(kinds).isdisjoint(one.kinds)]
    if not named:
        return history.announced_cause if kinds == history.announced_kinds else None
    counts = Counter(named)
    most = max(counts.values())
    return next(cause for cause in reversed(named) if counts[cause] == most)
