"""Measures the CPU time of a worker's start: from the begin of its process until it takes work, its code compiled."""

import resource
import statistics
import tempfile
from pathlib import Path

from engine.config.calendar import load_calendar
from engine.config.schema import Settings
from engine.runtime.control import READY
from engine.supervisor.child_stderr import ChildStderr
from engine.supervisor.processes import Child, plan

STARTS = 5
_READY_S_MAX = 900.0


def start_cpu_s(starts: int = STARTS) -> float:
    """Return the median CPU seconds of so many starts, all threads counted. One before them compiles what is missing.

    Raises RuntimeError if a worker does not become ready.
    """
    settings = Settings()
    calendar = load_calendar(settings.scheduler.calendar_file)
    with tempfile.TemporaryDirectory() as folder:
        worker = next(child for child in plan(settings, calendar, Path(folder)) if child.role == "worker")
        stderr = ChildStderr()
        try:
            _start(worker, stderr)
            return statistics.median(_start(worker, stderr) for _ in range(starts))
        finally:
            stderr.close()


def _start(worker: Child, stderr: ChildStderr) -> float:
    """Start a worker, end it as soon as it is ready, and return the CPU seconds that it has used."""
    before_s = _children_cpu_s()
    worker.start(stderr)
    running = worker.running
    if running is None:
        raise RuntimeError("the worker was not started")
    try:
        while running.pipe.poll(_READY_S_MAX):
            if running.pipe.recv()[0] == READY:  # before that it says how far its compiled code is
                break
        else:
            raise RuntimeError(f"the worker is not ready after {_READY_S_MAX:.0f} s")
    except EOFError:
        raise RuntimeError("the worker ended before it was ready; its log says why") from None
    finally:
        running.process.kill()
        running.process.wait()
        running.close()
    return _children_cpu_s() - before_s


def _children_cpu_s() -> float:
    """Return the CPU seconds of all children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
