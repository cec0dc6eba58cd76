"""Runs an engine whose hub is a thread of the test, so that the test can call its port. The rest are processes."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Coroutine
from multiprocessing import connection
from typing import Any, TypeVar, cast
from unittest.mock import patch

from engine.config import Settings
from engine.config.calendar import Calendar
from engine.hub import process
from engine.hub.composition import hub as composition
from engine.hub.port import Port
from engine.runtime.control import Control
from engine.supervisor.app import Supervisor
from engine.supervisor.liveness import Limits, Liveness
from engine.supervisor.processes import Running

Answer = TypeVar("Answer")


class InProcessEngine(Supervisor):
    """A Supervisor whose hub runs in a thread; `port` is the hub's."""

    port: Port

    def __enter__(self) -> "InProcessEngine":
        with patch.object(composition, "Port", self._keep_port):
            super().__enter__()
        return self

    def call(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a call of the port and return its result; at most 20 s."""

        async def bounded() -> Answer:
            return await asyncio.wait_for(coroutine, 20)

        return asyncio.run(bounded())

    def _keep_port(self, *parts: Any) -> Port:
        self.port = Port(*parts)
        return self.port

    def _start(self, child: Any) -> None:
        if child.role != "hub":
            super()._start(child)
            return
        ours, theirs = connection.Pipe()
        child.generation += 1
        hub = cast("subprocess.Popen[bytes]", _Thread(child.task, theirs))
        child.running = Running(hub, ours, None, Liveness(Limits(), 0))
        child.ready = False


class _Thread:
    """The hub's thread, with the methods of Popen that the supervisor uses."""

    def __init__(self, task: dict[str, Any], pipe: Any) -> None:
        self.pid = os.getpid()
        self._code: int | None = None
        self._pipe = pipe
        settings, calendar = Settings.model_validate(task["settings"]), Calendar.model_validate(task["calendar"])
        self._thread = threading.Thread(target=self._run, args=(settings, calendar, task["run_dir"]), name="hub")
        self._thread.start()

    def poll(self) -> int | None:
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        self._thread.join(timeout)
        return self._code or 0

    def kill(self) -> None:
        raise AssertionError("the hub is a thread of the test and did not stop by itself")

    def _run(self, settings: Settings, calendar: Calendar, run_dir: str) -> None:
        self._code = process.run(settings, calendar, run_dir, Control(self._pipe))
        self._pipe.close()
