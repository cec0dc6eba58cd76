"""One PostgreSQL database that the engines of two shards share."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.fence import FencedError
from engine.storage.db.shards.leases import Lease, Leases
from engine.storage.db.store import Store, VisitRecord

COUNTIES = {"130102": 1, "130104": 1, "130203": 2}
AT_NS = 1_700_000_000_000_000_000


class Site:
    """One database with two shards; `open` gives a store of a shard's owner."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.url = url
        self._stack = stack
        Store.open(url).close()
        self.engine = connect(parse_url(url))
        stack.callback(self.engine.dispose)
        self.leases = Leases(self.engine)
        self.leases.assign(COUNTIES)

    def take(self, shard_no: int, owner: str = "a", ttl_s: float = 60) -> Lease:
        lease = self.leases.acquire(shard_no, owner, "node", ttl_s)
        assert lease is not None
        return lease

    def open(self, lease: Lease) -> Store:
        store = Store.open_shard(self.url, lease)
        self._stack.callback(store.close)
        store.acquire_writer_lock()
        return store


def record(camera_id: str, visit_id: int, limit: float = 1.0, at_ns: int = AT_NS) -> VisitRecord:
    verdict = Verdict(
        camera_id, visit_id, at_ns, State.FAULT, (FaultKind.BLURRED,), announced=State.OK,
        figures={"luma_mean": 2.0}, thresholds={"limit": limit},
    )  # fmt: skip
    return VisitRecord(verdict, b"memory")


def refused(store: Store, action: Callable[[], object]) -> bool:
    before = store.writes_fenced
    with pytest.raises(FencedError, match="another process has taken it over"):
        action()
    return store.writes_fenced == before + 1
