"""Which targets a front names to Prometheus."""

import json

import pytest

from engine.front.targets import target_groups
from engine.storage.db.shards.leases import ShardRow

ROWS = (
    ShardRow(1, 3, "owner", "a", "10.7.0.1:7000", "10.7.0.1:7001", 8.0, ("130102",)),
    ShardRow(2, 1, "owner", "b", "10.7.0.2:7000", "", 8.0, ("130203",)),  # serves no metrics
    ShardRow(3, 1, "owner", "b", "10.7.0.2:7002", "10.7.0.2:7003", -0.1, ("130204",)),  # its lease has ended
    ShardRow(4, 0, "", "", "", "", -1e9, ()),
)


@pytest.mark.parametrize(("tls", "scheme"), [(False, {}), (True, {"__scheme__": "https"})])
def test_a_shard_is_a_target_while_its_engine_serves_metrics(tls: bool, scheme: dict[str, str]) -> None:
    labels = {"shard": "1", "node": "a", **scheme}
    assert json.loads(target_groups(ROWS, tls)) == [{"targets": ["10.7.0.1:7001"], "labels": labels}]
    assert json.loads(target_groups((), tls)) == []
