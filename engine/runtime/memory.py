"""Reads how much memory processes use."""

import os
from collections.abc import Mapping
from pathlib import Path

_RESIDENT = 1
"""The field of /proc/PID/statm that counts resident pages."""


def resident_bytes(pids: Mapping[str, int]) -> dict[str, int]:
    """Return the resident memory of processes, by the names they are given under. Those that are gone are left out, and
    all of them where there is no /proc."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    sizes: dict[str, int] = {}
    for name, pid in pids.items():
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[_RESIDENT])
        except (OSError, ValueError, IndexError):
            continue
        sizes[name] = pages * page_bytes
    return sizes
