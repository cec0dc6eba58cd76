"""The filter of system calls, run by a small interpreter of BPF; and what may be read."""

import errno
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.config.runtime import RuntimeSettings
from engine.doctor.diagnosis import Level
from engine.doctor.machine import confinement as diagnose
from engine.errors import ConfigError
from engine.runtime.confinement import ConfineMode, apply, readable
from engine.runtime.confinement.filter_program import (
    ARCHITECTURES,
    Architecture,
    Instruction,
    confining,
    packed,
    without_local_sockets,
)
from engine.supervisor.environment import confined_environment

PID = 4321
ALLOWED = 0
WORKER = (socket.AF_UNIX,)
FEEDER = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
O_TMPFILE = 0o20200000


def run(program: list[Instruction], data: Mapping[int, int]) -> int:
    """What the kernel answers: 0, or the error. `data`: struct seccomp_data by offset."""
    place, value = 0, 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        if code == 0x20:
            value = data.get(operand, 0)
        elif code == 0x54:
            value &= operand
        elif code in (0x15, 0x35):
            place += if_true if (value == operand if code == 0x15 else value >= operand) else if_false
        else:
            assert code == 0x06
            return ALLOWED if operand == 0x7FFF0000 else operand & 0xFFFF


def call(architecture: Architecture, program: list[Instruction], name: str, *arguments: int) -> int:
    given = {16 + 8 * number: value for number, value in enumerate(arguments)}
    return run(program, {0: architecture.calls[name], 4: architecture.audit, **given})


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_arguments_decide_where_a_call_is_needed_and_dangerous(architecture: Architecture) -> None:
    feeder, worker = (confining(architecture, PID, families) for families in (FEEDER, WORKER))
    threads, here, at = 0x3D0F00, 0, -100 & 0xFFFFFFFF
    expected = [
        (("clone", threads), ALLOWED),
        (("clone", 17), errno.EPERM),
        (("clone3", 0), errno.ENOSYS),
        (("io_uring_setup", 8), errno.ENOSYS),
        (("execve",), errno.EPERM),
        (("ptrace", 16, 1), errno.EPERM),
        (("tgkill", PID, PID, 6), ALLOWED),
        (("kill", 1, 9), errno.EPERM),
        (("kill", here, 9), errno.EPERM),
        (("prlimit64", here, 7), ALLOWED),
        (("prlimit64", 1, 7), errno.EPERM),
        (("openat", at, 0, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY), ALLOWED),
        (("openat", at, 0, os.O_WRONLY), errno.EACCES),
        (("openat", at, 0, os.O_RDWR | O_TMPFILE), errno.EACCES),
        (("openat", at, 0, os.O_RDONLY | os.O_CREAT), errno.EACCES),
        (("openat", at, 0, os.O_RDONLY | os.O_TRUNC), errno.EACCES),
        (("ioctl", 0, 0x5412), errno.EPERM),
        (("ioctl", 0, 0x5413), ALLOWED),
        (("socket", socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC), ALLOWED),
        (("socket", socket.AF_PACKET, socket.SOCK_RAW), errno.EACCES),
    ]
    for attempt, answer in expected:
        name, *arguments = attempt
        assert call(architecture, feeder, str(name), *map(int, arguments)) == answer, attempt
        assert call(architecture, worker, str(name), *map(int, arguments)) == answer, attempt
    for family in (socket.AF_INET, socket.AF_INET6):
        assert call(architecture, feeder, "socket", family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) == ALLOWED
        assert call(architecture, feeder, "socket", family, socket.SOCK_RAW) == errno.EPERM
        assert call(architecture, worker, "socket", family, socket.SOCK_STREAM) == errno.EACCES
    assert call(architecture, feeder, "socket", socket.AF_NETLINK, socket.SOCK_RAW, 0) == ALLOWED
    assert call(architecture, feeder, "socket", socket.AF_NETLINK, socket.SOCK_RAW, 9) == errno.EPERM


def test_once_the_hub_is_reached_no_socket_of_the_machine_is_opened() -> None:
    architecture = ARCHITECTURES["x86_64"]
    feeder, worker = (without_local_sockets(architecture, families) for families in (FEEDER, WORKER))
    assert call(architecture, feeder, "socket", socket.AF_UNIX, socket.SOCK_STREAM) == errno.EACCES
    assert call(architecture, worker, "socket", socket.AF_UNIX, socket.SOCK_STREAM) == errno.EACCES
    assert call(architecture, feeder, "socket", socket.AF_INET, socket.SOCK_STREAM) == ALLOWED
    assert call(architecture, feeder, "execve") == ALLOWED, "the filter below refuses that"


def test_another_architecture_gets_nothing() -> None:
    x86 = ARCHITECTURES["x86_64"]
    program = confining(x86, PID, FEEDER)
    assert run(program, {0: 0, 4: 0x40000003}) == errno.EPERM, "32-bit calls have other numbers"
    assert run(program, {0: 0x40000000, 4: x86.audit}) == errno.EPERM, "x32"
    assert run(program, {0: 0, 4: x86.audit}) == ALLOWED
    assert len(packed(program)) == 8 * len(program)
    assert len(program) < 4096, "the kernel takes no longer ones"
    for place, (code, if_true, if_false, _) in enumerate(program):
        if code in (0x15, 0x35):
            assert place + max(if_true, if_false) + 1 < len(program)


def test_a_folder_that_holds_other_things_is_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, libraries, data = tmp_path / "checkout", tmp_path / "libraries", tmp_path / "data" / "var"
    for folder in (checkout / "engine", libraries, data):
        folder.mkdir(parents=True)
    monkeypatch.chdir(data)
    monkeypatch.setattr(sys, "path", ["", str(data), str(data.parent), str(checkout), str(libraries), *sys.path])
    paths = readable.for_python({"LD_LIBRARY_PATH": f"{libraries}/so::relative"})
    assert {libraries, libraries / "so", Path(readable.__file__).parents[2]} <= paths
    for folder in (checkout, data, data.parent, tmp_path, Path.home(), Path("/"), Path("/etc"), Path("/proc")):
        assert folder not in paths, folder


def test_a_confined_process_inherits_no_secret() -> None:
    given = {"PATH": "/bin", "PGPASSWORD": "x", "PATROL_SECRET": "x", "AWS_SECRET_ACCESS_KEY": "x", "LC_ALL": "C.UTF-8"}
    assert confined_environment(given) == {"PATH": "/bin", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


def test_a_kernel_without_it_is_said_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "offered", lambda: frozenset({"privileges", "system_calls"}))
    apply.require("auto")
    apply.require("off")
    with pytest.raises(ConfigError, match=r"runtime\.confine = 'required': the kernel offers no Landlock.*'auto'"):
        apply.require("required")
    levels: dict[ConfineMode, Level] = {"auto": Level.WARNING, "required": Level.FAULT, "off": Level.WARNING}
    for mode, level in levels.items():
        assert diagnose(apply.missing(), mode).level is level
    assert diagnose([], "required").level is Level.OK
    assert RuntimeSettings().confine == "auto"
