"""What `patrol cluster plan` shows: shards and nodes as they would be, and what the loss of a node would move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.cluster.placement.nodes import Move, Node, Placement, place
from engine.cluster.placement.shards import Division, Shard
from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """What one node would run. `share`: of its cores."""

    node: Node
    shards: int
    cameras: int
    visits_per_s: float
    cores: float

    @property
    def share(self) -> float:
        """The share of the node's cores that its shards are expected to need."""
        return self.cores / self.node.cores


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """`after`: the placement once `lost` is gone; None if no node is to be lost."""

    division: Division
    nodes: Sequence[Node]
    placement: Placement
    lost: str = ""
    after: Placement | None = None

    def loads(self) -> list[NodeLoad]:
        """Return what each node runs in the end, in the order of the nodes."""
        return [self._load(node) for node in self.nodes if node.name != self.lost]

    def moves(self) -> Sequence[Move]:
        """Return what the loss of the node moves."""
        return () if self.after is None else self.after.moves

    def unplaced(self) -> Mapping[int, str]:
        """Return why shards run nowhere in the end, by number."""
        return (self.after or self.placement).unplaced

    def json(self) -> dict[str, Any]:
        """Return the plan for programs."""
        node_of = (self.after or self.placement).node_of
        return {
            "nodes": [
                {
                    "node": load.node.name,
                    "shards": load.shards,
                    "cameras": load.cameras,
                    "visitsPerS": round(load.visits_per_s, 3),
                    "cores": round(load.cores, 3),
                    "share": round(load.share, 3),
                }
                for load in self.loads()
            ],
            "shards": [
                {
                    "shard": shard.number,
                    "counties": list(shard.counties),
                    "cameras": shard.cameras,
                    "visitsPerS": round(shard.visits_per_s, 3),
                    "cores": round(shard.cores, 4),
                    "node": node_of.get(shard.number, ""),
                    "whyNowhere": self.unplaced().get(shard.number, ""),
                }
                for shard in self.division.shards
            ],
            "sharedHosts": {
                host: {str(number): round(share, 4) for number, share in shares.items()}
                for host, shares in self.division.shared_hosts.items()
            },
            "lost": self.lost,
            "moves": [
                {"shard": move.shard, "from": move.source, "to": move.target, "cause": move.cause.value}
                for move in self.moves()
            ],
        }

    def _load(self, node: Node) -> NodeLoad:
        node_of = (self.after or self.placement).node_of
        own = [shard for shard in self.division.shards if node_of.get(shard.number) == node.name]
        return NodeLoad(
            node,
            len(own),
            sum(shard.cameras for shard in own),
            sum(shard.visits_per_s for shard in own),
            sum(shard.cores for shard in own),
        )


def make_plan(division: Division, nodes: Sequence[Node], bindings: Mapping[str, str], lost: str = "") -> ClusterPlan:
    """Return where the shards would run, and with `lost` where they would run once that node is gone.

    Raises ConfigError if `lost` is none of the nodes.
    """
    shards: Sequence[Shard] = division.shards
    placement = place(shards, nodes, {}, bindings)
    if not lost:
        return ClusterPlan(division, nodes, placement)
    left = [node for node in nodes if node.name != lost]
    if len(left) == len(nodes):
        raise ConfigError(f"--lose {lost}: there is no such node; allowed: {', '.join(node.name for node in nodes)}")
    return ClusterPlan(division, nodes, placement, lost, place(shards, left, placement.node_of, bindings))


def parse_node(text: str, usual_cores: float) -> Node:
    """Return the node of an option: NAME, NAME:CORES, NAME:CORES:LABEL=VALUE,... Raises ConfigError."""
    name, _, rest = text.partition(":")
    cores, _, labels = rest.partition(":")
    node = Node(name, usual_cores)
    try:
        node = replace(node, cores=float(cores) if cores else usual_cores)
    except ValueError:
        node = replace(node, cores=0.0)
    pairs = [label.partition("=") for label in labels.split(",") if label]
    if not name or not 0 < node.cores <= 4096 or not all(key and value for key, _, value in pairs):
        raise ConfigError(f"--node {text}: give NAME, NAME:CORES or NAME:CORES:LABEL=VALUE, such as a:16:city=1301")
    return replace(node, labels={key: value for key, _, value in pairs})
