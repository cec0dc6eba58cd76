"""The loop of a process that does one job after the other for the hub: a worker, or the reader."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from engine.clock import monotonic_ns
from engine.feed.wire import Frame
from engine.runtime.confinement import Confined
from engine.runtime.control import Control
from engine.runtime.transport import Channel, Poller
from engine.worker import wire

_WAIT_MS = 1000
_GATHER_NS = 8_000_000
"""Answers to short jobs wait up to this long for others to go with them, while there are jobs to do."""


def serve_jobs(
    hub: Channel,
    control: Control,
    confined: Confined,
    serve: Callable[[list[Frame]], Sequence[Frame]],
    jobs_of: Callable[[list[Frame]], Iterable[list[Frame]]] = lambda frames: [frames],
) -> None:
    """Answer the hub's messages until the supervisor says stop. `serve`: returns the answer to one job, `jobs_of`: the
    jobs in a message.

    A job a turn: while jobs wait without end, the heartbeat goes on, and STOP is read whenever answers are sent. Raises
    what `serve` raises.
    """
    poller = Poller()
    poller.watch("hub", hub)
    poller.watch("control", control.descriptor)
    control.ready()
    jobs: deque[list[Frame]] = deque()
    answers: list[Sequence[Frame]] = []
    send_at_ns = 0
    while True:
        control.beat()
        if not jobs and (message := hub.receive()) is not None:
            confined.hub_reached()
            jobs.extend(jobs_of(message))
            del message  # a payload is borrowed from the socket: it is released with its job, before waiting
        if answers and (not jobs or len(answers) >= wire.JOBS_MAX or monotonic_ns() >= send_at_ns):
            hub.send(wire.joined(answers))
            answers.clear()
            if "control" in poller.wait(0) and control.stop_requested():
                return
        if jobs:
            if not answers:
                send_at_ns = monotonic_ns() + _GATHER_NS
            answers.append(serve(jobs.popleft()))
        elif "control" in poller.wait(_WAIT_MS) and control.stop_requested():
            return
