"""The reader process of a whole engine: it reads clocks of pushed keyframes, confined, and is replaced when it ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.config.reader import ReaderSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.overlay.installed import is_installed
from engine.runtime import confinement
from engine.supervisor.app import Supervisor
from tests.support.live_engine import fast_scheduler, scrape, settings
from tests.support.overlay.pictures import clock_text, keyframe_bytes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not is_installed(), reason="no reader is installed: pip install 'kitchen-patrol[ocr]'")
READER = ReaderSettings(cameras_per_min=600)
SLOW_START_S = 60.0


class Site:
    def __init__(self, folder: Path, stack: ExitStack, reader: ReaderSettings = READER) -> None:
        patient = fast_scheduler(key_period_s=600, ordinary_period_s=600)
        self.engine = stack.enter_context(Supervisor(settings(folder, reader=reader, scheduler=patient)))
        self._client = stack.enter_context(PatrolClient(self.engine.addresses["grpc"]))
        self.add_camera("c0")
        self.add_camera("c1")
        self._socket = stack.enter_context(zmq.Context()).socket(zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(self.engine.addresses["intake"])

    def add_camera(self, camera_id: str) -> None:
        self._client.import_cameras([Camera(camera_id, "", name="后厨1", push=True, region="130102")])

    def push(self, camera_id: str, *, behind_s: float, seed: int = 1) -> None:
        """Push a keyframe that is taken now, with a clock that is behind by so many seconds."""
        now_ns = wall_ns()
        payload = keyframe_bytes(clock_text(now_ns, behind_s), "后厨1", seed)
        keyframe = Keyframe(camera_id, 0, Codec.H264, payload, now_ns, None, FeedKind.GATEWAY)
        self._socket.send_multipart(wire.pack_keyframe(keyframe))

    def count(self, outcome: str) -> float:
        return scrape(self.engine.addresses["metrics"])["patrol_readings_total", (("outcome", outcome),)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def test_clocks_of_kept_keyframes_are_read_in_a_confined_process_that_is_replaced(site: Site) -> None:
    wait_until(lambda: "reader" in site.engine.pids(), SLOW_START_S)
    site.push("c0", behind_s=0)
    site.push("c1", behind_s=3600)
    wait_until(lambda: site.count("right") + site.count("unsure") + site.count("wrong") >= 2, SLOW_START_S)
    assert (site.count("right"), site.count("wrong")) == (1, 1)
    samples = scrape(site.engine.addresses["metrics"])
    if not confinement.missing():
        for part in ("files", "system_calls", "privileges"):
            assert samples["patrol_confinement", (("kind", "reader"), ("part", part))] == 1
    first = site.engine.pids()["reader"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: site.engine.pids().get("reader", first) != first, SLOW_START_S)
    for number in range(2, 12):  # one that is due before its keyframe is kept waits for an hour
        site.add_camera(f"c{number}")
        site.push(f"c{number}", behind_s=0, seed=number)
    wait_until(lambda: site.count("right") >= 2, SLOW_START_S)


def test_without_being_enabled_nothing_is_read_and_the_patrol_runs(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = Site(tmp_path, stack, ReaderSettings(enabled=False))
        assert not [name for name in site.engine.pids() if name.startswith("reader")]
        assert site.count("right") == 0
