"""The loop of a process that does one job after the other for the hub: a worker, or the reader."""

from collections.abc import Callable, Sequence

from engine.feed.wire import Frame
from engine.runtime.confinement import Confined
from engine.runtime.control import Control
from engine.runtime.transport import Channel, Poller

_WAIT_MS = 1000


def serve_jobs(
    hub: Channel, control: Control, confined: Confined, serve: Callable[[list[Frame]], Sequence[Frame]]
) -> None:
    """Answer the hub's messages until the supervisor says stop. `serve`: returns the answer to one message.

    One job a turn: while jobs wait without end, STOP is read and the heartbeat goes on. Raises what `serve` raises.
    """
    poller = Poller()
    poller.watch("hub", hub)
    poller.watch("control", control.descriptor)
    control.ready()
    while True:
        control.beat()
        readable = poller.wait(_WAIT_MS)
        if "control" in readable and control.stop_requested():
            return
        if (frames := hub.receive()) is not None:
            confined.hub_reached()
            hub.send(serve(frames))
            del frames  # the payload is borrowed from the socket: release it before waiting
