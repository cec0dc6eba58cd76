"""Runs a province, injects faults by seed, and checks that nothing is lost, nothing lasts and nothing grows.

    python -m bench.chaos [--minutes 30] [--seed 1] [--gap 12] [--dir DIR] [--json] [--record]

Runs `patrol run` with 24 cameras of the demo over real RTSP and 24 that a gateway pushes, beside callers, an operator
who changes the registry, and watchers of all verdicts. Every `--gap` seconds it kills or stops a process, floods the
engine with keyframes or calls, changes the registry at large, or takes the processor away.

`broken`: what did not hold: a process that was not replaced in time (worker, feeder, demuxer 2 s, hub and gateway 10 s
after a kill; 20 s after a stop), a fault that no metric shows, a verdict that a watcher missed or received twice, a
change that was acknowledged and is gone, a camera that was forgotten, an order that never ends, memory or descriptors
that grow, a process that outlives the engine. Exit 1 if there is any. `recovery`: by fault. DIR gets the engine's log,
result.json and chaos.png. `python -m bench.soak` is the same without faults, at a given load.
"""

import sys

from bench.chaos.plan import plan
from bench.chaos.run import options, report


def main() -> int:
    """Run, print, and return the exit code."""
    parser = options("python -m bench.chaos", __doc__, 30.0)
    parser.add_argument("--gap", type=float, default=12.0, help="seconds between two faults, on average")
    given = parser.parse_args()
    return report("chaos", given, plan(60.0 * given.minutes, given.seed, given.gap))


if __name__ == "__main__":
    sys.exit(main())
