"""What `patrol cluster status` shows, with the keeper and without."""

from engine.cluster.status_rows import node_rows, platform_rows, shard_rows
from engine.model.shard import HostGrants
from engine.storage.db.shards.leases import ShardRow

ROWS = (
    ShardRow(1, 3, "owner", "a", "10.0.0.1:7000", "10.0.0.1:7001", 8.04, ("130102", "130104"), 12.34, 3.06),
    ShardRow(2, 1, "", "b", "", "", -100.0, ("130203",)),
    ShardRow(3, 0, "", "", "", "", -1e9, ()),
)
CAMERAS = {"130102": 5, "130104": 2, "130203": 4}
STATE = {
    "nodes": [
        {"name": "a", "cores": 4.0, "labels": {"city": "1301"}, "drained": False, "cut_off": False},
        {"name": "b", "cores": 2.5, "labels": {}, "drained": True, "cut_off": False},
        {"name": "c", "cores": 2.0, "labels": {}, "drained": False, "cut_off": True},
    ],
    "unplaced": {2: "no node has the label city=1302"},
}


def test_a_shard_is_shown_with_its_lease_or_why_it_runs_nowhere() -> None:
    held, free = shard_rows(ROWS, STATE, CAMERAS)
    assert (held["cameras"], held["node"], held["leaseS"], held["why"]) == (7, "a", 8.0, "")
    assert (free["cameras"], free["node"], free["leaseS"]) == (4, "", 0.0)
    assert (held["checksPerS"], held["lagS"], free["checksPerS"]) == (12.3, 3.1, 0.0)
    assert free["why"] == "no node has the label city=1302"
    assert shard_rows(ROWS, {}, CAMERAS)[1]["why"] == "no engine has its lease"


def test_nodes_are_those_of_the_keeper_and_those_that_hold_a_lease() -> None:
    shown = ("node", "state", "cores", "labels", "shards", "checksPerS", "lagS")
    assert [tuple(row[name] for name in shown) for row in node_rows(ROWS, STATE, CAMERAS)] == [
        ("a", "up", "4", "city=1301", 1, 12.3, 3.1),
        ("b", "drained", "2.5", "", 0, 0.0, 0.0),
        ("c", "cut off", "2", "", 0, 0.0, 0.0),
    ]
    (alone,) = node_rows(ROWS, {}, CAMERAS)
    assert (alone["node"], alone["state"], alone["cameras"]) == ("a", "not in Ray", 7)


def test_platforms_show_what_each_shard_has_of_them() -> None:
    granted = {"b": HostGrants({1: 1 / 3, 2: 2 / 3}, {1: 3, 5: 1}), "a": HostGrants({}, {4: 0})}
    assert [tuple(row.values()) for row in platform_rows(granted)] == [
        ("a", 4, 0.0, 0),
        ("b", 1, 0.3333, 3),
        ("b", 2, 0.6667, None),
        ("b", 5, 0.0, 1),
    ]
