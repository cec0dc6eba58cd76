"""Reads what the system knows of other processes from /proc: what they do, their memory, their descriptors."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.clock import NS_PER_S

_STATE, _USER_TICKS, _SYSTEM_TICKS = 0, 11, 12
"""Fields of /proc/PID/stat after the name, which is in brackets and may hold anything."""
_WAITING_FOR_THE_MACHINE = frozenset("RD")
"""States of a thread that runs, waits for a core, or waits for a disk."""
_STOPPED = "T"
_OPEN_FILES = re.compile(r"^Max open files\s+(\d+|unlimited)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """`stopped`: by a signal. `busy`: a thread of the process runs, or waits for a core or a disk. `main_cpu_ns`: the
    processor time that the main thread has used."""

    stopped: bool
    busy: bool
    main_cpu_ns: int


@dataclass(frozen=True, slots=True)
class Descriptors:
    """How many descriptors a process has open, and how many it may (0: as many as it likes)."""

    open: int
    most: int


def thread_facts(pid: int) -> ThreadFacts | None:
    """Return what a process does; None if it is gone, or where there is no /proc."""
    main = _stat(Path(f"/proc/{pid}/task/{pid}/stat"))
    if main is None:
        return None
    ticks = int(main[_USER_TICKS]) + int(main[_SYSTEM_TICKS])
    cpu_ns = ticks * NS_PER_S // os.sysconf("SC_CLK_TCK")
    return ThreadFacts(main[_STATE] == _STOPPED, _any_busy(pid), cpu_ns)


def descriptors(pids: Mapping[str, int]) -> dict[str, Descriptors]:
    """Return the descriptors of processes, by the names they are given under. Those that are gone are left out, and all
    of them where there is no /proc."""
    found: dict[str, Descriptors] = {}
    for name, pid in pids.items():
        try:
            number = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            limit = _OPEN_FILES.search(Path(f"/proc/{pid}/limits").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        most = limit.group(1) if limit else "unlimited"
        found[name] = Descriptors(number, 0 if most == "unlimited" else int(most))
    return found


def _any_busy(pid: int) -> bool:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False
    stats = (_stat(thread / "stat") for thread in threads)
    return any(stat[_STATE] in _WAITING_FOR_THE_MACHINE for stat in stats if stat is not None)


def _stat(path: Path) -> list[str] | None:
    """Return the fields after the name; None if there is no such process or thread."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
