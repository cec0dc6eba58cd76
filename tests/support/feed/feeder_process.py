"""A real feeder or demuxer process with the test in the place of its hub and its supervisor."""

import contextlib
import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path

from engine.clock import monotonic_ns
from engine.config import Settings
from engine.feed import wire
from engine.model.keyframe import Keyframe
from engine.model.visit import VisitFailure, VisitOrder
from engine.runtime.control import COMPILING, READY, STOP
from engine.runtime.heartbeat import HeartbeatRecord
from engine.runtime.transport import Transport
from engine.supervisor.child import child_command
from patrol.v1 import feed_pb2
from tests.support.waiting import wait_until


class FeederProcess:
    """What the process sent: `ends` of visits by visit id, and its `heartbeats`. `name`: as the hub knows it.
    `turn_age_ns_max`: the longest that its loop was without a turn, as its supervisor sees it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        transport: Transport,
        address: str,
        name: str,
        heartbeat: HeartbeatRecord,
    ) -> None:
        self._router = transport.bind_router(address)
        self._name = name
        self.process = process
        self.ends: dict[int, Keyframe | VisitFailure] = {}
        self.heartbeats: list[feed_pb2.FeederStatus] = []
        self._heartbeat = heartbeat
        self.turn_age_ns_max = 0

    def order(self, order: VisitOrder) -> None:
        """Send an order."""
        assert self._router.send(wire.pack_order(order), self._name.encode())

    def receive(self) -> None:
        """Receive what has come. Fails if a visit ends twice."""
        self.turn_age_ns_max = max(self.turn_age_ns_max, self.turn_age_ns())
        while (frames := self._router.receive()) is not None:
            rest = frames[1:]
            if rest[0] == wire.STATUS:
                self.heartbeats.append(wire.unpack_status(rest))
                continue
            end = wire.unpack_failure(rest) if rest[0] == wire.FAILED else wire.unpack_keyframe(rest, 1 << 23, 1)
            assert end.visit_id not in self.ends, f"visit {end.visit_id} ended twice"
            self.ends[end.visit_id] = end

    def turn_age_ns(self) -> int:
        """How long ago its loop had a turn."""
        return monotonic_ns() - self._heartbeat.last_beat_ns()

    def wait_for(self, ends: int, timeout_s: float) -> None:
        """Receive until so many visits have ended."""

        def enough() -> bool:
            self.receive()
            return len(self.ends) >= ends

        wait_until(enough, timeout_s, what=f"{ends} ends of visits", poll_s=0.05)

    def wait_for_heartbeat(self) -> None:
        """Receive until there is one."""

        def beats() -> bool:
            self.receive()
            return bool(self.heartbeats)

        wait_until(beats, what="a heartbeat", poll_s=0.05)

    def listen(self, seconds: float) -> None:
        """Receive for a while."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.receive()
            time.sleep(0.05)


@contextlib.contextmanager
def feeder_process(
    role: str, settings: Settings, folder: Path, descriptors: int | None = None
) -> Iterator[FeederProcess]:
    """Start a process of the role (feeder, demuxer) whose limit on open files is `descriptors`; it is ready."""
    name, address = f"{role}-0.1", f"ipc://{folder}/feed"
    ours, theirs = connection.Pipe()
    log, heartbeat = os.open(folder / "log", os.O_WRONLY | os.O_CREAT), HeartbeatRecord()
    transport = Transport()
    task = {
        "parent_pid": os.getpid(),
        "log": settings.log.model_dump(),
        "settings": settings.model_dump(mode="json"),
        "run_dir": str(folder),
        "confine": settings.runtime.confine,
        "address": address,
        "heartbeat": heartbeat.descriptor,
    }

    def limited() -> None:
        if descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    command = child_command(role, name, theirs.fileno(), log)
    inherited = [theirs.fileno(), log, heartbeat.descriptor]
    with subprocess.Popen(command, pass_fds=inherited, preexec_fn=limited) as process:
        try:
            feeder = FeederProcess(process, transport, address, name, heartbeat)
            ours.send(json.dumps(task))
            word = COMPILING
            while word == COMPILING:
                assert ours.poll(60), "the process is not ready"
                word = ours.recv()[0]
            assert word == READY
            feeder.wait_for_heartbeat()
            yield feeder
            ours.send((STOP,))
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            transport.close()
            os.close(log)
            heartbeat.close()
