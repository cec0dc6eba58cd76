"""The command: `python -m tests.fuzz TARGET [--runs N] [--seed S] [--first N]`; tests/fuzz says what it does."""

import argparse
import sys
import time

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

FINDINGS_MAX = 20


def main() -> int:
    """Fuzz one target, or all; exit 1 if something broke."""
    parser = argparse.ArgumentParser(description="Feeds damaged input to what reads bytes from outside.")
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--runs", type=int, default=10_000, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=1, help="decides the inputs, with their numbers")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    options = parser.parse_args()
    found = 0
    for name in TARGETS if options.target == "all" else [options.target]:
        began, number = time.monotonic(), 0
        for number, finding in enumerate(fuzz(name, options.runs, options.seed, options.first), 1):
            print(finding, flush=True)
            if number == FINDINGS_MAX:
                break
        found += number
        print(f"{name}: {options.runs} inputs, {number} findings, {time.monotonic() - began:.0f} s", flush=True)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
