"""The pool of threads that visits through FFmpeg: each visit ends once, stuck threads are given up, closing ends."""

import contextlib
import http.server
import socket
import threading
import time

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import DemuxPool
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import site
from tests.support.waiting import wait_until


def silent_server() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    kept: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                kept.append(server.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    return server


def test_the_pool_ends_every_visit_once_and_gives_stuck_threads_up() -> None:
    ends: list[VisitFailure | Keyframe] = []
    settings = FeedSettings(demux_threads=4, demux_stuck_max=2, deadline_s=1, connect_timeout_s=5)
    with silent_server() as server:
        pool = DemuxPool(settings, ends.append)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        orders = [VisitOrder(n, f"c{n}", url, 500_000_000, FeedKind.DEMUX) for n in range(5)]
        assert [pool.submit(order) for order in orders] == [True] * 4 + [False]

        def all_ended() -> bool:
            pool.tick(monotonic_ns())
            return len(ends) >= 4

        wait_until(all_ended, 5)
        assert sorted(end.visit_id for end in ends) == [0, 1, 2, 3]
        assert {end.reason for end in ends if isinstance(end, VisitFailure)} == {FailureReason.TIMEOUT_KEYFRAME}
        assert pool.in_flight == 0
        assert pool.submit(orders[4]), "the pool has room again"
        pool.close(0.1)
    assert len({end.visit_id for end in ends}) == len(ends)


def test_closing_the_pool_waits_for_visits_in_flight_and_not_for_idle_or_stuck_threads() -> None:
    ends: list[VisitFailure | Keyframe] = []
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]

    def slow(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        handler.send_response(200)
        handler.send_header("Content-Type", "image/jpeg")
        handler.end_headers()
        handler.wfile.write(jpeg)

    settings = FeedSettings(demux_threads=4, connect_timeout_s=5)
    with silent_server() as server, site({"/slow": slow, "/quick": ("image/jpeg", jpeg)}) as url:
        pool = DemuxPool(settings, ends.append)
        silent = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        assert pool.submit(VisitOrder(1, "c1", silent, 100_000_000, FeedKind.DEMUX))
        assert pool.submit(VisitOrder(2, "c2", f"{url}/quick", 5_000_000_000, FeedKind.DEMUX))

        def none_in_flight() -> bool:
            pool.tick(monotonic_ns() + 300_000_000)
            return pool.in_flight == 0

        wait_until(none_in_flight, 5)
        assert pool.submit(VisitOrder(3, "c3", f"{url}/slow", 5_000_000_000, FeedKind.DEMUX))
        began = time.monotonic()
        pool.close(10)
        assert time.monotonic() - began < 5
        assert [end.visit_id for end in ends if isinstance(end, Keyframe)] == [2, 3]


def test_closing_the_pool_gives_a_visit_up_when_the_time_has_passed() -> None:
    ends: list[VisitFailure | Keyframe] = []
    with silent_server() as server:
        pool = DemuxPool(FeedSettings(demux_threads=4, connect_timeout_s=5), ends.append)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for number in range(3):
            assert pool.submit(VisitOrder(number, "c", url, 5_000_000_000, FeedKind.DEMUX))
        began = time.monotonic()
        pool.close(0.4)
        assert 0.3 < time.monotonic() - began < 1.5
        assert ends == []
