"""Runs the test from the command line."""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import tests.kill_nine
from tests.kill_nine.run import Run
from tests.support import postgres


def main() -> int:
    parser = argparse.ArgumentParser(
        description=tests.kill_nine.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-kill-")))
        server = None
        url = f"sqlite:///{folder}/patrol.db"
        if options.database == "postgresql":
            if reason := postgres.missing():
                raise SystemExit(reason)
            server = stack.enter_context(postgres.server())
            url = server.database()
        run = Run(folder, url, server, options.seed)
        outcome = run.execute(options.moments)
        if outcome.problems:
            sys.stderr.write(run.log()[-20_000:])
    result = {"database": options.database, **outcome.figures, "problems": outcome.problems}
    print(json.dumps(result, indent=None if options.json else 2))
    return bool(outcome.problems)


if __name__ == "__main__":
    raise SystemExit(main())
