"""Alerts about the patrol and its processes: cameras and platforms that fail, processes that die, starve or grow."""

import contextlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.config.processes import ProcessSettings
from engine.config.serve import ServeSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.supervisor.app import Supervisor
from tests.support.feed.clips import encode, scene
from tests.support.feed.rtsp_peers import rtsp_peers
from tests.support.live_engine import fast_scheduler, settings
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, prometheus, shows
from tests.support.waiting import wait_until

OUT, SILENT = 24, 14
OUTAGE_CAMERAS_MIN = 20
"""Between the two: the silent cameras are no outage, they only wait for each other."""
PUSHED = "pushed"
PICTURE = encode(Codec.MJPEG, [scene(1920, 1080)])[0]
BURNERS = 8
BURN_S = 60.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@dataclass
class Site:
    """An engine whose cameras fail in several ways, and what scrapes it."""

    engine: Supervisor
    prometheus: Prometheus
    killed_hub: str = ""

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End or stop a process of the engine, if it runs."""
        with contextlib.suppress(KeyError, ProcessLookupError):
            os.kill(self.engine.pids()[name], how)

    def kill_hub(self) -> None:
        """End the hub, once Prometheus has seen that it is another one than the last."""
        for series in self.prometheus.results("process_start_time_seconds and on (instance) up == 1"):
            if series["value"][1] != self.killed_hub:
                self.killed_hub = series["value"][1]
                self.kill("hub")


def cameras(peers: int) -> Iterator[Camera]:
    """A platform that is out, a recorder whose cameras are silent and wait for each other, and a server that floods."""
    nobody = free_port()
    for n in range(OUT):
        yield Camera(f"out-{n}", f"rtsp://127.0.0.5:{nobody}/{n}", region="130102", uplink=f"u{n}")
    for n in range(SILENT):
        yield Camera(f"silent-{n}", f"rtsp://127.0.0.1:{peers}/silent", region="130102", uplink="recorder")
    yield Camera(PUSHED, "", region="130203", push=True)
    yield Camera("flood", f"rtsp://127.0.0.1:{peers}/options", region="130203", uplink="flood")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("patrol")
    with ExitStack() as stack:
        peers = stack.enter_context(rtsp_peers())
        metrics = f"127.0.0.1:{free_port()}"  # a hub that is started again listens there too
        chosen = settings(
            folder,
            scheduler=fast_scheduler(outage_cameras_min=OUTAGE_CAMERAS_MIN),
            serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=metrics),
        )
        engine = stack.enter_context(Supervisor(chosen))
        with PatrolClient(engine.addresses["grpc"]) as client:
            client.import_cameras(list(cameras(peers)))
        yield Site(engine, stack.enter_context(prometheus(folder, [engine.addresses["metrics"]])))


@contextmanager
def few_descriptors(pid: int, more: int) -> Iterator[None]:
    """Allow a process only so many descriptors more than it has open; fewer, if `more` is negative."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + more, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def starved(pid: int) -> Iterator[None]:
    """Give a process what other programs leave of one core that they keep busy."""
    core = max(os.sched_getaffinity(0))
    burners = [multiprocessing.Process(target=burn, args=(core,), daemon=True) for _ in range(BURNERS)]
    for burner in burners:
        burner.start()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
        os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def burn(core: int) -> None:
    """Use a core."""
    os.sched_setaffinity(0, {core})
    until_s = time.monotonic() + BURN_S
    while time.monotonic() < until_s:
        pass


@shows("PatrolManyCamerasOffline", "PatrolOutage", "PatrolFloods", "PatrolLate")
def test_cameras_that_fail(site: Site) -> None:
    alerts = ("PatrolManyCamerasOffline", "PatrolOutage", "PatrolFloods", "PatrolLate")
    site.prometheus.wait_firing(*alerts)


@shows("PatrolVisitsExhausted")
def test_a_feeder_without_descriptors(site: Site) -> None:
    site.prometheus.wait_silent("PatrolVisitsExhausted")
    with few_descriptors(site.engine.pids()["feeder-0"], -6):
        site.prometheus.wait_firing("PatrolVisitsExhausted")


@shows("PatrolDescriptorsShort")
def test_a_hub_that_has_most_of_its_descriptors_open(site: Site) -> None:
    site.prometheus.wait_silent("PatrolDescriptorsShort")
    with few_descriptors(site.engine.pids()["hub"], 6):
        site.prometheus.wait_firing("PatrolDescriptorsShort")


@shows("PatrolHeartbeatLate")
def test_a_machine_that_has_no_time_for_a_process(site: Site) -> None:
    site.prometheus.wait_silent("PatrolHeartbeatLate")
    transport = Transport()
    channel = transport.connect_push(site.engine.addresses["intake"])
    picture = wire.pack_keyframe(Keyframe(PUSHED, 0, Codec.MJPEG, PICTURE, 0, None, FeedKind.GATEWAY))
    with starved(site.engine.pids()["worker-0"]):
        site.prometheus.wait_firing("PatrolHeartbeatLate", inject=lambda: channel.send(picture), timeout_s=BURN_S)
    transport.close()


@shows("PatrolProcessStuck")
def test_a_feeder_that_is_stopped(site: Site) -> None:
    site.prometheus.wait_silent("PatrolProcessStuck")
    wait_until(lambda: "feeder-0" in site.engine.pids())
    site.kill("feeder-0", signal.SIGSTOP)
    site.prometheus.wait_firing("PatrolProcessStuck")


@shows("PatrolNoFeeder", "PatrolProcessRestarts")
def test_feeders_that_end_again_and_again(site: Site) -> None:
    site.prometheus.wait_silent("PatrolNoFeeder", "PatrolProcessRestarts")
    site.prometheus.wait_firing("PatrolNoFeeder", "PatrolProcessRestarts", inject=lambda: site.kill("feeder-0"))


@shows("PatrolHubRestarts")
def test_hubs_that_end_again_and_again(site: Site) -> None:
    site.prometheus.wait_silent("PatrolHubRestarts")
    site.prometheus.wait_firing("PatrolHubRestarts", inject=site.kill_hub, timeout_s=240)


@shows("PatrolDown")
def test_an_engine_that_is_stopped(site: Site) -> None:
    site.prometheus.wait_silent("PatrolDown")
    site.prometheus.wait_firing("PatrolDown", inject=site.engine.stop)


@shows("PatrolProcessGrows")
def test_workers_that_grow_beyond_their_ceiling(tmp_path: Path) -> None:
    chosen = settings(tmp_path, processes=ProcessSettings(worker_memory_bytes_max=1_000_000))
    with Supervisor(chosen) as engine, prometheus(tmp_path, [engine.addresses["metrics"]]) as seen:
        seen.wait_firing("PatrolProcessGrows")
