"""Runs the hub as a process: builds it, runs its loop until the supervisor says stop, and writes what is left."""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.errors import PatrolError
from engine.hub.composition.hub import Hub, compose
from engine.hub.shards.lease import LeaseLostError
from engine.model.shard import ShardTask
from engine.runtime.control import EXIT_LEASE_LOST, FAILED, Control
from engine.runtime.log import logger, sum_reports

EXIT_CANNOT_RUN = 2
_FLUSH_S = 2.0
_SWITCH_INTERVAL_S = 0.0005
"""How soon a thread that computes lets another run. With Python's 5 ms, a caller who asks for one camera would wait a
turn each for a page that another thread encodes, the judge and the writer."""

_GARBAGE_THRESHOLD = 50_000
"""Allocations that start the garbage collector. One page of cameras makes thousands of short-lived objects; at 10,000
the collector ran often, for 5 to 20 ms in which nobody was answered."""


def run(
    settings: Settings,
    calendar: Calendar,
    run_dir: str,
    control: Control,
    *,
    again: bool = False,
    restarts: Sequence[tuple[str, str, int]] = (),
    shard: ShardTask | None = None,
) -> int:
    """Run until STOP; returns the exit code. The supervisor is told why a start is impossible.

    `again`: an earlier hub of this supervisor ran, so that a database that is missing was lost, and none is created.
    `restarts`: how many processes were replaced so far, by kind and reason. `shard`: None for an engine alone.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.disable()  # until everything is loaded: the collector would walk it again and again as it grows
    try:
        with contextlib.ExitStack() as stack:
            hub = compose(
                settings,
                calendar,
                Path(run_dir),
                control,
                _start_collector,
                stack,
                again=again,
                restarts=restarts,
                shard=shard,
            )
            _run_loop(hub)
            hub.readiness.serving = False
            hub.grpc.set_ready(False)
            if not hub.writer.flush(_FLUSH_S):
                logger().error("some verdicts were not written before the stop")
            sum_reports()
    except PatrolError as error:
        logger().error("cannot run", code=error.code, detail=str(error))
        control.send(FAILED, error.code, str(error))
        return EXIT_CANNOT_RUN
    return 0


def _run_loop(hub: Hub) -> None:
    """Run the hub's loop until STOP. One that has lost its shard ends on the spot: while it closed what it has, its
    feeders would go on with visits that are another process's now."""
    try:
        hub.loop.run()
    except LeaseLostError as error:
        logger().error("the shard is lost, ending at once", detail=str(error))
        os._exit(EXIT_LEASE_LOST)


def _start_collector() -> None:
    """Collect only what comes from now on: walking the loaded cameras in a full collection took 0.3 s."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    gc.enable()
