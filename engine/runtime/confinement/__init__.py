"""Takes from a process what it does not need: files, programs, sockets, other processes. Linux only.

Feeders, demuxers, workers and the reader read what hostile cameras send. Whoever takes one of them over should find
nothing there: no file but Python's own, no program to start, no other process to reach. What is refused fails with
EPERM or EACCES, as a missing permission does, so that libraries go on without it.

Landlock and seccomp are called by ctypes: of the libraries on PyPI, `landlock` is an alpha that knows the kernels up to
6.10, and `pyseccomp` needs the system's libseccomp.
"""

from engine.runtime.confinement import readable
from engine.runtime.confinement.apply import (
    FILES,
    Confined,
    ConfineMode,
    Policy,
    confine,
    missing,
    require,
)

__all__ = ["FILES", "ConfineMode", "Confined", "Policy", "confine", "missing", "readable", "require"]
