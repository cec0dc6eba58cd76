"""Reads what processes write to stderr, and logs it: libraries in C, the interpreter's last words, tracebacks.

Our own log lines go past this, straight to the stderr of the whole, so they come unchanged and in order.

gRPC tells of a TLS handshake that failed nowhere but in a line at its level INFO, without the address: those lines are
counted, and its others of that level are left out.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TextIO

from engine.printable import printable
from engine.runtime.log import report
from engine.runtime.log_events import STDERR

_LINE_BYTES_MAX = 2000
_JOIN_S = 1.0
_HANDSHAKE_FAILED = re.compile(r"ssl_transport_security\.cc:\d+\] Handshake failed")
_CHATTER = re.compile(r"I\d{4} \d\d:\d\d:\d\d\.\d+ |W\d{4} .* log\.cc:\d+\] Log level INFO is not suitable")


class ChildStderr:
    """One thread for each child that runs; it ends with the child. For one thread, but for the count of handshakes."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._handshakes_failed = 0
        self._keep_chatter = "GRPC_VERBOSITY" in os.environ  # somebody wants to read it
        self._lock = threading.Lock()

    def follow(self, name: str, stream: IO[bytes]) -> None:
        """Log the lines of the stream under this name, until it ends."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._log_lines, args=(name, stream), name=f"stderr-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def drain_handshakes_failed(self) -> int:
        """Return how many handshakes failed at the gRPC server since the last call."""
        with self._lock:
            number, self._handshakes_failed = self._handshakes_failed, 0
        return number

    def close(self) -> None:
        """Wait until the last words of the children that have ended are logged, a second at most for each."""
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _log_lines(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            while raw := stream.readline(_LINE_BYTES_MAX):
                line = raw.decode(errors="replace").rstrip()
                if _HANDSHAKE_FAILED.search(line):
                    with self._lock:
                        self._handshakes_failed += 1
                elif line and (self._keep_chatter or not _CHATTER.match(line)):
                    report(STDERR, name=name, line=printable(line))


@contextmanager
def own_stderr(name: str) -> Iterator[TextIO]:
    """Log what this process itself writes to descriptor 2 under this name; yields a stream to what that was before, for
    the log. At the end it is what it was."""
    before = os.dup(2)
    ends_read, ends_write = os.pipe()
    os.dup2(ends_write, 2)
    os.close(ends_write)
    lines = ChildStderr()
    lines.follow(name, os.fdopen(ends_read, "rb"))
    try:
        with os.fdopen(os.dup(before), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as stream:
            try:
                yield stream
            finally:
                os.dup2(before, 2)  # closes the last end that is written to, and so ends the thread
                lines.close()
    finally:
        os.close(before)
