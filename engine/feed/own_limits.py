"""Tells limits of the engine's own machine (descriptors, ports, memory) from faults of a camera.

A camera that was not reached because we have no descriptor left is not offline.
"""

import errno
import os
import resource
import socket
from pathlib import Path

_OWN_ERRORS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EADDRINUSE}
)
_RESERVE = 32
"""Descriptors kept free for name lookups, log, and connections that are being closed."""


def is_own_limit(error: BaseException) -> bool:
    """Return whether `error` is that of a limit of our own: no descriptor, port or memory left.

    A lookup that fails without a descriptor says that the name is unknown, so whether there is one left is tried.
    """
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_MEMORY or not _has_descriptor()
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _OWN_ERRORS


def own_limit_detail(error: BaseException) -> str:
    """Return a sentence on a limit of our own, for the operator."""
    number = getattr(error, "errno", None)
    what = os.strerror(number) if number in _OWN_ERRORS else "out of memory or descriptors"
    return f"not visited, a limit of the engine's own machine: {what}"


class DescriptorBudget:
    """How many visits this process has descriptors for. Make it before the first visit: what is open then stays."""

    def __init__(self) -> None:
        descriptors = Path("/proc/self/fd")
        self._open = sum(1 for _ in descriptors.iterdir()) if descriptors.is_dir() else _RESERVE

    def visits_max(self, descriptors_per_visit: int) -> int:
        """Return the most visits in flight that the limit on open files allows now, at least 1."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            limit = 1 << 30
        return max(1, (limit - self._open - _RESERVE) // descriptors_per_visit)


def _has_descriptor() -> bool:
    try:
        socket.socket().close()
    except OSError:
        return False
    return True
