"""The shard that an engine runs, where several engines share a province, and what it has of platforms that other shards
visit too. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardTask:
    """`number`: of the shard, from 1. `node`: the machine that runs it. `lease_s`: how long a lease lasts that is not
    renewed."""

    number: int
    node: str
    lease_s: float


@dataclass(frozen=True, slots=True)
class ShardNews:
    """What an engine tells of its shard. `address`, `metrics_address`: where it answers gRPC and scrapes; empty if it
    does not. `checks_per_s`: of the last seconds. `lag_s`: how late its most overdue camera is."""

    address: str = ""
    metrics_address: str = ""
    checks_per_s: float = 0.0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class HostGrants:
    """What shards whose lease lives have of one platform, by number. `shares`: as they were assigned. `granted`: visits
    at once; a shard that has not asked yet is missing. `clock_s`: of the database, for turns."""

    shares: Mapping[int, float]
    granted: Mapping[int, int]
    clock_s: float = 0.0
