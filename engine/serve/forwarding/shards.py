"""Where the shards are, as the front sees it: which shard a name belongs to, and a channel to its engine."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import grpc

_CHANNELS_MAX = 2048
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.initial_reconnect_backoff_ms", 200),
)


class Shards(Protocol):
    """The shards of one database. For one event loop."""

    def held(self) -> Sequence[int]:
        """Return the numbers of the shards that somebody runs, ascending."""

    def of_region(self, region: str) -> int:
        """Return the shard that visits the cameras of a county; 0 if no shard does."""

    def address(self, shard_no: int) -> str:
        """Return where the shard's engine answers gRPC; empty while none does."""

    async def of_cameras(self, camera_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the shard of each camera that is in the registry."""

    async def of_findings(self, finding_ids: Sequence[int]) -> Mapping[int, int]:
        """Return the shard of each finding that exists."""

    async def changed(self, camera_ids: Sequence[str]) -> None:
        """Read cameras anew that a call has changed, so that its caller finds them as it left them."""


class ShardChannels:
    """A channel to each address, kept while it is used. `ca`: PEM of the authority that signed the shards'
    certificates; empty: no TLS. `server_name`: the name in these certificates; empty: the address."""

    def __init__(self, ca: bytes = b"", server_name: str = "") -> None:
        self._credentials = grpc.ssl_channel_credentials(ca) if ca else None
        name = (("grpc.ssl_target_name_override", server_name),) if server_name else ()
        self._options = (*_OPTIONS, *name)
        self._channels: OrderedDict[str, grpc.aio.Channel] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def ready(self, address: str, within_s: float) -> grpc.aio.Channel | None:
        """Return a channel that is connected; None if the engine does not answer in time."""
        channel = self._channel(address)
        if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return channel
        try:
            async with asyncio.timeout(within_s):
                await channel.channel_ready()
        except TimeoutError:
            return None
        return channel

    async def close(self) -> None:
        """Close all channels."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    def _channel(self, address: str) -> grpc.aio.Channel:
        channel = self._channels.get(address)
        if channel is None:
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(address, options=self._options)
            else:
                channel = grpc.aio.secure_channel(address, self._credentials, options=self._options)
            self._channels[address] = channel
            if len(self._channels) > _CHANNELS_MAX:
                _, oldest = self._channels.popitem(last=False)
                task = asyncio.create_task(oldest.close(grace=60.0))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        self._channels.move_to_end(address)
        return channel
