"""Keeps this shard's part of the caps of platforms that other shards visit too, while they come and go.

A shard is granted visits in the database (engine.storage.db.shards.host_grants), and its scheduler keeps to them: its
limit is lowered before the grant is, and raised after the grant was (engine.scheduler.host_shares has the rules). Where
no platform is shared, nothing is read after the start.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from typing import Any

from engine.clock import monotonic_ns, ns
from engine.errors import PatrolError
from engine.hub.shards.lease import ShardLease
from engine.hub.thread_calls import ThreadCalls
from engine.hub.visiting.visits import HostUse, Visits
from engine.model.shard import HostGrants
from engine.runtime.log import logger
from engine.scheduler.host_shares import HostGrant
from engine.storage.db.shards.host_grants import HostGrantStore

_ANSWER_S = 10.0
_POLL_S = 0.1
"""The hub may stop while it is asked: then nobody answers any more."""
_NOT_READ = ""

InHub = Callable[[Callable[[], Any]], Any]
"""Runs a call in the hub's thread, and returns its answer; one that raises TimeoutError may run later."""


class HostCaps:
    """Does a step with each renewal of the lease, in a thread of its own, until `close`.

    `step_in_hub` is the first step, before visits begin: for the hub's thread.
    """

    def __init__(self, store: HostGrantStore, lease: ShardLease, visits: Visits, calls: ThreadCalls) -> None:
        self._store = store
        self._lease = lease
        self._shard_no = lease.lease.shard_no
        self._visits = visits
        self._calls = calls
        self._version: str | None = _NOT_READ
        self._shared: dict[str, bool] = {}
        self._grants: dict[str, HostGrant] = {}
        self._limits: dict[str, int] = {}
        self._limits_told = True
        self._granted: Mapping[str, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host caps", daemon=True)

    @property
    def granted(self) -> Mapping[str, int]:
        """Visits at once that are granted to this shard, by platform; for any thread."""
        return self._granted

    def start(self) -> None:
        """Begin to follow what the others leave and want."""
        self._thread.start()

    def close(self) -> None:
        """End. What is granted counts until the lease ends."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def step_in_hub(self) -> None:
        """Read what is shared, and take what is free of it. Raises StoreError."""
        self._step(lambda call: call())

    def _run(self) -> None:
        failing = False
        while not self._stopped.wait(self._lease.renew_s):
            try:
                self._step(self._ask)
                failing = False
            except (PatrolError, TimeoutError) as error:
                if not failing and not self._stopped.is_set():
                    logger().warning("the caps of shared platforms are not followed, they stay", detail=str(error))
                failing = True

    def _ask(self, call: Callable[[], Any]) -> Any:
        """Run a call in the hub's thread. Raises TimeoutError, also if the hub has stopped meanwhile."""
        answer = self._calls.ask(call)
        give_up_ns = monotonic_ns() + ns(_ANSWER_S)
        while not (wait([answer], _POLL_S).done or self._stopped.is_set() or monotonic_ns() > give_up_ns):
            pass
        return answer.result(0)

    def _step(self, in_hub: InHub) -> None:
        self._read_shared()
        names = self._shared.keys() | self._grants.keys()
        if not names and not self._limits:
            return
        uses: dict[str, HostUse] = in_hub(lambda: self._visits.host_uses(names))
        for name, use in uses.items():
            if name not in self._grants and (self._shared[name] or use.is_visited):
                unlimited = None if use.is_visited else 0  # what became shared since the start
                self._grants[name] = HostGrant(self._shard_no, self._limits.get(name, unlimited))
        found = self._store.read(self._grants) if self._grants else {}
        for host, grants in found.items():
            self._lower(host, uses[host], grants)
        uses = self._tell_limits(in_hub, uses)
        granted = {}
        for host, grants in found.items():
            now = self._changed(host, uses[host], grants).granted.get(self._shard_no)
            if now is not None:
                granted[host] = now
        self._granted = granted
        self._tell_limits(in_hub, uses)

    def _read_shared(self) -> None:
        version = self._lease.shares_version
        if version == self._version:
            return
        self._shared = self._store.shared_hosts()
        if self._version == _NOT_READ:  # no visit is under way yet
            self._limits, self._limits_told = dict.fromkeys(self._shared, 0), False
        self._version = version

    def _lower(self, host: str, use: HostUse, grants: HostGrants) -> None:
        if self._is_unused(host, use):
            self._grants[host].limit = 0
        elif not self._is_whole(host, grants):
            self._grants[host].lower(grants, use.cap)

    def _changed(self, host: str, use: HostUse, grants: HostGrants) -> HostGrants:
        """Have granted what this shard wants now; return what all have then."""
        own = self._grants[host]

        def wanted(now: HostGrants) -> int | None:
            ends = self._is_unused(host, use) or self._is_whole(host, now)
            return None if ends else own.wanted(now, use.cap, use.in_flight)

        if wanted(grants) != grants.granted.get(self._shard_no):
            grants = self._store.change(host, wanted)
        if (granted := grants.granted.get(self._shard_no)) is None:
            del self._grants[host]
        else:
            own.raise_limit(grants, use.cap, granted)
        return grants

    def _is_unused(self, host: str, use: HostUse) -> bool:
        """Whether this shard has nothing to do on a platform any more."""
        return not self._shared.get(host) and not use.is_visited

    def _is_whole(self, host: str, grants: HostGrants) -> bool:
        """Whether a platform is shared no more, and nobody else still has a part of its cap."""
        return host not in self._shared and grants.granted.keys() <= {self._shard_no}

    def _tell_limits(self, in_hub: InHub, uses: dict[str, HostUse]) -> dict[str, HostUse]:
        """Tell the scheduler the limits if they have changed; return what it does on the platforms since then."""
        limits = dict.fromkeys(self._shared, 0)
        limits |= {host: grant.limit for host, grant in self._grants.items() if grant.limit is not None}
        if limits == self._limits and self._limits_told:
            return uses

        def tell() -> dict[str, HostUse]:
            self._visits.limit_hosts(limits, monotonic_ns())
            return self._visits.host_uses(uses)

        self._limits_told = False  # what is not answered may be done later
        told: dict[str, HostUse] = in_hub(tell)
        self._limits, self._limits_told = limits, True
        return told
