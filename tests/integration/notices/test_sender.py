"""Notices over real HTTP, from a real outbox, to receivers that fail in every way."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.config.notices import EndpointSettings, NoticesSettings
from engine.errors import StoreError
from engine.hub.webhook_addresses import is_refused
from engine.model.notice import DeliveryState, DeliveryUpdate, Notice, PendingDelivery
from engine.notices.sender import Sender
from engine.storage.db.outbox import Outbox
from engine.storage.db.store import Store
from tests.support.certificates import certificate
from tests.support.notice_senders import RecordingMetrics, ignore_delivered
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import SECRET_LINE, Received, Receiver, Reply, receiving

ROOT = Path(__file__).resolve().parents[3]
MakeSettings = Callable[..., NoticesSettings]
StartSender = Callable[..., Sender]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET_LINE)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    yield store
    store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def settings(secret_file: Path) -> MakeSettings:
    """Settings with short waits, of endpoints by name and URL."""

    def make(urls: dict[str, str], **more: Any) -> NoticesSettings:
        of_endpoint = {name: more.pop(name) for name in ("timeout_s", "region", "events", "ca_file") if name in more}
        endpoints = tuple(
            EndpointSettings(name=name, url=url, secret_file=str(secret_file), **of_endpoint)
            for name, url in urls.items()
        )
        waits = {"wait_first_s": 0.1, "wait_max_s": 0.4, "retry_after_max_s": 2, "per_s_max": 1000}
        return NoticesSettings(endpoints=endpoints, **(waits | more))

    return make


@pytest.fixture
def send(store: Store) -> Iterator[StartSender]:
    """Starts senders, and ends them."""
    senders: list[Sender] = []

    def start(
        settings: NoticesSettings,
        told: Callable[[Mapping[int, str]], None] = ignore_delivered,
        metrics: RecordingMetrics | None = None,
        box: Outbox | None = None,
    ) -> Sender:
        senders.append(Sender(box or store.outbox, settings, told, metrics or RecordingMetrics(), is_refused))
        senders[-1].start()
        return senders[-1]

    yield start
    for sender in senders:
        sender.close()


def opened(number: int, region: str = "130102", kind: str = "finding.opened") -> Notice:
    return Notice(0, kind, number, 1, time.time_ns(), region, f'{{"finding":"findings/{number}"}}')


def numbers(receiver: Receiver) -> list[int]:
    """Findings in the order in which they were taken."""
    return [int(request.event["subject"].removeprefix("findings/")) for request in receiver.taken]


def failing(times: int, reply: Reply) -> Callable[[Received], Reply]:
    """The first requests are answered so, all others well."""
    left = iter(range(times))
    return lambda _: Reply() if next(left, None) is None else reply


def states(store: Store) -> list[tuple[str, DeliveryState]]:
    return [(parcel.name, parcel.state) for parcel in store.outbox.deliveries()]


def test_what_is_in_the_outbox_arrives_signed_and_in_order(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    store.outbox.add([opened(number) for number in range(1, 21)])
    metrics = RecordingMetrics()
    told: dict[int, str] = {}
    send(settings({"county": receiver.url}), told.update, metrics)
    receiver.wait_taken(20)
    assert numbers(receiver) == list(range(1, 21))
    assert all(request.genuine for request in receiver.taken)
    assert receiver.taken[0].headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert receiver.taken[0].headers["webhook-id"] == receiver.taken[0].event["id"]
    wait_until(lambda: told == dict.fromkeys(range(1, 21), "county"))
    wait_until(lambda: {state for _, state in states(store)} == {DeliveryState.DELIVERED})
    assert metrics.outcomes == {("county", "delivered"): 20}


def test_news_are_sent_at_once_when_the_sender_is_told_of_them(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    sender = send(settings({"county": receiver.url}))
    store.outbox.add([opened(1)])
    receiver.wait_taken(1)
    began = receiver.taken[0].at_s
    store.outbox.add([opened(2)])
    sender.wake()
    receiver.wait_taken(2)
    assert receiver.taken[1].at_s - began < 5


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(500), "server_error"),
        (Reply(503), "server_error"),
        (Reply(404), "client_error"),
        (Reply(302, {"location": "http://127.0.0.1:1/"}), "redirected"),
        (Reply(200, break_off=True), "broken"),
        (Reply(200, drip=True), "timeout"),
        (Reply(204, hang_s=60), "timeout"),
    ],
    ids=["500", "503", "404", "redirect", "breaks_off", "drips", "hangs"],
)
def test_a_receiver_that_fails_gets_the_same_event_again(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    reply: Reply,
    outcome: str,
) -> None:
    receiver.reply = failing(3, reply)
    store.outbox.add([opened(1), opened(2)])
    metrics = RecordingMetrics()
    send(settings({"county": receiver.url}, timeout_s=0.4), metrics=metrics)
    wait_until(lambda: numbers(receiver)[-2:] == [1, 2])
    first = [request for request in receiver.requests if request.event["subject"] == "findings/1"]
    assert len(first) == 4
    assert len({number.headers["webhook-id"] for number in first}) == 1
    assert len({number.body for number in first}) == 1
    assert all(number.genuine for number in first), "each attempt is signed with a time of its own"
    assert metrics.outcomes["county", outcome] == 3


def test_retry_after_is_waited_for(store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender) -> None:
    receiver.reply = failing(1, Reply(429, {"retry-after": "1"}))
    store.outbox.add([opened(1)])
    metrics = RecordingMetrics()
    send(settings({"county": receiver.url}), metrics=metrics)
    receiver.wait_taken(1)
    asked, taken = receiver.requests
    assert taken.at_s - asked.at_s >= 1.0
    wait_until(lambda: metrics.outcomes == {("county", "throttled"): 1, ("county", "delivered"): 1})


def test_a_notice_that_is_refused_is_put_on_the_dead_list_and_the_others_pass(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    receiver.reply = lambda request: (
        Reply(422, body=b"no such \x1bcanteen") if b"findings/2" in request.body else Reply()
    )
    store.outbox.add([opened(1), opened(2), opened(3)])
    metrics = RecordingMetrics()
    send(settings({"county": receiver.url}, refusals_max=2), metrics=metrics)
    receiver.wait_taken(2)
    assert numbers(receiver) == [1, 3]
    wait_until(lambda: store.outbox.backlogs().keys() == {"county"} and not store.outbox.deliveries(
        DeliveryState.WAITING
    ))  # fmt: skip
    (dead,) = store.outbox.deliveries(DeliveryState.DEAD)
    assert (dead.notice.finding_id, dead.attempts) == (2, 2)
    assert dead.last_error == "refused: HTTP 422 no such canteen"
    assert metrics.outcomes["county", "dead"] == 1


def test_what_was_given_up_can_be_replayed_and_is_the_same_event(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    receiver.reply = lambda _: Reply(400)
    store.outbox.add([opened(1)])
    sender = send(settings({"county": receiver.url}, refusals_max=1))
    wait_until(lambda: bool(store.outbox.deliveries(DeliveryState.DEAD)))
    receiver.reply = lambda _: Reply()
    assert store.outbox.replay("county", 1, time.time_ns()) == 1
    assert store.outbox.replay("county", 1, time.time_ns()) == 0
    sender.wake()
    receiver.wait_taken(1)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_one_endpoint_that_hangs_holds_nobody_up(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    with receiving(Receiver()) as hanging:
        hanging.reply = lambda _: Reply(hang_s=60)
        urls = {f"hangs{number}": hanging.url for number in range(8)} | {"well": receiver.url}
        store.outbox.add([opened(number) for number in range(1, 31)])
        metrics = RecordingMetrics()
        chosen = settings(urls, timeout_s=0.5, in_flight_max=4, probes_max=2, circuit_failures=1)
        send(chosen, metrics=metrics)
        receiver.wait_taken(30, 30)
    assert numbers(receiver) == list(range(1, 31))
    assert not any(outcome == "delivered" and name != "well" for name, outcome in metrics.outcomes)


def test_a_receiver_that_goes_away_and_comes_back_misses_nothing(
    store: Store, settings: MakeSettings, send: StartSender
) -> None:
    receiver, metrics = Receiver(), RecordingMetrics()
    with receiving(receiver):
        send(settings({"county": receiver.url}), metrics=metrics)
        store.outbox.add([opened(number) for number in range(1, 6)])
        receiver.wait_taken(5)
    store.outbox.add([opened(number) for number in range(6, 11)])
    wait_until(lambda: metrics.outcomes["county", "unreachable"] > 1)
    with receiving(receiver):
        receiver.wait_taken(10)
    assert numbers(receiver) == list(range(1, 11))


def test_who_listens_where_nobody_is_is_unreachable(store: Store, settings: MakeSettings, send: StartSender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        store.outbox.add([opened(1)])
        url = f"http://u:geheim@127.0.0.1:{taken.getsockname()[1]}/"
        metrics = RecordingMetrics()
        send(settings({"county": url, "nowhere": "https://nobody.invalid/x"}), metrics=metrics)
        wait_until(lambda: metrics.outcomes["county", "unreachable"] > 0)
        wait_until(lambda: metrics.outcomes["nowhere", "unreachable"] > 0)
    assert not any("geheim" in parcel.last_error for parcel in store.outbox.deliveries())


def test_a_password_in_the_url_is_sent_and_proxies_of_the_environment_are_not_used(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    store.outbox.add([opened(1)])
    send(settings({"county": receiver.url.replace("//", "//user:geheim@")}))
    receiver.wait_taken(1)
    assert receiver.taken[0].headers["authorization"] == "Basic dXNlcjpnZWhlaW0="


def test_a_region_hears_of_itself_and_new_endpoints_of_what_comes_after_them(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    with receiving(Receiver()) as other:
        sender = send(settings({"county": receiver.url}, region="130102"))
        store.outbox.add([opened(1, "130102"), opened(2, "130202")])
        receiver.wait_taken(1)
        sender.configure(settings({"county": receiver.url, "all": other.url}))
        wait_until(lambda: sender._settings.endpoints[-1].name == "all")
        store.outbox.add([opened(3, "130202")])
        sender.wake()
        other.wait_taken(1)
        receiver.wait_taken(2)
    assert (numbers(receiver), numbers(other)) == ([1, 3], [3])


def test_an_endpoint_that_was_taken_away_is_sent_nothing_more(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    receiver.reply = lambda _: Reply(500)
    sender = send(settings({"county": receiver.url}))
    store.outbox.add([opened(1)])
    wait_until(lambda: len(receiver.requests) > 0)
    sender.configure(settings({}))
    wait_until(lambda: not sender._settings.endpoints)
    time.sleep(0.2)  # a request that was under way has ended
    before = len(receiver.requests)
    time.sleep(1.0)  # more than twice the longest wait between attempts: nothing comes that could be waited for
    assert len(receiver.requests) == before
    assert [state for _, state in states(store)] == [DeliveryState.WAITING], "it may come back"


def test_a_secret_that_was_exchanged_signs_the_next_notice(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    secret_file: Path,
) -> None:
    other = "whsec_" + "QUJD" * 11
    secret_file.write_text(f"{other}\n{SECRET_LINE}\n")
    sender = send(settings({"county": receiver.url}))
    store.outbox.add([opened(1)])
    receiver.wait_taken(1)
    assert receiver.taken[0].genuine, "both sign while they change"
    secret_file.write_text(other)
    time.sleep(1.1)  # the file is read once a second at most, and nothing shows that it was read
    store.outbox.add([opened(2)])
    sender.wake()
    receiver.wait_taken(2)
    assert not receiver.taken[1].genuine


def test_without_a_usable_secret_nothing_is_sent_and_everything_waits(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    secret_file: Path,
) -> None:
    secret_file.write_text("whsec_short")
    store.outbox.add([opened(1)])
    metrics = RecordingMetrics()
    send(settings({"county": receiver.url}), metrics=metrics)
    wait_until(lambda: metrics.outcomes["county", "no_secret"] > 1)
    assert receiver.requests == []
    secret_file.write_text(SECRET_LINE)
    receiver.wait_taken(1)


def test_more_than_may_wait_is_given_up_at_once_and_can_be_replayed(
    store: Store, receiver: Receiver, settings: MakeSettings, send: StartSender
) -> None:
    receiver.reply = lambda _: Reply(500)
    store.outbox.add([opened(number) for number in range(1, 8)])
    send(settings({"county": receiver.url}, waiting_max=5))
    wait_until(lambda: len(store.outbox.deliveries()) == 7)
    dead = store.outbox.deliveries(DeliveryState.DEAD)
    assert [(delivery.notice.finding_id, delivery.last_error) for delivery in dead] == [
        (7, "queue_full"),
        (6, "queue_full"),
    ]
    receiver.reply = lambda _: Reply()
    store.outbox.replay("", None, time.time_ns())
    receiver.wait_taken(7)


class Away:
    """An outbox whose database goes away for a while when something is to be marked."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.away = threading.Event()
        self.refused = 0

    def record_and_fetch(self, marks: Sequence[DeliveryUpdate], endpoints: Collection[str]) -> list[PendingDelivery]:
        if marks and self.away.is_set():
            self.refused += 1
            raise sa.exc.OperationalError("settle", {}, Exception("the database is away"))
        return self._outbox.record_and_fetch(marks, endpoints)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)


