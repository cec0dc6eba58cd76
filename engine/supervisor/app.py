"""The supervisor: one hub, feeders, demuxers, workers, each a process; started, watched, replaced, ended.

with Engine(settings) as engine:          # children run when this returns, and are ready
    print(engine.addresses["grpc"])
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.clock import monotonic_ns, ns, seconds
from engine.config.calendar import Calendar, load_calendar
from engine.config.schema import Settings
from engine.errors import ConfigError, ListenError, PatrolError, StoreError
from engine.runtime.control import BEGUN, EXIT_RECYCLE, FAILED, GO, LOST, READY, RELOAD, RELOADED, REPLACE, STOP
from engine.runtime.log import logger
from engine.supervisor.child import child_command

START_TIMEOUT_S = 120.0
"""The very first start of a machine compiles the kernels; later ones take seconds."""
STOP_TIMEOUT_S = 4.0
_RESTART_WAIT_FIRST_S = 0.1
_RESTART_WAIT_MAX_S = 10.0
_RESTARTS_REMEMBERED_S = 60.0
_ERRORS: dict[str, type[PatrolError]] = {kind.code: kind for kind in (ConfigError, ListenError, StoreError)}


Pipe = connection.Connection


@dataclass(slots=True)
class _Running:
    """A process and our end of its pipe."""

    process: "subprocess.Popen[bytes]"
    pipe: "Pipe[Any, Any]"

    def tell(self, *message: Any) -> None:
        """Send; a process that is gone will be noticed by the end of its pipe."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)


@dataclass(slots=True)
class _Child:
    """One place in the plan; `running` is who holds it now."""

    role: str
    name: str
    task: dict[str, Any]
    generation: int = 0
    running: _Running | None = None
    ready: bool = False
    start_at_ns: int = 0
    lost_ns: deque[int] = field(default_factory=lambda: deque(maxlen=16))

    @property
    def alias(self) -> str:
        """The name of this generation: a successor must not be taken for the one that died."""
        return f"{self.name}.{self.generation}"


