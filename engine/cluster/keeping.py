"""Decides what has to start and to stop so that every shard runs on the node that it is placed on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.cluster.placement.nodes import Move, Node, place
from engine.cluster.placement.shards import Shard


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done. `stop`: shards that are to leave their node. `start`: the node of each shard that runs
    nowhere. `moves`: why. `unplaced`: why shards run nowhere."""

    stop: tuple[int, ...]
    start: Mapping[int, str]
    moves: tuple[Move, ...]
    unplaced: Mapping[int, str]


def steps(
    shards: Sequence[Shard], nodes: Sequence[Node], running: Mapping[int, str], bindings: Mapping[str, str]
) -> Steps:
    """Return what has to be done. `nodes`: those that live. `running`: the node of each shard that has been started; it
    may be one that lives no more.

    A shard that moves is stopped first and started in a later step, once it has given its lease back: two engines of
    one shard would only wait for each other.
    """
    placement = place(shards, nodes, running, bindings)
    living = {node.name for node in nodes}
    stop = tuple(
        sorted(number for number, name in running.items() if placement.node_of.get(number) != name and name in living)
    )
    start = {
        number: name
        for number, name in placement.node_of.items()
        if number not in running or running[number] not in living
    }
    return Steps(stop, start, placement.moves, placement.unplaced)
