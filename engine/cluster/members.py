"""Which machines of a Ray cluster may run shards, and what they are called. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.cluster.placement.nodes import Node

NODE_LABEL = "patrol-node"
"""The label by which a machine of `patrol cluster` says its name."""
_RAYS_OWN = "ray.io/node-id"


@dataclass(frozen=True, slots=True)
class Member:
    """A machine. `node_id`: Ray's name for its processes, another after each start. `address`: in the cluster's
    network."""

    node: Node
    node_id: str
    address: str


def members(rows: Iterable[Mapping[str, Any]], drained: Collection[str], cut_off: Collection[str] = ()) -> list[Member]:
    """Return the machines that live and have cores for shards. `rows`: of ray.nodes(). `drained`,
    `cut_off`: names.

    A machine without the label has the name that Ray knows, which is its address unless it was started with another.
    One without cores, as the head in Kubernetes often is, is left out.
    """
    found = {}
    for row in rows:
        cores = float(row["Resources"].get("CPU", 0.0))
        if not row["Alive"] or cores <= 0:
            continue
        labels = dict(row.get("Labels") or {})
        name = labels.pop(NODE_LABEL, "") or row["NodeName"] or row["NodeManagerAddress"]
        labels.pop(_RAYS_OWN, "")
        # By name: for some seconds Ray takes processes for alive that ended, and those that took their place.
        found[name] = Member(
            Node(name, cores, labels, name in drained, name in cut_off), row["NodeID"], row["NodeManagerAddress"]
        )
    return list(found.values())
