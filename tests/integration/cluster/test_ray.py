"""Two nodes of a real Ray cluster on this machine: shards are placed, drained, and go on when a node is lost."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.cluster.ray_runtime import own_folder
from engine.config.cluster import ClusterSettings
from tests.support.cluster.province import HERE, THERE, Province
from tests.support.cluster.ray_cluster import QUICK_VISITS, RayCluster
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kitchen-patrol[cluster]'")
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


@pytest.fixture
def province(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Province]:
    with ExitStack() as stack:
        yield Province(postgres_server.database(), tmp_path, stack)


@pytest.fixture
def cluster(province: Province, tmp_path: Path) -> Iterator[RayCluster]:
    with ExitStack() as stack:
        made = RayCluster(province.url, province.leases, tmp_path, stack, QUICK_VISITS)
        stack.callback(made.forget)
        yield made


def test_shards_are_placed_leave_a_drained_node_and_go_on_when_a_node_is_lost(
    cluster: RayCluster, province: Province
) -> None:
    cluster.start("node-1", "up")
    wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 120)
    token = cluster.folder / "ray_token"
    assert token.stat().st_mode & 0o077 == 0
    cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
    wait_until(lambda: sorted(cluster.node_of().values()) == ["node-1", "node-2"], 120)
    with PatrolClient(province.front().addresses["grpc"]) as client:
        province.goes_on(HERE)
        province.goes_on(THERE)
        shown = cluster.status()
        assert [(row["node"], row["state"], row["shards"]) for row in shown["nodes"]] == [
            ("node-1", "up", 1),
            ("node-2", "up", 1),
        ]
        assert sum(row["cameras"] for row in shown["shards"]) == 12
        cluster.call("drain", "node-2")
        wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 60)
        assert {row["node"]: row["state"] for row in cluster.status()["nodes"]}["node-2"] == "drained"
        cluster.call("drain", "node-2", "--back")
        wait_until(lambda: sorted(cluster.node_of().values()) == ["node-1", "node-2"], 60)
        moved = next(number for number, node in cluster.node_of().items() if node == "node-2")
        cluster.kill("node-2")
        began_s = time.monotonic()
        wait_until(lambda: cluster.node_of().get(moved) == "node-1", 60)
        print(f"shard {moved} stands elsewhere after {time.monotonic() - began_s:.1f} s")
        province.goes_on(HERE)
        province.goes_on(THERE)
        assert client.status().cameras == 12
    secrets = [token.read_text()]
    folder = own_folder(ClusterSettings(node="node-1"))
    logs = list(folder.rglob("*.log"))
    assert logs
    for log in logs:
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log


def test_without_rays_head_other_machines_go_on_and_can_be_stopped(cluster: RayCluster, province: Province) -> None:
    cluster.start("node-1", "up")
    wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 120)
    cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
    wait_until(lambda: sorted(cluster.node_of().values()) == ["node-1", "node-2"], 120)
    (shard_no,) = [number for number, node in cluster.node_of().items() if node == "node-2"]
    epoch = province.shard(shard_no).epoch
    cluster.kill("node-1")
    time.sleep(20)
    assert province.shard(shard_no).is_held
    assert province.shard(shard_no).epoch == epoch, "nobody took it, and it was never started anew"
    province.goes_on(HERE if shard_no == 1 else THERE)
    began_s = time.monotonic()
    cluster.stop("node-2")
    assert time.monotonic() - began_s < 30
    assert cluster.processes["node-2"].returncode == 0
    wait_until(lambda: not province.shard(shard_no).is_held, 10)
