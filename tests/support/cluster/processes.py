"""Finds the processes that others have started, and sends signals to all of them."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """A process with all that it has started, the last first: who looks after others must not see them go."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def program(pid: int) -> str:
    """The name of a process's program; empty if it is gone."""
    try:
        return Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name
    except (FileNotFoundError, ProcessLookupError):
        return ""


def signal_all(pids: Sequence[int], number: int) -> None:
    """Send a signal to processes; those that are gone are left out."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_all(pids: Sequence[int]) -> None:
    """End processes at once."""
    signal_all(pids, signal.SIGKILL)