def test_while_the_database_is_away_nothing_is_sent_twice_and_nothing_is_told(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.notices.sender._RETRY_S", 0.1)
    box = Away(store.outbox)
    told: list[int] = []
    box.away.set()
    store.outbox.add([opened(1), opened(2)])
    send(settings({"county": receiver.url}), told.extend, box=box)
    wait_until(lambda: box.refused > 3)
    assert (numbers(receiver), told) == ([1], [])
    box.away.clear()
    receiver.wait_taken(2)
    wait_until(lambda: told == [1, 2])
    assert numbers(receiver) == [1, 2]


def test_a_listener_that_fails_is_told_again(
    store: Store,
    receiver: Receiver,
    settings: MakeSettings,
    send: StartSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.notices.sender._RETRY_S", 0.1)
    told: list[int] = []

    def tell(delivered: Mapping[int, str]) -> None:
        told.extend(delivered)
        if len(told) < 3:
            raise StoreError("the ledger is away")

    store.outbox.add([opened(5)])
    send(settings({"county": receiver.url}), tell)
    wait_until(lambda: told == [5, 5, 5])


def test_what_was_delivered_before_a_crash_is_told_after_it(
    store: Store, settings: MakeSettings, send: StartSender
) -> None:
    store.outbox.add([opened(4), opened(9, kind="finding.claimed"), opened(6)])
    store.outbox.route(lambda _: ["county"], time.time_ns(), 10, 10)
    store.outbox.record_and_fetch(
        [
            DeliveryUpdate("county", 1, DeliveryState.DELIVERED, 1),
            DeliveryUpdate("county", 2, DeliveryState.DELIVERED, 1),
        ]
    )
    told: dict[int, str] = {}
    send(settings({}), told.update)
    wait_until(lambda: told == {4: "county"})


def test_an_https_endpoint_is_verified(store: Store, settings: MakeSettings, send: StartSender, tmp_path: Path) -> None:
    pem, context = certificate(tmp_path)
    receiver, metrics = Receiver(), RecordingMetrics()
    with receiving(receiver, context):
        store.outbox.add([opened(1)])
        url = receiver.url.replace("http:", "https:")
        own = settings({"own": url}, ca_file=str(pem))
        strangers = settings({"stranger": url})
        send(own.model_copy(update={"endpoints": own.endpoints + strangers.endpoints}), metrics=metrics)
        receiver.wait_taken(1)
        wait_until(lambda: metrics.outcomes["stranger", "unreachable"] > 0)
    assert len(receiver.taken) == 1


@pytest.mark.long
def test_kill_9_of_the_sender_loses_nothing_and_repeats_only_with_the_same_id(
    store: Store, receiver: Receiver, settings: MakeSettings, tmp_path: Path, secret_file: Path
) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(
        "[notices]\nwait_first_s = 0.1\nwait_max_s = 0.2\nper_s_max = 300\n"
        f'[[notices.endpoints]]\nname = "county"\nurl = "{receiver.url}"\nsecret_file = "{secret_file}"\n'
    )
    draw = random.Random(7)
    receiver.reply = lambda _: Reply(hang_s=0.005) if draw.random() < 0.9 else Reply(500)
    total = 200
    store.outbox.add([opened(number) for number in range(1, total + 1)])
    database, kills = f"sqlite:///{tmp_path}/patrol.db", 0
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    while len(set(numbers(receiver))) < total:
        assert kills < 40
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.notice_senders", database, str(config)], cwd=ROOT, env=environment,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            process.stdout.readline()
            before = len(receiver.taken)
            with suppress(AssertionError):  # what is left may be fewer
                receiver.wait_taken(min(before + draw.randrange(20, 60), total + kills), 10)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kills += 1
    assert kills > 2
    ids = receiver.ids()
    assert len(set(ids)) == total
    assert len(ids) <= total + kills, "a kill repeats what was on the wire, and no more"
    by_id: dict[str, set[bytes]] = {}
    for request in receiver.requests:
        by_id.setdefault(request.headers["webhook-id"], set()).add(request.body)
    assert all(len(bodies) == 1 for bodies in by_id.values())
    first = list(dict.fromkeys(numbers(receiver)))
    assert first == list(range(1, total + 1)), "in order, but for what is repeated"
