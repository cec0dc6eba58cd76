"""Memory of demuxers: what one hostile server can make a visit hold, and what a process does near its ceiling."""

import contextlib
import http.server
import multiprocessing.connection
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed import wire
from engine.feed.demuxing.pool import DemuxPool, VisitOutcome
from engine.feed.sources.progress import HELD_BYTES_MAX
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.runtime.control import EXIT_RECYCLE, READY
from engine.runtime.transport import Transport
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import Page, site
from tests.support.waiting import wait_until

MIB = 1 << 20
PEAK_MAX = 300 * MIB
"""An idle demuxer has 80 MiB; without ceilings these servers took 3,155 and 4,829."""
VISIT_FOUR_TIMES = """
import sys, time
from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import DemuxPool
from engine.model.visit import FeedKind, VisitOrder

ends = []
pool = DemuxPool(FeedSettings(deadline_s=8), ends.append)
for number in range(4):
    assert pool.submit(VisitOrder(number, "c", sys.argv[1], 8_000_000_000, FeedKind.DEMUX))
while len(ends) < 4:
    pool.tick(monotonic_ns())
    time.sleep(0.05)
status = open("/proc/self/status").read()  # ru_maxrss would be that of the test's own process, if it is larger
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024, *(end.reason for end in ends))
"""
RUN_A_DEMUXER = """
import sys
from multiprocessing.connection import Connection
from engine.config.feed import FeedSettings
from engine.feed import demuxer
from engine.runtime.confinement import Confined
from engine.runtime.control import Control

settings = FeedSettings.model_validate_json(sys.argv[3])
sys.exit(demuxer.run("demuxer-0.1", sys.argv[1], settings, Control(Connection(int(sys.argv[2]))), Confined()))
"""


def send_parts(announced: int, sent: int | None, wait_s: float) -> Page:
    """One part of a multipart JPEG: so many bytes announced, so many sent (None: without end), then silence."""

    def page(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        handler.end_headers()
        handler.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % announced)
        handler.wfile.write(b"\xff\xd8\xff\xe0")
        block, left = bytes(MIB), sent
        while left is None or left > 0:
            handler.wfile.write(block)
            left = None if left is None else left - MIB
        time.sleep(wait_s)

    return page


