"""Confirms verdicts by N of M: the announced state of a camera from the outcomes of its latest visits. Pure.

A fault, offline or unknown is announced once `confirm_n` of the last `confirm_m` visits had it, and ok once `recover_n`
visits in a row were ok: one bad picture raises no alarm, and a camera that flaps stays announced. Kinds that pass into
one another as a damage grows or drifts confirm each other (FAMILY_GROUPS); the latest one gives the name. Frozen is
announced at once, because detecting it takes several equal visits anyway. A camera's first ok is announced at once too;
any other first outcome is announced as unknown. A visit on the sub-stream counts as one; a kind that only such visits
showed is not announced (engine/judge/streams.py).
"""

from collections import Counter

from engine.config.judge import JudgeSettings
from engine.judge.state import OUTCOME_BYTES, OUTCOMES_MAX, JudgeState, Outcome, pack_outcomes, unpack_outcomes
from engine.model.faults import FAMILY_GROUPS
from engine.model.verdict import Cause, FaultKind, State


def apply_doubted(judge_state: JudgeState, outcome: Outcome, at_wall_ns: int) -> JudgeState:
    """Return the judge state with this visit's outcome added, and nothing else announced for it: it counts when a later
    visit shows the same."""
    judge_state = judge_state._replace(packed_outcomes=_added(judge_state, outcome))
    if judge_state.announced is None:
        return judge_state._replace(announced=State.UNKNOWN, since_wall_ns=at_wall_ns)
    return judge_state


def apply_outcome(judge_state: JudgeState, outcome: Outcome, at_wall_ns: int, settings: JudgeSettings) -> JudgeState:
    """Return the judge state with this visit's outcome added and the announced state updated."""
    packed = _added(judge_state, outcome)
    needed = max(settings.confirm_m, settings.confirm_n, settings.recover_n)
    outcomes = unpack_outcomes(packed[-needed * OUTCOME_BYTES :])
    # fewer visits than confirm_n could never confirm anything
    recent = outcomes[-max(settings.confirm_m, settings.confirm_n) :]
    announced, kinds = _announced(judge_state, outcomes, recent, settings)
    cause = _announced_cause(judge_state, recent, kinds) if announced == State.FAULT else None
    since = judge_state.since_wall_ns if announced == judge_state.announced else at_wall_ns
    return judge_state._replace(
        packed_outcomes=packed, announced=announced, announced_kinds=kinds, announced_cause=cause, since_wall_ns=since
    )


def _added(judge_state: JudgeState, outcome: Outcome) -> bytes:
    return (judge_state.packed_outcomes + pack_outcomes((outcome,)))[-OUTCOMES_MAX * OUTCOME_BYTES :]


def _announced(
    judge_state: JudgeState, outcomes: tuple[Outcome, ...], recent: tuple[Outcome, ...], settings: JudgeSettings
) -> tuple[State, tuple[FaultKind, ...]]:
    """Return the state and kinds to announce."""
    latest = outcomes[-1]
    if latest.state == State.OK:
        run = outcomes[-settings.recover_n :]
        recovered = len(run) == settings.recover_n and all(outcome.state == State.OK for outcome in run)
        if recovered or judge_state.announced is None:
            return State.OK, ()
    elif latest.state == State.FAULT:
        if kinds := _confirmed_kinds(recent, settings.confirm_n):
            return State.FAULT, kinds
    elif sum(outcome.state == latest.state for outcome in recent) >= settings.confirm_n:
        return latest.state, ()
    if judge_state.announced is None:
        return State.UNKNOWN, ()
    return judge_state.announced, judge_state.announced_kinds


def _confirmed_kinds(recent: tuple[Outcome, ...], confirm_n: int) -> tuple[FaultKind, ...]:
    """Return the kinds that occurred often enough; of kinds that confirm each other, those of the latest visit."""
    latest = recent[-1].kinds
    kinds: list[FaultKind] = []
    for kind in FaultKind:
        group = next((group for group in FAMILY_GROUPS if kind in group), frozenset({kind}))
        confirmed = sum(not group.isdisjoint(outcome.kinds) for outcome in recent) >= confirm_n
        on_main = sum(kind in outcome.kinds and not outcome.on_sub for outcome in recent)
        by_itself = group.isdisjoint(latest) and on_main >= confirm_n
        if (confirmed and (kind in latest or by_itself)) or (kind == FaultKind.FROZEN and kind in latest):
            kinds.append(kind)
    return tuple(kinds)


def _announced_cause(
    judge_state: JudgeState, recent: tuple[Outcome, ...], kinds: tuple[FaultKind, ...]
) -> Cause | None:
    """Return the most frequent cause of the visits with these kinds; of equally frequent ones, the latest."""
    causes = [
        outcome.cause for outcome in recent if outcome.cause is not None and not set(kinds).isdisjoint(outcome.kinds)
    ]
    if not causes:
        return judge_state.announced_cause if kinds == judge_state.announced_kinds else None
    counts = Counter(causes)
    most = max(counts.values())
    return next(cause for cause in reversed(causes) if counts[cause] == most)
