"""The shard that an engine runs, where several engines share a province. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardTask:
    """`number`: of the shard, from 1. `node`: the machine that runs it. `lease_s`: how long a lease lasts that is not
    renewed."""

    number: int
    node: str
    lease_s: float
