"""The intake of a front: what comes over its socket waits for the shard of its camera, or ends with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.clock import wall_ns
from engine.config.load import loads
from engine.feed import wire
from engine.front.pushes.intake import CameraShards, FrontIntake, bounds_of
from engine.front.pushes.passing_on import PassingOn
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.serve.access.refusals import Refusals
from tests.support.waiting import wait_until


class Cameras(dict[str, Camera]):
    """A registry that breaks when it is asked for one camera."""

    def get(self, camera_id: str, default: object = None) -> Camera | None:  # type: ignore[override]
        del default
        if camera_id == "broken":
            raise RuntimeError("a bug")
        return super().get(camera_id)


class NoEngines:
    """No engine takes anything: `run` is never called here."""

    async def take(self, shard_no: int, raw: bytes) -> bytes:
        raise NotImplementedError


class Front:
    """A front's intake with a gateway, without a sender behind it."""

    def __init__(self) -> None:
        settings, self.metrics = loads("[intake]\nlisten = 'tcp://127.0.0.1:0'\n"), Metrics(version="test")
        cameras = Cameras(
            a=Camera("a", "", push=True, region="130102"), far=Camera("far", "", push=True, region="139999")
        )
        counties = {"130102": 1}
        shard_of = CameraShards(cameras, lambda region: counties.get(region, 0))
        self.passing_on = PassingOn(bounds_of(settings), NoEngines(), shard_of, self.metrics)
        self.intake = FrontIntake(settings, cameras, shard_of, self.passing_on, self.metrics, Refusals())
        self.transport = Transport()
        self._gateway = self.transport.connect_push(self.intake.address)

    def push(self, camera_id: str) -> None:
        keyframe = Keyframe(camera_id, 0, Codec.H264, b"x", wall_ns(), None, FeedKind.GATEWAY)
        assert self._gateway.send(wire.pack_keyframe(keyframe))

    def shows(self, line: str) -> bool:
        return line in self.metrics.render().decode().splitlines()


@contextmanager
def running() -> Iterator[Front]:
    front = Front()
    try:
        yield front
    finally:
        front.transport.close()
        front.intake.close()


def test_what_comes_waits_for_its_shard_and_a_county_without_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.front.pushes.intake._FLUSH_S", 0.0)
    with running() as front:
        front.push("a")
        front.push("far")
        front.push("unknown")
        wait_until(lambda: not front.passing_on.is_idle)
        for reason in ("no_shard", "unknown_camera"):
            line = f'patrol_intake_dropped_frames_total{{reason="{reason}"}} 1.0'
            wait_until(lambda line=line: front.shows(line))  # type: ignore[misc]
        wait_until(lambda: front.shows("patrol_intake_queue_frames 1.0"), what="what waits is in a metric")
        assert front.intake.is_running
    assert front.shows('patrol_intake_dropped_frames_total{reason="shutdown"} 1.0')


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_intake_that_a_fault_of_ours_ended_says_so() -> None:
    with running() as front:
        assert front.intake.is_running
        front.push("broken")
        wait_until(lambda: not front.intake.is_running)
