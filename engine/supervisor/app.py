"""Starts the engine's processes (hub, feeders, demuxers, workers, web), replaces those that die, and stops them all.

with Supervisor(settings) as supervisor:  # returns when all processes are ready
    print(supervisor.addresses["grpc"])
"""

import os
import signal
import subprocess
import threading
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.clock import NS_PER_S, monotonic_ns, ns, seconds
from engine.config.calendar import load_calendar
from engine.config.schema import Settings
from engine.errors import ConfigError, ListenError, PatrolError, StateError, StoreError
from engine.model.shard import ShardTask
from engine.overlay.installed import is_installed
from engine.runtime.compile_stage import CompileStage
from engine.runtime.confinement import missing, require
from engine.runtime.control import (
    BEGUN,
    COMPILING,
    EXIT_LEASE_LOST,
    FAILED,
    GO,
    HANDSHAKES,
    LOST,
    READY,
    RELOAD,
    RELOADED,
    REPLACE,
    RUNNING,
    STOP,
    TOO_COSTLY,
    VISITS_OVER,
    VITALS,
)
from engine.runtime.log import logger, report, sum_reports
from engine.runtime.log_events import PROCESS_CRASHED, PROCESS_REPLACED
from engine.supervisor.child_stderr import ChildStderr
from engine.supervisor.processes import Child, Running, end_reason, plan
from engine.supervisor.restarts import WAIT_FIRST_NS, RestartCount
from engine.supervisor.run_folder import RunFolder, remove_stale
from engine.supervisor.spare import FIRST_AFTER_NS, is_whole, may_start, take_place
from engine.supervisor.start_wait import CompileNews, StartWait
from engine.supervisor.systemd import Systemd
from engine.supervisor.watchdog import Watchdog, give_up

STOP_TIMEOUT_S = 4.0
_HUB_ENDS_S = 1.0
"""A hub has so much time at least once it is told that no camera is visited any more, which it may wait for."""
_TURN_S_MAX = 0.5
_VITALS_NS = NS_PER_S
_HUB_READS_S = 2.0
"""A hub that has shown no turn for longer is told nothing: its pipe would fill, and sending would block."""
_CRASHES = frozenset((signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL))
READER_MISSING = "clocks and names in pictures are not read: no reader is installed (pip install 'kitchen-patrol[ocr]')"
_COMPILES = "compiling the engine's code for this machine, as the first start and the first of a new version do"
_ERRORS: dict[str, type[PatrolError]] = {kind.code: kind for kind in (ConfigError, ListenError, StoreError)}


