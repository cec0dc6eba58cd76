"""One contract, two databases: what the outbox promises, in SQLite and in a real PostgreSQL."""

import time
from collections.abc import Iterator

import pytest

from engine.model.notice import PRUNE_ROWS, Backlog, DeliveryState, DeliveryUpdate, Notice
from engine.storage.db.outbox import Outbox
from engine.storage.db.store import Store

DAY = 86_400 * 10**9
NOW = 1_764_000_000 * 10**9
WAITING, DELIVERED, DEAD = DeliveryState


@pytest.fixture
def outbox(database_url: str) -> Iterator[Outbox]:
    store = Store.open(database_url)
    yield store.outbox
    store.close()


def notice(number: int, region: str = "130102", kind: str = "finding.opened") -> Notice:
    return Notice(0, kind, number, 1, NOW, region, f'{{"finding":"findings/{number}","site_name":"第一中学食堂"}}')


def everybody(_: Notice) -> list[str]:
    return ["city", "county"]


def heads(outbox: Outbox, *endpoints: str) -> dict[str, int]:
    return {parcel.endpoint: parcel.notice.finding_id for parcel in outbox.record_and_fetch((), endpoints)}


def states(outbox: Outbox) -> dict[str, DeliveryState]:
    return {parcel.name: parcel.state for parcel in outbox.deliveries()}


def test_a_notice_goes_to_whom_it_is_for_once_and_in_order(outbox: Outbox) -> None:
    outbox.add([notice(1), notice(2, "130202"), notice(3)])
    near = ["county"]
    assert outbox.route(lambda notice: near if notice.region == "130102" else ["city"], NOW, 2, 100) == (2, 0)
    assert outbox.route(everybody, NOW, 2, 100) == (1, 0)
    assert outbox.route(everybody, NOW, 2, 100) == (0, 0)
    assert heads(outbox, "city", "county", "nobody") == {"city": 2, "county": 1}
    (head,) = outbox.record_and_fetch([DeliveryUpdate("county", 1, DELIVERED, 1)], ["county"])
    assert (head.notice, head.attempts, head.queued_wall_ns) == (
        Notice(3, "finding.opened", 3, 1, NOW, "130102", notice(3).body), 0, NOW,
    )  # fmt: skip


def test_what_became_of_a_notice_is_kept(outbox: Outbox) -> None:
    outbox.add([notice(1)])
    outbox.route(everybody, NOW, 10, 100)
    outbox.record_and_fetch(
        [
            DeliveryUpdate("city", 1, WAITING, 3, NOW + DAY, "e" * 1000),
            DeliveryUpdate("county", 1, DEAD, 4, 0, "refused"),
        ]
    )
    city, county = outbox.deliveries()
    assert (city.state, city.attempts, city.next_wall_ns, city.last_error) == (WAITING, 3, NOW + DAY, "e" * 300)
    assert (county.state, county.last_error) == (DEAD, "refused")
    assert outbox.backlogs() == {"city": Backlog(1, NOW, 0), "county": Backlog(0, 0, 1)}
    assert [parcel.name for parcel in outbox.deliveries(DEAD)] == ["county/1"]
    assert [parcel.name for parcel in outbox.deliveries(endpoint="city")] == ["city/1"]


def test_a_replay_begins_as_if_it_were_new_and_goes_first(outbox: Outbox) -> None:
    outbox.add([notice(1), notice(2)])
    outbox.route(lambda _: ["county"], NOW, 10, 100)
    outbox.record_and_fetch([DeliveryUpdate("county", 1, DEAD, 4, 0, "refused")])
    assert outbox.replay("county", 2, NOW + DAY) == 0
    assert outbox.replay("county", 1, NOW + DAY) == 1
    (head,) = outbox.record_and_fetch((), ["county"])
    assert (head.notice.finding_id, head.attempts, head.queued_wall_ns) == (1, 0, NOW + DAY)


def test_beyond_the_most_that_may_wait_new_ones_are_given_up_at_once(outbox: Outbox) -> None:
    outbox.add([notice(number) for number in range(1, 6)])
    assert outbox.route(lambda _: ["county"], NOW, 10, 3) == (5, 2)
    assert outbox.backlogs()["county"] == Backlog(3, NOW, 2)


def test_who_was_told_of_an_opening_is_known(outbox: Outbox) -> None:
    outbox.add([notice(7), notice(8, kind="finding.claimed"), notice(9)])
    outbox.route(everybody, NOW, 10, 100)
    told = [
        DeliveryUpdate("county", 1, DELIVERED, 1),
        DeliveryUpdate("city", 1, DELIVERED, 1),
        DeliveryUpdate("city", 2, DELIVERED, 1),
    ]
    outbox.record_and_fetch([*told, DeliveryUpdate("city", 3, DEAD, 1)])
    assert outbox.delivered_openings() == {7: "city"}


def test_old_rows_go_and_what_waits_or_can_be_replayed_stays(outbox: Outbox) -> None:
    outbox.add([notice(number) for number in range(1, 5)])
    outbox.route(lambda notice: ["a"] if notice.seq < 4 else [], NOW, 10, 10)
    outbox.record_and_fetch([DeliveryUpdate("a", 1, DELIVERED, 1), DeliveryUpdate("a", 2, DEAD, 1)])
    assert outbox.prune(NOW + 46 * DAY, 45 * DAY, 90 * DAY) == 3  # the delivered one, its notice, the one for nobody
    assert list(states(outbox)) == ["a/3", "a/2"]
    assert outbox.prune(NOW + 91 * DAY, 45 * DAY, 90 * DAY) == 4
    outbox.add([notice(9)])
    outbox.route(lambda _: ["a"], NOW, 10, 10)
    assert list(states(outbox)) == ["a/5"], "numbers of old rows are not given again"


def test_what_nobody_has_routed_yet_never_goes(outbox: Outbox) -> None:
    outbox.add([notice(1)])
    assert outbox.prune(NOW + 1000 * DAY, DAY, DAY) == 0
    assert outbox.route(everybody, time.time_ns(), 10, 10) == (1, 0)


def test_old_rows_go_in_small_steps(outbox: Outbox) -> None:
    outbox.add([notice(number) for number in range(PRUNE_ROWS + 10)])
    outbox.route(lambda _: [], NOW, 10_000, 10)
    assert outbox.prune(NOW + 2 * DAY, DAY, DAY) == PRUNE_ROWS
    assert outbox.prune(NOW + 2 * DAY, DAY, DAY) == 10
