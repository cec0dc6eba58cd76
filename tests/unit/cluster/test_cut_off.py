"""A node that cannot reach the database is known as such until it says that it can, and is asked now and then."""

from engine.clock import NS_PER_S
from engine.cluster.cut_off import ASK_AGAIN_NS, CutOffNodes

NOW_NS = 5 * NS_PER_S


def test_a_node_is_told_of_once_and_asked_again_now_and_then() -> None:
    nodes = CutOffNodes()
    assert nodes.note({"a"}, NOW_NS - NS_PER_S) == set(), "the database may just have come back"
    assert nodes.nodes() == set()
    assert nodes.note({"a"}, NOW_NS) == {"a"}
    assert nodes.note({"a"}, NOW_NS + NS_PER_S) == set()
    assert nodes.nodes() == {"a"}
    asked = [at_s for at_s in range(31) if nodes.to_ask(NOW_NS + at_s * NS_PER_S)]
    assert asked == [10, 20, 30]
    assert ASK_AGAIN_NS == 10 * NS_PER_S


def test_who_did_not_say_so_in_between_begins_anew() -> None:
    nodes = CutOffNodes()
    for told in ({"a"}, set(), {"a", "b"}, {"b"}):
        news = nodes.note(told, NOW_NS)
    assert news == {"b"}
    assert nodes.nodes() == {"b"}


def test_a_node_that_reaches_the_database_is_well() -> None:
    nodes = CutOffNodes()
    for _ in range(2):
        nodes.note({"a", "b"}, NOW_NS)
    nodes.clear("a")
    nodes.clear("never heard of")
    assert nodes.nodes() == {"b"}
    assert nodes.to_ask(NOW_NS + ASK_AGAIN_NS) == ["b"]
    assert nodes.note({"a"}, NOW_NS) == {"a"}
