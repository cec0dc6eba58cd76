"""Greases a camera little by little: is it announced before the film is as strong as one that is announced when it
comes at once?"""

from typing import Final

from bench.accuracy import words
from bench.accuracy.engine_path import Answer
from bench.accuracy.findings import Greasing
from bench.accuracy.imaging.optics import Grease
from bench.accuracy.visitor import Visitor

DAYS: Final = 30
VISITS_PER_DAY: Final = 4


def grease(visitor: Visitor, seed: int, confirm_visits: int) -> Greasing:
    """Grease the visitor's camera slowly, and at once; its judge state is the same before and after."""
    before = visitor.judge_state
    day, day_name = _grease_slowly(visitor, seed)
    visitor.judge_state = before
    strength, strength_name = _grease_at_once(visitor, seed, confirm_visits)
    visitor.judge_state = before
    return Greasing(visitor.camera.rig, day, day_name, strength, strength_name)


def _grease_slowly(visitor: Visitor, seed: int) -> tuple[int | None, str]:
    """Return the day on which grease is announced, and as what; on day d the film is d/30 of a full one."""
    for day in range(1, DAYS + 1):
        for _ in range(VISITS_PER_DAY):
            answer = visitor.judge(visitor.visit((Grease(day / DAYS, seed),))[1])
            if _is_announced(answer):
                return day, words.answer_name(answer.announced, answer.announced_kinds, answer.announced_cause)
        visitor.skip_to_morning(VISITS_PER_DAY)
    return None, ""


def _grease_at_once(visitor: Visitor, seed: int, confirm_visits: int) -> tuple[int | None, str]:
    """Return the least film, in 30ths, that is announced within `confirm_visits`, and as what; by bisection."""
    before = visitor.judge_state
    low, high, high_name = 0, DAYS + 1, ""
    while high - low > 1:
        middle = (low + high) // 2
        visitor.judge_state = before
        for _ in range(confirm_visits):
            answer = visitor.judge(visitor.visit((Grease(middle / DAYS, seed),))[1])
        if _is_announced(answer):
            high = middle
            high_name = words.answer_name(answer.announced, answer.announced_kinds, answer.announced_cause)
        else:
            low = middle
    return (high, high_name) if high <= DAYS else (None, "")


def _is_announced(answer: Answer) -> bool:
    return answer.announced == "fault" and words.is_hit("grease", answer.announced_kinds, answer.announced_cause)
