"""What a server needs to pass calls on to shards."""

from dataclasses import dataclass

from engine.serve.forwarding.calls import ShardCalls
from engine.serve.forwarding.shards import ShardChannels, Shards


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The shards, the calls that are made there, and the channels on which these go."""

    shards: Shards
    calls: ShardCalls
    channels: ShardChannels
