"""Which input has which number, and what its answer is worth."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bench.mutations.mutate import Mutant, mutate
from bench.mutations.originals import LEARNING_VISITS, SETTINGS, VISIT_NS, Original
from bench.mutations.workers import Answer
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement
from engine.model.verdict import State, Verdict
from engine.worker.wire import Failed


class Outcome(NamedTuple):
    """`word`: flagged, refused, unknown, withheld, ok, fault, crashed or stuck; `detail`: kinds or reason."""

    word: str
    detail: str


class Inputs:
    """Every input by its number: the same originals and seed give the same inputs."""

    def __init__(self, whole: Sequence[Original], seed: int) -> None:
        self.originals = whole
        self._seed = seed

    def __getitem__(self, number: int) -> tuple[Original, Mutant]:
        """Return the original and its damaged payload."""
        rng = random.Random(f"{self._seed}:{number}")
        codec = rng.choice(list(Codec))
        same = [original for original in self.originals if original.codec is codec]
        original = rng.choice(same)
        return original, mutate(codec, original.payload, original.other, rng)

    def job(self, number: int) -> tuple[Codec, bytes]:
        """Return codec and payload of an input."""
        original, mutant = self[number]
        return original.codec, mutant.payload


def judge_answer(answer: Answer, original: Original) -> Outcome:
    """Judge a measurement as a camera's first picture, and as the next one of the camera that sent the original."""
    measured = answer.outcome
    if isinstance(measured, str):
        return Outcome(measured, "")
    if isinstance(measured, Failed):
        return Outcome("refused", measured.reason)
    if measured.damage:
        return Outcome("flagged", ", ".join(measured.damage))
    return _judged(measured, original)


def _judged(measured: Measurement, original: Original) -> Outcome:
    visit = replace(measured, arrival_wall_ns=LEARNING_VISITS * VISIT_NS)
    alone, usual = _verdicts(visit, original, only_visit=False)
    if alone.kinds or usual.kinds:
        return Outcome("fault", _kinds_text(alone, usual))
    first_alone, first_usual = _verdicts(visit, original, only_visit=True)
    if first_alone.kinds or first_usual.kinds:
        return Outcome("withheld", _kinds_text(first_alone, first_usual))
    if State.UNKNOWN in (alone.state, usual.state):
        return Outcome("unknown", f"{alone.reason} {usual.reason}".strip())
    return Outcome("ok", "")


def _verdicts(visit: Measurement, original: Original, *, only_visit: bool) -> tuple[Verdict, Verdict]:
    states = JudgeState(), original.learned
    alone, usual = (judge_measurement(visit, state, SETTINGS, only_visit=only_visit)[0] for state in states)
    return alone, usual


def _kinds_text(alone: Verdict, usual: Verdict) -> str:
    named = (("alone", alone.kinds), ("usual", usual.kinds))
    return "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in named if kinds)
