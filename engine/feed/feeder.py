"""The RTSP feeder process: orders in from the hub, visits under one event loop, keyframes or failures back.

Heartbeats go out of a thread and a socket of their own (`engine.feed.heartbeat`).
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Mapping
from typing import Any

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.errors import WireError
from engine.feed import wire
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.failure import visit_failure
from engine.feed.heartbeat import Heartbeat
from engine.feed.name_files import NameFiles
from engine.feed.own_limits import DescriptorBudget
from engine.feed.packets.runs import COMPILED
from engine.feed.shared_by_visits import SharedByVisits
from engine.feed.visit import DESCRIPTORS_PER_VISIT, visit
from engine.model.visit import FailureReason, VisitFailure, VisitOrder
from engine.redact import KNOWN
from engine.runtime.confinement import Confined
from engine.runtime.control import EXIT_RECYCLE, Control
from engine.runtime.log import logger
from engine.runtime.transport import AsyncReceiver, Channel, Frame, Transport
from patrol.v1 import feed_pb2

STATUS_INTERVAL_S = 1.0
_TURN_INTERVAL_S = 0.2
_SOCKETS = 2
"""To the hub: for orders, and for heartbeats."""


def run(name: str, address: str, settings: FeedSettings, control: Control, confined: Confined) -> int:
    """Visit cameras for the hub at `address` until `control` asks to stop. Returns the exit code.

    `confined`: what this process was confined to.
    """
    gc.freeze()  # what is loaded stays: the collector need not walk it again and again
    transport = Transport()
    try:
        hub = transport.connect_dealer(address, name)
        heartbeats = transport.connect_dealer(address, f"{name}.heartbeat", queue_unconnected=False)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(name, hub, heartbeats, settings, control, confined))
    finally:
        transport.close()


async def _serve(
    name: str, hub: Channel, heartbeats: Channel, settings: FeedSettings, control: Control, confined: Confined
) -> int:
    connected: set[Channel] = set()

    def is_connected(channel: Channel) -> None:
        connected.add(channel)
        if len(connected) == _SOCKETS:
            confined.hub_reached()

    feeder, name_files = Feeder(name, hub, settings, lambda: is_connected(hub)), NameFiles(confined)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_control() -> None:
        if control.stop_requested(feeder.reload, feeder.drain):
            loop.remove_reader(control.descriptor)
            stopped.set()

    def beat() -> bool:
        taken = heartbeats.send(wire.pack_status(feeder.status()))  # one that is not taken is missed, as it should
        if taken:
            is_connected(heartbeats)
        return taken

    heartbeat = Heartbeat(beat, STATUS_INTERVAL_S)

    def turn() -> None:
        control.beat()
        loop.call_later(_TURN_INTERVAL_S, turn)

    loop.add_reader(control.descriptor, on_control)
    turn()
    feeder.report()
    control.ready()
    heartbeat.start()
    recycled = False
    try:
        while not stopped.is_set() and not feeder.drained:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), STATUS_INTERVAL_S)
            if not recycled and name_files.were_replaced():
                logger().warning("asking to be replaced: a file of name lookup was replaced, and may not be read")
                recycled = True
                feeder.drain()
    finally:
        heartbeat.stop()
    await feeder.close()
    return EXIT_RECYCLE if recycled and not stopped.is_set() else 0


class Feeder:
    """Runs each visit as a task. At most `capacity` are in flight; the hub knows that from the heartbeats.

    `on_order`: called with each message of the hub.
    """

    def __init__(self, name: str, hub: Channel, settings: FeedSettings, on_order: Callable[[], None]) -> None:
        self._name = name
        self._on_order = on_order
        self._hub = hub
        self._settings = settings
        self._visits: dict[int, asyncio.Task[None]] = {}
        self._shared = SharedByVisits(COMPILED)
        self._descriptors = DescriptorBudget()
        self._draining = False
        self._receiver = AsyncReceiver(hub, self._on_message)

    @property
    def capacity(self) -> int:
        """Visits that may be in flight: what the settings allow, and no more than there are descriptors for."""
        descriptors = DESCRIPTORS_PER_VISIT[self._settings.rtsp_transport]
        return min(self._settings.visits_per_feeder_max, self._descriptors.visits_max(descriptors))

    def status(self) -> feed_pb2.FeederStatus:
        """Return the heartbeat. Any thread."""
        return feed_pb2.FeederStatus(
            name=self._name,
            kind=feed_pb2.FEED_KIND_RTSP,
            capacity=0 if self._draining else self.capacity,
            visits_in_flight=len(self._visits),
        )

    def report(self) -> None:
        """Send the first heartbeat, on the socket of the orders: the hub then knows that orders arrive."""
        if self.capacity < self._settings.visits_per_feeder_max:
            logger().warning(
                "fewer visits than feed.visits_per_feeder_max: the limit on open files allows no more; raise it "
                "(ulimit -n, LimitNOFILE)",
                visits=self.capacity,
                visits_per_feeder_max=self._settings.visits_per_feeder_max,
            )
        self._send(wire.pack_status(self.status()))

    def reload(self, settings: Mapping[str, Any]) -> None:
        """Replace the settings; visits in flight keep theirs."""
        self._settings = FeedSettings.model_validate(settings["feed"])

    def drain(self) -> None:
        """Accept no more orders; visits in flight go on."""
        self._draining = True
        self.report()

    @property
    def drained(self) -> bool:
        """Whether no order is accepted any more, and no visit is in flight."""
        return self._draining and not self._visits

    async def close(self) -> None:
        """Cancel the visits in flight, and wait up to a second for their sessions to be torn down."""
        self._receiver.close()
        tasks = list(self._visits.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)

    def _on_message(self, frames: list[Frame]) -> None:
        self._on_order()
        try:
            order = wire.unpack_order(frames)
        except WireError as error:
            logger().error("order not understood", detail=str(error))
            return
        KNOWN.add(order.url)
        if self._draining or order.visit_id in self._visits or len(self._visits) >= self.capacity:
            detail = f"not visited: {len(self._visits)} visits in flight in this feeder; it accepts no more now"
            self._send(wire.pack_failure(visit_failure(order, FailureReason.EXHAUSTED, detail)))
            return
        self._visits[order.visit_id] = asyncio.ensure_future(self._visit(order))

    async def _visit(self, order: VisitOrder) -> None:
        trace = DialogueTrace(order.url, monotonic_ns()) if order.trace else None
        try:
            outcome = await visit(order, self._settings, self._shared, trace)
        finally:
            del self._visits[order.visit_id]  # before the hub hears of it and sends another order
        if trace is not None:
            self._send(wire.pack_dialogue(order.visit_id, trace.lines(monotonic_ns())))
        if isinstance(outcome, VisitFailure):
            self._send(wire.pack_failure(outcome))
        else:
            self._send(wire.pack_keyframe(outcome))

    def _send(self, frames: list[Frame]) -> None:
        if not self._hub.send(frames):
            logger().error("hub does not accept messages", lost=self._hub.lost_sends)
        self._receiver.receive_all()


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Return uvloop's loop, which halves the CPU of a visit (bench.visits); None (asyncio's own) if not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
