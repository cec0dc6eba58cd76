"""The RTSP feeder process: orders in from the hub, visits under one event loop, keyframes or failures back."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from engine.config.schema import FeedSettings
from engine.errors import WireError
from engine.feed import wire
from engine.feed.visit import visit
from engine.model.visit import FailureReason, VisitFailure, VisitOrder
from engine.redact import KNOWN
from engine.runtime.control import Control
from engine.runtime.log import logger
from engine.runtime.transport import AsyncReceiver, Channel, Frame, Transport
from patrol.v1 import feed_pb2

STATUS_INTERVAL_S = 1.0


def run(name: str, address: str, settings: FeedSettings, control: Control) -> None:
    """Visit cameras for the hub at `address` until `control` asks to stop."""
    transport = Transport()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(name, transport.connect_dealer(address, name), settings, control))
    finally:
        transport.close()


async def _serve(name: str, hub: Channel, settings: FeedSettings, control: Control) -> None:
    feeder = Feeder(name, hub, settings)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_control() -> None:
        if control.stop_requested(feeder.reload):
            loop.remove_reader(control.descriptor)
            stopped.set()

    loop.add_reader(control.descriptor, on_control)
    feeder.report()
    control.ready()
    while not stopped.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), STATUS_INTERVAL_S)
        feeder.report()
    await feeder.close()


class Feeder:
    """Runs each visit as a task. At most `visits_per_feeder_max` are in flight; the hub knows it as the capacity."""

    def __init__(self, name: str, hub: Channel, settings: FeedSettings) -> None:
        self._name = name
        self._hub = hub
        self._settings = settings
        self._visits: set[asyncio.Task[None]] = set()
        self._receiver = AsyncReceiver(hub, self._on_message)

    def report(self) -> None:
        """Send the hub a heartbeat with the number of visits in flight."""
        status = feed_pb2.FeederStatus(
            name=self._name,
            kind=feed_pb2.FEED_KIND_RTSP,
            capacity=self._settings.visits_per_feeder_max,
            visits_in_flight=len(self._visits),
        )
        self._send(wire.pack_status(status))

    def reload(self, settings: Mapping[str, Any]) -> None:
        """Replace the settings; visits in flight keep theirs."""
        self._settings = FeedSettings.model_validate(settings["feed"])

    async def close(self) -> None:
        """Cancel the visits in flight, and wait up to a second for their sessions to be torn down."""
        self._receiver.close()
        for task in self._visits:
            task.cancel()
        if self._visits:
            await asyncio.wait(self._visits, timeout=1.0)

    def _on_message(self, frames: list[Frame]) -> None:
        try:
            order = wire.unpack_order(frames)
        except WireError as error:
            logger().error("order not understood", detail=str(error))
            return
        KNOWN.add(order.url)
        if len(self._visits) >= self._settings.visits_per_feeder_max:
            detail = f"{len(self._visits)} visits in flight in this feeder, its maximum"
            self._send(wire.pack_failure(_failure(order, detail)))
            return
        task = asyncio.ensure_future(self._visit(order))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _visit(self, order: VisitOrder) -> None:
        try:
            outcome = await visit(order, self._settings)
        except Exception as error:  # noqa: BLE001 (an order must end even if our own code is wrong)
            logger().exception("visit broke", camera_id=order.camera_id)
            outcome = _failure(order, f"{type(error).__name__} in the feeder; see its log")
        if isinstance(outcome, VisitFailure):
            self._send(wire.pack_failure(outcome))
        else:
            self._send(wire.pack_keyframe(outcome))

    def _send(self, frames: list[Frame]) -> None:
        if not self._hub.send(frames):
            logger().error("hub does not accept messages", lost=self._hub.lost_sends)
        self._receiver.receive_all()


def _failure(order: VisitOrder, detail: str) -> VisitFailure:
    return VisitFailure(order.camera_id, order.visit_id, FailureReason.INTERNAL, detail)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Return uvloop's loop, which halves the CPU of a visit (bench.visits); None (asyncio's own) if not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
