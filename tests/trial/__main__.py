"""Runs the trial from the command line and prints one table: step, what was seen, ok or failed. Exit 1: one failed."""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

import tests.trial
from tests.trial import steps_patrol  # the order of the steps

from tests.trial import steps_callers, steps_stumbles  # isort: skip
from tests.trial import steps_monitoring, steps_install  # isort: skip
from tests.trial.machine import Trial
from tests.trial.steps import STEPS, Result, run_steps

LASTS_S_MAX = 560.0
"""No step begins later than this."""
_MODULES = (steps_patrol, steps_callers, steps_stumbles, steps_monitoring, steps_install)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=tests.trial.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="STEP", help="steps to run; most need those before")
    parser.add_argument("--list", action="store_true", help="list the steps")
    parser.add_argument("--json", action="store_true", help="one JSON object a step instead of a table")
    parser.add_argument("--keep", type=Path, help="folder to work in, kept afterwards")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{step.name:24} {step.title}" for step in STEPS))
        return 0
    if unknown := set(options.only) - {step.name for step in STEPS}:
        parser.error(f"no step {', '.join(sorted(unknown))}; --list shows them")
    # The servers are stopped whoever ends the trial.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(f"ended by signal {number}"))
    with tempfile.TemporaryDirectory(prefix="patrol-trial-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Trial(folder) as trial:
            say = _say_json if options.json else _say
            results = run_steps(trial, options.only, time.monotonic() + LASTS_S_MAX, say)
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in ("ok", "failed", "skipped")}
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), file=sys.stderr)
    return 1 if counts["failed"] else 0


def _say(result: Result) -> None:
    print(f"{result.outcome:8}{result.seconds:6.1f} s  {result.step.title}\n{'':18}{result.seen}", flush=True)


def _say_json(result: Result) -> None:
    fields = {"step": result.step.name, "outcome": result.outcome, "seen": result.seen, "s": round(result.seconds, 1)}
    print(json.dumps(fields, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
