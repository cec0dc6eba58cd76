"""The spare worker: it is loaded and waits, so that a worker that is lost has a successor at once.

A worker's start costs more than a second of CPU time, most of it for loading compiled code. The spare has that behind
it. It connects to no hub before it takes a place, and keeps the name it was started with.
"""

from collections.abc import Sequence

from engine.clock import NS_PER_S
from engine.runtime.control import TAKE
from engine.supervisor.processes import Child

START_AFTER_NS = 10 * NS_PER_S
"""The spare starts so long after the engine, or after the one before it took a place: then they need the CPU more."""


def schedule_spare(children: Sequence[Child], now_ns: int) -> None:
    """Have the spare started soon, if there is one and none runs."""
    for child in children:
        if child.spare and child.running is None:
            child.start_at_ns = now_ns + START_AFTER_NS


def take_place(children: Sequence[Child], child: Child, now_ns: int) -> bool:
    """Let the spare worker run as `child`, if that is a worker and a spare is ready; return whether it does."""
    spare = next((other for other in children if other.spare and other.ready and not other.given_up), None)
    if child.role != "worker" or child.spare or spare is None or spare.running is None:
        return False
    child.running, child.alias, child.confinement = spare.running, spare.alias, spare.confinement
    child.ready = True
    spare.running, spare.ready = None, False
    child.running.send(TAKE)
    schedule_spare(children, now_ns)
    return True
