"""A camera that is greased little by little: is it announced before it is as bad as what is announced at once?"""

from typing import Final

from bench.accuracy import words
from bench.accuracy.engine_path import Answer
from bench.accuracy.findings import Greasing
from bench.accuracy.optics import Grease
from bench.accuracy.visitor import Visitor

DAYS: Final = 30
VISITS_A_DAY: Final = 4


def grease(visitor: Visitor, seed: int, confirm_visits: int) -> Greasing:
    """Both from the memory that `visitor` has now; it is put back in the end."""
    before = visitor.memory
    day, day_as = _slowly(visitor, seed)
    visitor.memory = before
    strength, strength_as = _at_once(visitor, seed, confirm_visits)
    visitor.memory = before
    return Greasing(visitor.camera.rig, day, day_as, strength, strength_as)


def _slowly(visitor: Visitor, seed: int) -> tuple[int | None, str]:
    """The day on which it is announced; on day d the film is d/30 of a full one."""
    for day in range(1, DAYS + 1):
        for _ in range(VISITS_A_DAY):
            answer = visitor.judge(visitor.take((Grease(day / DAYS, seed),))[1])
            if _announced(answer):
                return day, words.named(answer.announced, answer.announced_kinds, answer.announced_cause)
        visitor.sleep(VISITS_A_DAY)
    return None, ""


def _at_once(visitor: Visitor, seed: int, confirm_visits: int) -> tuple[int | None, str]:
    """The least film, in 30ths, that is announced within `confirm_visits`; by halving."""
    before = visitor.memory
    low, high, high_as = 0, DAYS + 1, ""
    while high - low > 1:
        middle = (low + high) // 2
        visitor.memory = before
        for _ in range(confirm_visits):
            answer = visitor.judge(visitor.take((Grease(middle / DAYS, seed),))[1])
        if _announced(answer):
            high, high_as = middle, words.named(answer.announced, answer.announced_kinds, answer.announced_cause)
        else:
            low = middle
    return (high, high_as) if high <= DAYS else (None, "")


def _announced(answer: Answer) -> bool:
    return answer.announced == "fault" and words.hit("grease", answer.announced_kinds, answer.announced_cause)
