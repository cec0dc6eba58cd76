"""The entry of every child process: `python -m engine.supervisor.child ROLE NAME PIPE LOG`, from the supervisor."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigError
from engine.runtime.confinement import Confined, Policy, confine, readable
from engine.runtime.control import FAILED, Control
from engine.runtime.heartbeat import Heartbeat

if TYPE_CHECKING:
    from engine.config import Settings


def child_command(role: str, name: str, pipe: int, log: int) -> list[str]:
    """Return the command line of a child. `pipe`, `log`: descriptors of its control pipe, and of what it logs to. `ps`
    shows role and name."""
    return [sys.executable, "-m", "engine.supervisor.child", role, name, str(pipe), str(log)]


def main(arguments: list[str]) -> int:
    """Run a child and return its exit code. `arguments`: role, name, descriptors of control pipe and log.

    The first message on the pipe is the child's task as JSON.
    """
    # Ctrl-C reaches the whole process group of a terminal; only the parent reacts, and tells its children to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    role, name, pipe, log = arguments
    connection = Connection(int(pipe))
    task: Mapping[str, Any] = json.loads(connection.recv())
    _die_with_parent(task["parent_pid"])
    heartbeat = Heartbeat(task["heartbeat"])
    heartbeat.write_stacks_on_demand()
    from engine.runtime.log import configure_logging

    # Line-buffered: a line is one write, so that the lines of several processes do not mix.
    stream = os.fdopen(int(log), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    configure_logging(task["log"]["level"], task["log"]["format"], name, stream)
    return _run(role, name, task, Control(connection, heartbeat))


def _run(role: str, name: str, task: Mapping[str, Any], control: Control) -> int:
    """Import what the role needs, and no more: a worker needs no gRPC, a demuxer no Numba.

    Importing a compiled module compiles it, so that happens first and under a lock.
    """
    if role == "worker":
        from engine.decode import warmup as decode
        from engine.kernels import warmup as kernels

        kernels.warm_up(control.compiling)
        decode.warm_up(control.compiling)
        from engine.worker import process as worker

        confined = _confine(task, control, Policy(readable.for_python(os.environ)))
        cpu_limit_s = task["settings"]["worker"]["picture_cpu_s_max"]
        if not task["spare"] or worker.wait_for_place(control):
            worker.run(name, task["address"], task["credit"], cpu_limit_s, control, confined)
        return 0
    from engine.config import Settings

    settings = Settings.model_validate(task["settings"])
    if role == "reader":
        from engine.reader import process as reader

        recognizer = reader.load(settings.reader)
        confined = _confine(task, control, Policy(readable.for_python(os.environ)))
        ceiling = settings.processes.reader_memory_bytes_max
        reader.run(name, task["address"], settings.reader, ceiling, recognizer, control, confined)
        return 0
    if role == "hub":
        from engine.judge import warmup as judge

        judge.warm_up(control.compiling)
        from engine.config.calendar import Calendar
        from engine.hub import process
        from engine.model.shard import ShardTask

        return process.run(
            settings,
            Calendar.model_validate(task["calendar"]),
            task["run_dir"],
            control,
            again=task["again"],
            restarts=[tuple(row) for row in task["restarts"]],
            shard=ShardTask(**task["shard"]) if task["shard"] else None,
        )
    if role == "feeder":
        from engine.feed import warmup as feed

        feed.warm_up(control.compiling)
        from engine.feed import feeder

        confined = _confine(task, control, _network_policy(settings))
        return feeder.run(name, task["address"], settings.feed, control, confined)
    if role == "demuxer":
        from engine.feed import demuxer

        confined = _confine(task, control, _network_policy(settings, demuxes=True))
        return demuxer.run(name, task["address"], settings.feed, control, confined)
    if role == "web":
        from engine.web import process as web

        return web.run(settings, task["address"], control)
    raise SystemExit(f"unknown role {role!r}; allowed: hub, feeder, demuxer, worker, reader, web")


def _confine(task: Mapping[str, Any], control: Control, policy: Policy) -> Confined:
    """Confine this process once all its code is loaded, and before it reads what a camera sent."""
    try:
        confined = confine(policy, task["confine"])
    except ConfigError as error:
        control.send(FAILED, error.code, str(error))
        raise SystemExit(2) from None
    control.confinement = confined.report()
    return confined


def _network_policy(settings: "Settings", *, demuxes: bool = False) -> Policy:
    """Return what a process that visits cameras keeps: name lookup, TLS, connections. A demuxer relays RTMP to FFmpeg
    over a port of this machine, and reads any file if `file` is among the schemes."""
    if demuxes and "file" in settings.feed.schemes:
        return Policy(frozenset({Path("/")}), network=True, listens=True)
    paths = readable.for_python(os.environ) | readable.for_network(os.environ)
    return Policy(paths, network=True, listens=demuxes)


def _die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies: a worker in a decode does not read its pipe."""
    if sys.platform != "linux":
        return
    import ctypes

    parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the parent died before the line above
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
