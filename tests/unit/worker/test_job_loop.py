"""A worker answers several short jobs together, over real sockets, and none of them is lost when it is stopped."""

import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing import Pipe
from pathlib import Path

from engine.feed.wire import Frame
from engine.runtime.confinement import Confined
from engine.runtime.control import STOP, Control
from engine.runtime.heartbeat import Heartbeat, HeartbeatRecord
from engine.runtime.transport import Channel, Poller, Transport
from engine.worker import wire
from engine.worker.job_loop import serve_jobs

WAIT_MS = 10_000


def jobs_of(frames: list[Frame]) -> Iterable[list[Frame]]:
    return wire.split(frames, 2)


class Worker:
    """The loop in a thread, the hub's end of its socket, and the parent's end of its pipe."""

    def __init__(self, folder: Path, serve: Callable[[list[Frame]], list[Frame]]) -> None:
        self._transport = Transport()
        address = f"ipc://{folder}/work"
        self.hub: Channel = self._transport.bind_router(address)
        self.parent, child = Pipe()
        dealer = self._transport.connect_dealer(address, "w")
        dealer.send([wire.READY])
        arguments = dealer, Control(child), Confined(), serve, jobs_of
        self.thread = threading.Thread(target=serve_jobs, args=arguments, daemon=True)
        self.thread.start()
        assert self.received() == [wire.READY]

    def received(self) -> list[Frame]:
        """Return the next message, without its sender."""
        poller = Poller()
        poller.watch("hub", self.hub)
        assert poller.wait(WAIT_MS)
        message = self.hub.receive()
        assert message is not None
        return message[1:]

    def stop(self) -> None:
        self.parent.send((STOP,))
        self.wait()

    def wait(self) -> None:
        self.thread.join(10)
        assert not self.thread.is_alive()
        self._transport.close()


def echo(frames: list[Frame]) -> list[Frame]:
    return [b"A", frames[1]]


def test_short_jobs_of_one_message_are_answered_in_order_and_together(tmp_path: Path) -> None:
    worker = Worker(tmp_path, echo)
    worker.hub.send([b"J", *[bytes([number]) for number in range(10)]], b"w")
    assert worker.received() == [b"A", *[bytes([number]) for number in range(10)]]
    worker.hub.send([b"J", b"x"], b"w")
    assert worker.received() == [b"A", b"x"], "one that comes alone does not wait for others"
    worker.stop()


def test_an_answer_to_a_long_job_does_not_wait_for_the_jobs_behind_it(tmp_path: Path) -> None:
    go_on = threading.Event()

    def serve(frames: list[Frame]) -> list[Frame]:
        if frames[1] == b"long":
            time.sleep(0.05)
        if frames[1] == b"last":
            assert go_on.wait(10)
        return echo(frames)

    worker = Worker(tmp_path, serve)
    worker.hub.send([b"J", b"long", b"last"], b"w")
    assert worker.received() == [b"A", b"long"]
    go_on.set()
    assert worker.received() == [b"A", b"last"]
    worker.stop()


def test_what_was_done_is_answered_before_a_stop(tmp_path: Path) -> None:
    begun = threading.Event()

    def serve(frames: list[Frame]) -> list[Frame]:
        begun.set()
        time.sleep(0.02)
        return echo(frames)

    worker = Worker(tmp_path, serve)
    worker.hub.send([b"J", *[bytes([number]) for number in range(16)]], b"w")
    assert begun.wait(10)
    worker.parent.send((STOP,))
    assert worker.received()[:2] == [b"A", b"\0"]
    worker.wait()


def test_the_job_that_a_process_began_is_known_to_its_parent() -> None:
    record = HeartbeatRecord()
    heartbeat = Heartbeat(record.descriptor)
    assert record.begun_job() == 0
    heartbeat.begins((1 << 62) + 5)
    heartbeat.beat()
    assert record.begun_job() == (1 << 62) + 5
    assert record.last_beat_ns() > 0
    record.close()
