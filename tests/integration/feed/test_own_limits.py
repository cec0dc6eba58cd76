"""A process without descriptors left says so, and nothing of the camera."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import fetch_now
from engine.feed.own_limits import DescriptorBudget, is_own_limit
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.rtsp_peers import rtsp_peers

uvloop = pytest.importorskip("uvloop")


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Use up every descriptor of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 50, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(taken[0]))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_visit_without_a_descriptor_is_not_held_against_the_camera(factory: type, host: str, transport: str) -> None:
    async def run(port: int) -> tuple[Keyframe | VisitFailure, Keyframe | VisitFailure]:
        def go(host: str) -> "asyncio.Future[Keyframe | VisitFailure]":
            order = VisitOrder(1, "c", f"rtsp://{host}:{port}/good", 20_000_000_000, FeedKind.RTSP)
            return asyncio.ensure_future(visit(order, FeedSettings.model_validate({"rtsp_transport": transport})))

        await asyncio.get_running_loop().getaddrinfo("localhost", 1)  # the threads of name lookups run
        with no_descriptors():
            without = await go(host)
        settings_back = await visit(
            VisitOrder(2, "c", f"rtsp://127.0.0.1:{port}/good", 20_000_000_000, FeedKind.RTSP), FeedSettings()
        )
        return without, settings_back

    with rtsp_peers() as port, asyncio.Runner(loop_factory=factory) as runner:
        without, after = runner.run(run(port))
    assert isinstance(without, VisitFailure)
    assert without.reason is FailureReason.EXHAUSTED, without
    assert isinstance(after, Keyframe), after


def test_a_visit_through_ffmpeg_without_a_descriptor_is_not_held_against_the_camera() -> None:
    with no_descriptors():
        end = fetch_now("http://127.0.0.1:9/live.flv", FeedSettings(connect_timeout_s=1), 3_000_000_000)
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.EXHAUSTED, end


def test_the_limit_counts_what_is_open_and_what_a_visit_needs() -> None:
    budget = DescriptorBudget()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    one, three = budget.visits_max(1), budget.visits_max(3)
    assert one // 3 <= three <= one // 3 + 1
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 300), hard))
        assert budget.visits_max(1) < 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_other_errors_are_the_cameras() -> None:
    assert not is_own_limit(ConnectionRefusedError(111, "refused"))
    assert not is_own_limit(OSError("no number"))
    assert is_own_limit(MemoryError())


def test_the_limit_is_raised_to_the_hard_one_and_children_inherit_it() -> None:
    script = (
        "import resource, subprocess, sys\n"
        "from engine.runtime.descriptors import raise_descriptor_limit\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))\n"
        "assert raise_descriptor_limit() == 256\n"
        "assert raise_descriptor_limit() == 256\n"
        "child = 'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])'\n"
        "print(subprocess.check_output([sys.executable, '-c', child], text=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["256"]
