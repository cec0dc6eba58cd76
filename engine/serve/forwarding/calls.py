"""Makes one call at a shard: waits while the shard is between two engines, and never makes a change twice."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

from engine.clock import wall_ns
from engine.errors import UnavailableError
from engine.serve.access.forwarded import Forwarded, ForwardedCalls
from engine.serve.forwarding.shards import ShardChannels, Shards

WAIT_S = 20.0
"""How long a call waits for a shard that nobody runs at the moment; longer than a lease and a start take."""
CONNECT_S = 1.0
_ASK_AGAIN_S = 0.1
_STATUS_DETAILS = "grpc-status-details-bin"
_KEPT_METADATA = ("authorization", "patrol-caller", "traceparent", "tracestate")


class ShardAwayError(UnavailableError):
    """No engine runs the shard, or it does not answer."""

    def __init__(self, shard_no: int) -> None:
        super().__init__(f"shard {shard_no} is between two engines, and none answered in time; call again in a second")
        self.shard_no = shard_no


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the front. `left_s`: until the caller's deadline; None if there is none."""

    peer: str
    metadata: Sequence[tuple[str, Any]]
    left_s: float | None = None

    @property
    def authorization(self) -> str:
        """The token, as the caller sent it."""
        return next((str(value) for key, value in self.metadata if key == "authorization"), "")


CALLER: ContextVar[Caller] = ContextVar("caller")
"""Who makes the call that is being answered, for what the front asks shards in the course of it."""


class ShardCalls:
    """Makes calls for callers of the front, with their own tokens. `forwarded`: proves to the shards that it may."""

    def __init__(self, shards: Shards, channels: ShardChannels, forwarded: ForwardedCalls) -> None:
        self._shards = shards
        self._channels = channels
        self._forwarded = forwarded

    async def unary(
        self, shard_no: int, path: str, raw: bytes, caller: Caller, *, repeatable: bool, is_part: bool = False
    ) -> bytes:
        """Make a call and return its reply. `repeatable`: it changes nothing, or has a request_id, so that it is made
        again if the shard's engine ended meanwhile.

        Raises ShardAwayError if nobody answers in time, UnavailableError if the engine ended while it carried out a
        change, grpc.aio.AioRpcError with the shard's own answer.
        """
        left = _Left(caller)
        while True:
            channel = await self._channel(shard_no, left)
            metadata = self._metadata(caller, is_part)
            try:
                reply: bytes = await channel.unary_unary(path)(raw, timeout=left.deadline_s(), metadata=metadata)
                return reply
            except grpc.aio.AioRpcError as error:
                if not connection_lost(error):
                    raise
                if not repeatable:
                    raise UnavailableError(
                        f"the engine of shard {shard_no} ended while it carried this out; look whether it was done, "
                        "and call again if not"
                    ) from error
            await left.pause(shard_no)

    async def stream(self, shard_no: int, path: str, raw: bytes, caller: Caller) -> AsyncGenerator[bytes, None]:
        """Make a call and yield its replies. Raises as `unary`, for calls that are not repeatable."""
        left = _Left(caller)
        channel = await self._channel(shard_no, left)
        replies = channel.unary_stream(path)(raw, timeout=left.deadline_s(), metadata=self._metadata(caller))
        try:
            async for reply in replies:
                yield reply
        except grpc.aio.AioRpcError as error:
            if not connection_lost(error):
                raise
            raise UnavailableError(f"the engine of shard {shard_no} ended meanwhile; call again") from error
        finally:
            replies.cancel()

    async def stream_in(self, shard_no: int, path: str, raws: Sequence[bytes], caller: Caller) -> bytes:
        """Make a call that takes a stream; return its reply. Raises as `unary`, for calls that are not repeatable."""
        left = _Left(caller)
        channel = await self._channel(shard_no, left)
        call = channel.stream_unary(path)(iter(raws), timeout=left.deadline_s(), metadata=self._metadata(caller))
        try:
            reply: bytes = await call
            return reply
        except grpc.aio.AioRpcError as error:
            if not connection_lost(error):
                raise
            raise UnavailableError(
                f"the engine of shard {shard_no} ended during the import; import again, rows that are stored stay as "
                "they are"
            ) from error

    def answers(self, shard_no: int) -> bool:
        """Whether an engine runs the shard, as far as is known."""
        return bool(self._shards.address(shard_no))

    async def _channel(self, shard_no: int, left: "_Left") -> Any:
        while True:
            address = self._shards.address(shard_no)
            if address:
                channel = await self._channels.ready(address, min(CONNECT_S, left.wait_s()))
                if channel is not None:
                    return channel
            await left.pause(shard_no)

    def _metadata(self, caller: Caller, is_part: bool = False) -> "list[tuple[str, Any]]":
        kept = [(key, value) for key, value in caller.metadata if key in _KEPT_METADATA]
        call = Forwarded(caller.peer, is_part)
        return [*kept, self._forwarded.metadata(call, caller.authorization, wall_ns())]


class _Left:
    """The time that a call still has: to find an engine, and in all."""

    def __init__(self, caller: Caller) -> None:
        self._now_s = asyncio.get_running_loop().time
        began_s = self._now_s()
        self._deadline_s = None if caller.left_s is None else began_s + caller.left_s
        self._give_up_s = began_s + (WAIT_S if caller.left_s is None else min(WAIT_S, 0.9 * caller.left_s))

    def deadline_s(self) -> float | None:
        return None if self._deadline_s is None else max(0.0, self._deadline_s - self._now_s())

    def wait_s(self) -> float:
        return max(0.01, self._give_up_s - self._now_s())

    async def pause(self, shard_no: int) -> None:
        """Wait before the next try. Raises ShardAwayError if there is no time for one."""
        if self._now_s() + _ASK_AGAIN_S >= self._give_up_s:
            raise ShardAwayError(shard_no)
        await asyncio.sleep(_ASK_AGAIN_S)


def connection_lost(error: grpc.aio.AioRpcError) -> bool:
    """Whether the connection broke, rather than that the engine answered: each status of ours has details."""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return False
    return all(key != _STATUS_DETAILS for key, _ in error.trailing_metadata() or ())
