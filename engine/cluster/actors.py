"""What runs in Ray: one actor for each shard, which keeps the shard's engine running, and one that places them all.

An engine is a process of its own, so that nothing of Ray is in it. It ends when its actor does, in whatever way, and
gives the shard back. Ray may run an actor twice for a while when a network splits; the lease of the shard decides.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray as untyped_ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from engine.cluster.keeping import steps
from engine.cluster.placement.nodes import Node
from engine.cluster.placement.shards import Shard
from engine.cluster.ray_runtime import CONFIG_VARIABLE, NAMESPACE, NODE_LABEL, NODE_VARIABLE
from engine.cluster.registry_costs import shard_costs
from engine.cluster.shard_process import order_of
from engine.cluster.shard_settings import shard_settings
from engine.config import load
from engine.errors import PatrolError
from engine.model.shard import ShardTask
from engine.runtime.log import configure_logging, logger
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases

ray: Any = untyped_ray
"""Ray has types for a part of itself only, and none where it is not installed."""
KEEPER = "keeper"
_STEP_S = 1.0
_COSTS_S = 600.0
_RESTART_S = 1.0
_STOP_S = 15.0
_ANSWER_S = 5.0


class ShardRunner:
    """Keeps the engine of one shard running on this machine, until `stop`."""

    def __init__(self, shard_no: int) -> None:
        self._shard_no = shard_no
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._addresses: dict[str, str] = {}
        self._starts = 0
        self._thread = threading.Thread(target=self._keep, name="shard", daemon=True)
        self._thread.start()

    def state(self) -> dict[str, Any]:
        """Return the shard's node, its engine's addresses (empty while it does not run), and how often it started."""
        return {"node": os.environ[NODE_VARIABLE], "addresses": self._addresses, "starts": self._starts}

    def stop(self) -> bool:
        """End the engine, which gives the shard back; return whether it ended in time."""
        self._stopping.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self._thread.join(_STOP_S)
        if self._thread.is_alive() and process is not None:
            process.kill()
            return False
        return True

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._run()
            self._addresses = {}
            self._stopping.wait(_RESTART_S)

    def _run(self) -> None:
        """Run the engine once."""
        settings = load(Path(os.environ[CONFIG_VARIABLE]))
        task = ShardTask(self._shard_no, os.environ[NODE_VARIABLE], settings.cluster.lease_s)
        self._starts += 1
        with subprocess.Popen(
            [sys.executable, "-m", "engine.cluster.shard_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            self._process = process
            if process.stdin is None or process.stdout is None:
                return
            process.stdin.write(order_of(shard_settings(settings, self._shard_no), task))
            process.stdin.flush()
            if self._stopping.is_set():
                process.stdin.close()
            line = process.stdout.readline()
            self._addresses = json.loads(line) if line else {}
            process.wait()


class Keeper:
    """Sees to it that every shard runs where it is placed. One for the whole cluster; if Ray runs two for a while, the
    leases keep the shards single."""

    def __init__(self) -> None:
        self._settings = load(Path(os.environ[CONFIG_VARIABLE]))
        configure_logging(self._settings.log.level, self._settings.log.format, "keeper")
        self._leases = Leases(connect(parse_url(self._settings.record.url)))
        self._drained: set[str] = set()
        self._running: dict[int, tuple[str, Any]] = {}
        self._unplaced: dict[int, str] = {}
        self._shards: tuple[Shard, ...] = ()
        self._costs_at_s = -_COSTS_S
        self._find_runners()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def drain(self, node: str) -> list[int]:
        """Have a node's shards run elsewhere from now on; return which it has."""
        self._drained.add(node)
        return [number for number, (name, _) in self._running.items() if name == node]

    def readmit(self, node: str) -> None:
        """Place shards on a node again that was drained."""
        self._drained.discard(node)

    def state(self) -> dict[str, Any]:
        """Return the nodes with their cores and labels, the node of each shard, and why shards run nowhere."""
        nodes = [
            {"name": node.name, "cores": node.cores, "labels": dict(node.labels), "drained": node.leaves}
            for node, _ in self._nodes()
        ]
        running = {number: name for number, (name, _) in self._running.items()}
        return {"nodes": nodes, "running": running, "unplaced": dict(self._unplaced)}

    def _keep(self) -> None:
        while True:
            try:
                self._step()
            except PatrolError as error:
                logger().warning("shards are not placed for now", detail=str(error))
            except ray.exceptions.RayError as error:
                logger().warning("Ray does not answer for now", detail=str(error).partition("\n")[0])
            time.sleep(_STEP_S)

    def _step(self) -> None:
        if time.monotonic() - self._costs_at_s >= _COSTS_S:
            self._shards = shard_costs(self._settings, self._leases.all())
            self._costs_at_s = time.monotonic()
        nodes = self._nodes()
        ids = {node.name: node_id for node, node_id in nodes}
        for number, (name, actor) in list(self._running.items()):
            if name not in ids or not _lives(actor):
                del self._running[number]
        running = {number: name for number, (name, _) in self._running.items()}
        todo = steps(self._shards, [node for node, _ in nodes], running, self._settings.cluster.bindings)
        for move in todo.moves:
            if move.shard in todo.start or move.shard in todo.stop:
                logger().info(
                    "shard placed", shard=move.shard, node=move.target, before=move.source, cause=move.cause.value
                )
        for number in todo.stop:
            name, actor = self._running.pop(number)
            ray.get(actor.stop.remote(), timeout=_STOP_S + _ANSWER_S)
            ray.kill(actor)
        for number, name in todo.start.items():
            self._running[number] = name, _start_runner(number, ids[name])
        self._unplaced = dict(todo.unplaced)

    def _nodes(self) -> list[tuple[Node, str]]:
        """Return the nodes that live and are ours, each with Ray's id."""
        found = []
        for row in ray.nodes():
            labels = dict(row.get("Labels") or {})
            name = labels.pop(NODE_LABEL, "")
            if row["Alive"] and name:
                cores = float(row["Resources"].get("CPU", 1.0))
                found.append((Node(name, cores, labels, name in self._drained), row["NodeID"]))
        return found

    def _find_runners(self) -> None:
        """Find the shards that an earlier keeper has started."""
        for row in self._leases.all():
            try:
                actor = ray.get_actor(_runner_name(row.shard_no), namespace=NAMESPACE)
                state = ray.get(actor.state.remote(), timeout=_ANSWER_S)
            except (ValueError, ray.exceptions.RayError):
                continue
            self._running[row.shard_no] = state["node"], actor


def _runner_name(shard_no: int) -> str:
    return f"shard-{shard_no}"


def _start_runner(shard_no: int, node_id: str) -> Any:
    options = {
        "name": _runner_name(shard_no),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "num_cpus": 0,
        "max_restarts": 0,
        "max_concurrency": 4,
        "get_if_exists": True,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False),
    }
    return ray.remote(ShardRunner).options(**options).remote(shard_no)


def _lives(actor: Any) -> bool:
    """Whether an actor runs; one that takes long to answer does."""
    try:
        ray.get(actor.state.remote(), timeout=_ANSWER_S)
    except ray.exceptions.GetTimeoutError:
        return True
    except ray.exceptions.RayActorError:
        return False
    return True


def keeper() -> Any:
    """Return the keeper of the cluster that this process is connected to; start it if there is none."""
    options = {
        "name": KEEPER,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": -1,
        "max_concurrency": 8,
        "get_if_exists": True,
    }
    return ray.remote(Keeper).options(**options).remote()
