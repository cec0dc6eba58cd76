"""Reads how much memory processes use, and has the allocator keep what this one frees."""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's mallopt(3)."""
KEPT_BYTES = 128 << 20
"""Free memory at the end of the heap that goes back to the kernel only beyond that size."""
_GROWTH_BYTES = 16 << 20
_OWN_MAPPING_BYTES = 32 << 20
"""Size from which on a block has a mapping of its own, which goes back when it is freed: glibc allows no more. A plane
of a picture of 8192 x 4096 is as large."""
_RESIDENT = 1
"""The field of /proc/PID/statm that counts resident pages."""


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next picture; return whether it does. For processes that decode.

    A decoder's context for one picture takes and frees tens of megabytes. glibc would give them back to the kernel each
    time, and the page faults of taking them again cost a sixth of decoding an H.265 picture. FFmpeg has its buffers
    zeroed, so that nothing of the last picture is in them.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_MMAP_THRESHOLD, _OWN_MAPPING_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES), (_TOP_PAD, _GROWTH_BYTES))
    taken = [int(mallopt(parameter, value)) for parameter, value in wanted]
    return min(taken) == 1


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
