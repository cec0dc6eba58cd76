"""Judges the visits of a camera that is visited on two streams. Pure.

Each stream shows the scene at another size, so each has a baseline, an active area and a run of unchanged pictures of
its own. The outcomes and the announced state are the camera's. A visit on the sub-stream adds its outcome and announces
nothing: what it would announce waits for the main stream, whose picture is the evidence. While anything but ok is
announced, and until the main stream's baseline is learned, all visits are to be on the main stream.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.config.judge import JudgeSettings
from engine.judge.state import JudgeState
from engine.model.camera import CameraStream
from engine.model.faults import severity
from engine.model.verdict import FaultKind, State, Verdict

Rule = Callable[[JudgeState], tuple[Verdict, JudgeState]]
"""Judges a visit: the judge state before it in, the verdict and the judge state after it out."""
_VISITS_PER_PROOF = 2
"""Visits that one more unchanged picture may take: quick ones follow each other sooner than `frozen_gap_s`."""
_WAITS = "seen in the sub-stream: a visit on the main stream decides"


def judge_on_stream(
    stream: CameraStream, rule: Rule, judge_state: JudgeState, settings: JudgeSettings
) -> tuple[Verdict, JudgeState]:
    """Judge a visit on one of a camera's streams by a rule that knows of no streams."""
    if stream is CameraStream.SUB:
        return _judge_on_sub(rule, judge_state, settings)
    verdict, after = rule(judge_state)
    if judge_state.main_wanted:
        is_proved = FaultKind.FROZEN in verdict.kinds
        after = after._replace(main_wanted=0 if is_proved else judge_state.main_wanted - 1)
    return verdict, after


def wants_main(judge_state: JudgeState, settings: JudgeSettings) -> bool:
    """Return whether the next visit of a camera with a sub-stream is to be on the main stream."""
    if judge_state.main_wanted or judge_state.announced is not State.OK:
        return True
    return judge_state.learned_visits < settings.baseline_visits_min


def _judge_on_sub(rule: Rule, judge_state: JudgeState, settings: JudgeSettings) -> tuple[Verdict, JudgeState]:
    verdict, after = rule(judge_state.of_sub_stream())
    announced = judge_state.announced or State.UNKNOWN
    waits = (after.announced, after.announced_kinds) != (announced, judge_state.announced_kinds)
    wanted = max(judge_state.main_wanted, int(waits))
    if FaultKind.FROZEN in verdict.kinds:
        wanted = max(wanted, _VISITS_PER_PROOF * settings.frozen_visits)
    kept = judge_state._replace(
        announced=announced,
        since_wall_ns=judge_state.since_wall_ns if judge_state.announced is not None else verdict.at_wall_ns,
        main_wanted=wanted,
    ).with_sub_stream(after)
    verdict = replace(
        verdict,
        stream=CameraStream.SUB,
        announced=announced,
        announced_kinds=kept.announced_kinds,
        announced_cause=kept.announced_cause,
        since_wall_ns=kept.since_wall_ns,
        severity=severity(kept.announced_kinds),
        detail="; ".join(filter(None, (verdict.detail, _WAITS))) if waits else verdict.detail,
    )
    return verdict, kept
