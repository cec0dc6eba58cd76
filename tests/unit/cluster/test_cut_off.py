"""A node that cannot reach the database gets no shards for a while, and is tried again."""

from engine.clock import NS_PER_S
from engine.cluster.cut_off import AVOID_FIRST_NS, AVOID_MAX_NS, CutOffNodes

NOW_NS = 5 * NS_PER_S


def test_a_node_is_avoided_for_a_minute_and_told_of_once() -> None:
    nodes = CutOffNodes()
    assert nodes.report("a", NOW_NS)
    assert not nodes.report("a", NOW_NS + NS_PER_S)
    assert nodes.nodes(NOW_NS + AVOID_FIRST_NS - 1) == {"a"}
    assert nodes.nodes(NOW_NS + AVOID_FIRST_NS) == set()


def test_each_time_takes_twice_as_long_until_it_was_well_for_long() -> None:
    nodes, now_ns, lengths = CutOffNodes(), NOW_NS, []
    for _ in range(6):
        began_ns = now_ns
        assert nodes.report("a", now_ns)
        while nodes.nodes(now_ns):
            now_ns += NS_PER_S
        lengths.append(now_ns - began_ns)
    assert lengths == [AVOID_FIRST_NS * factor for factor in (1, 2, 4, 8, 16, 16)]
    now_ns += AVOID_MAX_NS + 1
    assert nodes.report("a", now_ns)
    assert nodes.nodes(now_ns + AVOID_FIRST_NS) == set()
