"""Makes system calls that Python has no function for."""

import ctypes
import os
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_NO_NEW_PRIVS = 38
"""PR_SET_NO_NEW_PRIVS of prctl(2)."""


def system_call(number: int, *arguments: Any) -> int:
    """Make a system call and return its result. Raises OSError. An argument is an int, or a pointer of ctypes."""
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = _LIBC.syscall(ctypes.c_long(number), *converted)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def renounce_new_privileges() -> None:
    """Have no program that this process starts gain privileges (setuid). Raises OSError."""
    none = ctypes.c_ulong(0)
    if _LIBC.prctl(_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), none, none, none) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
