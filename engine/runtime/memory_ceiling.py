"""Holds a process under a ceiling of memory: the kernel refuses more, and the process is told when it comes near."""

import os
import resource

from engine.runtime.memory import resident_bytes

_NEAR = 0.75
"""Share of the ceiling from which a process is near it: soon enough to end its work in order."""


class MemoryCeiling:
    """The ceiling of this process, in bytes. `reserved_bytes`: what its threads may take for stacks, beside it."""

    def __init__(self, bytes_max: int, reserved_bytes: int = 0) -> None:
        self._bytes_max = bytes_max
        self._reserved_bytes = reserved_bytes

    def enforce(self) -> None:
        """Have the kernel refuse memory beyond the ceiling: an allocation then fails, in FFmpeg as in Python.

        Counted is what the process may write (RLIMIT_DATA), also before it does. A lower limit that is in force stays.
        """
        wanted = self._bytes_max + self._reserved_bytes
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limits = [limit for limit in (wanted, soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))

    def is_near(self) -> bool:
        """Whether the resident memory of this process is near the ceiling; False where there is no /proc."""
        own = resident_bytes({"own": os.getpid()})
        return own.get("own", 0) > _NEAR * self._bytes_max
