"""Alerts about more than the engine has room for: keyframes before the workers, callers of the HTTP gateway."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest

from engine.client import PatrolClient
from engine.config.intake import IntakeSettings
from engine.config.web import WebSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.supervisor.app import Supervisor
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import settings
from tests.support.prometheus import Prometheus, prometheus, shows

PICTURE = encode(Codec.MJPEG, [scene(1920, 1080)])[0]
CAMERAS = [f"pushed-{n}" for n in range(400)]
"""Their pictures take one worker far longer than a keyframe may wait here."""
STALE_S, FLOOD_EACH_S = 1.0, 15.0
"""Floods that came faster would replace keyframes that wait, which is ordinary."""
WATCHES = 30

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@dataclass
class Site:
    """An engine whose keyframes may wait for a second, with room for one watch, and what scrapes it and its gateway."""

    engine: Supervisor
    prometheus: Prometheus

    @property
    def watch(self) -> str:
        """Return the address of a watch."""
        return f"http://{self.engine.addresses['web']}/v1/verdicts:watch"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("overload")
    chosen = settings(
        folder,
        intake=IntakeSettings(listen="tcp://127.0.0.1:0", stale_after_s=STALE_S),
        web=WebSettings(listen="127.0.0.1:0", streams_max=1),
    )
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(chosen))
        with PatrolClient(engine.addresses["grpc"]) as client:
            client.import_cameras([Camera(name, "", push=True, region="130102") for name in CAMERAS])
        targets = [engine.addresses["metrics"], engine.addresses["web"]]
        yield Site(engine, stack.enter_context(prometheus(folder, targets)))


@shows("PatrolKeyframesDropped")
def test_a_flood_of_keyframes(site: Site) -> None:
    site.prometheus.wait_silent("PatrolKeyframesDropped")
    transport = Transport()
    channel = transport.connect_push(site.engine.addresses["intake"], len(CAMERAS))
    next_s = 0.0

    def push() -> None:
        nonlocal next_s
        if time.monotonic() < next_s:
            return
        next_s = time.monotonic() + FLOOD_EACH_S
        for name in CAMERAS:
            channel.send(wire.pack_keyframe(Keyframe(name, 0, Codec.MJPEG, PICTURE, 0, None, FeedKind.GATEWAY)))

    site.prometheus.wait_firing("PatrolKeyframesDropped", inject=push)
    transport.close()


@shows("PatrolWebRefuses")
def test_more_watches_than_the_gateway_has_room_for(site: Site) -> None:
    site.prometheus.wait_silent("PatrolWebRefuses")
    with urllib.request.urlopen(site.watch, timeout=60):

        def watch() -> None:
            for _ in range(WATCHES):
                with suppress(urllib.error.HTTPError), urllib.request.urlopen(site.watch, timeout=60):
                    pytest.fail("there was room for another watch")

        site.prometheus.wait_firing("PatrolWebRefuses", inject=watch)
