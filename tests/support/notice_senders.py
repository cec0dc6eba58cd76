"""Runs a notice sender in its own process, so that a test can kill it.

python -m tests.support.notice_senders DATABASE CONFIG
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from engine.config import load
from engine.hub.webhook_addresses import is_refused
from engine.notices.sender import Sender
from engine.storage.db.store import Store


class RecordingMetrics:
    """Keeps what a sender reports to the metrics."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.waiting: dict[str, tuple[int, float, bool]] = defaultdict(lambda: (0, 0.0, False))

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        self.outcomes[endpoint, str(outcome)] += 1

    def notice_endpoint(self, endpoint: str) -> None:
        pass

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        self.waiting[endpoint] = (waiting, oldest_s, circuit_open)


def ignore_delivered(delivered: Mapping[int, str]) -> None:
    """A listener that ignores deliveries."""


if __name__ == "__main__":
    store = Store.open(sys.argv[1])
    sender = Sender(store.outbox, load(Path(sys.argv[2])).notices, ignore_delivered, RecordingMetrics(), is_refused)
    sender.start()
    print("ready", flush=True)
    time.sleep(120)
