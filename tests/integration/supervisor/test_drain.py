"""A feeder that drains refuses new orders, ends its visits, and leaves; a worker's planned end blames no keyframe."""

import socket
import threading
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

from engine.clock import NS_PER_S
from engine.config.feed import FeedSettings
from engine.feed import feeder, wire
from engine.feed.intake import Intake
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.runtime.confinement import Confined
from engine.runtime.control import DRAIN, Control
from engine.runtime.transport import Channel, Transport
from tests.support.waiting import wait_until


class Hub:
    """The hub's end of a feeder that runs in a thread."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.capacity = -1
        self.failures: list[VisitFailure] = []

    def receive(self) -> bool:
        while (frames := self.channel.receive()) is not None:
            tag, rest = bytes(frames[1]), frames[1:]
            if tag == wire.STATUS:
                self.capacity = wire.unpack_status(rest).capacity
            elif tag == wire.FAILED:
                self.failures.append(wire.unpack_failure(rest))
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        wait_until(lambda: self.receive() and condition(), 30)


def order(visit_id: int, port: int) -> VisitOrder:
    return VisitOrder(visit_id, f"c{visit_id}", f"rtsp://127.0.0.1:{port}/1", 3 * NS_PER_S, FeedKind.RTSP)


def test_a_feeder_that_drains_ends_its_visits_first(tmp_path: Path) -> None:
    transport = Transport()
    hub = Hub(transport.bind_router(f"ipc://{tmp_path}/feed"))
    ours, theirs = connection.Pipe()
    arguments: Any = ("f", f"ipc://{tmp_path}/feed", FeedSettings(deadline_s=3), Control(theirs), Confined())
    thread = threading.Thread(target=feeder.run, args=arguments)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing until the visit's deadline
        thread.start()
        hub.until(lambda: hub.capacity > 0)
        hub.channel.send(wire.pack_order(order(1, silent.getsockname()[1])), b"f")
        held, _ = silent.accept()
        ours.send((DRAIN,))
        hub.until(lambda: hub.capacity == 0)
        hub.channel.send(wire.pack_order(order(2, silent.getsockname()[1])), b"f")
        hub.until(lambda: len(hub.failures) == 1)
        assert thread.is_alive()
        hub.until(lambda: len(hub.failures) == 2)
        thread.join(20)
        held.close()
    assert not thread.is_alive()
    transport.close()
    refused, visited = hub.failures
    assert (refused.visit_id, refused.reason) == (2, FailureReason.EXHAUSTED)
    assert "accepts no more" in refused.detail
    assert visited.visit_id == 1
    assert visited.reason is not FailureReason.EXHAUSTED


def test_a_worker_that_is_recycled_costs_a_keyframe_no_attempt() -> None:
    intake = Intake(10, 10**9, 10**12)
    intake.offer(Keyframe("c", 1, Codec.H264, b"x", 0, None, FeedKind.GATEWAY), 0)
    for worker in ("w1", "w2", "w3"):
        intake.worker_ready(worker, 1)
        jobs, _ = intake.hand_out(0)
        assert [job.worker for job in jobs] == [worker]
        assert intake.worker_lost(worker, 0, blameless=True) == []
    intake.worker_ready("w4", 1)
    assert len(intake.hand_out(0)[0]) == 1
