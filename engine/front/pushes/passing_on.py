"""Passes on what waits to the engines of the shards, a message at a time to each, in the event loop of the gRPC server.

A shard whose engine is away, slow or full is asked again after a moment; the others go on meanwhile.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.clock import NS_PER_S, monotonic_ns, seconds
from engine.errors import PatrolError
from engine.feed import passed_on
from engine.front.pushes.waiting import Bounds, Drops, WaitingPushes
from engine.metrics import Metrics
from engine.model.keyframe import Push
from engine.runtime.log import logger

_ASK_AGAIN_S = 0.2
_AWAY_LOGGED_NS = 5 * NS_PER_S
"""A shard that moves is away for so long without a line in the log."""


class Takes(Protocol):
    """engine.serve.forwarding.pushes.PushCalls."""

    async def take(self, shard_no: int, raw: bytes) -> bytes:
        """Have the engine of a shard take keyframes. Raises PatrolError if it takes none, or does not answer."""


class PassingOn:
    """`shard_of(camera_id)`: the shard that visits the camera's county; 0: none does. `run` is for the event loop, all
    else for any thread."""

    def __init__(self, bounds: Bounds, calls: Takes, shard_of: Callable[[str], int], metrics: Metrics) -> None:
        self._waiting = WaitingPushes(bounds)
        self._calls = calls
        self._shard_of = shard_of
        self._metrics = metrics
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._failing_since_ns: dict[int, int] = {}
        self._logged: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def offer(self, push: Push, shard_no: int) -> None:
        """Have a keyframe wait for its shard; `wake` says that there is one."""
        with self._lock:
            drops = self._waiting.offer(push, shard_no, monotonic_ns())
        self._count(drops)

    def wake(self) -> None:
        """Look for what waits."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def each_second(self) -> None:
        """Drop what has waited for too long, and show in metrics what waits."""
        now_ns = monotonic_ns()
        with self._lock:
            drops = self._waiting.expire(now_ns)
            frames, size, age_ns = self._waiting.frames, self._waiting.size, self._waiting.oldest_age_ns(now_ns)
        self._count(drops)
        self._metrics.queue(frames, size, seconds(age_ns))

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and no answer is awaited."""
        with self._lock:
            return not self._waiting.frames

    def shut_down(self) -> None:
        """Drop all that is left."""
        with self._lock:
            drops = self._waiting.shut_down()
        self._count(drops)
        for reason, number in drops.items():
            logger().warning("keyframes of gateways dropped", reason=reason, number=number)

    async def run(self) -> None:
        """Pass on what waits, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wake.set()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                with self._lock:
                    shards = self._waiting.shards()
                for shard_no in shards:
                    if shard_no not in self._busy:
                        self._busy.add(shard_no)
                        group.create_task(self._serve(shard_no))

    async def _serve(self, shard_no: int) -> None:
        """Pass on what waits for one shard, until nothing does."""
        try:
            while True:
                with self._lock:
                    pushes = self._waiting.begin(shard_no)
                if not pushes:
                    return
                kept = await self._pass_on(shard_no, pushes)
                with self._lock:
                    drops = self._waiting.settle(shard_no, kept, self._shard_of)
                self._count(drops)
                if kept is None or kept.unknown or kept.no_room:
                    await asyncio.sleep(_ASK_AGAIN_S)
        finally:
            self._busy.discard(shard_no)
            self._wake.set()  # for what came in between, or waits for another shard now

    async def _pass_on(self, shard_no: int, pushes: Sequence[Push]) -> passed_on.Kept | None:
        """Send keyframes; return the answer, None without one."""
        try:
            kept = passed_on.unpack_kept(await self._calls.take(shard_no, passed_on.pack(pushes)))
        except Exception as error:  # noqa: BLE001 (what goes wrong with one shard must not end the others' turn)
            self._failed(shard_no, error)
            self._metrics.passed_on("unanswered", len(pushes))
            return None
        if self._failing_since_ns.pop(shard_no, 0) and shard_no in self._logged:
            self._logged.discard(shard_no)
            logger().info("keyframes of gateways are passed on again", shard=shard_no)
        left = min(len(pushes), len(kept.unknown) + kept.no_room)
        self._metrics.passed_on("kept", left)
        self._metrics.passed_on("taken", len(pushes) - left)
        return kept

    def _failed(self, shard_no: int, error: Exception) -> None:
        now_ns = monotonic_ns()
        since_ns = self._failing_since_ns.setdefault(shard_no, now_ns)
        if shard_no not in self._logged and now_ns - since_ns >= _AWAY_LOGGED_NS:
            self._logged.add(shard_no)
            traced = None if isinstance(error, PatrolError) else error
            logger().warning("keyframes of gateways not passed on", shard=shard_no, detail=str(error), exc_info=traced)

    def _count(self, drops: Drops) -> None:
        for reason, number in drops.items():
            self._metrics.dropped(reason, number)
