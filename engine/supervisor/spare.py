"""The spare worker: one worker more than work is loaded and waits, so that one that is lost has a successor at once.

A worker's start costs more than a second of CPU time, most of it for loading compiled code. The spare has that behind
it. It connects to no hub before it takes a place; the one that was lost becomes the spare once it is started again.
"""

from collections.abc import Sequence

from engine.clock import NS_PER_S
from engine.runtime.control import TAKE
from engine.runtime.log import logger
from engine.supervisor.processes import Child

START_AFTER_NS = 10 * NS_PER_S
"""The spare starts so long after the engine, or after the one before it took a place: then they need the CPU more."""


def schedule_spare(children: Sequence[Child], now_ns: int) -> None:
    """Have the spare started soon, if there is one and none runs."""
    for child in children:
        if child.spare and child.running is None:
            child.start_at_ns = now_ns + START_AFTER_NS


def take_place(children: Sequence[Child], lost: Child, now_ns: int) -> bool:
    """Let the spare work instead of a child that was lost, if that is a worker and the spare is loaded; return whether
    it does."""
    spare = next((child for child in children if child.spare and child.ready and not child.given_up), None)
    if lost.role != "worker" or lost.spare or spare is None or spare.running is None:
        return False
    spare.running.send(TAKE)
    spare.spare, lost.spare = False, True
    schedule_spare(children, now_ns)
    logger().info("the spare worker takes a place", name=spare.alias, of=lost.alias)
    return True
