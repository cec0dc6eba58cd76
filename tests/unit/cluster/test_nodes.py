"""Shards are spread over nodes: evenly, bound where they have to be, and with few moves."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cluster.placement.nodes import Move, MoveCause, Node, place
from engine.cluster.placement.shards import Shard

THREE = [Node(name, 2.0) for name in ("a", "b", "c")]


def shard(number: int, cores: float = 0.1, *counties: str) -> Shard:
    return Shard(number, counties or (f"13{number:04d}",), 100, cores * 100, cores)


def loads(shards: list[Shard], nodes: list[Node], node_of: dict[int, str]) -> dict[str, float]:
    return {
        node.name: sum(each.cores for each in shards if node_of.get(each.number) == node.name) / node.cores
        for node in nodes
        if not node.leaves
    }


def test_equal_shards_are_spread_evenly() -> None:
    placed = place([shard(n) for n in range(1, 10)], THREE, {}, {})
    assert sorted(list(placed.node_of.values()).count(node.name) for node in THREE) == [3, 3, 3]
    assert {move.cause for move in placed.moves} == {MoveCause.NEW}


def test_a_larger_machine_gets_more() -> None:
    placed = place([shard(n) for n in range(1, 13)], [Node("small", 2.0), Node("large", 4.0)], {}, {})
    assert list(placed.node_of.values()).count("large") == 8


def test_only_the_shards_of_a_lost_node_move() -> None:
    shards = [shard(n) for n in range(1, 10)]
    before = dict(place(shards, THREE, {}, {}).node_of)
    placed = place(shards, THREE[:2], before, {})
    lost = {number for number, node in before.items() if node == "c"}
    assert {move.shard for move in placed.moves} == lost
    assert {(move.source, move.cause) for move in placed.moves} == {("c", MoveCause.NODE_GONE)}


def test_a_node_that_joins_gets_its_part_and_nobody_else_moves() -> None:
    shards = [shard(n) for n in range(1, 13)]
    before = dict(place(shards, THREE[:2], {}, {}).node_of)
    placed = place(shards, THREE, before, {})
    assert {(move.target, move.cause) for move in placed.moves} == {("c", MoveCause.BALANCE)}
    assert 3 <= len(placed.moves) <= 4


def test_a_node_that_is_cut_off_runs_only_what_no_other_can() -> None:
    shards = [shard(n) for n in range(1, 7)]
    before = dict(place(shards, THREE, {}, {}).node_of)
    nodes = [*THREE[:2], Node("c", 2.0, {"city": "1301"}, cut_off=True)]
    placed = place(shards, nodes, before, {})
    assert "c" not in placed.node_of.values()
    assert {(move.source, move.cause) for move in placed.moves} == {("c", MoveCause.NODE_CUT_OFF)}
    bound = place([shard(1, 0.1, "130102"), shard(2, 0.1, "130203")], nodes, {1: "c", 2: "c"}, {"1301": "city=1301"})
    assert bound.node_of[1] == "c"
    assert bound.node_of[2] != "c"


def test_a_drained_node_is_left() -> None:
    shards = [shard(n) for n in range(1, 7)]
    before = dict(place(shards, THREE, {}, {}).node_of)
    leaving = [THREE[0], THREE[1], Node("c", 2.0, leaves=True)]
    placed = place(shards, leaving, before, {})
    assert "c" not in placed.node_of.values()
    assert {move.cause for move in placed.moves} == {MoveCause.NODE_DRAINED}


def test_a_region_runs_where_it_is_bound_to_and_the_longest_prefix_counts() -> None:
    nodes = [Node("here", 2.0, {"city": "1301"}), Node("there", 2.0, {"city": "1302"}), Node("anywhere", 2.0)]
    bindings = {"13": "city=1302", "1301": "city=1301"}
    shards = [shard(1, 0.1, "130102"), shard(2, 0.1, "130203"), shard(3, 0.1, "440100")]
    placed = place(shards, nodes, {1: "there"}, bindings)
    assert placed.node_of == {1: "here", 2: "there", 3: "anywhere"}
    assert placed.moves[0] == Move(1, "there", "here", MoveCause.BOUND_ELSEWHERE)


def test_what_can_run_nowhere_is_named_with_the_reason() -> None:
    bindings = {"1301": "city=1301", "1302": "city=1302"}
    placed = place([shard(1, 0.1, "130102", "130203"), shard(2, 0.1, "130104")], THREE, {}, bindings)
    assert placed.node_of == {}
    assert "share a recorder or a platform" in placed.unplaced[1]
    assert placed.unplaced[2] == "no node has the label city=1301"
    assert place([shard(1)], [], {}, {}).unplaced == {1: "there is no node"}


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Shard], list[Node], dict[int, str], dict[str, str]]:
    cores = draw(st.lists(st.floats(0.001, 1.0), max_size=40))
    shards = [shard(number, each, f"13{number % 4:02d}{number:02d}") for number, each in enumerate(cores, 1)]
    labels = st.sampled_from([{}, {"city": "1301"}, {"city": "1302"}])
    nodes = [
        Node(f"node-{n}", draw(st.sampled_from([1.0, 2.0, 8.0])), draw(labels), draw(st.booleans()) and n > 2)
        for n in range(draw(st.integers(0, 8)))
    ]
    homes = st.sampled_from(["", "node-0", "node-1", "node-5", "gone"])
    before = {each.number: home for each in shards if (home := draw(homes))}
    bindings = draw(st.sampled_from([{}, {"1301": "city=1301"}, {"1301": "city=1301", "1302": "city=1302"}]))
    return shards, nodes, before, bindings


@settings(max_examples=300, deadline=None)
@given(clusters(), st.randoms(use_true_random=False))
def test_every_shard_is_placed_or_named_and_the_order_does_not_matter(
    cluster: tuple[list[Shard], list[Node], dict[int, str], dict[str, str]], chance: random.Random
) -> None:
    shards, nodes, before, bindings = cluster
    placed = place(shards, nodes, before, bindings)
    assert set(placed.node_of).isdisjoint(placed.unplaced)
    assert set(placed.node_of) | set(placed.unplaced) == {each.number for each in shards}
    living = {node.name: node for node in nodes if not node.leaves}
    for number, name in placed.node_of.items():
        city = next(each for each in shards if each.number == number).counties[0][:4]
        if city in bindings:
            assert living[name].labels.get("city") == city
    shuffled_shards, shuffled_nodes = list(shards), list(nodes)
    chance.shuffle(shuffled_shards)
    chance.shuffle(shuffled_nodes)
    assert place(shuffled_shards, shuffled_nodes, before, bindings) == placed


@settings(max_examples=300, deadline=None)
@given(clusters())
def test_a_second_look_moves_nothing_and_a_lost_node_moves_only_its_own_shards_and_what_balances(
    cluster: tuple[list[Shard], list[Node], dict[int, str], dict[str, str]],
) -> None:
    shards, nodes, before, bindings = cluster
    node_of = dict(place(shards, nodes, before, bindings).node_of)
    assert place(shards, nodes, node_of, bindings).moves == ()
    for lost in nodes:
        placed = place(shards, [node for node in nodes if node is not lost], node_of, bindings)
        for move in placed.moves:
            assert (move.source == lost.name) or move.cause is MoveCause.BALANCE


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.01, 0.3), min_size=1, max_size=40), st.integers(1, 6))
def test_without_bindings_no_node_is_far_above_the_mean(cores: list[float], count: int) -> None:
    shards = [shard(number, each) for number, each in enumerate(cores, 1)]
    nodes = [Node(f"node-{n}", 1.0) for n in range(count)]
    load = loads(shards, nodes, dict(place(shards, nodes, {}, {}).node_of))
    mean = sum(cores) / count
    assert max(load.values()) <= mean * 1.2 + max(cores)
