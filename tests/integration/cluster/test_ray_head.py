"""Ray's head ends and begins anew at the same address, with a Redis that remembers and without one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.cluster.head_memory import namespace
from tests.support.cluster import redis_server
from tests.support.cluster.processes import descendants, program
from tests.support.cluster.province import HERE, THERE, Province
from tests.support.cluster.ray_cluster import QUICK_VISITS, RayCluster
from tests.support.cluster.redis_server import RedisServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kitchen-patrol[cluster]'")
pytestmark = [pytest.mark.timeout(900), pytest.mark.long]
BOTH = ["node-1", "node-2"]
BOUND = """
labels = { machine = '{node}' }
bindings = { 1301 = "machine=node-1", 1302 = "machine=node-2" }
"""
"""Nothing moves to a machine that another is bound to, however long that takes to begin."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begin(server: PostgresServer, folder: Path, stack: ExitStack, keys: str) -> tuple[Province, RayCluster]:
    """Two machines, each with a shard; the first is the head."""
    province = Province(server.database(), folder, stack)
    cluster = RayCluster(province.url, province.leases, folder, stack, QUICK_VISITS, keys)
    stack.callback(cluster.forget)
    cluster.start("node-1", "up")
    join(cluster)
    return province, cluster


def join(cluster: RayCluster) -> None:
    cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
    wait_until(lambda: sorted(cluster.node_of().values()) == BOTH, 180)


def readable(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_with_redis_machines_go_on_through_a_head_that_begins_anew(
    postgres_server: PostgresServer, tmp_path: Path, stack: ExitStack
) -> None:
    if reason := redis_server.missing():
        pytest.skip(reason)
    redis = stack.enter_context(RedisServer(tmp_path))
    province, cluster = begin(postgres_server, tmp_path, stack, redis.keys + BOUND)
    own = namespace(cluster.folder / "ray_token")
    assert redis.names()
    assert not [name for name in redis.names() if own not in name], "other clusters have other names"
    pids = [pid for process in cluster.processes.values() for pid in descendants(process.pid)]
    secret = redis.password.encode()
    assert not [program(pid) for pid in pids if secret in readable(pid, "cmdline")], "a list of processes shows it"
    assert {program(pid) for pid in pids if secret in readable(pid, "environ")} == {"gcs_server"}
    assert cluster.node_of() == {1: "node-1", 2: "node-2"}
    epoch = province.shard(2).epoch

    for lose in (cluster.kill_gcs, cluster.kill):
        lose("node-1")
        wait_until(lambda: not province.shard(1).is_held, 60)
        cluster.start("node-1", "up")
        wait_until(lambda: sorted(cluster.node_of().values()) == BOTH, 180)
        assert province.shard(2).epoch == epoch, "nobody else took it, and it was never started anew"
        assert cluster.processes["node-2"].poll() is None
        shown = {row["node"]: (row["state"], row["shards"]) for row in cluster.status()["nodes"]}
        assert shown == {"node-1": ("up", 1), "node-2": ("up", 1)}
        province.goes_on(HERE)
        province.goes_on(THERE)
    cluster.call("drain", "node-2")  # the keeper places shards, as before
    wait_until(lambda: not province.shard(2).is_held, 60)


def test_without_redis_machines_say_that_they_are_forgotten_and_join_anew(
    postgres_server: PostgresServer, tmp_path: Path, stack: ExitStack
) -> None:
    province, cluster = begin(postgres_server, tmp_path, stack, "")
    (moves,) = [number for number, node in cluster.node_of().items() if node == "node-2"]
    epoch = province.shard(moves).epoch
    cluster.kill("node-1")
    cluster.start("node-1", "up")
    assert cluster.processes["node-2"].wait(120) != 0, "systemd starts it again"
    assert "began anew, and does not know this machine any more" in (cluster.folder / "node-2.log").read_text()
    wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 60)
    assert province.shard(moves).epoch > epoch
    join(cluster)
    province.goes_on(HERE)
    province.goes_on(THERE)
