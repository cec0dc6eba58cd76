"""What runs in Ray: one actor for each shard, which keeps the shard's engine running (engine.cluster.shard_runner), and
one that places them all. Ray may run an actor twice for a while when a network splits; the lease of the shard decides.
"""

import contextlib
import os
import threading
import time
from collections.abc import Mapping, Set
from typing import Any

import ray as untyped_ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from engine.clock import NS_PER_S, monotonic_ns, ns, wall_ns
from engine.cluster.cut_off import CutOffNodes
from engine.cluster.keeping import steps
from engine.cluster.members import Member, members
from engine.cluster.placement.shards import Shard
from engine.cluster.ray_runtime import NAMESPACE
from engine.cluster.registry_costs import shard_costs
from engine.cluster.shard_runner import DATABASE_S, STOP_S, ShardRunner, config_here
from engine.config import load
from engine.errors import PatrolError
from engine.runtime.log import configure_logging, logger
from engine.storage.db.database import DatabaseUnavailableError, connect, parse_url, require_answer
from engine.storage.db.shards.drained_nodes import DrainedNodes
from engine.storage.db.shards.leases import Leases

ray: Any = untyped_ray
"""Ray has types for a part of itself only, and none where it is not installed."""
KEEPER = "keeper"
_HEAD, _SOME = "node:__internal_head__", 0.001
"""A resource that the head's machine alone has, and so much of it that many could ask for it."""
_STEP_S = 1.0
_COSTS_NS = 600 * NS_PER_S
"""How often it is read anew what the cameras of each shard cost."""
_ANSWER_S = 5.0
_LIVE_S = 1.0
"""How long a step waits for the actors' answers: those of a machine that is lost never come."""
_FOUND_S = 30.0
"""How long a new keeper waits for them: a shard whose actor it does not find is started anew. Ray takes a lost machine
for lost before that, and answers for its actors."""