ITSELF: Page = ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n" * 200)
MANY: Page = ("application/vnd.apple.mpegurl", b"#EXTM3U\n" + b"#EXTINF:1,\nx\n" * 90_000)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (send_parts(999_999_999, None, 0), FailureReason.FLOOD),
        (ITSELF, FailureReason.PROTOCOL_ERROR),
        (MANY, FailureReason.FLOOD),
    ],
    ids=["a part of a gigabyte", "a playlist of itself", "a playlist of a megabyte"],
)
def test_four_visits_to_a_hostile_server_stay_small(page: Page, reason: FailureReason) -> None:
    with site({"/x": page}) as url:
        command = [sys.executable, "-c", VISIT_FOUR_TIMES, f"{url}/x"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    peak, *reasons = done.stdout.split()
    assert reasons == [reason] * 4
    assert int(peak) < PEAK_MAX


def test_an_endless_stream_ends_at_the_bytes_of_a_visit() -> None:
    """Packets come, so little is held, but none of them is a keyframe."""
    null_packet = b"\x47\x1f\xff\x10" + bytes(184)

    def page(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(null_packet * 5000)

    ends: list[VisitOutcome] = []
    with site({"/x": page}) as url:
        pool = DemuxPool(FeedSettings(visit_bytes_max=16 * MIB), ends.append)
        assert pool.submit(VisitOrder(1, "c", f"{url}/x", 20_000_000_000, FeedKind.DEMUX))
        wait_until(lambda: ends, 25)
    (end,) = ends
    assert isinstance(end, VisitFailure)
    assert end.timings.received_bytes <= 18 * MIB
    assert end.reason in (FailureReason.FLOOD, FailureReason.PROTOCOL_ERROR, FailureReason.NO_VIDEO), end


def test_near_the_ceiling_only_the_visit_that_holds_most_ends() -> None:
    ends: list[VisitOutcome] = []
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]

    def slow(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(2)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(jpeg)

    with site({"/heavy": send_parts(15 * MIB, 8 * MIB, 20), "/slow": slow}) as url:
        pool = DemuxPool(FeedSettings(), ends.append)
        assert pool.submit(VisitOrder(1, "heavy", f"{url}/heavy", 12_000_000_000, FeedKind.DEMUX))
        assert pool.submit(VisitOrder(2, "slow", f"{url}/slow", 12_000_000_000, FeedKind.DEMUX))
        heavy = next(flight for flight in pool._flights if flight.order.camera_id == "heavy")
        wait_until(lambda: heavy.progress.held_bytes >= 8 * MIB, 10)
        pool.relieve()
        wait_until(lambda: len(ends) == 2, 10)
        assert pool.exhausted, "the process is to be replaced"
    first, second = ends[:2]
    assert isinstance(first, VisitFailure)
    assert (first.camera_id, first.reason) == ("heavy", FailureReason.FLOOD)
    assert "feed.demuxer_memory_max" in first.detail
    assert isinstance(second, Keyframe)
    assert HELD_BYTES_MAX > 8 * MIB


@contextlib.contextmanager
def demuxer(address: str, settings: FeedSettings) -> Iterator["subprocess.Popen[bytes]"]:
    """A demuxer process that is ready."""
    ours, theirs = multiprocessing.connection.Pipe()
    command = [sys.executable, "-c", RUN_A_DEMUXER, address, str(theirs.fileno()), settings.model_dump_json()]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        try:
            assert ours.poll(30), "the demuxer is not ready"
            assert ours.recv()[0] == READY
            yield process
        finally:
            process.kill()
            ours.close()
            theirs.close()


def test_a_process_near_its_ceiling_is_replaced_when_its_visits_have_ended(tmp_path: Path) -> None:
    visits = 12
    settings = FeedSettings(deadline_s=6, connect_timeout_s=5, demuxer_memory_max=256 * MIB)
    transport = Transport()
    hub = transport.bind_router(f"ipc://{tmp_path}/feed")
    failures: dict[int, VisitFailure] = {}

    def receive() -> bool:
        while (frames := hub.receive()) is not None:
            with contextlib.suppress(Exception):
                failure = wire.unpack_failure(frames[1:])
                failures[failure.visit_id] = failure
        return len(failures) == visits

    hold = send_parts(16 * MIB, 15 * MIB, 20)
    with site({"/x": hold}) as url, demuxer(f"ipc://{tmp_path}/feed", settings) as process:
        wait_until(lambda: hub.send(wire.pack_order(order(0, url)), b"demuxer-0.1"), 10)
        for number in range(1, visits):
            assert hub.send(wire.pack_order(order(number, url)), b"demuxer-0.1")
        wait_until(receive, 30)
        assert process.wait(timeout=20) == EXIT_RECYCLE
    transport.close()
    reasons = [failure.reason for failure in failures.values()]
    assert reasons.count(FailureReason.FLOOD) == 1, failures
    assert set(reasons) <= {FailureReason.FLOOD, FailureReason.TIMEOUT_KEYFRAME, FailureReason.EXHAUSTED}, failures


def order(number: int, url: str) -> VisitOrder:
    return VisitOrder(number, f"c{number}", f"{url}/x", 6_000_000_000, FeedKind.DEMUX)


def test_a_stuck_thread_returns_because_its_connection_is_shut_down() -> None:
    """The deadline comes from the pool, and the thread need not wait for the end of its own time-out."""
    ends: list[VisitOutcome] = []

    def silent(handler: http.server.BaseHTTPRequestHandler) -> None:
        del handler
        time.sleep(20)

    others = threading.active_count()
    with site({"/x": silent}) as url:
        pool = DemuxPool(FeedSettings(connect_timeout_s=11), ends.append)
        assert pool.submit(VisitOrder(1, "c", f"{url}/x", 30_000_000_000, FeedKind.DEMUX))
        wait_until(lambda: next(iter(pool._flights)).progress.connected_ns, 5)
        pool.tick(monotonic_ns() + 31_000_000_000)
        assert pool.stuck == 1
        wait_until(lambda: pool.stuck == 0, 5)
    assert len(ends) == 1
    assert threading.active_count() < others + 50
