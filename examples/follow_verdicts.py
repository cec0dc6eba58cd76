"""Watches the patrol's verdicts and stores its place in a file; when it is started again, it resumes from there.

    python examples/follow_verdicts.py PLACE_FILE [--server 127.0.0.1:7702] [--region 1301] [--count 100]

Nothing is lost between two runs. Each place is written after its verdicts were handled, so that verdicts of a run that
was killed in between come again.
"""

import argparse
import os
from pathlib import Path

from engine.client import PatrolClient


def main() -> None:
    """Print each verdict that changes a camera's announced state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place_file", type=Path)
    parser.add_argument("--server", default="127.0.0.1:7702")
    parser.add_argument("--region", default="")
    parser.add_argument("--token", default=os.environ.get("PATROL_TOKEN", ""))
    parser.add_argument("--count", type=int, default=0, help="end after so many; 0: never")
    arguments = parser.parse_args()
    place = arguments.place_file.read_text() if arguments.place_file.exists() else ""
    received = 0
    with PatrolClient(arguments.server, token=arguments.token) as engine:
        batches = engine.watch_batches(region_prefix=arguments.region, changes_only=True, resume_token=place)
        for batch in batches:
            for verdict in batch.verdicts:
                print(verdict.camera_id, verdict.announced, " ".join(verdict.announced_kinds), flush=True)
            arguments.place_file.write_text(batch.resume_token)
            received += len(batch.verdicts)
            if arguments.count and received >= arguments.count:
                break
        batches.close()


if __name__ == "__main__":
    main()