class Keeper:
    """Sees to it that every shard runs where it is placed. One for the whole cluster; if Ray runs two for a while, the
    leases keep the shards single.

    `config`: path of the configuration file on machines whose environment does not say another.
    """

    def __init__(self, config: str) -> None:
        self._config = config
        self._settings = load(config_here(config))
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
        self._turn = threading.Lock()
        self._ended = False
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
            for node in (member.node for member in self._members())
        ]
        running = {number: name for number, (name, _) in self._running.items()}
        return {"nodes": nodes, "running": running, "unplaced": dict(self._unplaced)}

    def end(self) -> dict[int, bool]:
        """Have all engines give their shards back and end, and place none any more; return which ran, and whether each
        ended in order."""
        with self._turn:
            self._ended = True
            running, self._running = {number: actor for number, (_, actor) in self._running.items()}, {}
            return _stop_runners(running)

    def _keep(self) -> None:
        while not self._ended:
            try:
                with self._turn:
                    self._step()
            except PatrolError as error:
                logger().warning("shards are not placed for now", detail=str(error))
            except ray.exceptions.RayError as error:
                _warn("Ray does not answer for now", error)
            time.sleep(_STEP_S)

    def _step(self) -> None:
        if self._ended:
            return
        held = self._read_shards()
        states, ended = _ask({number: actor for number, (_, actor) in self._running.items()}, _LIVE_S)
        self._note_cut_off(states, held)
        found = {member.node.name: member for member in self._members()}
        self._ask_cut_off(found)
        for number, (name, actor) in list(self._running.items()):
            if number in states:
                self._running[number] = states[number]["node"], actor
            elif name not in found or number in ended:
                del self._running[number]
        running = {number: name for number, (name, _) in self._running.items()}
        todo = steps(self._shards, [member.node for member in found.values()], running, self._settings.cluster.bindings)
        for move in todo.moves:
            if move.shard in todo.start or move.shard in todo.stop:
                logger().info(
                    "shard placed", shard=move.shard, node=move.target, before=move.source, cause=move.cause.value
                )
        for number, name in todo.start.items():  # first: a shard of a lost machine does not wait for one that moves
            self._running[number] = name, _start_runner(number, found[name], self._config)
        for number in todo.stop:
            _stop_runners({number: self._running.pop(number)[1]})
        self._unplaced = dict(todo.unplaced)

    def _note_cut_off(self, states: Mapping[int, Mapping[str, Any]], held: Set[int]) -> None:
        """Take nodes for cut off whose shards nobody holds because they cannot reach the database."""
        told = {states[number]["node"] for number in states.keys() - held if not states[number]["database"]}
        for name in sorted(self._cut_off.note(told, monotonic_ns())):
            logger().warning("a node cannot reach the database: its shards run elsewhere", node=name)

    def _ask_cut_off(self, found: Mapping[str, Member]) -> None:
        """Ask the nodes that were cut off whether they can reach the database again; take their answers. `found`: those
        that live."""
        for name in self._cut_off.nodes() - found.keys():
            self._cut_off.clear(name)
        for name in self._cut_off.to_ask(monotonic_ns()):
            if name in self._asked.values():
                continue  # it has not answered yet
            on_node = NodeAffinitySchedulingStrategy(found[name].node_id, soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": on_node}
            self._asked[ray.remote(_reaches_database).options(**options).remote(self._config)] = name
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

    def _members(self) -> list[Member]:
        return members(ray.nodes(), self._drained, self._cut_off.nodes())

    def _find_runners(self) -> None:
        """Find the shards that an earlier keeper has started; of those whose machine was lost, Ray knows that soon."""
        actors = {}
        for row in self._leases.all():
            with contextlib.suppress(ValueError):
                actors[row.shard_no] = ray.get_actor(_runner_name(row.shard_no), namespace=NAMESPACE)
        states, _ = _ask(actors, _FOUND_S)
        self._running = {number: (state["node"], actors[number]) for number, state in states.items()}


def _reaches_database(config: str) -> bool:
    """Return whether the machine on which this runs can reach the database."""
    try:
        require_answer(load(config_here(config)).record.url, DATABASE_S)
    except DatabaseUnavailableError:
        return False
    return True


def _runner_name(shard_no: int) -> str:
    return f"shard-{shard_no}"


def _start_runner(shard_no: int, member: Member, config: str) -> Any:
    options = {
        "name": _runner_name(shard_no),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "num_cpus": 0,
        "max_restarts": 0,
        "max_concurrency": 4,
        "get_if_exists": True,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(member.node_id, soft=False),
    }
    return ray.remote(ShardRunner).options(**options).remote(shard_no, member.node.name, member.address, config)


def _stop_runners(actors: Mapping[int, Any]) -> dict[int, bool]:
    """End actors, with their engines; return which ended in order. One that does not answer is killed: it must not keep
    the shard's name."""
    answers = {number: actor.stop.remote() for number, actor in actors.items()}
    give_up_ns = monotonic_ns() + ns(STOP_S + _ANSWER_S)
    in_order = {}
    for number, answer in answers.items():
        try:
            in_order[number] = bool(ray.get(answer, timeout=max(0.0, (give_up_ns - monotonic_ns()) / NS_PER_S)))
        except ray.exceptions.RayError as error:
            in_order[number] = False
            _warn(f"the engine of shard {number} is not stopped in order", error)
        ray.kill(actors[number])
    return in_order


def _ask(actors: Mapping[int, Any], within_s: float) -> tuple[dict[int, dict[str, Any]], set[int]]:
    """Return the states of actors, and which run no more; those that take long to answer, or whose answer is lost,
    do."""
    answers = {actor.state.remote(): number for number, actor in actors.items()}
    if not answers:
        return {}, set()
    done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=within_s)
    states, ended = {}, set()
    for answer in done:
        try:
            states[answers[answer]] = ray.get(answer)
        except ray.exceptions.ActorUnavailableError as error:  # its machine does not answer for now
            _warn(f"the actor of shard {answers[answer]} cannot be reached", error)
        except (ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError):
            ended.add(answers[answer])  # also one whose machine was lost before it had begun
        except ray.exceptions.RayError as error:  # what one answers must not keep the others from being placed
            _warn(f"the actor of shard {answers[answer]} does not say how it is", error)
    return states, ended


def _warn(what: str, error: Exception) -> None:
    logger().warning(what, detail=str(error).partition("\n")[0])


def asks_for_token() -> bool:
    """Return whether the machine on which Ray runs this asks whoever sends it something for the cluster's token."""
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


def keeper(config: str) -> Any:
    """Return the keeper of the cluster that this process is connected to; start it if there is none. `config`: path of
    the configuration file on machines whose environment does not say another.

    It runs on the head's machine, without which Ray starts nothing: elsewhere it could be cut off from the database
    while the cluster is well.
    """
    options = {
        "name": KEEPER,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "num_cpus": 0,
        "resources": {_HEAD: _SOME},
        "max_restarts": -1,
        "max_task_retries": -1,
        "max_concurrency": 8,
        "get_if_exists": True,
    }
    return ray.remote(Keeper).options(**options).remote(config)
