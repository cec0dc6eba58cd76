"""Passes on what gateways pushed to the front. A shard takes it from fronts only, which prove themselves."""

from collections.abc import Callable
from typing import Any

import grpc

from engine.clock import wall_ns
from engine.errors import UnavailableError
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.fronts_only import TAKE_PUSHES
from engine.serve.forwarding.calls import CONNECT_S, ShardAwayError, connection_lost
from engine.serve.forwarding.shards import ShardChannels

_CALL_S = 10.0
"""An engine takes a message in milliseconds; one that does not is frozen, or its machine is gone."""


class PushCalls:
    """For the event loop of the channels. `address_of(shard_no)`: where the shard's engine answers; empty while none
    does. `forwarded`: proves to the shards that a front calls."""

    def __init__(self, address_of: Callable[[int], str], channels: ShardChannels, forwarded: ForwardedCalls) -> None:
        self._address_of = address_of
        self._channels = channels
        self._forwarded = forwarded

    async def take(self, shard_no: int, raw: bytes) -> bytes:
        """Have the engine of a shard take PassedOnKeyframes; return its KeptKeyframes.

        Raises ShardAwayError if it does not answer: it may have taken them all the same. Raises UnavailableError with
        its answer if it takes none.
        """
        address = self._address_of(shard_no)
        channel: Any = await self._channels.ready(address, CONNECT_S) if address else None
        if channel is None:
            raise ShardAwayError(shard_no)
        metadata = [self._forwarded.metadata_of_pushes(wall_ns())]
        try:
            reply: bytes = await channel.unary_unary(TAKE_PUSHES)(raw, timeout=_CALL_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if connection_lost(error) or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ShardAwayError(shard_no) from error
            raise UnavailableError(f"{error.code().name}: {error.details()}") from error
        return reply
