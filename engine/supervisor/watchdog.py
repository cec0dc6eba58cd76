"""Watches the running processes: gives up those whose loop does not move, and recycles those that have grown too large.

A process that is given up is killed; the end of its pipe starts the successor, as if it had died by itself.
"""

from collections.abc import Iterable, Sequence

from engine.clock import NS_PER_S, ns, seconds
from engine.config.schema import Settings
from engine.runtime.control import DRAIN, STOP
from engine.runtime.log import logger, report
from engine.runtime.log_events import PROCESS_STUCK
from engine.runtime.memory import resident_bytes
from engine.runtime.process_facts import thread_facts
from engine.supervisor.liveness import Activity, Cause
from engine.supervisor.processes import Child, Running

GROWN = "memory"
"""Why a process is made to end that has grown beyond its ceiling; a value of the label `reason`."""
_MEMORY_NS = 2 * NS_PER_S
_LARGE_NS = 5 * NS_PER_S
"""A process that is above its ceiling for so long is recycled: a large picture passes."""
_END_S = 5.0
"""Time for a process to end that is asked to, beyond what its visits in flight may take."""
_NO_STACKS: dict[str, str] = {
    Cause.STOPPED: "none: a process that is stopped cannot write them (SIGSTOP, a debugger, a frozen cgroup)",
    Cause.NOT_READY: "none: the process is not far enough to write them",
}


def stacks_of(running: Running, cause: str) -> str:
    """Return the stacks of a process that is to be killed, or why there are none."""
    if cause in _NO_STACKS:
        return _NO_STACKS[cause]
    if running.heartbeat is None:
        return "none: the process shows no heartbeat"
    try:
        return running.heartbeat.take_stacks(running.process.pid) or "none: the process wrote none within a second"
    except ProcessLookupError:
        return "none: the process is gone"


def give_up(child: Child, reason: str, silent_ns: int = 0) -> None:
    """Log the stacks of a process, and kill it; the end of its pipe starts the successor."""
    running = child.running
    if running is None or child.given_up:
        return
    report(
        PROCESS_STUCK,
        name=child.alias,
        reason=reason,
        silent_s=round(seconds(silent_ns), 1),
        stacks=stacks_of(running, reason),
    )
    child.given_up = reason
    running.process.kill()


class Watchdog:
    """For the supervisor's thread."""

    def __init__(self) -> None:
        self._next_memory_ns = 0

    def check(self, children: Sequence[Child], settings: Settings, now_ns: int) -> None:
        """Give up, recycle or kill what has to be. To be called about twice a second."""
        for child in children:
            running = child.running
            if running is None or running.heartbeat is None:
                continue
            if running.end_by_ns:
                if now_ns >= running.end_by_ns:
                    logger().warning("process does not end, killing it", name=child.alias)
                    running.process.kill()
            else:
                self._check_liveness(child, running, now_ns)
        if now_ns >= self._next_memory_ns:
            self._next_memory_ns = now_ns + _MEMORY_NS
            self._check_memory(children, settings, now_ns)

    def _check_liveness(self, child: Child, running: Running, now_ns: int) -> None:
        heartbeat, liveness = running.heartbeat, running.liveness
        if heartbeat is None or liveness.moved(heartbeat.last_beat_ns(), now_ns):
            return
        facts = thread_facts(running.process.pid)
        if facts is None:
            activity, cpu_ns = Activity.BUSY, 0
        else:
            activity = Activity.STOPPED if facts.stopped else Activity.BUSY if facts.busy else Activity.IDLE
            cpu_ns = facts.main_cpu_ns
        cause = liveness.judge(activity, cpu_ns, now_ns)
        if cause is not None:
            give_up(child, cause, liveness.silent_ns)

    def _check_memory(self, children: Sequence[Child], settings: Settings, now_ns: int) -> None:
        ceilings = settings.processes.ceilings()
        sizes = resident_bytes({child.alias: pid for child, pid in _recyclable(children)})
        for child in children:
            running = child.running
            ceiling = ceilings.get(child.role, 0)
            if running is None or not ceiling or sizes.get(child.alias, 0) <= ceiling:
                if running is not None:
                    running.large_since_ns = 0
                continue
            running.large_since_ns = running.large_since_ns or now_ns
            peers = [peer for peer in children if peer.role == child.role and peer is not child and not peer.spare]
            if now_ns - running.large_since_ns >= _LARGE_NS and all(peer.ready for peer in peers):
                _recycle(child, running, sizes[child.alias], settings, now_ns)


def _recyclable(children: Iterable[Child]) -> Iterable[tuple[Child, int]]:
    for child in children:
        if child.ready and child.running is not None and not child.running.end_by_ns:
            yield child, child.running.process.pid


def _recycle(child: Child, running: Running, size: int, settings: Settings, now_ns: int) -> None:
    """Have a process finish what it holds and end. One of a kind at a time: the others work meanwhile."""
    logger().warning("process has grown beyond its ceiling, recycling it", name=child.alias, resident_bytes=size)
    child.given_up, child.ready = GROWN, False
    visits_s = settings.feed.deadline_s if child.role == "feeder" else 0.0
    running.end_by_ns = now_ns + ns(_END_S + visits_s)
    running.send(DRAIN if child.role == "feeder" else STOP)
