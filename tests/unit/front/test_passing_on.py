"""What waits at a front goes to its shard; one that is slow or away holds up no other, and nothing is lost silently."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from engine.clock import NS_PER_S
from engine.errors import UnavailableError
from engine.feed import passed_on, wire
from engine.feed.passed_on import Kept
from engine.front.pushes import passing_on as module
from engine.front.pushes.passing_on import PassingOn
from engine.front.pushes.waiting import Bounds
from engine.metrics import Metrics
from engine.model.keyframe import Codec, Keyframe, Push
from engine.model.visit import FeedKind

BOUNDS = Bounds(100, 1 << 24, 1000, 1 << 26, 30 * NS_PER_S)
SHARDS = {"a": 1, "b": 1, "x": 2}


def push(camera_id: str, at_wall_ns: int = 1) -> Push:
    return Push("g", Keyframe(camera_id, 0, Codec.H264, b"x", at_wall_ns, None, FeedKind.GATEWAY))


class Engines:
    """The engines of two shards, as a front sees them. `answers`: what each says; None: it says nothing. `broken`: what
    goes wrong with the first."""

    def __init__(self) -> None:
        self.answers: dict[int, Kept | None] = {1: Kept(), 2: Kept()}
        self.seen: list[tuple[int, str]] = []
        self.stuck = asyncio.Event()
        self.stuck_shard = 0
        self.broken: Exception | None = None

    async def take(self, shard_no: int, raw: bytes) -> bytes:
        if shard_no == self.stuck_shard:
            await self.stuck.wait()
        if self.broken is not None and shard_no == 1:
            raise self.broken
        kept = self.answers[shard_no]
        if kept is None:
            raise UnavailableError("away")
        items = passed_on.unpack(raw)
        self.seen += [(shard_no, wire.unpack_header(item.header, item.payload, 1, 0).camera_id) for item in items]
        return passed_on.pack_kept(kept)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(engines: Engines, metrics: Metrics) -> AsyncIterator[PassingOn]:
    passing_on = PassingOn(BOUNDS, engines, lambda camera_id: SHARDS.get(camera_id, 0), metrics)
    task = asyncio.create_task(passing_on.run())
    try:
        yield passing_on
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def offer(passing_on: PassingOn, *camera_ids: str) -> None:
    for camera_id in camera_ids:
        passing_on.offer(push(camera_id), SHARDS[camera_id])
    passing_on.wake()


def run(test: Callable[[Engines, Metrics], Awaitable[None]]) -> Metrics:
    async def main() -> Metrics:
        metrics = Metrics(version="test")
        await test(Engines(), metrics)
        return metrics

    return asyncio.run(main())


def test_each_keyframe_goes_to_the_shard_of_its_camera() -> None:
    async def test(engines: Engines, metrics: Metrics) -> None:
        async with running(engines, metrics) as passing_on:
            offer(passing_on, "a", "b", "x")
            await until(lambda: passing_on.is_idle)
        assert sorted(engines.seen) == [(1, "a"), (1, "b"), (2, "x")]

    assert 'patrol_passed_on_frames_total{outcome="taken"} 3.0' in run(test).render().decode()


def test_a_shard_that_does_not_answer_holds_up_no_other() -> None:
    async def test(engines: Engines, metrics: Metrics) -> None:
        engines.stuck_shard = 1
        async with running(engines, metrics) as passing_on:
            offer(passing_on, "a")
            offer(passing_on, "x")
            await until(lambda: (2, "x") in engines.seen)
            assert not passing_on.is_idle
            engines.stuck.set()
            await until(lambda: passing_on.is_idle)

    run(test)


def test_what_an_engine_does_not_take_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.01)

    async def test(engines: Engines, metrics: Metrics) -> None:
        engines.answers = {1: None, 2: Kept(no_room=1)}
        async with running(engines, metrics) as passing_on:
            offer(passing_on, "a", "x")
            await until(lambda: engines.seen.count((2, "x")) > 1)
            engines.answers = {1: Kept(), 2: Kept()}
            await until(lambda: passing_on.is_idle)
            assert (1, "a") in engines.seen

    shown = run(test).render().decode()
    assert 'patrol_passed_on_frames_total{outcome="taken"} 2.0' in shown
    for outcome in ("kept", "unanswered"):
        assert f'patrol_passed_on_frames_total{{outcome="{outcome}"}} 0.0' not in shown


def test_what_goes_wrong_with_one_shard_ends_no_other_and_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(module, "_AWAY_LOGGED_NS", 0)

    async def test(engines: Engines, metrics: Metrics) -> None:
        engines.broken = RuntimeError("a bug")
        async with running(engines, metrics) as passing_on:
            offer(passing_on, "a")
            await until(lambda: bool(logged))
            offer(passing_on, "x")
            await until(lambda: (2, "x") in engines.seen)
            engines.broken = None
            await until(lambda: passing_on.is_idle)
            assert (1, "a") in engines.seen

    with capture_logs() as logged:
        run(test)
    assert [(line["event"], line["shard"]) for line in logged] == [
        ("keyframes of gateways not passed on", 1),
        ("keyframes of gateways are passed on again", 1),
    ]


def test_what_is_left_at_the_end_is_counted() -> None:
    async def test(engines: Engines, metrics: Metrics) -> None:
        engines.answers[1] = None
        async with running(engines, metrics) as passing_on:
            offer(passing_on, "a", "b")
            await asyncio.sleep(0)
            passing_on.each_second()
            assert "patrol_intake_queue_frames 2.0" in metrics.render().decode()
            passing_on.shut_down()
            assert passing_on.is_idle

    assert 'patrol_intake_dropped_frames_total{reason="shutdown"} 2.0' in run(test).render().decode()
