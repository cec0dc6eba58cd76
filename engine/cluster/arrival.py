"""Waits until shards that were placed on machines run there."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.clock import monotonic_ns, ns
from engine.config.schema import Settings
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases

_WITHIN_S = 180.0
_ASK_AGAIN_S = 1.0


def wait_for_shards(
    settings: Settings, state: Callable[[], Mapping[str, Any]]
) -> tuple[dict[int, str], dict[int, str]]:
    """Wait until all shards run; return the node of each that does, and why others do not: after three minutes, or as
    soon as each of these has no machine that may run it. `state`: of the keeper. Raises PatrolError."""
    leases = Leases(connect(parse_url(settings.record.url)))
    give_up_ns = monotonic_ns() + ns(_WITHIN_S)
    try:
        while True:
            known = state()
            rows = [row for row in leases.all() if row.counties]
            runs = {row.shard_no: row.node for row in rows if row.is_held and row.address}
            missing = {row.shard_no: _why_not(row.shard_no, known) for row in rows if row.shard_no not in runs}
            if missing.keys() <= known["unplaced"].keys() or monotonic_ns() > give_up_ns:
                return runs, missing
            time.sleep(_ASK_AGAIN_S)
    finally:
        leases.close()


def _why_not(shard_no: int, state: Mapping[str, Any]) -> str:
    """Return why a shard does not run."""
    if shard_no in state["unplaced"]:
        return str(state["unplaced"][shard_no])
    node = state["running"].get(shard_no)
    return f"its engine on {node} has not begun; the log of Ray's worker there says why" if node else "it is not placed"
