"""The steps of the trial, in order. A step is one function with `@step(title)`; its text says what was seen.

    @step("a sentence that is true if the step passes")
    def name(trial: Trial) -> str:
        expect(condition, "what is wrong")
        return "what was seen"

Raising CannotRunError(reason) skips it. Steps run in the order in which tests/trial/__main__.py imports their modules.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.trial.machine import Trial

Outcome = Literal["ok", "failed", "skipped"]


class CannotRunError(Exception):
    """The step cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `name`: of its function, for `--only`."""

    name: str
    title: str
    run: "Callable[[Trial], str]"


@dataclass(frozen=True, slots=True)
class Result:
    """How a step ended."""

    step: Step
    outcome: Outcome
    seen: str
    seconds: float


STEPS: list[Step] = []


def step(title: str) -> "Callable[[Callable[[Trial], str]], Callable[[Trial], str]]":
    """Add a function to the trial."""

    def add(run: "Callable[[Trial], str]") -> "Callable[[Trial], str]":
        STEPS.append(Step(run.__name__, title, run))
        return run

    return add


def expect(condition: object, what: str) -> None:
    """Fail the step with `what` unless the condition is true."""
    if not condition:
        raise AssertionError(what)


def run_steps(trial: "Trial", only: list[str], give_up_s: float, say: Callable[[Result], None]) -> list[Result]:
    """Run the steps, or those that are named, until `give_up_s` (monotonic); what is left then has failed."""
    results = []
    for each in STEPS:
        if only and each.name not in only:
            continue
        begun = time.monotonic()
        outcome, seen = _run(each, trial) if begun < give_up_s else ("failed", "no time was left for it")
        results.append(Result(each, outcome, seen, time.monotonic() - begun))
        say(results[-1])
    return results


def _run(each: Step, trial: "Trial") -> tuple[Outcome, str]:
    try:
        return "ok", each.run(trial)
    except CannotRunError as reason:
        return "skipped", str(reason)
    except Exception as error:  # a step must not end the trial
        return "failed", f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)
