"""Holds the lease of a hub's shard: takes it, renews it in a thread, and says until when the hub may act.

The hub's own monotonic clock decides: it stops before the lease can have ended by the database's clock, whatever became
of the network meanwhile. A hub whose lease has ended ends itself; its feeders are ended with it.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Self

from engine.clock import monotonic_ns, ns, seconds
from engine.errors import StateError, StoreError
from engine.model.shard import ShardNews, ShardTask
from engine.runtime.log import logger
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Lease, Leases

_ASK_AGAIN_S = 0.5
_RENEWALS = 4
"""Renewals in the time of a lease, at least."""
_RENEW_S_MAX = 1.0
"""Time between two renewals, at most: readers of all shards see what the shard has committed up to the last one."""
_MARGIN = 0.2
"""The share of a lease's time that is left to end visits before another process may take the shard."""


_TAKEN = "it has ended, and another process has it or may have it"
_NOT_IN_TIME = "the database did not renew it in time"


class LeaseLostError(StateError):
    """The shard is not this process's any more, or may not be for much longer."""


class ShardLease:
    """A lease that is renewed until `close`. Any thread may call."""

    def __init__(self, leases: Leases, lease: Lease, task: ShardTask, taken_ns: int) -> None:
        self.lease = lease
        self._leases = leases
        self._task = task
        self._news = ShardNews()
        self._until_ns = self._end_of(taken_ns)
        self._lost = ""
        self._shares_version: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    @classmethod
    def take(cls, url: str, task: ShardTask, waits: Callable[[], bool]) -> Self:
        """Take the lease of a shard, waiting while another process has it. `waits`: called while it does; False ends
        the wait. Raises LeaseLostError then, StoreError if the database cannot be used."""
        leases = Leases(connect(parse_url(url)))
        owner = f"{os.getpid()}-{uuid.uuid4().hex}"
        logged = False
        while True:
            asked_ns = monotonic_ns()
            try:
                lease = leases.acquire(task.number, owner, task.node, task.lease_s)
            except StoreError as error:
                lease = None
                logger().warning("the lease of the shard cannot be taken, asking again", detail=str(error))
            if lease is not None:
                logger().info("the shard is ours", shard=task.number, epoch=lease.epoch)
                return cls(leases, lease, task, asked_ns)
            if not logged:
                logged = True
                logger().info("waiting for the shard: another process has its lease", shard=task.number)
            if not waits():
                raise LeaseLostError(f"shard {task.number}: stopped while another process had its lease")
            time.sleep(_ASK_AGAIN_S)

    @property
    def left_ns(self) -> int:
        """How long the hub may still act; 0 or less: no more."""
        return 0 if self._lost else self._until_ns - monotonic_ns()

    @property
    def renew_s(self) -> float:
        """Time between two renewals."""
        return min(_RENEW_S_MAX, self._task.lease_s / _RENEWALS)

    @property
    def shares_version(self) -> str | None:
        """As the last renewal brought it: another one once the shares of platforms were stored anew."""
        return self._shares_version

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def publish(self, address: str, metrics_address: str) -> None:
        """Tell, with the next renewal, where the hub answers gRPC and scrapes; empty if it serves no metrics."""
        self._news = replace(self._news, address=address, metrics_address=metrics_address)

    def publish_load(self, checks_per_s: float, lag_s: float) -> None:
        """Tell, with the next renewal, how busy the hub is; not before it has told where it answers."""
        if self._news.address:
            self._news = replace(self._news, checks_per_s=checks_per_s, lag_s=lag_s)

    def require(self) -> None:
        """Raise LeaseLostError if the hub may not act any more."""
        if self.left_ns <= 0:
            raise LeaseLostError(f"shard {self._task.number}: its lease is lost: {self._lost or _NOT_IN_TIME}")

    def close(self, *, give_back: bool = True) -> None:
        """Renew no more. `give_back`: now, so that the next process need not wait for the end of the lease; others may
        visit platforms in the place of this shard from then on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            if give_back:
                self._leases.release(self.lease)
        except StoreError as error:
            logger().warning("the lease of the shard was not given back; it ends by itself", detail=str(error))
        self._leases.close()

    def _renew(self) -> None:
        while not self._stopped.wait(self.renew_s):
            asked_ns = monotonic_ns()
            try:
                renewed = self._leases.renew(self.lease, self._task.lease_s, self._news)
            except StoreError as error:
                logger().warning(
                    "the lease of the shard was not renewed, asking again",
                    left_s=round(seconds(max(0, self.left_ns)), 1),
                    detail=str(error),
                )
                continue
            if renewed is None or self.left_ns <= 0:  # late: others may have what this shard had of platforms
                self._lost = _TAKEN if renewed is None else _NOT_IN_TIME
                return
            self._shares_version = renewed.shares_version
            self._until_ns = self._end_of(asked_ns)

    def _end_of(self, asked_ns: int) -> int:
        """Return the end of a lease that was asked for then: the database counted from a later moment."""
        return asked_ns + ns(self._task.lease_s * (1 - _MARGIN))
