"""What fronts pass on goes the way of a push, once: repeats and cameras that are elsewhere do not become verdicts."""

import asyncio
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.clock import NS_PER_S, wall_ns
from engine.config.intake import IntakeSettings
from engine.errors import ErrorReason, InvalidArgumentError
from engine.feed import passed_on
from engine.feed.passed_on import Kept
from engine.hub.keyframes.gateways import Gateways
from engine.hub.keyframes.latest_times import LatestTimes
from engine.hub.shards.front_pushes import FrontPushes
from engine.hub.thread_calls import ThreadCalls
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe, Push
from engine.model.visit import FeedKind
from engine.runtime.connection_limit import ConnectionLimit
from engine.serve.access.refusals import PUSH, Refusals
from patrol.v1 import feed_pb2

CAMERAS = {name: Camera(name, "", push=True) for name in "abc"} | {"visited": Camera("visited", "rtsp://h/1")}


@dataclass
class Engine:
    """The part of a shard's engine that takes pushes, with a thread in the hub's place. `room`: of the intake."""

    stored: dict[str, int] = field(default_factory=dict)
    room: int = 100
    arrived: list[Keyframe] = field(default_factory=list)
    metrics: Metrics = field(default_factory=lambda: Metrics(version="test"))
    refusals: Refusals = field(default_factory=Refusals)

    def __post_init__(self) -> None:
        limit, settings = ConnectionLimit(1), IntakeSettings()
        latest = LatestTimes()
        gateways = Gateways(settings, CAMERAS, None, self.metrics, limit, self.refusals, latest)
        self.calls = ThreadCalls()
        room = lambda: len(self.arrived) < self.room  # noqa: E731
        self.pushes = FrontPushes(gateways, latest, self.stored_ns, self.calls, self.take_in, room)

    def stored_ns(self, camera_ids: Collection[str]) -> dict[str, int]:
        return {camera_id: self.stored.get(camera_id, 0) for camera_id in camera_ids}

    def take_in(self, keyframe: Keyframe, now_ns: int) -> None:
        assert now_ns
        self.arrived.append(keyframe)

    @contextmanager
    def running(self) -> Iterator[None]:
        stopping = threading.Event()

        def turn() -> None:
            while not stopping.wait(0.001):
                self.calls.run_waiting()

        thread = threading.Thread(target=turn)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def take(self, *pushes: Push) -> Kept:
        with self.running():
            return passed_on.unpack_kept(asyncio.run(self.pushes.take(passed_on.pack(pushes))))

    def drops(self, reason: str) -> bool:
        return f'patrol_intake_dropped_frames_total{{reason="{reason}"}} 1.0' in self.metrics.render().decode()


def push(camera_id: str, at_wall_ns: int = 0, payload: bytes = b"x") -> Push:
    at = at_wall_ns or wall_ns()
    return Push("changan", Keyframe(camera_id, 7, Codec.H264, payload, at, 3, FeedKind.RTSP))


def names(keyframes: Sequence[Keyframe]) -> list[str]:
    return [keyframe.camera_id for keyframe in keyframes]


def test_a_keyframe_arrives_as_a_push_with_the_time_that_the_front_gave_it() -> None:
    engine, at_wall_ns = Engine(), wall_ns() - NS_PER_S
    assert engine.take(push("a", at_wall_ns, b"picture")) == Kept()
    (keyframe,) = engine.arrived
    assert (keyframe.payload, keyframe.arrival_wall_ns, keyframe.stream_time_ns) == (b"picture", at_wall_ns, 3)
    assert keyframe.source is FeedKind.GATEWAY
    assert keyframe.visit_id > at_wall_ns


def test_a_keyframe_that_is_sent_again_is_counted_and_not_judged_twice() -> None:
    engine, at_wall_ns = Engine(), wall_ns()
    engine.take(push("a", at_wall_ns))
    assert engine.take(push("a", at_wall_ns)) == Kept()
    assert names(engine.arrived) == ["a"]
    assert engine.drops("not_newer")
    engine.take(push("a", at_wall_ns + 1))
    assert names(engine.arrived) == ["a", "a"]


def test_an_engine_that_has_just_started_knows_of_the_verdicts_before() -> None:
    at_wall_ns = wall_ns()
    engine = Engine(stored={"a": at_wall_ns})
    engine.take(push("a", at_wall_ns), push("b", at_wall_ns))
    assert names(engine.arrived) == ["b"]


def test_without_room_the_rest_stays_at_the_front() -> None:
    engine = Engine(room=1)
    assert engine.take(push("a"), push("b"), push("c")) == Kept(no_room=2)
    assert names(engine.arrived) == ["a"]
    engine.room = 3
    assert engine.take(push("b"), push("c")) == Kept()


def test_a_camera_that_the_engine_does_not_have_stays_at_the_front() -> None:
    engine = Engine()
    assert engine.take(push("a"), push("moving"), push("b")) == Kept(unknown=(1,))
    assert names(engine.arrived) == ["a", "b"]


@pytest.mark.parametrize(("camera_id", "at_wall_ns", "reason"), [("visited", 0, "not_pushed"), ("a", 1, "bad_time")])
def test_what_the_engine_refuses_names_the_gateway(camera_id: str, at_wall_ns: int, reason: str) -> None:
    engine = Engine()
    with capture_logs() as logged:
        assert engine.take(push(camera_id, at_wall_ns)) == Kept()
    assert not engine.arrived
    assert engine.drops(reason)
    assert [(line["event"], line["gateway"], line["reason"]) for line in logged] == [
        ("push refused", "changan", reason)
    ]
    (refused,) = engine.refusals.drain()
    assert (refused.kind.method, refused.kind.actor.name) == (PUSH, "gateway changan")


@pytest.mark.parametrize("raw", [b"\xff\xff", b"".join([b"\x0a\x00"] * 65)])
def test_bytes_that_are_no_keyframes_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        asyncio.run(Engine().pushes.take(raw))
    assert caught.value.error_reason is ErrorReason.REQUEST_MALFORMED


def test_a_header_that_is_none_ends_that_keyframe_alone() -> None:
    engine = Engine()
    items: Any = [
        feed_pb2.PassedOnKeyframes.Item(gateway="g", header=b"\xff", payload=b"x"),
        feed_pb2.PassedOnKeyframes.Item(gateway="g", header=b"", payload=b""),
    ]
    with engine.running():
        raw = feed_pb2.PassedOnKeyframes(items=items).SerializeToString()
        assert passed_on.unpack_kept(asyncio.run(engine.pushes.take(raw))) == Kept()
    assert 'dropped_frames_total{reason="malformed"} 2.0' in engine.metrics.render().decode()


def test_cameras_that_left_the_registry_are_forgotten() -> None:
    times = LatestTimes()
    for number in range(2000):
        assert times.advance(str(number), 5)
    times.prune({"1"})
    assert times.advance("2", 4), "its time is forgotten"
    assert not times.advance("1", 5)
