"""Reads the files that the configuration names, within bounds: a regular file, of bounded size, without ever waiting.

A FIFO would hold its reader until somebody writes, and a device such as /dev/zero has no end.
"""

import errno
import os
import stat
from pathlib import Path

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Size of the largest file that the configuration may name: calendar, certificate, secrets."""
_PIECE_BYTES = 1024 * 1024


def read_bounded(path: Path | str, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """Return the content of a regular file of at most `bytes_max` bytes.

    Raises OSError if the file cannot be read, is no regular file, or is larger; `strerror` says which.
    """
    _check_regular(path, Path(path).stat().st_mode)  # before it is opened: opening a device may have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)  # it may have been exchanged meanwhile
        pieces, size = [], 0
        while piece := os.read(descriptor, _PIECE_BYTES):
            size += len(piece)
            if size > bytes_max:
                raise OSError(errno.EFBIG, f"has more than {bytes_max:,} bytes", str(path))
            pieces.append(piece)
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def _check_regular(path: Path | str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
