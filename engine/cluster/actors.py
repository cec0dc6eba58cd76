"""What runs in Ray: one actor for each shard, which keeps the shard's engine running (engine.cluster.shard_runner), and
one that places them all. Ray may run an actor twice for a while when a network splits; the lease of the shard decides.
"""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray as untyped_ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from engine.clock import NS_PER_S, monotonic_ns, wall_ns
from engine.cluster.cut_off import CutOffNodes
from engine.cluster.keeping import steps
from engine.cluster.placement.nodes import Node
from engine.cluster.placement.shards import Shard
from engine.cluster.ray_runtime import CONFIG_VARIABLE, NAMESPACE, NODE_LABEL
from engine.cluster.registry_costs import shard_costs
from engine.cluster.shard_runner import DATABASE_S, STOP_S, ShardRunner
from engine.config import load
from engine.errors import PatrolError
from engine.runtime.log import configure_logging, logger
from engine.storage.db.database import connect, database_answers, parse_url
from engine.storage.db.shards.drained_nodes import DrainedNodes
from engine.storage.db.shards.leases import Leases

ray: Any = untyped_ray
"""Ray has types for a part of itself only, and none where it is not installed."""
KEEPER = "keeper"
_STEP_S = 1.0
_COSTS_NS = 600 * NS_PER_S
"""How often it is read anew what the cameras of each shard cost."""
_ANSWER_S = 5.0
_LIVE_S = 1.0
"""How long a step waits for the actors' answers: those of a machine that is lost never come."""


