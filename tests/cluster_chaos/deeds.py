"""What happens to a cluster during a run, and how long its cameras are not visited then."""

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cluster_chaos.checks import FRONT_KILLED, HEAD_OWN
from tests.cluster_chaos.site import CAMERAS, COUNTIES, NODES, PERIOD_S, SPARE, Site
from tests.support.cluster.processes import kill_all, signal_all
from tests.support.cluster.ray_cluster import LEASE_S
from tests.support.waiting import wait_until

_CUT_S = 20.0
_END_S = 60.0
_WATCH_NS = round(6e9 * PERIOD_S)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happened. `first_s`, `all_s`: until the first and all cameras concerned were visited again. `is_idle`: it
    concerned none."""

    what: str
    at_s: float
    first_s: float | None = None
    all_s: float | None = None
    is_idle: bool = False


class Deeds:
    """Does things to a site, and notes in `faults` what followed. `all`: those that are possible here."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.faults: list[Fault] = []
        self._site, self._cluster = site, site.cluster
        self._random = chance
        self._began_s = time.monotonic()
        self._threads = ThreadPoolExecutor()
        self.all: tuple[Callable[[], None], ...] = (
            self.lose_machine, self.kill_engine, self.freeze_engine, self.drain, self.kill_front, self.fail_over,
            self.kill_head, self.join_and_leave,
        )  # fmt: skip
        if site.network.has_cuts:
            self.all += self.cut_from_database, self.cut_from_ray

    def lose_machine(self) -> None:
        """All processes of a machine end at once; it comes back when its cameras are visited by others."""
        node = self._busy_node()
        counties = self._site.counties_of(node)
        with self._watch("machine lost", counties):
            self._cluster.kill(node)
        self._cluster.join(node)

    def kill_engine(self) -> None:
        """All processes of an engine end at once."""
        county, pids = self._site.engine_of(self._random.choice)
        with self._watch("engine killed", [county]):
            kill_all(pids)

    def freeze_engine(self) -> None:
        """An engine stands still for three leases; its runner replaces it before it could wake up."""
        county, pids = self._site.engine_of(self._random.choice)
        with self._watch("engine frozen for three leases", [county]):
            signal_all(pids, signal.SIGSTOP)
            time.sleep(3 * LEASE_S)
            signal_all(pids, signal.SIGCONT)

    def drain(self) -> None:
        """A machine gives its shards to others."""
        node = self._random.choice(NODES[1:])
        counties = self._site.counties_of(node)
        with self._watch("machine drained", counties):
            self._cluster.call("drain", node)
            wait_until(lambda: node not in self._site.node_of().values(), _END_S)
        self._cluster.call("drain", node, "--back")

    def kill_front(self) -> None:
        """The front ends at once; another begins."""
        at_s = self._now_s()
        if self._site.front is not None:
            self._site.front.process.kill()
            self._site.front.process.wait()
        began_s = time.monotonic()
        self._site.start_front()
        self.faults.append(Fault(FRONT_KILLED, at_s, round(time.monotonic() - began_s, 1)))

    def fail_over(self) -> None:
        """The database's primary ends at once, and the standby takes over."""
        with self._watch("database failed over", COUNTIES):
            self._site.database_pair.fail_over()
        self._site.database_pair.add_standby()

    def kill_head(self) -> None:
        """Ray's head ends at once, and is started again by whoever looks after its machine."""
        own = self._site.counties_of("node-1")
        others = [county for county in COUNTIES if county not in own]
        with self._watch("head killed, as the other machines see it", others), self._watch(HEAD_OWN, own):
            self._cluster.kill_gcs("node-1")
            self._cluster.start("node-1", "up")

    def join_and_leave(self) -> None:
        """A machine joins, and leaves again in order."""
        with self._watch("machine joined", COUNTIES):
            self._cluster.join(SPARE)
        with self._watch("machine left", COUNTIES):
            self._cluster.stop(SPARE)

    def cut_from_database(self) -> None:
        """A machine reaches everything but the database."""
        node, addresses = self._busy_node(), self._site.database_addresses
        counties = self._site.counties_of(node)
        with self._watch("cut off from the database", counties):
            self._site.network.cut(node, addresses)
        self._site.network.mend(node, addresses)

    def cut_from_ray(self) -> None:
        """A machine reaches everything but the other machines."""
        node = self._busy_node()
        counties = self._site.counties_of(node)
        addresses = [each.address for name, each in self._site.network.machines.items() if name != node]
        with self._watch("cut off from Ray", counties):
            self._site.network.cut(node, addresses)
            time.sleep(_CUT_S)
        with self._watch("back in Ray", counties):
            self._site.network.mend(node, addresses)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._cluster.processes[node].wait(_END_S)  # Ray has given it up meanwhile
        if self._cluster.processes[node].poll() is not None:
            self._cluster.join(node)

    def _busy_node(self) -> str:
        """A machine with shards that is not the head's; any, if there is none."""
        busy = set(self._site.node_of().values())
        return self._random.choice([name for name in NODES[1:] if name in busy] or [NODES[1]])

    def _now_s(self) -> float:
        return round(time.monotonic() - self._began_s, 1)

    @contextmanager
    def _watch(self, what: str, counties: Sequence[str]) -> Iterator[None]:
        """Note how long after the beginning of the block the first and the last of all cameras were visited that began
        after it; wait until they were."""
        at_s = self._now_s()
        watching = self._threads.submit(self._seconds_until_visited, time.time_ns(), counties)
        yield
        first_s, all_s = watching.result()
        self.faults.append(Fault(what, at_s, first_s, all_s, is_idle=not counties))

    def _seconds_until_visited(self, at_ns: int, counties: Sequence[str]) -> tuple[float | None, float | None]:
        total = CAMERAS // len(COUNTIES) * len(counties)
        first_s: float | None = None
        while counties and time.time_ns() - at_ns < _WATCH_NS:
            seen, since_s = self._site.visited_since(at_ns, counties), round((time.time_ns() - at_ns) / 1e9, 1)
            first_s = since_s if seen and first_s is None else first_s
            if seen == total:
                return first_s, since_s
            time.sleep(0.2)
        return first_s, None
