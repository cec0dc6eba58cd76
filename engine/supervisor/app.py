"""Starts the engine's processes (hub, feeders, demuxers, workers, web), replaces those that die, and stops them all.

with Supervisor(settings) as supervisor:  # returns when all processes are ready
    print(supervisor.addresses["grpc"])
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
from engine.runtime.control import (
    BEGUN,
    EXIT_RECYCLE,
    FAILED,
    GO,
    LOST,
    OWN_SOCKET,
    READY,
    RELOAD,
    RELOADED,
    REPLACE,
    RUNNING,
    STOP,
)
from engine.runtime.log import logger, report, sum_reports
from engine.runtime.log_events import PROCESS_REPLACED
from engine.supervisor.child import child_command
from engine.supervisor.child_stderr import ChildStderr
from engine.supervisor.environment import child_environment

START_TIMEOUT_S = 120.0
"""The first start on a machine compiles the kernels; later ones take seconds."""
STOP_TIMEOUT_S = 4.0
_RESTART_WAIT_FIRST_S = 0.1
_RESTART_WAIT_MAX_S = 10.0
_RESTARTS_REMEMBERED_S = 60.0
_ERRORS: dict[str, type[PatrolError]] = {kind.code: kind for kind in (ConfigError, ListenError, StoreError)}


Pipe = connection.Connection


@dataclass(slots=True)
class _Running:
    """A process and the parent's end of its control pipe."""

    process: "subprocess.Popen[bytes]"
    pipe: "Pipe[Any, Any]"

    def send(self, *message: Any) -> None:
        """Send a message. A process that died shows by the end of its pipe, not here."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)


@dataclass(slots=True)
class _Child:
    """One process of the plan. `running`: its current incarnation; None while it waits for a restart. `given_up`: why
    the hub had it ended; empty if it did not."""

    role: str
    name: str
    task: dict[str, Any]
    generation: int = 0
    running: _Running | None = None
    ready: bool = False
    given_up: str = ""
    start_at_ns: int = 0
    lost_ns: deque[int] = field(default_factory=lambda: deque(maxlen=16))

    @property
    def alias(self) -> str:
        """The name of this incarnation: a successor must not be mistaken for the process that died."""
        return f"{self.name}.{self.generation}"


class Supervisor:
    """All processes of one patrol. A thread of its own starts and watches them, so that they die with it.

    Raises ConfigError if the calendar cannot be used. The calendar is read here and not in the hub, so that a file that
    breaks later cannot keep a hub from being restarted.
    """

    def __init__(self, settings: Settings, cancel: threading.Event | None = None) -> None:
        self._cancel = cancel or threading.Event()
        self.settings = settings
        calendar = load_calendar(settings.scheduler.calendar_file)
        self._run_dir = Path(tempfile.mkdtemp(prefix="patrol-"))  # mode 0700: only this user reaches the sockets
        self._children = self._plan(calendar)
        self._stderr = ChildStderr()
        self._wake_read, self._wake_write = connection.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._supervise, name="supervisor")
        self._ready = threading.Event()
        self._stopping = False
        self._failure: PatrolError | None = None
        self.addresses: dict[str, str] = {}
        self.restarts = 0

    def __enter__(self) -> Self:
        """Start all processes and wait until they are ready, or until `cancel` is set.

        Raises ConfigError, ListenError, StoreError, or PatrolError after START_TIMEOUT_S.
        """
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
        """Stop every process; those that do not stop within STOP_TIMEOUT_S are killed. A second call does nothing."""
        self._stopping = True
        if self._thread.is_alive():
            self._wake_write.send(None)
            self._thread.join()
        shutil.rmtree(self._run_dir, ignore_errors=True)

    @property
    def failure(self) -> PatrolError | None:
        """Why the engine gave up; None if it did not."""
        return self._failure

    @property
    def running(self) -> bool:
        """Whether the supervisor's thread runs."""
        return self._thread.is_alive()

    def reload(self, path: Path) -> None:
        """Make the hub read this configuration file. Its log and metrics say whether it was applied or refused."""
        self._send_to_hub(RELOAD, str(path.absolute()))

    def pids(self) -> dict[str, int]:
        """Return the process ids of the children that are alive, by name."""
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
        web_task = {**common, "address": f"unix:{self._run_dir}/{OWN_SOCKET}"}
        workers = settings.worker.count or os.cpu_count() or 1
        return [
            _Child("hub", "hub", {**common, "calendar": calendar.model_dump(mode="json")}),
            *(_Child("worker", f"worker-{n}", work_task) for n in range(workers)),
            *(_Child("feeder", f"feeder-{n}", feed_task) for n in range(feed.feeders)),
            *(_Child("demuxer", f"demuxer-{n}", feed_task) for n in range(feed.demuxers)),
            *(_Child("web", "web", web_task) for _ in range(settings.web.enabled)),
        ]

    def _supervise(self) -> None:
        try:
            for child in self._children:
                self._start(child)
            while not self._stopping and self._failure is None:
                self._turn()
        finally:
            self._end_all()
            self._ready.set()

    def _turn(self) -> None:
        now_ns = monotonic_ns()
        sum_reports()
        for child in self._children:
            if child.running is None and now_ns >= child.start_at_ns:
                self._start(child)
        running = [(child, child.running) for child in self._children if child.running is not None]
        readable = connection.wait([self._wake_read, *(process.pipe for _, process in running)], timeout=0.5)
        if self._wake_read in readable:
            self._wake_read.recv()
        for child, process in running:
            if process.pipe in readable and child.running is process:
                self._receive(child, process)

    def _start(self, child: _Child) -> None:
        ours, theirs = connection.Pipe()
        child.generation += 1
        log = _log_descriptor()
        command = child_command(child.role, child.alias, theirs.fileno(), log)
        process = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            command,
            pass_fds=[theirs.fileno(), log],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
            env=child_environment(os.environ),
        )
        theirs.close()
        os.close(log)
        if process.stderr is not None:
            self._stderr.follow(child.alias, process.stderr)
        child.running = _Running(process, ours)
        child.ready = False
        ours.send(json.dumps(child.task))

    def _receive(self, child: _Child, running: _Running) -> None:
        try:
            word, *rest = running.pipe.recv()
        except (EOFError, OSError):
            self._lost(child, running)
            return
        if word == READY:
            child.ready = True
            self.addresses.update(rest[0])
            if all(child.ready for child in self._children):
                self._send_to_hub(GO)
                self._send_to_hub(RUNNING, {"supervisor": os.getpid(), **self.pids()})
        elif word == BEGUN:
            self._ready.set()
        elif word == RELOADED:
            self._store_settings(*rest)
        elif word == REPLACE:
            self._replace(*rest)
        elif word == FAILED and not self._ready.is_set():
            code, message = rest
            self._failure = _ERRORS.get(code, PatrolError)(message)
        # A hub that ran before and cannot start now, say because its database is away, is restarted until it can.

    def _store_settings(self, tree: dict[str, Any], calendar: dict[str, Any]) -> None:
        """Send settings that the hub applied to the feeders, and give them to every process started from now on."""
        self.settings = Settings.model_validate(tree)
        self._children[0].task["calendar"] = calendar
        for child in self._children:
            child.task["settings"] = tree
            if child.role in ("feeder", "demuxer") and child.running is not None:
                child.running.send(RELOAD, tree)

    def _replace(self, alias: str, reason: str) -> None:
        """Kill a child that the hub gave up; the end of its pipe starts the successor."""
        for child in self._children:
            if child.alias == alias and child.running is not None:
                child.given_up = reason
                child.running.process.kill()

    def _lost(self, child: _Child, running: _Running) -> None:
        code = running.process.wait()
        if self._stopping:
            return
        reason = child.given_up or _reason(code)
        self.restarts += 1
        self._schedule_restart(child, running, reason)
        if child.role == "hub":
            # Feeders and workers hold orders and keyframes of the hub that died: restart them all.
            # The gateway has none: it waits for the next hub.
            for other in self._children:
                if other.running is not None and other.role != "web":
                    other.running.process.kill()
                    other.running.process.wait()
                    self._schedule_restart(other, other.running, "hub_lost")
            return
        if child.role != "web":
            self._send_to_hub(LOST, child.role, child.alias, reason)

    def _schedule_restart(self, child: _Child, running: _Running, reason: str) -> None:
        """Restart the child after a wait that doubles with every loss of the last minute."""
        now_ns = monotonic_ns()
        running.pipe.close()
        child.running = None
        child.ready, child.given_up = False, ""
        recent = sum(1 for at_ns in child.lost_ns if seconds(now_ns - at_ns) < _RESTARTS_REMEMBERED_S)
        child.lost_ns.append(now_ns)
        wait_s = min(_RESTART_WAIT_MAX_S, _RESTART_WAIT_FIRST_S * 2**recent)
        child.start_at_ns = now_ns + ns(wait_s)
        report(PROCESS_REPLACED, name=child.alias, reason=reason, wait_s=wait_s)

    def _send_to_hub(self, *message: Any) -> None:
        hub = self._children[0].running
        if hub is not None:
            hub.send(*message)

    def _end_all(self) -> None:
        alive = [(child, child.running) for child in self._children if child.running is not None]
        for child, running in alive:
            if child.ready:
                running.send(STOP)
            else:
                running.process.kill()  # it still starts, has nothing to lose, and would read STOP only seconds later
        give_up_ns = monotonic_ns() + ns(STOP_TIMEOUT_S)
        for child, running in alive:
            try:
                running.process.wait(timeout=max(0.01, seconds(give_up_ns - monotonic_ns())))
            except subprocess.TimeoutExpired:
                logger().warning("process does not stop, killing it", name=child.alias)
                running.process.kill()
                running.process.wait()
            running.pipe.close()
        self._stderr.close()
        sum_reports()


def _log_descriptor() -> int:
    """Return a descriptor of our own stderr for a child's log; the child's stderr is a pipe to us."""
    try:
        return os.dup(2)
    except OSError:  # a service that was started without one
        return os.open(os.devnull, os.O_WRONLY)


def _reason(exit_code: int) -> str:
    """Return why a process ended that nobody ended, as PROCESS_ENDS of engine.metrics.definitions has it."""
    if exit_code == EXIT_RECYCLE:
        return "recycled"
    return f"signal_{-exit_code}" if exit_code < 0 else f"exit_{exit_code}"
