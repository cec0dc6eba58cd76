"""Who hears of attempts to deliver a notice: of the first and of the last one, and nothing in between."""

import contextlib

from engine.hub.webhook_addresses import is_refused
from engine.model.notice import DeliveryState, Notice
from engine.notices.sender import Sender
from engine.storage.db.store import Store
from tests.integration.notices.test_sender import (
    MakeSettings,
    failing,
    opened,
    receiver,
    secret_file,
    settings,
    store,
)
from tests.support.notice_senders import RecordingMetrics, ignore_delivered
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import Receiver, Reply

__all__ = ["receiver", "secret_file", "settings", "store"]

Attempt = tuple[int, str, str, DeliveryState]


def test_the_first_and_the_last_attempt_are_told(store: Store, receiver: Receiver, settings: MakeSettings) -> None:
    receiver.reply = failing(3, Reply(500))
    store.outbox.add([opened(1), opened(2)])
    heard: list[Attempt] = []

    def on_attempt(notice: Notice, endpoint: str, outcome: str, state: DeliveryState) -> None:
        heard.append((notice.finding_id, endpoint, outcome, state))
        raise LookupError("who listens may break, and the notices go on")

    chosen = settings({"county": receiver.url})
    sender = Sender(store.outbox, chosen, ignore_delivered, RecordingMetrics(), is_refused, on_attempt)
    with contextlib.closing(sender):
        sender.start()
        wait_until(lambda: len(store.outbox.deliveries(DeliveryState.DELIVERED)) == 2)
    assert heard == [
        (1, "county", "server_error", DeliveryState.WAITING),
        (1, "county", "delivered", DeliveryState.DELIVERED),
        (2, "county", "delivered", DeliveryState.DELIVERED),
    ]
