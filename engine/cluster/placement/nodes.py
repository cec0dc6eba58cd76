"""Decides which node runs which shard: even by expected cost, and moving as few cameras as that takes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.cluster.placement.shards import Shard

_UNEVEN = 0.2
"""No shard moves while the busiest node is less than this share above the mean: each move costs a few seconds."""
_MOVES_MAX = 10
"""Moves a shard in one round of balancing; never reached, and a bound all the same."""
_GAIN_MIN = 0.05
"""A move has to lower the load of the busiest node by this share of the mean."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine. `cores`: that it has. `labels`: such as {"city": "1301"}. `leaves`: it is being drained. `cut_off`: it
    cannot reach the database, and runs what no other node can run."""

    name: str
    cores: float
    labels: Mapping[str, str] = field(default_factory=dict)
    leaves: bool = False
    cut_off: bool = False


class MoveCause(StrEnum):
    """Why a shard begins on a node."""

    NEW = "new"
    NODE_GONE = "node gone"
    NODE_DRAINED = "node drained"
    NODE_CUT_OFF = "node cut off from the database"
    BOUND_ELSEWHERE = "bound elsewhere"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Move:
    """A shard begins on `target`. `source`: the node that ran it; empty if none did."""

    shard: int
    source: str
    target: str
    cause: MoveCause


@dataclass(frozen=True, slots=True)
class Placement:
    """`node_of`: the node by the shard's number. `moves`: what changes, by the shard's number. `unplaced`: why a shard
    runs nowhere."""

    node_of: Mapping[int, str]
    moves: tuple[Move, ...]
    unplaced: Mapping[int, str]


def place(
    shards: Sequence[Shard], nodes: Sequence[Node], before: Mapping[int, str], bindings: Mapping[str, str]
) -> Placement:
    """Return the node of each shard.

    `before`: the node of each shard so far; it stays there if it can. `bindings`: by region prefix, the label that a
    node needs to run its counties, as `city=1301`; the longest prefix counts. The order of shards and nodes does not
    matter.
    """
    living = {node.name: node for node in sorted(nodes, key=lambda node: node.name) if not node.leaves}
    leaving = {node.name for node in nodes if node.leaves}
    by_size = sorted(shards, key=lambda shard: (-shard.cores, shard.number))
    allowed, unplaced = _allowed(by_size, living, bindings)
    node_of = {
        shard.number: before[shard.number]
        for shard in by_size
        if before.get(shard.number) in allowed.get(shard.number, ())
    }
    load = _loads(by_size, living, node_of)
    for shard in by_size:
        if shard.number in allowed and shard.number not in node_of:
            best = min(allowed[shard.number], key=lambda name: (load[name] + shard.cores / living[name].cores, name))
            node_of[shard.number] = best
            load[best] += shard.cores / living[best].cores
    _balance(by_size, living, allowed, node_of)
    moves = [
        Move(number, before.get(number, ""), name, _cause(before.get(number, ""), living, leaving, allowed[number]))
        for number, name in sorted(node_of.items())
        if before.get(number) != name
    ]
    return Placement(node_of, tuple(moves), unplaced)


def _allowed(
    shards: Iterable[Shard], living: Mapping[str, Node], bindings: Mapping[str, str]
) -> tuple[dict[int, tuple[str, ...]], dict[int, str]]:
    """Return the nodes that may run each shard, and why others run nowhere."""
    allowed: dict[int, tuple[str, ...]] = {}
    unplaced: dict[int, str] = {}
    for shard in shards:
        wanted = sorted({label for county in shard.counties if (label := _binding(county, bindings))})
        names = tuple(name for name, node in living.items() if all(_has(node, label) for label in wanted))
        if names:
            allowed[shard.number] = tuple(name for name in names if not living[name].cut_off) or names
        elif len(wanted) > 1:
            unplaced[shard.number] = f"its counties share a recorder or a platform, and are bound to {wanted}"
        else:
            unplaced[shard.number] = f"no node has the label {wanted[0]}" if wanted else "there is no node"
    return allowed, unplaced


def _binding(county: str, bindings: Mapping[str, str]) -> str:
    prefixes = [prefix for prefix in bindings if county.startswith(prefix)]
    return bindings[max(prefixes, key=len)] if prefixes else ""


def _has(node: Node, label: str) -> bool:
    key, _, value = label.partition("=")
    return node.labels.get(key) == value


def _balance(
    shards: Sequence[Shard],
    living: Mapping[str, Node],
    allowed: Mapping[int, Sequence[str]],
    node_of: dict[int, str],
) -> None:
    """Move shards from the busiest node while that is worth it. Each move evens two nodes out, so that this ends."""
    if not living:
        return
    mean = sum(shard.cores for shard in shards if shard.number in node_of) / sum(node.cores for node in living.values())
    for _ in range(_MOVES_MAX * len(shards)):
        load = _loads(shards, living, node_of)  # anew: rounding must not decide in which round a move is worth it
        busiest = max(load, key=lambda name: (load[name], name))
        if load[busiest] <= mean * (1 + _UNEVEN):
            return
        best: tuple[float, int, str] | None = None
        for shard in shards:
            if node_of.get(shard.number) != busiest:
                continue
            less = load[busiest] - shard.cores / living[busiest].cores
            for name in allowed[shard.number]:
                more = load[name] + shard.cores / living[name].cores
                if name != busiest and max(less, more) <= load[busiest] - _GAIN_MIN * mean:
                    best = min(best or (max(less, more), shard.number, name), (max(less, more), shard.number, name))
        if best is None:
            return
        _, number, name = best
        node_of[number] = name


def _loads(shards: Iterable[Shard], living: Mapping[str, Node], node_of: Mapping[int, str]) -> dict[str, float]:
    """Return the share of its cores that each node's shards need."""
    load = dict.fromkeys(living, 0.0)
    for shard in shards:
        if (name := node_of.get(shard.number)) is not None:
            load[name] += shard.cores / living[name].cores
    return load


def _cause(source: str, living: Mapping[str, Node], leaving: set[str], allowed: Sequence[str]) -> MoveCause:
    if not source:
        return MoveCause.NEW
    if source in leaving:
        return MoveCause.NODE_DRAINED
    if source not in living:
        return MoveCause.NODE_GONE
    if source in allowed:
        return MoveCause.BALANCE
    return MoveCause.NODE_CUT_OFF if living[source].cut_off else MoveCause.BOUND_ELSEWHERE
