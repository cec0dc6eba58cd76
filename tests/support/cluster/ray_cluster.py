"""Nodes of a real Ray cluster on this machine: `patrol cluster up` and `join` as processes of their own."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.cluster.ray_runtime import own_folder
from engine.config.cluster import ClusterSettings
from engine.storage.db.shards.leases import Leases
from tests.support.cluster.machines import Machine
from tests.support.cluster.processes import descendants, kill_all, program
from tests.support.ports import free_port
from tests.support.waiting import wait_until

LEASE_S = 5
_NO_MACHINES: Mapping[str, Machine] = MappingProxyType({})
QUICK_VISITS = """
[feed]
deadline_s = 3
connect_timeout_s = 1.0
demuxers = 0
[scheduler]
order_timeout_s = 6
key_period_s = 1
ordinary_period_s = 1
suspicious_period_s = 1
backoff_stream_first_s = 1
backoff_connect_first_s = 1
backoff_lasting_first_s = 1
backoff_max_s = 1
outage_cameras_min = 1000
"""
"""Each camera is visited each second, as far as it answers."""


class RayCluster:
    """The nodes, on one database.

    `sections`: of their configuration, beside what makes them a cluster. `tls`: certificate and key, where the nodes
    are on `machines` with an address that others reach; empty: they share the addresses of this one.
    `cluster_keys`: more keys of [cluster], such as those of a RedisServer; `{node}` stands for the node's name.
    """

    def __init__(
        self,
        url: str,
        leases: Leases,
        folder: Path,
        stack: ExitStack,
        sections: str,
        cluster_keys: str = "",
        *,
        machines: Mapping[str, Machine] = _NO_MACHINES,
        tls: tuple[Path, ...] = (),
    ) -> None:
        self._url, self._leases, self._stack, self._sections = url, leases, stack, sections
        self._cluster_keys = cluster_keys
        self._machines, self._tls = machines, tls
        self.folder = folder
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def config(self, node: str) -> Path:
        """The configuration file of a node."""
        path = self.folder / f"{node}.toml"
        if not path.exists():
            path.write_text(
                f"[record]\nurl = '{self._url}'\nevidence_dir = '{self.folder}/{node}/ev'\n"
                f"quarantine_dir = '{self.folder}/{node}/q'\n"
                f"{self._serve(node)}metrics_listen = ''\n[intake]\nlisten = ''\n"
                f"[log]\nformat = 'json'\n{self._sections}"
                f"[cluster]\nlisten = '{self._machine(node).address}'\nnode = '{node}'\nport = {self.port}\n"
                f"lease_s = {LEASE_S}\n"
                f"{self._cluster_keys.replace('{node}', node)}"
            )
        return path

    def start(self, node: str, *arguments: str) -> None:
        """Run `patrol cluster` with these arguments as a node, and wait until it is ready."""
        command = self._command(node, *arguments)
        log = self.folder / f"{node}.log"
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
        """End a node as an operator does."""
        process = self.processes[node]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def stop_all(self) -> None:
        """End all nodes at once: Ray takes ten seconds for each."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(60)

    def kill(self, node: str) -> None:
        """As if the machine had lost its power: everything that belongs to it ends at once."""
        kill_all(descendants(self.processes[node].pid))
        self.processes[node].wait()

    def kill_gcs(self, node: str) -> None:
        """End the process that keeps what Ray's head knows, and nothing else; the node is the head. Wait until `patrol
        cluster up` has noticed, and ended too."""
        kill_all([pid for pid in descendants(self.processes[node].pid) if program(pid) == "gcs_server"])
        self.processes[node].wait(60)

    def call(self, *arguments: str) -> str:
        """Run a command of `patrol cluster` on the first node; return what it prints."""
        command = self._command("node-1", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What `patrol cluster status` says."""
        return dict(json.loads(self.call("status", "--json")))

    def node_of(self) -> dict[int, str]:
        """The node of each shard whose engine answers."""
        return {row.shard_no: row.node for row in self._leases.all() if row.is_held and row.address}

    def join(self, node: str) -> None:
        """Run `patrol cluster join` as a node."""
        self.start(node, "join", f"{self._machine('node-1').address}:{self.port}")

    def _machine(self, node: str) -> Machine:
        return self._machines.get(node) or Machine(node, "127.0.0.2")

    def _serve(self, node: str) -> str:
        if not self._tls:
            return "[serve]\ngrpc_listen = '127.0.0.1:0'\n"
        certificate, key = self._tls
        address = self._machine(node).address
        return f"[serve]\ngrpc_listen = '{address}:0'\ntls_cert_file = '{certificate}'\ntls_key_file = '{key}'\n"

    def _command(self, node: str, *arguments: str) -> list[str]:
        own = [sys.executable, "-m", "engine.cli", "cluster", *arguments, "--config", str(self.config(node))]
        return [*self._machine(node).prefix, *own]
