"""Runs the test from the command line."""

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import tests.cluster_chaos
from tests.cluster_chaos.run import Run
from tests.cluster_chaos.streams import REPLAY
from tests.support import postgres
from tests.support.cluster import redis_server


def main() -> int:
    parser = argparse.ArgumentParser(
        description=tests.cluster_chaos.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], help="a name in deeds.Deeds that happens; repeat it")
    parser.add_argument("--dir", help="folder for configurations and logs; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    options = parser.parse_args()
    if reason := postgres.missing() or redis_server.missing():
        raise SystemExit(reason)
    if not REPLAY.exists():
        raise SystemExit(f"{REPLAY} is not here: it streams the cameras")
    with ExitStack() as stack:
        made = None if options.dir else stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-cluster-"))
        folder = Path(options.dir or str(made)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        figures = Run(folder, options.seed, stack).execute(options.minutes, only=options.only)
    print(json.dumps(figures, indent=None if options.json else 2))
    return bool(figures["broken"])


if __name__ == "__main__":
    raise SystemExit(main())
