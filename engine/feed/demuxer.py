"""The demuxer process: orders in from the hub, PyAV in a pool of threads, keyframes or failures back.

FFmpeg may hang where no time-out reaches it. Such a thread is given up and replaced. A process with too many of them,
or one near its memory ceiling, takes no more orders, waits for its visits in flight, and exits with EXIT_RECYCLE; the
supervisor starts a new one.
"""

import os
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.errors import WireError
from engine.feed import wire
from engine.feed.demuxing.pool import DemuxPool, VisitOutcome
from engine.feed.failure import visit_failure
from engine.feed.name_files import NameFiles
from engine.model.dialogue import TraceLine
from engine.model.visit import FailureReason, VisitFailure
from engine.redact import KNOWN
from engine.runtime.confinement import FILES, Confined
from engine.runtime.control import EXIT_RECYCLE, Control
from engine.runtime.log import logger
from engine.runtime.memory_ceiling import MemoryCeiling
from engine.runtime.transport import Channel, Poller, Transport
from patrol.v1 import feed_pb2

Ended = queue.SimpleQueue[VisitOutcome | tuple[int, Sequence[TraceLine]]]
"""Visits that have ended; before it the dialogue of one that is traced, with its id."""
_STATUS_INTERVAL_NS = 1_000_000_000
_TICK_MS = 100
_CLOSE_TIMEOUT_S = 0.5
_STACK_BYTES = 1 << 20
"""Of each thread; the default is the 8 MiB of the main thread, of which none needs a tenth."""
_THREADS_PER_VISIT = 2


def run(name: str, address: str, settings: FeedSettings, control: Control, confined: Confined) -> int:
    """Visit cameras for the hub at `address` until `control` asks to stop. Returns the exit code.

    `confined`: what this process was confined to.
    """
    threading.stack_size(_STACK_BYTES)
    stacks = _THREADS_PER_VISIT * (settings.demux_threads + settings.demux_stuck_max) * _STACK_BYTES
    ceiling = MemoryCeiling(settings.demuxer_memory_max, stacks)
    ceiling.enforce()
    transport = Transport()
    outcomes: Ended = queue.SimpleQueue()
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def on_end(outcome: VisitOutcome) -> None:
        outcomes.put(outcome)
        try:
            os.write(wake_write, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups already

    pool = DemuxPool(settings, on_end, lambda visit_id, lines: outcomes.put((visit_id, lines)))
    hub = transport.connect_dealer(address, name)
    poller = Poller()
    poller.watch("hub", hub)
    poller.watch("control", control.descriptor)
    poller.watch("ended", wake_read)
    name_files = NameFiles(confined)
    control.ready()
    next_status_ns = 0

    def reload(tree: Mapping[str, Any]) -> None:
        wanted = FeedSettings.model_validate(tree["feed"])
        if FILES in confined.parts and "file" in wanted.schemes and "file" not in settings.schemes:
            logger().warning("asking to be replaced: feed.schemes has `file` now, and files may not be read")
            pool.retire()
        pool.configure(wanted)

    try:
        while True:
            control.beat()
            now_ns = monotonic_ns()
            if now_ns >= next_status_ns:
                if not pool.exhausted and name_files.were_replaced():
                    logger().warning("asking to be replaced: a file of name lookup was replaced, and may not be read")
                    pool.retire()
                _send_status(name, hub, pool)
                next_status_ns = now_ns + _STATUS_INTERVAL_NS
            ready = poller.wait(_TICK_MS)
            if "control" in ready and control.stop_requested(reload):
                return 0
            if "ended" in ready:
                os.read(wake_read, 65_536)
            pool.tick(monotonic_ns())
            if not pool.exhausted and ceiling.is_near():
                logger().warning("near feed.demuxer_memory_max, taking no more orders", visits=pool.in_flight)
                pool.relieve()
            _send_outcomes(hub, outcomes)
            if _receive_orders(hub, pool):
                confined.hub_reached()
            if pool.exhausted and pool.in_flight == 0:
                logger().warning("asking to be replaced", stuck=pool.stuck)
                return EXIT_RECYCLE
    finally:
        pool.close(_CLOSE_TIMEOUT_S)
        _send_outcomes(hub, outcomes)
        transport.close()


def _send_status(name: str, hub: Channel, pool: DemuxPool) -> None:
    status = feed_pb2.FeederStatus(
        name=name,
        kind=feed_pb2.FEED_KIND_DEMUX,
        capacity=0 if pool.exhausted else pool.capacity,
        visits_in_flight=pool.in_flight,
        stuck_threads=pool.stuck,
        stuck_threads_total=pool.stuck_total,
    )
    hub.send(wire.pack_status(status))


def _send_outcomes(hub: Channel, outcomes: Ended) -> None:
    while not outcomes.empty():
        ended = outcomes.get()
        if isinstance(ended, tuple):
            hub.send(wire.pack_dialogue(*ended))
        elif isinstance(ended, VisitFailure):
            hub.send(wire.pack_failure(ended))
        else:
            hub.send(wire.pack_keyframe(ended))


def _receive_orders(hub: Channel, pool: DemuxPool) -> bool:
    """Begin the visits that are ordered. Returns whether there was an order."""
    ordered = False
    while (frames := hub.receive()) is not None:
        ordered = True
        try:
            order = wire.unpack_order(frames)
        except WireError as error:
            logger().error("order not understood", detail=str(error))
            continue
        KNOWN.add(order.url)
        if pool.exhausted or not pool.submit(order):
            detail = f"{pool.in_flight} visits in flight in this demuxer; it accepts no more now"
            hub.send(wire.pack_failure(visit_failure(order, FailureReason.EXHAUSTED, f"not visited: {detail}")))
    return ordered
