"""Which failures of visits judge a camera, and when the hub gives a feeder up."""

import pytest

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.feed import wire
from engine.hub.registry import Registry
from engine.hub.visiting.visits import SILENT_AFTER_NS, Visits
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.visit import NOT_JUDGED, FailureReason, VisitFailure, VisitOrder
from engine.scheduler.core import Scheduler
from patrol.v1 import feed_pb2


class Hub:
    """Visits of two cameras with one feeder; `orders` that were sent and have not ended."""

    def __init__(self) -> None:
        cameras = [Camera(f"c{at}", f"rtsp://10.0.0.{at}/1") for at in (1, 2)]
        settings = Settings()
        self.scheduler = Scheduler(settings.scheduler, Calendar(), first_visit_id=1)
        self.metrics = Metrics("1")
        self.orders: list[VisitOrder] = []
        self.takes_orders = True
        self.tried = 0
        self.visits = Visits(settings, Registry(cameras, {}), self.scheduler, self._send, self.metrics)
        self.now_ns = NS_PER_S
        self.visits.upsert(cameras, self.now_ns)
        self.beat()

    def _send(self, frames: object, name: bytes) -> bool:
        del name
        self.tried += 1
        if not self.takes_orders:
            return False
        self.orders.append(wire.unpack_order(frames))  # type: ignore[arg-type]
        return True

    def beat(self) -> None:
        status = feed_pb2.FeederStatus(kind=feed_pb2.FEED_KIND_RTSP, capacity=10)
        self.visits.heartbeat("feeder-0.1", status, self.now_ns)

    def next_order(self) -> VisitOrder:
        while not self.orders:
            self.now_ns = max(self.now_ns + 1, self.scheduler.next_wakeup_ns() or 0)
            self.visits.advance(self.now_ns, room=100)
        return self.orders.pop(0)

    def fail(self, reason: FailureReason) -> VisitFailure | None:
        order = self.next_order()
        return self.visits.failed(VisitFailure(order.camera_id, order.visit_id, reason, "why"), self.now_ns)


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_camera_is_judged_by_every_failure_that_says_something_of_it(reason: FailureReason) -> None:
    hub = Hub()
    judged = hub.fail(reason)
    assert (judged is None) == (reason in NOT_JUDGED)
    assert f'patrol_visits_total{{outcome="{reason}",via="rtsp"}} 1.0' in hub.metrics.render().decode()
    hub.visits.check_invariants()


def test_the_visits_of_a_feeder_that_ended_are_lost_and_made_again() -> None:
    hub = Hub()
    order = hub.next_order()
    hub.visits.feeder_lost("feeder-0.1", hub.now_ns)
    assert 'outcome="lost",via="rtsp"} 1.0' in hub.metrics.render().decode()
    hub.beat()
    seen = {hub.next_order().camera_id for _ in range(2)}
    assert order.camera_id in seen


def test_an_order_that_its_feeder_does_not_take_waits_for_the_next_heartbeat_and_is_not_lost() -> None:
    hub = Hub()
    hub.takes_orders = False
    while not hub.tried:
        hub.now_ns = max(hub.now_ns + 1, hub.scheduler.next_wakeup_ns() or 0)
        hub.visits.advance(hub.now_ns, room=100)
    hub.visits.check_invariants()
    tried, hub.takes_orders = hub.tried, True
    hub.visits.advance(hub.now_ns + 1, room=100)
    assert (hub.tried, hub.orders) == (tried, []), "nothing is sent before the feeder is heard of again"
    hub.beat()
    assert hub.orders
    hub.visits.check_invariants()
    assert 'outcome="lost",via="rtsp"} 0.0' in hub.metrics.render().decode()


def test_a_feeder_is_silent_without_heartbeats() -> None:
    hub = Hub()
    assert hub.visits.silent_feeders(hub.now_ns + SILENT_AFTER_NS) == set()
    assert hub.visits.silent_feeders(hub.now_ns + SILENT_AFTER_NS + 1) == {"feeder-0.1"}
    hub.beat()
    assert hub.visits.silent_feeders(hub.now_ns) == set()
