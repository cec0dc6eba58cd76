"""What `patrol cluster status` shows of nodes, shards and platforms, from the database and the keeper. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.model.shard import HostGrants
from engine.storage.db.shards.leases import ShardRow


def shard_rows(rows: Sequence[ShardRow], state: Mapping[str, Any], cameras: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a row for each shard that has counties. `cameras`: by county. `state`: of the keeper; empty if none
    answers."""
    unplaced = state.get("unplaced", {})
    return [
        {
            "shard": row.shard_no,
            "counties": list(row.counties),
            "cameras": _cameras(row, cameras),
            "node": row.node if row.is_held else "",
            "address": row.address,
            "held": row.is_held,
            "checksPerS": round(row.checks_per_s, 1) if row.is_held else 0.0,
            "lagS": round(row.lag_s, 1) if row.is_held else 0.0,
            "leaseS": round(max(0.0, row.expires_in_s), 1),
            "epoch": row.epoch,
            "why": "" if row.is_held else unplaced.get(row.shard_no, "no engine has its lease"),
        }
        for row in rows
        if row.counties
    ]


def node_rows(rows: Sequence[ShardRow], state: Mapping[str, Any], cameras: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a row for each node: those that the keeper knows, and others that hold a lease."""
    known = {node["name"]: node for node in state.get("nodes", ())}
    holding = {row.node for row in rows if row.is_held}
    found = []
    for name in sorted(known.keys() | holding):
        node = known.get(name)
        own = [row for row in rows if row.is_held and row.node == name]
        found.append(
            {
                "node": name,
                "state": _state(node),
                "cores": "" if node is None else f"{node['cores']:g}",
                "labels": "" if node is None else " ".join(f"{key}={value}" for key, value in node["labels"].items()),
                "shards": len(own),
                "cameras": sum(_cameras(row, cameras) for row in own),
                "checksPerS": round(sum(row.checks_per_s for row in own), 1),
                "lagS": round(max((row.lag_s for row in own), default=0.0), 1),
            }
        )
    return found


def _state(node: Mapping[str, Any] | None) -> str:
    if node is None:
        return "not in Ray"
    return "cut off" if node["cut_off"] else "drained" if node["drained"] else "up"


def platform_rows(granted: Mapping[str, HostGrants]) -> list[dict[str, Any]]:
    """Return a row for each platform and shard that visits it, of platforms that several visit. A shard whose lease has
    ended has none. `share`: 0 for a shard whose cameras there came after the last assign. `visits`: None if it has not
    asked for any yet."""
    return [
        {
            "platform": host,
            "shard": number,
            "share": round(grants.shares.get(number, 0.0), 4),
            "visits": grants.granted.get(number),
        }
        for host, grants in sorted(granted.items())
        for number in sorted(grants.shares.keys() | grants.granted.keys())
    ]


def _cameras(row: ShardRow, cameras: Mapping[str, int]) -> int:
    return sum(cameras.get(county, 0) for county in row.counties)
