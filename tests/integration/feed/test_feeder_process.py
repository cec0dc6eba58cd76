"""Feeders under attack and without descriptors: every order ends once, and no camera is blamed for our limits."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.schema import LogSettings
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.feeder_process import feeder_process
from tests.support.feed.http_site import site
from tests.support.feed.rtsp_peers import FLOODS, rtsp_peers

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with rtsp_peers() as port:
        yield port


def settings(**feed: object) -> Settings:
    return Settings(feed=FeedSettings.model_validate(feed), log=LogSettings(level="warning"))


def order(number: int, url: str, deadline_s: float = 10, via: FeedKind = FeedKind.RTSP) -> VisitOrder:
    return VisitOrder(number, f"c{number}", url, round(deadline_s * SECOND), via)


def test_eighty_hostile_servers_stop_neither_the_heartbeats_nor_the_healthy_cameras(tmp_path: Path, port: int) -> None:
    names = [*FLOODS, "silent"]
    with feeder_process("feeder", settings(), tmp_path) as feeder:
        for number in range(80):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/{names[number % len(names)]}", 8))
        began_s = time.monotonic()
        for number in range(80, 100):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/good", 30))
        feeder.wait_for(100, 60)
        lasted_s = time.monotonic() - began_s
        good = [feeder.ends[number] for number in range(80, 100)]
        assert [type(end) for end in good] == [Keyframe] * 20, good
        hostile = [feeder.ends[number] for number in range(80)]
        assert all(isinstance(end, VisitFailure) and end.reason is not FailureReason.INTERNAL for end in hostile)
        assert feeder.process.poll() is None
        assert len(feeder.heartbeats) >= lasted_s / 3, "they come once a second, and do not wait for the loop"
        assert feeder.turn_age_ns_max < 10 * SECOND


def test_a_feeder_without_descriptors_says_nothing_bad_of_cameras(tmp_path: Path, port: int) -> None:
    """With 128 descriptors and 300 silent cameras, healthy ones were offline: Too many open files."""
    with feeder_process("feeder", settings(), tmp_path, descriptors=128) as feeder:
        capacity = feeder.heartbeats[0].capacity
        assert 40 <= capacity <= 96
        for number in range(300):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/silent", 3))
        for number in range(300, 310):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/good"))
        feeder.wait_for(310, 30)
        reasons = {end.reason for end in feeder.ends.values() if isinstance(end, VisitFailure)}
        assert reasons == {FailureReason.TIMEOUT_CONNECT, FailureReason.EXHAUSTED}
        silent = [end for end in feeder.ends.values() if getattr(end, "reason", "") == FailureReason.TIMEOUT_CONNECT]
        assert len(silent) == capacity
        for number in range(400, 420):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/good"))
        feeder.wait_for(330, 30)
        assert all(isinstance(feeder.ends[number], Keyframe) for number in range(400, 420))
    assert "LimitNOFILE" in (tmp_path / "log").read_text()


def test_a_limit_that_falls_while_visits_run_is_no_fault_of_a_camera(tmp_path: Path, port: int) -> None:
    import resource

    with feeder_process("feeder", settings(rtsp_transport="udp"), tmp_path, descriptors=256) as feeder:
        for number in range(30):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/silent", 4))
        feeder.listen(1)
        open_now = len(os.listdir(f"/proc/{feeder.process.pid}/fd"))  # noqa: PTH208
        resource.prlimit(feeder.process.pid, resource.RLIMIT_NOFILE, (open_now + 1, open_now + 1))
        for number in range(30, 40):
            feeder.order(order(number, f"rtsp://127.0.0.1:{port}/good"))
        feeder.wait_for(40, 30)
        late = [feeder.ends[number] for number in range(30, 40)]
        assert {getattr(end, "reason", None) for end in late} == {FailureReason.EXHAUSTED}, late


def test_a_stopped_feeder_sends_no_heartbeats(tmp_path: Path) -> None:
    with feeder_process("feeder", settings(), tmp_path) as feeder:
        os.kill(feeder.process.pid, signal.SIGSTOP)
        feeder.listen(0.5)
        before = len(feeder.heartbeats)
        feeder.listen(3)
        assert len(feeder.heartbeats) == before
        os.kill(feeder.process.pid, signal.SIGCONT)
        feeder.listen(3)
        assert len(feeder.heartbeats) > before
        assert feeder.turn_age_ns() < 2 * SECOND


def test_a_demuxer_takes_no_more_visits_than_it_has_descriptors_for(tmp_path: Path) -> None:
    with (
        site({"/live.flv": ("text/html", b"<html>" * 50)}) as url,
        feeder_process("demuxer", settings(demux_threads=64), tmp_path, descriptors=128) as demuxer,
    ):
        assert 1 <= demuxer.heartbeats[0].capacity <= 24
        for number in range(100):
            demuxer.order(order(number, f"{url}/live.flv", via=FeedKind.DEMUX))
        demuxer.wait_for(100, 60)
        reasons = {end.reason for end in demuxer.ends.values() if isinstance(end, VisitFailure)}
        assert reasons == {FailureReason.NO_VIDEO, FailureReason.EXHAUSTED}
