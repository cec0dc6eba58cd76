"""Runs the engine of one shard in a process of its own: `python -m engine.cluster.shard_process`.

Reads a line of JSON from stdin (settings, shard), writes a line with its addresses once it runs and an empty one each
second from then on, and ends with its stdin: whoever started it may die in any way, and the shard is given back in
order.
"""

import json
import select
import sys
import time

from engine.config.schema import Settings
from engine.errors import PatrolError
from engine.model.shard import ShardTask
from engine.runtime.log import configure_logging
from engine.supervisor.app import Supervisor

EXIT_LOST = 7
"""Exit code if the shard is lost, or the engine cannot run."""
BEAT_S = 1.0
"""Seconds from one empty line to the next."""
_STEP_S = 0.1


def order_of(settings: Settings, task: ShardTask) -> str:
    """Return the line that tells the process what to run."""
    shard = [task.number, task.node, task.lease_s]
    return json.dumps({"settings": settings.model_dump(mode="json"), "shard": shard}) + "\n"


def main() -> int:
    """Run until stdin ends; return the exit code."""
    order = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(order["settings"])
    number, node, lease_s = order["shard"]
    configure_logging(settings.log.level, settings.log.format, f"shard-{number}")
    try:
        with Supervisor(settings, shard=ShardTask(number, node, lease_s)) as engine:
            sys.stdout.write(json.dumps(engine.addresses) + "\n")
            sys.stdout.flush()
            beat_s = time.monotonic()
            while engine.failure is None:
                if time.monotonic() - beat_s >= BEAT_S:
                    beat_s = time.monotonic()
                    sys.stdout.write("\n")
                    sys.stdout.flush()
                if select.select([sys.stdin], [], [], _STEP_S)[0] and not sys.stdin.readline():
                    return 0
            raise engine.failure
    except PatrolError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_LOST


if __name__ == "__main__":
    sys.exit(main())
