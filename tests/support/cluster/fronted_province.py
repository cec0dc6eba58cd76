"""Two engines, a front over them, and clients, for the tests of what a front answers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.client import PatrolClient
from tests.support.cluster.province import Province, RunningFront
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.waiting import wait_until


@dataclass
class FrontedProvince:
    """Two engines, a front over them, a client of the front, and of each engine."""

    province: Province
    engines: dict[int, ShardEngine]
    engines_at: dict[int, str]
    metrics_at: dict[int, str]
    front: RunningFront
    client: PatrolClient
    direct: dict[int, PatrolClient]


@contextmanager
def fronted_province(url: str, folder: Path) -> Iterator[FrontedProvince]:
    """Run all of it, on an empty database of PostgreSQL. No shard is lost here: leases are long."""
    with ExitStack() as stack:
        province = Province(url, folder, stack, lease_s=30)
        engines = {number: province.start(number, f"node-{number}") for number in (1, 2)}
        addresses = {number: engine.addresses() for number, engine in engines.items()}
        engines_at, metrics_at = (
            {number: each[name] for number, each in addresses.items()} for name in ("grpc", "metrics")
        )
        direct = {number: stack.enter_context(PatrolClient(address)) for number, address in engines_at.items()}
        front = province.front()
        client = stack.enter_context(PatrolClient(front.addresses["grpc"]))
        wait_until(lambda: all(camera.latest for camera in client.cameras()), 60)
        yield FrontedProvince(province, engines, engines_at, metrics_at, front, client, direct)
        for client in direct.values():  # those of engines that were started anew too
            client.close()
