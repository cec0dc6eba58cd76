"""What the keeper starts and stops: every shard ends up on one node, and none is started where it still runs."""

from hypothesis import given
from hypothesis import strategies as st

from engine.cluster.keeping import steps
from engine.cluster.placement.nodes import Node
from engine.cluster.placement.shards import Shard

SHARDS = [Shard(number, (f"1301{number:02}",), 10, 1.0, 0.1) for number in range(1, 7)]
NODES = [Node("a", 4.0), Node("b", 4.0)]


def test_everything_is_started_once() -> None:
    todo = steps(SHARDS, NODES, {}, {})
    assert (todo.stop, todo.unplaced) == ((), {})
    assert sorted(todo.start) == [shard.number for shard in SHARDS]
    assert steps(SHARDS, NODES, todo.start, {}).start == {}


def test_a_shard_leaves_a_drained_node_before_it_is_started_elsewhere() -> None:
    running = dict(steps(SHARDS, NODES, {}, {}).start)
    drained = [Node("a", 4.0, leaves=True), Node("b", 4.0)]
    on_a = tuple(sorted(number for number, name in running.items() if name == "a"))
    todo = steps(SHARDS, drained, running, {})
    assert (todo.stop, todo.start) == (on_a, {})
    after = {number: name for number, name in running.items() if number not in on_a}
    assert steps(SHARDS, drained, after, {}).start == dict.fromkeys(on_a, "b")


def test_the_shards_of_a_lost_node_are_started_elsewhere_at_once() -> None:
    running = dict(steps(SHARDS, NODES, {}, {}).start)
    todo = steps(SHARDS, NODES[1:], running, {})
    assert todo.stop == ()
    assert todo.start == {number: "b" for number, name in running.items() if name == "a"}


def test_without_a_node_nothing_is_done_and_said_why() -> None:
    todo = steps(SHARDS, [], {1: "a"}, {})
    assert (todo.stop, todo.start) == ((), {})
    assert todo.unplaced[1] == "there is no node"


@given(st.lists(st.sets(st.sampled_from("abcd"), max_size=4), min_size=1, max_size=8))
def test_whatever_nodes_come_and_go_the_steps_come_to_an_end(lives: list[set[str]]) -> None:
    running: dict[int, str] = {}
    for names in [*lives, lives[-1] | {"e"}]:
        nodes = [Node(name, 2.0) for name in sorted(names)]
        for _ in range(4):
            todo = steps(SHARDS, nodes, running, {})
            assert not set(todo.stop) & set(todo.start)
            assert all(running.get(number) not in names for number in todo.start), "it runs there still"
            running = {number: name for number, name in running.items() if number not in todo.stop and name in names}
            running |= todo.start
        settled = steps(SHARDS, nodes, running, {})
        assert (settled.stop, settled.start) == ((), {})
        assert len(running) == (len(SHARDS) if names else 0)
