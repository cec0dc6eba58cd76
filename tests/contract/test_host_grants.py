"""Grants of the caps of platforms on a real PostgreSQL: they end with their leases, and never exceed the cap."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.clock import NS_PER_S, monotonic_ns
from engine.config.calendar import Calendar
from engine.config.feed import FeedSettings
from engine.config.schema import SchedulerSettings, Settings
from engine.feed import wire
from engine.hub.registry import Registry
from engine.hub.shards.host_caps import HostCaps
from engine.hub.shards.lease import ShardLease
from engine.hub.thread_calls import ThreadCalls
from engine.hub.visiting.visits import Visits
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.shard import HostGrants, ShardTask
from engine.model.visit import FailureReason, VisitFailure
from engine.scheduler.core import Scheduler
from engine.storage.db.shards.host_grants import HostGrantStore, all_grants
from engine.storage.db.shards.leases import Lease
from patrol.v1 import feed_pb2
from tests.support.cluster.site import COUNTIES, Site, refused
from tests.support.waiting import wait_until

HOST = "10.0.0.1"
SHARED = {HOST: {1: 0.25, 2: 0.75}}


def grants_of(site: Site, lease: Lease) -> HostGrantStore:
    store = site.open(lease).host_grants
    assert store is not None
    return store


def always(visits: int | None) -> Callable[[HostGrants], int | None]:
    return lambda _: visits


def test_a_grant_counts_while_its_lease_has_its_epoch_and_lives(site: Site) -> None:
    site.leases.assign(COUNTIES, SHARED)
    first, second = site.take(1, "a", ttl_s=0.5), site.take(2, "b")
    short, long = grants_of(site, first), grants_of(site, second)
    assert short.shared_hosts() == {HOST: True}
    short.change(HOST, always(3))
    seen: list[HostGrants] = []
    after = long.change(HOST, lambda now: seen.append(now) or 4)  # type: ignore[func-returns-value]
    assert (seen[0].shares, seen[0].granted) == ({1: 0.25, 2: 0.75}, {1: 3})
    assert after.granted == long.read([HOST])[HOST].granted == {1: 3, 2: 4}
    assert abs(after.clock_s - time.time()) < 60
    time.sleep(0.6)
    assert (long.read([HOST])[HOST].granted, long.read([HOST])[HOST].shares) == ({2: 4}, {2: 0.75})
    again = site.take(1, "c")
    assert long.read([HOST])[HOST].granted == {2: 4}, "the next owner begins with nothing"
    assert long.read([HOST])[HOST].shares == {1: 0.25, 2: 0.75}
    grants_of(site, again).change(HOST, always(0))
    assert all_grants(site.engine)[HOST].granted == {1: 0, 2: 4}
    assert long.change(HOST, always(None)).granted == {1: 0}
    assert long.read([HOST, "elsewhere"])["elsewhere"].granted == {}
    site.leases.release(again)
    assert all_grants(site.engine)[HOST].granted == {}


def test_who_has_lost_its_shard_changes_no_grant(site: Site) -> None:
    site.leases.assign(COUNTIES, SHARED)
    lease = site.take(1, "a", ttl_s=0.1)
    zombie = site.open(lease)
    assert zombie.host_grants is not None
    zombie.host_grants.change(HOST, always(3))
    time.sleep(0.2)
    owner = grants_of(site, site.take(1, "b"))
    owner.change(HOST, always(1))
    assert refused(zombie, lambda: zombie.host_grants.change(HOST, always(9)))  # type: ignore[union-attr]
    assert refused(zombie, lambda: zombie.host_grants.change(HOST, always(None)))  # type: ignore[union-attr]
    assert owner.read([HOST])[HOST].granted == {1: 1}


def test_of_two_who_change_a_grant_at_once_the_second_sees_what_the_first_has(site: Site) -> None:
    site.leases.assign(COUNTIES, SHARED)
    stores = [grants_of(site, site.take(number)) for number in (1, 2)]
    begin = threading.Barrier(2)

    def take_all(store: HostGrantStore, number: int) -> None:
        begin.wait()
        store.change(HOST, lambda now: 10 - sum(had for other, had in now.granted.items() if other != number))

    for _ in range(20):
        for store in stores:
            store.change(HOST, always(None))
        threads = [threading.Thread(target=take_all, args=(store, number)) for number, store in enumerate(stores, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(all_grants(site.engine)[HOST].granted.values()) == [0, 10]


def test_a_renewal_says_that_shares_were_stored_anew(site: Site) -> None:
    lease = site.take(1)
    versions = []
    for shared in ({}, SHARED, {}):
        site.leases.assign(COUNTIES, shared)
        versions += [site.leases.renew(lease, 60), site.leases.renew(lease, 60)]
    assert versions[0] == versions[1]
    assert len({renewal.shares_version for renewal in versions if renewal is not None}) == 3


@dataclass
class Engine:
    """The scheduler of a shard, with its part of the caps: a hub without its processes."""

    visits: Visits
    caps: HostCaps
    lease: ShardLease
    orders: list[int] = field(default_factory=list)

    def step(self) -> None:
        self.caps.step_in_hub()
        self.visits.advance(monotonic_ns(), room=1000)

    def end_visits(self, left: int = 0) -> None:
        ended = self.orders[left:]
        del self.orders[left:]
        for visit_id in ended:
            self.visits.failed(VisitFailure("", visit_id, FailureReason.REFUSED, ""), monotonic_ns())


@contextmanager
def engine(site: Site, number: int, cap: int = 8, cameras: int = 30, deadline_s: float = 120) -> Iterator[Engine]:
    """An engine of a shard whose cameras are all due."""
    lease_s = 10.0  # longer than a busy machine lets a process stand still
    lease = ShardLease.take(site.url, ShardTask(number, "node", lease_s), lambda: True)
    lease.start()
    store = site.open(lease.lease)
    assert store.host_grants is not None
    settings = Settings(
        scheduler=SchedulerSettings(
            host_visits_max={HOST: cap}, key_period_s=1, ordinary_period_s=1, backoff_max_s=1, outage_cameras_min=1000,
            backoff_connect_first_s=1, backoff_stream_first_s=1, starts_per_s_max=10_000, host_starts_per_s_max=10_000,
        ),
        feed=FeedSettings(deadline_s=deadline_s),
    )  # fmt: skip
    known = [Camera(f"c{number}-{n}", f"rtsp://{HOST}/{n}", uplink=f"u{number}-{n}") for n in range(cameras)]
    orders: list[int] = []

    def send(frames: Any, _: bytes) -> bool:
        orders.append(wire.unpack_order(frames).visit_id)
        return True

    scheduler = Scheduler(settings.scheduler, Calendar(), first_visit_id=number << 32)
    visits = Visits(settings, Registry(known, {}), scheduler, send, Metrics("1"))
    caps = HostCaps(store.host_grants, lease, visits, ThreadCalls())
    try:
        caps.step_in_hub()
        status = feed_pb2.FeederStatus(kind=feed_pb2.FEED_KIND_RTSP, capacity=1000)
        visits.heartbeat("f", status, monotonic_ns())
        visits.upsert(known, monotonic_ns())
        yield Engine(visits, caps, lease, orders)
    finally:
        lease.close()


def settled(engines: list[Engine], wanted: list[int], cap: int = 8) -> None:
    """Have the engines make their steps, and their visits end, until each has so many under way."""
    give_up_ns = monotonic_ns() + 30 * NS_PER_S
    seen: list[list[int]] = []
    while monotonic_ns() < give_up_ns:
        for each in engines:
            each.step()
            assert sum(len(other.orders) for other in engines) <= cap
        seen.append([len(each.orders) for each in engines])
        granted = [sum(each.caps.granted.values()) for each in engines]
        if seen[-1] == wanted and granted in (wanted, [0]):
            return
        for each in engines:
            each.end_visits()
        time.sleep(0.2)  # all cameras of this patrol are due once a second
    raise AssertionError(f"visits under way are {seen[-9:]}, wanted {wanted}")


def test_engines_divide_a_cap_and_use_what_one_that_is_away_leaves(site: Site) -> None:
    site.leases.assign(COUNTIES, SHARED)
    with engine(site, 1) as one:
        settled([one], [8])
        with engine(site, 2) as two:
            two.step()
            one.step()
            two.step()
            assert (len(one.orders), len(two.orders)) == (8, 0), "nothing is free until visits have ended"
            one.end_visits(left=5)
            one.step()
            two.step()
            assert (len(one.orders), one.caps.granted, two.caps.granted) == (5, {HOST: 5}, {HOST: 3})
            one.end_visits()
            settled([one, two], [2, 6])
            site.leases.assign(COUNTIES, {HOST: {1: 0.5, 2: 0.5}})  # no engine is started anew for it
            settled([two, one], [4, 4])
        settled([one], [8])
        site.leases.assign(COUNTIES, {})
        wait_until(lambda: one.step() or one.caps.granted == {}, what="it is shared no more")  # type: ignore[func-returns-value]
        settled([one], [8])


def test_one_visit_that_two_may_make_goes_round(site: Site) -> None:
    site.leases.assign(COUNTIES, SHARED)
    with engine(site, 1, cap=1, deadline_s=1) as one, engine(site, 2, cap=1, deadline_s=1) as two:
        for wanted in ([1, 0], [0, 1], [1, 0]):
            settled([one, two], wanted, cap=1)


def test_who_has_no_share_of_a_shared_platform_makes_one_visit_at_once(site: Site) -> None:
    site.leases.assign({**COUNTIES, "130305": 3}, SHARED)
    with engine(site, 1) as one, engine(site, 2) as two, engine(site, 3) as unassigned:
        settled([one, two, unassigned], [2, 5, 1])


@pytest.mark.parametrize("cameras", [0, 5])
def test_an_engine_that_visits_no_shared_platform_asks_for_nothing(site: Site, cameras: int) -> None:
    site.leases.assign(COUNTIES, {"elsewhere": {2: 0.5, 3: 0.5}} if cameras else {})
    with engine(site, 1, cameras=cameras) as one:
        one.step()
        assert one.caps.granted == {}
        assert all_grants(site.engine).get(HOST) is None
        one.step()
        assert len(one.orders) <= cameras
