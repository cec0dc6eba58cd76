"""Which machines of a Ray cluster run shards, and what they are called."""

from typing import Any

from engine.cluster.members import Member, members
from engine.cluster.placement.nodes import Node


def row(**changes: Any) -> dict[str, Any]:
    """As ray.nodes() has it."""
    made = {
        "NodeID": "id-1", "Alive": True, "NodeManagerAddress": "10.0.0.1", "NodeName": "10.0.0.1",
        "Resources": {"CPU": 2.0, "memory": 1e9}, "Labels": {"ray.io/node-id": "id-1"},
    }  # fmt: skip
    return made | changes


def test_a_machine_is_named_by_its_label_then_by_its_name_in_ray_then_by_its_address() -> None:
    found = members(
        [
            row(Labels={"patrol-node": "a", "city": "1301"}, NodeName="pod-1"),
            row(NodeID="id-2", NodeName="pod-2", Labels={"ray.io/node-group": "city"}),
            row(NodeID="id-3", NodeName="", NodeManagerAddress="10.0.0.3"),
        ],
        {"pod-2"},
    )
    assert found == [
        Member(Node("a", 2.0, {"city": "1301"}), "id-1", "10.0.0.1"),
        Member(Node("pod-2", 2.0, {"ray.io/node-group": "city"}, leaves=True), "id-2", "10.0.0.1"),
        Member(Node("10.0.0.3", 2.0), "id-3", "10.0.0.3"),
    ]


def test_machines_that_are_lost_or_have_no_cores_run_no_shards() -> None:
    rows = [row(Alive=False), row(Resources={"memory": 1e9}), row(Resources={"CPU": 0.0})]
    assert members(rows, set()) == []


def test_a_machine_that_began_anew_counts_once() -> None:
    label = {"patrol-node": "a"}
    found = members([row(Labels=label), row(NodeID="id-2", Labels=label)], set())
    assert [member.node_id for member in found] == ["id-2"]
