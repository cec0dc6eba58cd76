"""Follows all verdicts through a front, and resumes by its token at whatever front there is."""

import threading
import time
from collections.abc import Callable

from engine.client import CallError, PatrolClient

_PAUSE_S = 0.1
_JOIN_S = 30.0


class Watcher:
    """`address`: of the front that there is now. `token`: if it asks for one. `seen`: camera and visit of each verdict
    that it was told, in order. `failure`: why it ended by itself; None while it goes on."""

    def __init__(self, address: Callable[[], str], token: str = "") -> None:
        self._address, self._caller_token = address, token
        self.seen: list[tuple[str, int]] = []
        self.failure: CallError | None = None
        self._token = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def wait(self, number: int, within_s: float) -> bool:
        """Wait until it has seen so many, or has ended; return whether it has within this time."""
        give_up_s = time.monotonic() + within_s
        while len(self.seen) < number and self.failure is None and time.monotonic() < give_up_s:
            time.sleep(_PAUSE_S)
        return len(self.seen) >= number

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._thread.join(_JOIN_S)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                with PatrolClient(self._address(), token=self._caller_token) as client:
                    for batch in client.watch_batches(resume_token=self._token):
                        self.seen += [(verdict.camera_id, verdict.visit_id) for verdict in batch.verdicts]
                        self._token = batch.resume_token
                        if self._stopped.is_set():
                            return
            except CallError as error:
                if error.status != "UNAVAILABLE":
                    self.failure = error
                    return
                time.sleep(_PAUSE_S)
