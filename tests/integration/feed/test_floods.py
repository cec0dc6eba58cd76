"""Servers that flood a visit: each ends in its reason, and costs the others' cameras nothing that matters."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from engine.clock import thread_cpu_ns
from engine.config.feed import FeedSettings
from engine.feed.packets.runs import COMPILED
from engine.feed.shared_by_visits import SharedByVisits
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.rtsp_peers import FLOODS, rtsp_peers

pytestmark = pytest.mark.long

uvloop = pytest.importorskip("uvloop")
PROTOCOL = {"noise", "noise_without_end"}
"""They speak no RTSP."""
SLOW = {"fragments", "endless_fragments"}
"""They cost bytes rather than processor time; where the machine is slow their visit ends at its deadline."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with rtsp_peers() as port:
        yield port


def order(number: int, url: str, deadline_s: float) -> VisitOrder:
    return VisitOrder(number, f"c{number}", url, round(deadline_s * 1e9), FeedKind.RTSP)


def one(url: str, deadline_s: float = 10.0, **changes: object) -> tuple[Keyframe | VisitFailure, float]:
    """Visit once; returns the end and the processor time in seconds."""
    began_ns = thread_cpu_ns()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        end = runner.run(visit(order(1, url, deadline_s), FeedSettings.model_validate(changes)))
    return end, (thread_cpu_ns() - began_ns) / 1e9


@pytest.mark.parametrize("name", [name for name in FLOODS if name not in SLOW])
def test_a_flood_ends_in_its_reason_and_costs_little(port: int, name: str) -> None:
    end, cpu_s = one(f"rtsp://127.0.0.1:{port}/{name}")
    assert isinstance(end, VisitFailure)
    assert end.reason is (FailureReason.PROTOCOL_ERROR if name in PROTOCOL else FailureReason.FLOOD), end
    assert cpu_s < 4, "a second of reading is the bound; the loop and the kernel's copying come on top"


def test_more_bytes_than_a_visit_may_receive_are_a_flood(port: int) -> None:
    end, _ = one(f"rtsp://127.0.0.1:{port}/endless_fragments", visit_bytes_max=16_777_216)
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.FLOOD, end
    assert "feed.visit_bytes_max" in end.detail
    assert 16_777_216 < end.timings.received_bytes < 20_000_000


def test_options_without_end_are_cut_off_at_once(port: int) -> None:
    began_s = time.monotonic()
    end, cpu_s = one(f"rtsp://127.0.0.1:{port}/options", deadline_s=30)
    assert isinstance(end, VisitFailure)
    assert (end.reason, end.detail) == (FailureReason.FLOOD, "the server sent more than 500 messages")
    assert time.monotonic() - began_s < 10
    assert cpu_s < 1


def test_healthy_cameras_are_visited_while_two_dozen_servers_flood_the_loop(port: int) -> None:
    """Without a budget a visit of the loop took up to forty seconds here, and no healthy camera gave a keyframe."""

    async def run() -> tuple[list[Keyframe | VisitFailure], list[Keyframe | VisitFailure]]:
        shared, settings, names = SharedByVisits(COMPILED), FeedSettings(), list(FLOODS)

        def go(number: int, name: str) -> "asyncio.Task[Keyframe | VisitFailure]":
            url = f"rtsp://127.0.0.1:{port}/{name}"
            return asyncio.ensure_future(visit(order(number, url, 12), settings, shared))

        floods = [go(100 + n, names[n % len(names)]) for n in range(24)]
        good: list[Keyframe | VisitFailure] = []
        for n in range(5):
            good += await asyncio.gather(*(go(10 * n + k, "good") for k in range(4)))
        return good, await asyncio.gather(*floods)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        good, floods = runner.run(run())
    assert [type(end) for end in good] == [Keyframe] * 20, good
    reasons = {end.reason for end in floods if isinstance(end, VisitFailure)}
    assert len(floods) == 24
    assert reasons <= {FailureReason.FLOOD, FailureReason.PROTOCOL_ERROR, FailureReason.TIMEOUT_KEYFRAME}, floods
