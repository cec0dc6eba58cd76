"""Sends a feeder's heartbeat from a thread of its own, so that it does not wait for a loop that has much to do.

The heartbeat says how long ago the loop last had a turn. So the hub tells a feeder that is busy (the age stays small)
from one that is stuck (the age grows) and from one that is gone or stopped (no heartbeat).
"""

import threading
from collections.abc import Callable

from engine.clock import monotonic_ns


class Heartbeat:
    """Calls `send` every `interval_s`, from its thread, with the age of the loop's last turn in nanoseconds."""

    def __init__(self, send: Callable[[int], None], interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._turned_ns = monotonic_ns()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Send the first heartbeat after an interval."""
        self._thread.start()

    def turned(self) -> None:
        """Note that the loop has a turn. To be called from the loop, several times in an interval."""
        self._turned_ns = monotonic_ns()

    def stop(self) -> None:
        """Send no more; returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self._send(monotonic_ns() - self._turned_ns)
