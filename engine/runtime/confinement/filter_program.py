"""Writes the filter of system calls: a program of classic BPF that the kernel runs at each call. Pure.

Calls of engine/runtime/confinement/call_numbers.py are refused, some by their arguments: opening a file to write,
starting a process but not a thread, a signal to another process, a socket of a family that is not needed.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.runtime.confinement.call_numbers import AARCH64, X86_64

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
"""BPF_LD|W|ABS, BPF_ALU|AND|K, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K."""
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET, _ARGUMENT_BYTES = 0, 4, 16, 8
"""Of struct seccomp_data; of an argument, the lower half of a little-endian machine is read."""
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_X32 = 0x40000000
"""Calls of the x32 ABI begin here; no program of ours makes them."""
_CLONE_THREAD = 0x00010000
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
_TYPE_MASK = 0xF
_INPUT_TO_TERMINAL, _LINUX_CONSOLE = 0x5412, 0x541C
"""TIOCSTI and TIOCLINUX: they type into the terminal that the engine was started from."""
_ABSENT = ("clone3", "openat2", "io_uring_setup", "io_uring_enter", "io_uring_register")
"""Answered as by a kernel that has no such call, so that libraries make the older one, whose arguments are seen."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """`audit`: the number by which the kernel tells architectures apart. `install`: number of seccomp(2)."""

    audit: int
    install: int
    calls: Mapping[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 317, X86_64),
    "aarch64": Architecture(0xC00000B7, 277, AARCH64),
}
"""By the name that uname(2) gives."""


def confining(architecture: Architecture, pid: int, families: Sequence[int]) -> list[Instruction]:
    """Return the filter of the process `pid`, which may open sockets of these families only."""
    by_argument: dict[str, list[Instruction]] = {
        "clone": [_argument(0), (_AND, 0, 0, _CLONE_THREAD), *_refused_if(0), _allowed()],
        "socket": _sockets(families),
        "ioctl": [_argument(1), *_refused_if(_INPUT_TO_TERMINAL), *_refused_if(_LINUX_CONSOLE), _allowed()],
        "openat": _reading_only(2),
        "open": _reading_only(1),
        "prlimit64": _allowed_if(0, (0, pid)),
        **{name: _allowed_if(0, (pid,)) for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")},
    }

    def rule(name: str) -> list[Instruction]:
        return [_refused(errno.ENOSYS)] if name in _ABSENT else by_argument.get(name, [_refused()])

    return _program(architecture, rule)


def without_local_sockets(architecture: Architecture, families: Sequence[int]) -> list[Instruction]:
    """Return a filter on top of `confining`: no more sockets of this machine, only of these families."""
    rules = {"socket": _sockets([family for family in families if family != socket.AF_UNIX])}
    return _program(architecture, lambda name: rules.get(name, []))


def packed(program: Sequence[Instruction]) -> bytes:
    """Return the program as the kernel reads it: an array of struct sock_filter."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _program(architecture: Architecture, rule: Callable[[str], list[Instruction]]) -> list[Instruction]:
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_EQUAL, 1, 0, architecture.audit),
        _refused(),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
    ]
    if architecture is ARCHITECTURES["x86_64"]:
        program += [(_AT_LEAST, 0, 1, _X32), _refused()]
    for name, number in architecture.calls.items():
        if body := rule(name):
            program += [(_EQUAL, 0, len(body), number), *body]
    return [*program, _allowed()]


def _sockets(families: Sequence[int]) -> list[Instruction]:
    """Sockets of these families: no raw ones of the Internet, and of netlink only what name lookup asks."""
    body: list[Instruction] = []
    for family in families:
        if family == socket.AF_NETLINK:
            body += [_argument(0), (_EQUAL, 0, 4, family), _argument(2), *_refused_unless(0), _allowed()]
        else:
            types = [_argument(1), (_AND, 0, 0, _TYPE_MASK), *_refused_if(socket.SOCK_RAW), _allowed()]
            body += [_argument(0), (_EQUAL, 0, len(types), family), *types]
    return [*body, _refused(errno.EACCES)]


def _reading_only(argument: int) -> list[Instruction]:
    return [_argument(argument), (_AND, 0, 0, _WRITING), *_refused_unless(0, errno.EACCES), _allowed()]


def _allowed_if(argument: int, values: Sequence[int]) -> list[Instruction]:
    checks: list[Instruction] = []
    for value in values:
        checks += [(_EQUAL, 0, 1, value), _allowed()]
    return [_argument(argument), *checks, _refused()]


def _refused_if(value: int) -> list[Instruction]:
    return [(_EQUAL, 0, 1, value), _refused()]


def _refused_unless(value: int, error: int = errno.EPERM) -> list[Instruction]:
    return [(_EQUAL, 1, 0, value), _refused(error)]


def _argument(number: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_OFFSET + _ARGUMENT_BYTES * number)


def _refused(error: int = errno.EPERM) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _allowed() -> Instruction:
    return (_RETURN, 0, 0, _ALLOW)