class Supervisor:
    """All processes of one patrol. One thread of its own starts and watches them, so that they die with it.

    Raises ConfigError where the calendar cannot be used. It is read here and not by the hub: one that turns bad later
    must not keep a hub from being started anew.
    """

    def __init__(self, settings: Settings, cancel: threading.Event | None = None) -> None:
        self._cancel = cancel or threading.Event()
        self.settings = settings
        calendar = load_calendar(settings.scheduler.calendar_file)
        self._run_dir = Path(tempfile.mkdtemp(prefix="patrol-"))  # mode 0700: the sockets in it are ours alone
        self._children = self._plan(calendar)
        self._wake_read, self._wake_write = connection.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._supervise, name="supervisor")
        self._ready = threading.Event()
        self._stop_asked = False
        self._failure: PatrolError | None = None
        self.addresses: dict[str, str] = {}
        self.restarts = 0

    def __enter__(self) -> Self:
        """Start, unless `cancel` is set meanwhile; raises ListenError, StoreError, ConfigError, or PatrolError."""
        self._thread.start()
        give_up_ns = monotonic_ns() + ns(START_TIMEOUT_S)
        while not self._ready.wait(0.1) and not self._cancel.is_set():
            if monotonic_ns() > give_up_ns:
                self._failure = PatrolError(f"the engine is not ready after {START_TIMEOUT_S:.0f} s; its log says why")
                break
        if self._failure is not None:
            self.stop()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End every process within STOP_TIMEOUT_S and a little; a second call does nothing."""
        self._stop_asked = True
        if self._thread.is_alive():
            self._wake_write.send(None)
            self._thread.join()
        shutil.rmtree(self._run_dir, ignore_errors=True)

    @property
    def failure(self) -> PatrolError | None:
        """Why the engine gave up, if it did."""
        return self._failure

    @property
    def running(self) -> bool:
        """Whether the supervisor is at work."""
        return self._thread.is_alive()

    def reload(self, path: Path) -> None:
        """Have the hub take the settings of this file, or refuse them; its log and metrics say which."""
        self._tell_hub(RELOAD, str(path.absolute()))

    def pids(self) -> dict[str, int]:
        """Process ids by child name, of those alive; tests and `patrol demo` use it."""
        running = {child.name: child.running.process for child in self._children if child.running is not None}
        return {name: process.pid for name, process in running.items() if process.poll() is None}

    def _plan(self, calendar: Calendar) -> list[_Child]:
        settings, feed = self.settings, self.settings.feed
        common: dict[str, Any] = {
            "parent_pid": os.getpid(),
            "log": settings.log.model_dump(),
            "settings": settings.model_dump(mode="json"),
            "run_dir": str(self._run_dir),
        }
        feed_task = {**common, "address": f"ipc://{self._run_dir}/feed"}
        work_task = {**common, "address": f"ipc://{self._run_dir}/work", "credit": settings.worker.credit}
        workers = settings.worker.count or os.cpu_count() or 1
        return [
            _Child("hub", "hub", {**common, "calendar": calendar.model_dump(mode="json")}),
            *(_Child("worker", f"worker-{n}", work_task) for n in range(workers)),
            *(_Child("feeder", f"feeder-{n}", feed_task) for n in range(feed.feeders)),
            *(_Child("demuxer", f"demuxer-{n}", feed_task) for n in range(feed.demuxers)),
        ]

    def _supervise(self) -> None:
        try:
            for child in self._children:
                self._start(child)
            while not self._stop_asked and self._failure is None:
                self._turn()
        finally:
            self._end_all()
            self._ready.set()

    def _turn(self) -> None:
        now_ns = monotonic_ns()
        for child in self._children:
            if child.running is None and now_ns >= child.start_at_ns:
                self._start(child)
        running = [(child, child.running) for child in self._children if child.running is not None]
        stirred = connection.wait([self._wake_read, *(one.pipe for _, one in running)], timeout=0.5)
        if self._wake_read in stirred:
            self._wake_read.recv()
        for child, one in running:
            if one.pipe in stirred and child.running is one:
                self._hear(child, one)

    def _start(self, child: _Child) -> None:
        ours, theirs = connection.Pipe()
        child.generation += 1
        command = child_command(child.role, child.alias, theirs.fileno())
        process = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
        )
        theirs.close()
        child.running = _Running(process, ours)
        child.ready = False
        ours.send(json.dumps(child.task))

    def _hear(self, child: _Child, running: _Running) -> None:
        try:
            word, *rest = running.pipe.recv()
        except (EOFError, OSError):
            self._lost(child, running)
            return
        if word == READY:
            child.ready = True
            self.addresses.update(rest[0])
            if all(one.ready for one in self._children):
                self._tell_hub(GO)
        elif word == BEGUN:
            self._ready.set()
        elif word == RELOADED:
            self._take(*rest)
        elif word == REPLACE:
            self._replace(*rest)
        elif word == FAILED and not self._ready.is_set():
            code, message = rest
            self._failure = _ERRORS.get(code, PatrolError)(message)
        # A hub that has run and cannot start again now, because its database is away, is started until it can.

    def _take(self, tree: dict[str, Any], calendar: dict[str, Any]) -> None:
        """The hub has new settings in force: feeders hear of them, and whoever is started from now on has them."""
        self.settings = Settings.model_validate(tree)
        self._children[0].task["calendar"] = calendar
        for child in self._children:
            child.task["settings"] = tree
            if child.role in ("feeder", "demuxer") and child.running is not None:
                child.running.tell(RELOAD, tree)

    def _replace(self, alias: str, reason: str) -> None:
        """The hub has given a child up; it ends here, and its pipe's end brings the successor."""
        for child in self._children:
            if child.alias == alias and child.running is not None:
                logger().warning("replacing a process", name=alias, reason=reason)
                child.running.process.kill()

    def _lost(self, child: _Child, running: _Running) -> None:
        code = running.process.wait()
        if self._stop_asked:
            return
        reason = "recycled" if code == EXIT_RECYCLE else f"signal_{-code}" if code < 0 else f"exit_{code}"
        logger().error("process ended", name=child.alias, reason=reason)
        self.restarts += 1
        self._vacate(child, running)
        if child.role == "hub":
            # Feeders and workers hold orders and frames of the hub that died: all begin afresh.
            for other in self._children:
                if other.running is not None:
                    other.running.process.kill()
                    other.running.process.wait()
                    self._vacate(other, other.running)
            return
        self._tell_hub(LOST, child.role, child.alias, reason)

    def _vacate(self, child: _Child, running: _Running) -> None:
        """Nobody holds the place for a while that doubles with every loss of the last minute."""
        now_ns = monotonic_ns()
        running.pipe.close()
        child.running = None
        child.ready = False
        recent = sum(1 for at_ns in child.lost_ns if seconds(now_ns - at_ns) < _RESTARTS_REMEMBERED_S)
        child.lost_ns.append(now_ns)
        child.start_at_ns = now_ns + ns(min(_RESTART_WAIT_MAX_S, _RESTART_WAIT_FIRST_S * 2**recent))

    def _tell_hub(self, *message: Any) -> None:
        hub = self._children[0].running
        if hub is not None:
            hub.tell(*message)

    def _end_all(self) -> None:
        alive = [(child, child.running) for child in self._children if child.running is not None]
        for _, running in alive:
            running.tell(STOP)
        give_up_ns = monotonic_ns() + ns(STOP_TIMEOUT_S)
        for child, running in alive:
            try:
                running.process.wait(timeout=max(0.01, seconds(give_up_ns - monotonic_ns())))
            except subprocess.TimeoutExpired:
                logger().warning("process does not stop, killing it", name=child.alias)
                running.process.kill()
                running.process.wait()
            running.pipe.close()
