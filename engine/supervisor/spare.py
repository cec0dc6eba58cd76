"""The spare worker: one worker more than work is loaded and waits, so that one that is lost has a successor at once.

A worker's start costs more than a second of CPU time, most of it for loading compiled code. The spare has that behind
it. It connects to no hub before it takes a place; the one that was lost becomes the spare once it is started again.
"""

from collections.abc import Sequence

from engine.clock import NS_PER_S
from engine.runtime.control import TAKE
from engine.runtime.log import logger
from engine.supervisor.processes import Child

FIRST_AFTER_NS = 10 * NS_PER_S
"""The spare starts so long after the engine, which needs the CPU more at first."""
_NEXT_AFTER_NS = NS_PER_S


def may_start(children: Sequence[Child], child: Child) -> bool:
    """Return whether a child that is due may start: a spare only once all that work are ready."""
    return not child.spare or is_whole(children)


def is_whole(children: Sequence[Child]) -> bool:
    """Return whether all that the patrol needs are ready."""
    return all(child.ready or child.spare or not child.is_needed for child in children)


def take_place(children: Sequence[Child], lost: Child, now_ns: int) -> bool:
    """Let the spare work instead of a child that was lost, if that is a worker and the spare is loaded; return whether
    it does."""
    spare = next((child for child in children if child.spare and child.ready and not child.given_up), None)
    if lost.role != "worker" or lost.spare or spare is None or spare.running is None:
        return False
    spare.running.send(TAKE)
    spare.spare, lost.spare = False, True
    lost.start_at_ns = now_ns + _NEXT_AFTER_NS
    logger().info("the spare worker takes a place", name=spare.alias, of=lost.alias)
    return True
