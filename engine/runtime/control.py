"""The pipe between the supervisor and a child.

A child sends `ready`, the parent sends `stop`. When the parent dies, in whatever way, the pipe ends, and the child ends
too.
"""

import contextlib
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from engine.clock import monotonic_ns, ns, seconds
from engine.runtime.compile_stage import CompileStage
from engine.runtime.heartbeat import Heartbeat

READY = "ready"
"""Child to parent: I take work; facts (addresses), and by part of the confinement whether it is in force."""
COMPILING = "compiling"
"""Child to parent, before READY: how far its compiled code is; a CompileStage."""
FAILED = "failed"
"""Child to parent: I cannot run; error code and message."""
GO = "go"
"""Parent to hub: every child is ready."""
BEGUN = "begun"
"""Hub to parent: a worker is ready and visits begin; calls are answered."""
RUNNING = "running"
"""Parent to hub: the processes of the engine; their ids by name."""
LOST = "lost"
"""Parent to hub: a child ended; role, name, reason, and the id of the job that it began last, 0 for none."""
RELOAD = "reload"
"""Parent to hub: read this configuration file; its path. Parent to feeders: new settings, as a tree."""
RELOADED = "reloaded"
"""Hub to parent: these settings and this calendar are in force now, as trees."""
REPLACE = "replace"
"""Hub to parent: end this child and start another; name, reason."""
STOP = "stop"
"""Parent to child."""
VISITS_OVER = "visits over"
"""Parent to hub, after STOP: the processes that visit cameras have ended, and with them all connections."""
TAKE = "take"
"""Parent to spare worker: take the place of one that was lost."""
DRAIN = "drain"
"""Parent to feeder: take no more orders, and end once the visits in flight have."""
VITALS = "vitals"
"""Parent to hub, once a second: restarts by kind and reason, the age of the last heartbeat by kind, and what of the
confinement is in force by kind and part."""

HANDSHAKES = "handshakes"
"""Parent to hub: how many TLS handshakes failed at its gRPC server since the last such message."""

OWN_SOCKET = "grpc"
"""In the folder of the engine's sockets: where the hub answers calls of the HTTP gateway."""
TOO_COSTLY = "too_costly"
"""Reason in LOST: the picture that the worker had under way spent its budget of CPU time."""
EXIT_LEASE_LOST = 4
"""Exit code of a hub whose shard another process has, or may have soon."""
EXIT_RECYCLE = 3
"""Exit code of a feeder or demuxer that asks to be replaced: it has too many stuck threads, or may not read a file."""


class Control:
    """The child's end of the pipe. A message is a tuple; its first item is one of the words above.

    `heartbeat`: shows the parent that the child's loop moves; None where nobody watches it. `confinement`: by part,
    whether it is in force; empty for a process that is not confined.
    """

    def __init__(self, connection: Connection, heartbeat: Heartbeat | None = None) -> None:
        self.confinement: Mapping[str, bool] = {}
        self._connection = connection
        self._heartbeat = heartbeat
        self._begun = self._stopping = self._visits_over = False

    @property
    def descriptor(self) -> int:
        """Readable when messages wait; for a poller."""
        return self._connection.fileno()

    def ready(self, **facts: Any) -> None:
        """Tell the parent that this child takes work. `facts`: addresses that the parent publishes."""
        self.send(READY, facts, dict(self.confinement))

    def compiling(self, stage: CompileStage) -> None:
        """Tell the parent that this child waits for compiled code, compiles it, or has it."""
        self.send(COMPILING, stage.value)

    def beat(self) -> None:
        """Show that the child's loop has a turn. Only the loop itself may call it, at least once a second; one that is
        silent for some seconds, and does not wait for the machine, is killed and replaced."""
        if self._heartbeat is not None:
            self._heartbeat.beat()

    def begins(self, job_id: int) -> None:
        """Show that the child begins this job, so that it is known which one it died over."""
        if self._heartbeat is not None:
            self._heartbeat.begins(job_id)

    def send(self, word: str, *rest: Any) -> None:
        """Send a message. Does nothing if the parent is gone: the end of the pipe ends this child too."""
        self._begun |= word == BEGUN
        with contextlib.suppress(OSError):
            self._connection.send((word, *rest))

    def receive(self) -> list[tuple[Any, ...]]:
        """Return all messages that have arrived; a parent that is gone reads as STOP."""
        messages: list[tuple[Any, ...]] = []
        try:
            while self._connection.poll(0):
                messages.append(self._connection.recv())
        except (EOFError, OSError):
            messages.append((STOP,))
        words = {word for word, *_ in messages}
        self._stopping |= STOP in words
        self._visits_over |= VISITS_OVER in words
        return messages

    def visits_are_over(self, timeout_s: float) -> bool:
        """Whether no camera is visited for this hub any more; waits for it after STOP. A hub that ends for another
        reason does not wait: the parent ends visits only after it."""
        give_up_ns = monotonic_ns() + ns(timeout_s)
        while self._begun and not self._visits_over:
            left_s = seconds(give_up_ns - monotonic_ns())
            if not self._stopping or left_s <= 0 or not self._connection.poll(left_s):
                return False
            if self.receive() == [(STOP,)] and not self._visits_over:
                return False  # the parent is gone
        return True

    def stop_requested(
        self, on_reload: Callable[[Any], None] = lambda _: None, on_drain: Callable[[], None] = lambda: None
    ) -> bool:
        """Read what has arrived; returns whether STOP is among it. `on_reload` is called with new settings, `on_drain`
        if the child is to end once it has nothing left to do."""
        stop = False
        for word, *rest in self.receive():
            if word == RELOAD:
                on_reload(rest[0])
            elif word == DRAIN:
                on_drain()
            stop |= word == STOP
        return stop
