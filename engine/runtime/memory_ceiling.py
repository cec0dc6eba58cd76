"""Holds a process under a ceiling of memory: the process is told when it comes near, and the kernel refuses more."""

import os
import resource
from pathlib import Path

from engine.runtime.memory import resident_bytes

_NEAR = 0.75
"""Share of the ceiling from which a process is near it: soon enough to end its work in order."""
_REFUSED = 2
"""Share of the ceiling that is refused: the kernel counts what is set aside and never used, and FFmpeg takes a refused
allocation for bad data now and then, so the process should end its work before."""
_DATA = 5
"""The field of /proc/self/statm that counts the pages that the process may write, used or not."""


class MemoryCeiling:
    """The ceiling of this process, in bytes. `reserved_bytes`: what its threads may take for stacks, beside it."""

    def __init__(self, bytes_max: int, reserved_bytes: int = 0) -> None:
        self._bytes_max = bytes_max
        self._reserved_bytes = reserved_bytes

    def enforce(self) -> None:
        """Have the kernel refuse memory well beyond the ceiling: an allocation then fails, in FFmpeg as in Python.

        The kernel counts what the process may write, whether it does or not (RLIMIT_DATA), so what libraries have set
        aside by now is added. A lower limit that is in force stays.
        """
        wanted = _REFUSED * self._bytes_max + self._reserved_bytes + _data_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limits = [limit for limit in (wanted, soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))

    def is_near(self) -> bool:
        """Whether the resident memory of this process is near the ceiling; False where there is no /proc."""
        own = resident_bytes({"own": os.getpid()})
        return own.get("own", 0) > _NEAR * self._bytes_max


def _data_bytes() -> int:
    """Return what this process may write now; 0 where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[_DATA])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