class Supervisor:
    """All processes of one patrol. A thread of its own starts and watches them, so that they die with it.

    Raises ConfigError if the calendar cannot be used, or the kernel cannot confine what has to be. The calendar is read
    here and not in the hub, so that a file that breaks later cannot keep a hub from being restarted. `shard`: the shard
    to run, None for an engine alone; a supervisor whose hub has lost it gives up.
    """

    def __init__(
        self, settings: Settings, cancel: threading.Event | None = None, shard: ShardTask | None = None
    ) -> None:
        self._cancel = cancel or threading.Event()
        self.settings = settings
        _examine_confinement(settings)
        calendar = load_calendar(settings.scheduler.calendar_file)
        for folder in remove_stale():
            logger().info("removed the folder of a supervisor that was killed", folder=str(folder))
        self._run_folder = RunFolder()
        self._children = plan(settings, calendar, self._run_folder.path, shard)
        self._stderr = ChildStderr()
        if settings.reader.enabled and not is_installed():
            logger().info(READER_MISSING)
        self._wake_read, self._wake_write = connection.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._supervise, name="supervisor")
        self._ready = threading.Event()
        self._stopping = False
        self._failure: PatrolError | None = None
        self._watchdog = Watchdog()
        self._systemd = Systemd()
        self._restarts = RestartCount()
        self._compile_news = CompileNews()
        self._next_vitals_ns = 0
        self.addresses: dict[str, str] = {}
        self.restarts = 0

    def __enter__(self) -> Self:
        """Start all processes and wait until they are ready, or until `cancel` is set.

        Raises ConfigError, ListenError, StoreError, or PatrolError after START_TIMEOUT_S, COMPILE_S_MAX for compiling.
        """
        self._thread.start()
        wait = StartWait(monotonic_ns())
        while not self._ready.wait(0.1) and not self._cancel.is_set():
            if failure := wait.turn(self._compiles(), monotonic_ns()):
                self._failure = failure
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
        self._systemd.stopping()
        if self._thread.is_alive():
            self._wake_write.send(None)
            self._thread.join()
        self._run_folder.remove()

    @property
    def failure(self) -> PatrolError | None:
        """Why the engine gave up; None if it did not."""
        return self._failure

    @property
    def running(self) -> bool:
        """Whether the supervisor's thread runs."""
        return self._thread.is_alive()

    @property
    def spare(self) -> str:
        """The name of the worker that is loaded and waits for a place; empty if none does."""
        return next((child.name for child in self._children if child.spare and child.ready), "")

    def reload(self, path: Path) -> None:
        """Make the hub read this configuration file. Its log and metrics say whether it was applied or refused."""
        self._send_to_hub(RELOAD, str(path.absolute()))

    def pids(self) -> dict[str, int]:
        """Return the process ids of the children that are alive, by name."""
        running = {child.name: child.running.process for child in self._children if child.running is not None}
        return {name: process.pid for name, process in running.items() if process.poll() is None}

    def _supervise(self) -> None:
        try:
            for child in self._children:
                if child.spare:
                    child.start_at_ns = monotonic_ns() + FIRST_AFTER_NS
                else:
                    self._start(child)
            while not self._stopping and self._failure is None:
                self._turn()
        finally:
            self._end_all()
            self._ready.set()

    def _turn(self) -> None:
        now_ns = monotonic_ns()
        sum_reports()
        compiles = self._compiles()
        self._systemd.turn(now_ns, self._ready.is_set(), compiles)
        if since_ns := self._compile_news.turn(compiles, now_ns):
            logger().info(_COMPILES, seconds=round(seconds(since_ns)))
        for child in self._children:
            if child.running is None and now_ns >= child.start_at_ns and may_start(self._children, child):
                self._replace_lost(child, now_ns)
        self._watchdog.check(self._children, self.settings, now_ns)
        if now_ns >= self._next_vitals_ns:
            self._next_vitals_ns = now_ns + _VITALS_NS
            self._send_vitals(now_ns)
        running = [(child, child.running) for child in self._children if child.running is not None]
        pipes = [self._wake_read, *(process.pipe for _, process in running)]
        readable = connection.wait(pipes, timeout=self._wait_s(now_ns))
        if self._wake_read in readable:
            self._wake_read.recv()
        for child, process in running:
            if process.pipe in readable and child.running is process:
                self._receive(child, process)

    def _compiles(self) -> bool:
        """Return whether a process that starts compiles its code, or waits for another that does. For any thread."""
        return any(running.liveness.compiles for child in self._children if (running := child.running) is not None)

    def _wait_s(self, now_ns: int) -> float:
        """Return how long nothing has to be done, unless a process says something."""
        waiting = (child for child in self._children if child.running is None and may_start(self._children, child))
        starts_ns = [child.start_at_ns - now_ns for child in waiting]
        return min(_TURN_S_MAX, max(0.0, seconds(min(starts_ns, default=NS_PER_S))))

    def _send_vitals(self, now_ns: int) -> None:
        ages_s: dict[str, float] = {}
        for child in self._children:
            if child.ready and child.running is not None and child.running.heartbeat is not None:
                age_s = seconds(max(0, now_ns - child.running.heartbeat.last_beat_ns()))
                ages_s[child.role] = max(age_s, ages_s.get(child.role, 0.0))
        if self._children[0].ready and ages_s.get("hub", 0.0) < _HUB_READS_S:
            self._send_to_hub(VITALS, self._restarts.tally(), ages_s, self._confinement())
            if failed := self._stderr.drain_handshakes_failed():
                self._send_to_hub(HANDSHAKES, failed)

    def _confinement(self) -> dict[tuple[str, str], bool]:
        """Return by kind and part whether the confinement is in force in every process of that kind."""
        in_force: dict[tuple[str, str], bool] = {}
        for child in self._children:
            for part, yes in child.confinement.items():
                in_force[child.role, part] = yes and in_force.get((child.role, part), True)
        return in_force

    def _replace_lost(self, child: Child, now_ns: int) -> None:
        if take_place(self._children, child, now_ns):
            self._tell_whole()
        else:
            self._start(child)

    def _start(self, child: Child) -> None:
        if child.role == "hub":
            child.task["restarts"] = self._restarts.tally()
        child.start(self._stderr)

    def _receive(self, child: Child, running: Running) -> None:
        try:
            word, *rest = running.pipe.recv()
        except (EOFError, OSError):
            self._lost(child, running)
            return
        if word == READY:
            child.ready = True
            child.confinement = rest[1]
            running.liveness.ready()
            if child.role == "hub":
                child.task["again"] = True
            self.addresses.update(rest[0])
            self._tell_whole()
        elif word == COMPILING:
            running.liveness.compiling(CompileStage(rest[0]))
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

    def _tell_whole(self) -> None:
        """Tell the hub, once all processes are ready, who they are."""
        if is_whole(self._children):
            self._send_to_hub(GO)
            self._send_to_hub(RUNNING, {"supervisor": os.getpid(), **self.pids()})

    def _store_settings(self, tree: dict[str, Any], calendar: dict[str, Any]) -> None:
        """Send settings that the hub applied to the feeders, and give them to every process started from now on."""
        self.settings = Settings.model_validate(tree)
        self._children[0].task["calendar"] = calendar
        for child in self._children:
            child.set_settings(tree)
            if child.visits and child.running is not None:
                child.running.send(RELOAD, child.task["settings"])

    def _replace(self, alias: str, reason: str) -> None:
        """Give up a child that the hub gave up."""
        for child in self._children:
            if child.alias == alias:
                give_up(child, reason)

    def _lost(self, child: Child, running: Running) -> None:
        code = _reap(child, running)
        if self._stopping:
            return
        reason = child.given_up or end_reason(code)
        begun_job = 0 if running.heartbeat is None else running.heartbeat.begun_job()
        if -code in _CRASHES and running.heartbeat is not None:
            report(PROCESS_CRASHED, name=child.alias, reason=reason, stacks=running.heartbeat.stacks() or "none")
        self.restarts += 1
        self._schedule_restart(child, running, reason)
        if child.role == "hub":
            # Feeders and workers hold orders and keyframes of the hub that died: restart them all.
            # The gateway has none: it waits for the next hub.
            for other in self._children:
                if other.running is not None and other.serves_hub and not other.spare:
                    other.running.process.kill()
                    _reap(other, other.running)
                    self._schedule_restart(other, other.running, "hub_lost")
            if code == EXIT_LEASE_LOST:
                self._failure = StateError("the shard is another process's now, or may be soon; the log says why")
            return
        if child.serves_hub and not child.spare:
            self._send_to_hub(LOST, child.role, child.alias, reason, begun_job)

    def _schedule_restart(self, child: Child, running: Running, reason: str) -> None:
        """Restart the child after a wait that doubles with every loss of the last minute.

        A process that ended over a costly picture is no worse than before: the hub sees to it that few do.
        """
        now_ns = monotonic_ns()
        running.close()
        child.running = None
        child.ready, child.given_up = False, ""
        wait_ns = WAIT_FIRST_NS if reason == TOO_COSTLY else child.back_off.lost(now_ns)
        child.start_at_ns = now_ns + wait_ns
        self._restarts.add(child.role, reason)
        report(PROCESS_REPLACED, name=child.alias, reason=reason, wait_s=seconds(wait_ns))

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
            if child.visits:
                _await_end(child, running, give_up_ns)
        self._send_to_hub(VISITS_OVER)
        give_up_ns = max(give_up_ns, monotonic_ns() + ns(_HUB_ENDS_S))
        for child, running in alive:
            if not child.visits:
                _await_end(child, running, give_up_ns)
            running.close()
        self._stderr.close()
        sum_reports()


def _examine_confinement(settings: Settings) -> None:
    """Say once what the kernel does not offer. Raises ConfigError if it has to be there."""
    require(settings.runtime.confine)
    if settings.runtime.confine != "off" and (parts := missing()):
        logger().warning("processes that read from cameras are confined in part: the kernel lacks something", no=parts)


def _await_end(child: Child, running: Running, give_up_ns: int) -> None:
    """Wait until a process that was told to stop has ended, and kill it then."""
    try:
        running.process.wait(timeout=max(0.01, seconds(give_up_ns - monotonic_ns())))
    except subprocess.TimeoutExpired:
        logger().warning("process does not stop, killing it", name=child.alias)
        running.process.kill()
        _reap(child, running)


def _reap(child: Child, running: Running) -> int:
    """Return the exit code of a process that has ended, or is killed; 0 if the system does not let go of it."""
    try:
        return running.process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        logger().error("process is killed, but the system does not end it; is a disk hung?", name=child.alias)
        return 0
