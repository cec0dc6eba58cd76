"""Two nodes of a real Ray cluster on this machine: shards are placed, drained, and go on when a node is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.client import PatrolClient
from engine.cluster.ray_runtime import own_folder
from engine.config.cluster import ClusterSettings
from tests.support.cluster.province import HERE, THERE, Province
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kitchen-patrol[cluster]'")
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


class RayCluster:
    """`patrol cluster up` and `join` as processes of their own, on a database with two shards."""

    def __init__(self, province: Province, folder: Path, stack: ExitStack) -> None:
        self.province, self._folder, self._stack = province, folder, stack
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def config(self, node: str) -> Path:
        path = self._folder / f"{node}.toml"
        if not path.exists():
            path.write_text(
                f"[record]\nurl = '{self.province.url}'\nevidence_dir = '{self._folder}/{node}/ev'\n"
                f"quarantine_dir = '{self._folder}/{node}/q'\n"
                "[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = ''\n[intake]\nlisten = ''\n"
                "[feed]\ndeadline_s = 3\nconnect_timeout_s = 1.0\ndemuxers = 0\n[log]\nformat = 'json'\n"
                "[scheduler]\norder_timeout_s = 6\nkey_period_s = 1\nordinary_period_s = 1\nsuspicious_period_s = 1\n"
                "backoff_stream_first_s = 1\nbackoff_connect_first_s = 1\nbackoff_lasting_first_s = 1\n"
                "backoff_max_s = 1\noutage_cameras_min = 1000\n"
                f"[cluster]\nlisten = '127.0.0.2'\nnode = '{node}'\nport = {self.port}\nlease_s = 5\n"
            )
        return path

    def start(self, node: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "engine.cli", "cluster", *arguments, "--config", str(self.config(node))]
        log = self._folder / f"{node}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file, process_group=0)
        self.processes[node] = process
        self._stack.callback(self.stop, node)
        wait_until(lambda: '"ready"' in log.read_text() or process.poll() is not None, 120)
        assert process.poll() is None, log.read_text()

    def forget(self) -> None:
        """Remove Ray's files."""
        for node in self.processes:
            shutil.rmtree(own_folder(ClusterSettings(node=node)), ignore_errors=True)

    def stop(self, node: str) -> None:
        process = self.processes[node]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def kill(self, node: str) -> None:
        """As if the machine had lost its power: everything that belongs to it ends at once."""
        for pid in descendants(self.processes[node].pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.processes[node].wait()

    def call(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "engine.cli", "cluster", *arguments, "--config", str(self.config("node-1"))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.call("status", "--json")))

    def node_of(self) -> dict[int, str]:
        """The node of each shard whose engine answers."""
        return {row.shard_no: row.node for row in self.province.leases.all() if row.is_held and row.address}


def descendants(pid: int) -> list[int]:
    """A process with all that it has started, the last first: who looks after others must not see them go."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


@pytest.fixture
def cluster(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[RayCluster]:
    with ExitStack() as stack:
        made = RayCluster(Province(postgres_server.database(), tmp_path, stack), tmp_path, stack)
        stack.callback(made.forget)
        yield made


def test_shards_are_placed_leave_a_drained_node_and_go_on_when_a_node_is_lost(cluster: RayCluster) -> None:
    cluster.start("node-1", "up")
    wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 120)
    token = cluster._folder / "ray_token"
    assert token.stat().st_mode & 0o077 == 0
    cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
    wait_until(lambda: sorted(cluster.node_of().values()) == ["node-1", "node-2"], 120)
    with PatrolClient(cluster.province.front().addresses["grpc"]) as client:
        cluster.province.goes_on(HERE)
        cluster.province.goes_on(THERE)
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
        cluster.province.goes_on(HERE)
        cluster.province.goes_on(THERE)
        assert client.status().cameras == 12
    secrets = [token.read_text()]
    folder = own_folder(ClusterSettings(node="node-1"))
    logs = list(folder.rglob("*.log"))
    assert logs
    for log in logs:
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log


def test_without_rays_head_other_machines_go_on_and_can_be_stopped(cluster: RayCluster) -> None:
    cluster.start("node-1", "up")
    wait_until(lambda: cluster.node_of() == {1: "node-1", 2: "node-1"}, 120)
    cluster.start("node-2", "join", f"127.0.0.2:{cluster.port}")
    wait_until(lambda: sorted(cluster.node_of().values()) == ["node-1", "node-2"], 120)
    (shard_no,) = [number for number, node in cluster.node_of().items() if node == "node-2"]
    epoch = cluster.province.shard(shard_no).epoch
    cluster.kill("node-1")
    time.sleep(20)
    assert cluster.province.shard(shard_no).is_held
    assert cluster.province.shard(shard_no).epoch == epoch, "nobody took it, and it was never started anew"
    cluster.province.goes_on(HERE if shard_no == 1 else THERE)
    began_s = time.monotonic()
    cluster.stop("node-2")
    assert time.monotonic() - began_s < 30
    assert cluster.processes["node-2"].returncode == 0
    wait_until(lambda: not cluster.province.shard(shard_no).is_held, 10)
