"""Has the kernel refuse system calls to a process, by seccomp (Linux 3.17 and later, x86_64 and aarch64)."""

import ctypes
import os
from collections.abc import Sequence

from engine.runtime.confinement.filter_program import (
    ARCHITECTURES,
    Architecture,
    Instruction,
    confining,
    packed,
    without_local_sockets,
)
from engine.runtime.confinement.system_call import system_call

_SET_MODE_FILTER, _ACTION_AVAILABLE = 1, 2
_ALL_THREADS = 1
_ERRNO_ACTION = 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _architecture() -> Architecture | None:
    """Return ours; None if its calls are not known."""
    return ARCHITECTURES.get(os.uname().machine)


def is_offered() -> bool:
    """Whether the kernel filters calls, and the numbers of its calls are known."""
    architecture = _architecture()
    if architecture is None:
        return False
    try:
        system_call(architecture.install, _ACTION_AVAILABLE, 0, ctypes.byref(ctypes.c_uint32(_ERRNO_ACTION)))
    except OSError:
        return False
    return True


def restrict(families: Sequence[int]) -> None:
    """Refuse all threads of this process what it does not need; it may open sockets of these families.

    Raises OSError. `no_new_privs` must be set.
    """
    if (architecture := _architecture()) is not None:
        _install(architecture, confining(architecture, os.getpid(), families))


def refuse_local_sockets(families: Sequence[int]) -> None:
    """Have all threads of this process open no more sockets of this machine. Raises OSError."""
    if (architecture := _architecture()) is not None:
        _install(architecture, without_local_sockets(architecture, families))


def _install(architecture: Architecture, instructions: list[Instruction]) -> None:
    program = _Program(len(instructions), packed(instructions))
    held_by = system_call(architecture.install, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))
    if held_by:
        raise OSError(f"thread {held_by} has another filter of system calls")