class Keeper:
    """Sees to it that every shard runs where it is placed. One for the whole cluster; if Ray runs two for a while, the
    leases keep the shards single."""

    def __init__(self) -> None:
        self._settings = load(Path(os.environ[CONFIG_VARIABLE]))
        configure_logging(self._settings.log.level, self._settings.log.format, "keeper")
        database = connect(parse_url(self._settings.record.url))
        self._leases, self._drained_nodes = Leases(database), DrainedNodes(database)
        self._drained = self._drained_nodes.all()
        self._cut_off = CutOffNodes()
        self._asked: dict[Any, str] = {}
        self._running: dict[int, tuple[str, Any]] = {}
        self._unplaced: dict[int, str] = {}
        self._shards: tuple[Shard, ...] = ()
        self._costs_of: dict[str, int] = {}
        self._costs_at_ns = 0
        self._find_runners()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def drain(self, node: str) -> list[int]:
        """Have a node's shards run elsewhere from now on, also by a keeper that starts anew; return which it has."""
        self._drained_nodes.add(node, wall_ns())
        self._drained.add(node)
        return [number for number, (name, _) in self._running.items() if name == node]

    def readmit(self, node: str) -> None:
        """Place shards on a node again that was drained."""
        self._drained_nodes.remove(node)
        self._drained.discard(node)

    def state(self) -> dict[str, Any]:
        """Return the nodes with their cores and labels, the node of each shard, and why shards run nowhere."""
        nodes = [
            {
                "name": node.name,
                "cores": node.cores,
                "labels": dict(node.labels),
                "drained": node.leaves,
                "cut_off": node.cut_off,
            }
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
                _warn("Ray does not answer for now", error)
            time.sleep(_STEP_S)

    def _step(self) -> None:
        held = self._read_shards()
        ended, without_database = _asked({number: actor for number, (_, actor) in self._running.items()})
        for number in sorted(without_database - held):
            name, _ = self._running[number]
            if self._cut_off.report(name, monotonic_ns()):
                logger().warning("a node cannot reach the database: its shards run elsewhere", node=name)
        nodes = self._nodes()
        ids = {node.name: node_id for node, node_id in nodes}
        self._ask_cut_off(ids)
        for number, (name, _) in list(self._running.items()):
            if name not in ids or number in ended:
                del self._running[number]
        running = {number: name for number, (name, _) in self._running.items()}
        todo = steps(self._shards, [node for node, _ in nodes], running, self._settings.cluster.bindings)
        for move in todo.moves:
            if move.shard in todo.start or move.shard in todo.stop:
                logger().info(
                    "shard placed", shard=move.shard, node=move.target, before=move.source, cause=move.cause.value
                )
        for number, name in todo.start.items():  # first: a shard of a lost machine does not wait for one that moves
            self._running[number] = name, _start_runner(number, ids[name])
        for number in todo.stop:
            _stop_runner(number, self._running.pop(number)[1])
        self._unplaced = dict(todo.unplaced)

    def _ask_cut_off(self, ids: Mapping[str, str]) -> None:
        """Ask the nodes that were cut off whether they can reach the database again; take their answers. `ids`: Ray's
        ids of those that live."""
        for name in self._cut_off.nodes() - ids.keys():
            self._cut_off.clear(name)
        for name in self._cut_off.to_ask(monotonic_ns()):
            on_node = NodeAffinitySchedulingStrategy(ids[name], soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": on_node}
            self._asked[ray.remote(_reaches_database).options(**options).remote()] = name
        done, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0) if self._asked else ([], [])
        for answer in done:
            name = self._asked.pop(answer)
            try:
                if ray.get(answer):
                    self._cut_off.clear(name)
                    logger().info("a node reaches the database again", node=name)
            except ray.exceptions.RayError as error:
                _warn(f"{name} does not say whether it reaches the database", error)

    def _read_shards(self) -> set[int]:
        """Return the shards whose lease somebody has. Read what all of them cost, now and then, and when counties were
        assigned anew."""
        rows = self._leases.all()
        shard_of = {county: row.shard_no for row in rows for county in row.counties}
        if shard_of != self._costs_of or monotonic_ns() - self._costs_at_ns >= _COSTS_NS:
            self._shards = shard_costs(self._settings, rows)
            self._costs_of, self._costs_at_ns = shard_of, monotonic_ns()
        return {row.shard_no for row in rows if row.is_held}

    def _nodes(self) -> list[tuple[Node, str]]:
        """Return the nodes that live and are ours, each with Ray's id."""
        found = []
        cut_off = self._cut_off.nodes()
        for row in ray.nodes():
            labels = dict(row.get("Labels") or {})
            name = labels.pop(NODE_LABEL, "")
            if row["Alive"] and name:
                cores = float(row["Resources"].get("CPU", 1.0))
                found.append((Node(name, cores, labels, name in self._drained, name in cut_off), row["NodeID"]))
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


def _reaches_database() -> bool:
    """Return whether the machine on which this runs can reach the database."""
    return database_answers(load(Path(os.environ[CONFIG_VARIABLE])).record.url, DATABASE_S)


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


def _stop_runner(shard_no: int, actor: Any) -> None:
    """End an actor, with its engine. One that does not answer is killed: it must not keep the shard's name."""
    try:
        ray.get(actor.stop.remote(), timeout=STOP_S + _ANSWER_S)
    except ray.exceptions.RayError as error:
        _warn(f"the engine of shard {shard_no} is not stopped in order", error)
    ray.kill(actor)


def _asked(actors: Mapping[int, Any]) -> tuple[set[int], set[int]]:
    """Return the shards whose actors run no more, and those whose actors cannot reach the database. Actors that take
    long to answer, or whose answer is lost, run."""
    answers = {actor.state.remote(): number for number, actor in actors.items()}
    if not answers:
        return set(), set()
    done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=_LIVE_S)
    ended, without_database = set(), set()
    for answer in done:
        try:
            if not ray.get(answer)["database"]:
                without_database.add(answers[answer])
        except (ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError):
            ended.add(answers[answer])  # also one whose machine was lost before it had begun
        except ray.exceptions.RayError as error:  # what one answers must not keep the others from being placed
            _warn(f"the actor of shard {answers[answer]} does not say how it is", error)
    return ended, without_database


def _warn(what: str, error: Exception) -> None:
    logger().warning(what, detail=str(error).partition("\n")[0])


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
