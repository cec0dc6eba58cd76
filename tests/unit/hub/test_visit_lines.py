"""Every line of the log about a visit's trouble says which visit, which camera, and where that is."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar
from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.feed import wire
from engine.feed.broken_visit import broken_visit
from engine.feed.demuxing.pool import DemuxPool
from engine.feed.sources.progress import Progress
from engine.hub.registry import Registry
from engine.hub.stories.stories import Stories
from engine.hub.visiting.visits import Visits
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.schedule import SetAsideReason
from engine.model.stories.story import StoryStep
from engine.model.verdict import State, Verdict
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.runtime.log_events import SUB_STREAM_SET_ASIDE, VISIT_EXPIRED
from engine.scheduler.core import Scheduler
from engine.scheduler.events import SubStreamSetAside
from patrol.v1 import feed_pb2

ORDER = VisitOrder(77, "cam", "rtsp://u:Geheim77@10.0.0.1/1", NS_PER_S, FeedKind.RTSP, "130102")
WHERE = {"camera_id": "cam", "region": "130102", "visit_id": 77}


def lines_with(captured: list[dict[str, object]], event: str) -> list[dict[str, object]]:
    return [line for line in captured if line["event"] == event]


def has_place(line: dict[str, object]) -> bool:
    return {name: line[name] for name in WHERE} == WHERE


def test_a_feeder_knows_the_region_of_the_camera_that_it_visits() -> None:
    assert wire.unpack_order(wire.pack_order(ORDER)) == ORDER
    older = feed_pb2.VisitOrder(visit_id=1, camera_id="c", url="rtsp://h/1", deadline_ns=9, via=feed_pb2.FEED_KIND_RTSP)
    assert wire.unpack_order([wire.ORDER, older.SerializeToString()]).region == ""


def test_a_visit_that_breaks_is_logged_with_its_place() -> None:
    with capture_logs() as captured:
        try:
            raise LookupError("this test alone")
        except LookupError as error:
            broken_visit(ORDER, error)
    (line,) = lines_with(captured, "visit broke")  # type: ignore[arg-type]
    assert has_place(line)


def test_a_thread_that_hangs_is_logged_with_its_place() -> None:
    pool = DemuxPool(FeedSettings(demux_threads=1), lambda _outcome: None)
    with capture_logs() as captured:
        order = VisitOrder(77, "cam", "file:///nothing", 1, FeedKind.DEMUX, "130102")
        flight = _Late(order)
        pool._flights.add(flight)  # type: ignore[arg-type]
        pool.tick(10 * NS_PER_S)
    (line,) = lines_with(captured, "demuxing thread is stuck")  # type: ignore[arg-type]
    assert has_place(line)


class _Late:
    """A visit whose deadline is long past."""

    def __init__(self, order: VisitOrder) -> None:
        self.order = order
        self.progress = Progress(0, 1)
        self.progress.deadline_ns = 0
        self.thread = self.trace = None

    def claim(self) -> bool:
        return True


class Hub:
    """Visits of one camera, and its stories."""

    def __init__(self) -> None:
        camera = Camera("cam", "rtsp://10.0.0.1/1", region="130102")
        settings = Settings()
        self.stories = Stories()
        self.scheduler = Scheduler(settings.scheduler, Calendar(), first_visit_id=77)
        self.orders: list[VisitOrder] = []
        self.visits = Visits(
            settings, Registry([camera], {}), self.scheduler, self._send, Metrics("1"), stories=self.stories
        )
        self.now_ns = NS_PER_S
        self.visits.upsert([camera], self.now_ns)
        self.visits.heartbeat("feeder-0.1", feed_pb2.FeederStatus(kind=feed_pb2.FEED_KIND_RTSP, capacity=9), NS_PER_S)

    def _send(self, frames: object, name: bytes) -> bool:
        del name
        self.orders.append(wire.unpack_order(frames))  # type: ignore[arg-type]
        return True

    def advance(self) -> None:
        self.now_ns = max(self.now_ns + 1, self.scheduler.next_wakeup_ns() or 0)
        self.visits.advance(self.now_ns, room=100)


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    while not hub.orders:
        hub.advance()
    yield hub
    hub.visits.check_invariants()


def trouble(stories: Stories) -> None:
    gone = Verdict("cam", 1, 1, State.OFFLINE, announced=State.OFFLINE, reason="refused")
    stories.judged(gone, State.OK, True, None, None, 0)


def test_a_visit_that_nobody_answered_is_logged_with_its_place_and_told_in_the_story(hub: Hub) -> None:
    trouble(hub.stories)
    with capture_logs() as captured:
        while not (lines := lines_with(captured, "visit expired")):  # type: ignore[arg-type]
            hub.advance()
    assert has_place(lines[0])
    assert set(lines[0]) == {"event", "log_level", *VISIT_EXPIRED.fields}
    assert [event.reason for event in hub.stories.story("cam").events if event.visit_id == 77] == ["expired"]


def test_the_order_of_a_camera_in_trouble_and_a_lost_visit_are_told_in_the_story(hub: Hub) -> None:
    trouble(hub.stories)
    lost = VisitFailure("cam", hub.orders[0].visit_id, FailureReason.LOST, "")
    assert hub.visits.failed(lost, hub.now_ns) is None
    while len(hub.orders) < 2:
        hub.advance()
    told = [(event.step, event.reason, event.visit_id) for event in hub.stories.story("cam").events]
    assert (StoryStep.FAILED, "lost", 77) in told
    assert (StoryStep.ORDERED, "rtsp", hub.orders[1].visit_id) in told


def test_a_quiet_camera_has_no_story_of_its_orders(hub: Hub) -> None:
    assert hub.orders[0].region == "130102"
    assert hub.stories.counts()[:2] == (0, 0)


def test_a_sub_stream_that_is_set_aside_is_logged_with_its_place(hub: Hub) -> None:
    with capture_logs() as captured:
        hub.visits._note(SubStreamSetAside("cam", SetAsideReason.FAILED, 3))
    (line,) = lines_with(captured, "sub-stream set aside")  # type: ignore[arg-type]
    assert set(line) == {"event", "log_level", *SUB_STREAM_SET_ASIDE.fields}
    assert (line["camera_id"], line["region"], line["reason"], line["visits"]) == ("cam", "130102", "failed", 3)
