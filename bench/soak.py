"""Runs a province for an hour at a steady load, and checks that nothing is lost, nothing lags and nothing grows.

    python -m bench.soak [--minutes 60] [--load 0.8] [--seed 1] [--dir DIR] [--json] [--record]

The province, its users and its checks are those of `python -m bench.chaos`, without faults. First it measures how many
checks a second the engine reaches beside all of them; then a gateway pushes `--load` of that. `growth_an_hour`: the
slope of memory and descriptors by process, over the second half. Exit 1 if `broken` names anything.
"""

import sys

from bench.chaos.run import options, report


def main() -> int:
    """Run, print, and return the exit code."""
    parser = options("python -m bench.soak", __doc__, 60.0)
    parser.add_argument("--load", type=float, default=0.8, help="share of the checks a second that the engine reaches")
    given = parser.parse_args()
    if not 0 < given.load <= 1:
        parser.error(f"--load {given.load}: allowed: above 0, up to 1")
    return report("soak", given, (), given.load)


if __name__ == "__main__":
    sys.exit(main())
