"""Injects a fault, and measures how long the engine needs to recover and which metric shows the fault."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.engine import Engine
from bench.chaos.load import Load
from bench.chaos.plan import Deed, Fault

WORKERS = 2
FEEDERS = 2
"""A feeder and a demuxer."""
_POLL_S = 0.05
_GIVE_UP_S = 60.0
_SEEN_S = 15.0
"""Most metrics are written every second, memory and lag every ten."""
_FLOOD_S = 5.0
_STARVE_S = 8.0
_STARVING = 4
_BURN = f"import time; until_s = time.monotonic() + {_STARVE_S}\nwhile time.monotonic() < until_s: pass"

SHOWN_BY: Mapping[str, str] = {
    "kill worker": "patrol_worker_restarts_total",
    "freeze worker": "patrol_worker_restarts_total",
    "kill feeder": "patrol_feeder_restarts_total feeder",
    "freeze feeder": "patrol_feeder_restarts_total feeder",
    "kill demuxer": "patrol_feeder_restarts_total demuxer",
    "freeze demuxer": "patrol_feeder_restarts_total demuxer",
    "kill hub": "process_start_time_seconds",
    "freeze hub": "process_start_time_seconds",
    "flood frames": "patrol_intake_dropped_frames_total",
    "flood calls": "patrol_rpc_seconds_count",
    "change registry": "patrol_rpc_seconds_count",
}
"""The metric that a fault changes. Starving has none: the engine has less of the machine, and does what it can."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fault. `recovery_s`: until the engine was whole again; None if it was not within a minute.
    `shown`: whether its metric changed; None if it has none."""

    fault: Fault
    recovery_s: float | None
    shown: bool | None


def inject(fault: Fault, engine: Engine, load: Load, number: int) -> Outcome:
    """Inject one fault and wait until the engine has recovered."""
    metric = SHOWN_BY.get(fault.name)
    before = engine.metrics().get(metric, 0.0) if metric else 0.0
    began_s = time.monotonic()
    if fault.role:
        recovered = _end_process(fault, engine)
    else:
        _do(fault.deed, engine, load, number)
        recovered = engine.is_ready
    recovery_s = _wait(recovered, began_s, _GIVE_UP_S)
    shown = None
    if metric:
        shown = _wait(lambda: engine.metrics().get(metric, before) != before, time.monotonic(), _SEEN_S) is not None
    return Outcome(fault, recovery_s, shown)


def _end_process(fault: Fault, engine: Engine) -> Callable[[], bool]:
    """Kill or freeze the process of a role that has worked the most; return what says that another does its work. The
    spare worker has worked the least."""
    of_role = {name: pid for name, pid in engine.pids().items() if name.partition("-")[0] == fault.role}
    name, pid = max(of_role.items(), key=lambda item: _cpu_ticks(item[1]))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL if fault.deed is Deed.KILL else signal.SIGSTOP)

    took_over = 0

    def taken_over() -> bool:
        """Twice in a row: for a moment the hub counts a worker that is gone."""
        nonlocal took_over
        took_over = took_over + 1 if not Path(f"/proc/{pid}").exists() and _is_whole(fault.role, engine) else 0
        return took_over > 1

    def replaced() -> bool:
        return engine.pids().get(name, pid) != pid and _is_whole(fault.role, engine)

    return taken_over if fault.role == "worker" else replaced


def _cpu_ticks(pid: int) -> int:
    """Return the CPU time of a process; 0 if it is gone. proc_pid_stat(5): utime and stime are fields 14 and 15."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _is_whole(role: str, engine: Engine) -> bool:
    if role == "worker":
        return engine.processes_ready()[0] == WORKERS
    if role in ("feeder", "demuxer"):
        return engine.processes_ready()[1] == FEEDERS
    if role == "web":
        return _answers(f"http://127.0.0.1:{engine.web_port}/readyz")
    return engine.is_ready()


def _do(deed: Deed, engine: Engine, load: Load, number: int) -> None:
    if deed is Deed.FLOOD_FRAMES:
        load.flood_frames()
        time.sleep(1.0)
    elif deed is Deed.FLOOD_CALLS:
        load.flood_calls(_FLOOD_S)
    elif deed is Deed.CHANGE_REGISTRY:
        load.change_registry(number)
    elif deed is Deed.STARVE:
        burning = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(_STARVING)]
        for process in burning:
            process.wait()


def _wait(done: Callable[[], bool], began_s: float, most_s: float) -> float | None:
    while time.monotonic() < began_s + most_s:
        if done():
            return time.monotonic() - began_s
        time.sleep(_POLL_S)
    return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
