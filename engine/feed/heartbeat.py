"""Sends a feeder's heartbeat from a thread of its own, so that it does not wait for a loop that has much to do.

A feeder whose loop does not move at all is the supervisor's to find (`engine.supervisor.liveness`).
"""

import threading
from collections.abc import Callable

_RETRY_S = 0.05


class Heartbeat:
    """Calls `send` every `interval_s`, from its thread; sooner again if it returns False, for it was not taken."""

    def __init__(self, send: Callable[[], bool], interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Send the first heartbeat at once."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        taken = False
        while not self._stopped.wait(self._interval_s if taken else _RETRY_S):
            taken = self._send()
