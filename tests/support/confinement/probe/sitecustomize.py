"""Installs the attempts in a process of the engine: tests/support/confinement says how. Part of no package."""

import ctypes
import errno
import json
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def attempts(plan: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """What to try; none of it harms a process that is not confined."""
    return {
        **{f"read {name}": partial(open_and_close, path, os.O_RDONLY) for name, path in plan["read"].items()},
        **{
            f"write {name}": partial(open_and_close, path, os.O_WRONLY | os.O_CREAT)
            for name, path in plan["write"].items()
        },
        "list home": lambda: list(Path.home().iterdir()),
        "remove": Path(plan["remove"]).unlink,
        "tcp": lambda: connect(socket.AF_INET, ("127.0.0.1", plan["port"])),
        "listen": lambda: listen(socket.AF_INET, ("127.0.0.1", plan["free_port"])),
        "unix": lambda: connect(socket.AF_UNIX, plan["unix"]),
        "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "fork": fork,
        "exec": lambda: os.execv(plan["program"], [plan["program"]]),
        "ptrace": lambda: trace(os.getppid()),
        "signal": lambda: os.kill(os.getppid(), 0),
        "parent's environment": lambda: open_and_close(f"/proc/{os.getppid()}/environ", os.O_RDONLY),
        "parent's memory": lambda: open_and_close(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
        "own status": lambda: open_and_close("/proc/self/statm", os.O_RDONLY),
        "library": lambda: open_and_close(os.__file__, os.O_RDONLY),
        "name": lambda: socket.getaddrinfo("localhost", 80),
    }


def open_and_close(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def connect(family: int, address: Any) -> None:
    with socket.socket(family) as connection:
        connection.settimeout(5)
        connection.connect(address)


def listen(family: int, address: Any) -> None:
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()


def fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def trace(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    libc.ptrace(PTRACE_DETACH, pid, None, None)


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def install() -> None:
    plan_file, folder = os.environ.get("PYTHON_PROBE_PLAN"), os.environ.get("PYTHON_PROBE_RESULTS")
    if not plan_file or not folder or not Path(plan_file).exists():
        return
    plan = json.loads(Path(plan_file).read_text())
    results = os.open(f"{folder}/{os.getpid()}.json", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def try_all(_signal: int, _frame: object) -> None:
        found = {name: outcome(attempt) for name, attempt in attempts(plan).items()}
        os.write(results, json.dumps(found).encode() + b"\n")

    signal.signal(signal.SIGUSR1, try_all)


install()
