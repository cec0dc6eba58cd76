"""What Prometheus finds at /sd of a front: the engines of the shards, in the JSON of its HTTP discovery. Pure."""

import json
from collections.abc import Iterable

from engine.storage.db.shards.leases import ShardRow


def target_groups(rows: Iterable[ShardRow], tls: bool) -> str:
    """Return JSON with a group for each shard whose engine serves metrics. `tls`: whether scrapes of it need TLS."""
    scheme = {"__scheme__": "https"} if tls else {}
    return json.dumps(
        [
            {"targets": [row.metrics_address], "labels": {"shard": str(row.shard_no), "node": row.node, **scheme}}
            for row in rows
            if row.is_held and row.metrics_address
        ]
    )
