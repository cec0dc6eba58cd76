"""Sets the hub's gauges each second and reports the load of the machine."""

import math
from collections import deque

from engine.clock import NS_PER_S, seconds, wall_ns
from engine.hub.keyframes.pipeline import KeyframePipeline, Outlets, Storage
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.readiness import Readiness
from engine.hub.registry import Registry
from engine.hub.services.findings import FindingsService
from engine.hub.shards.host_caps import HostCaps
from engine.hub.shards.lease import ShardLease
from engine.hub.visiting.visits import Visits
from engine.metrics import Metrics
from engine.model.engine_status import MachineStatus
from engine.runtime.log import sum_reports
from engine.runtime.memory import resident_bytes
from engine.runtime.process_facts import descriptors

_RATE_WINDOW_S = 10
_SLOW_NS = 10 * NS_PER_S
"""Time between two measurements of what takes longer to measure, or changes slowly."""
_LONG_OFFLINE_NS = 3600 * NS_PER_S


class Telemetry:
    """For the hub's thread. `update` is to be called once a second."""

    def __init__(
        self,
        pipeline: KeyframePipeline,
        workers: WorkerPool,
        visits: Visits,
        registry: Registry,
        findings: FindingsService,
        outlets: Outlets,
        storage: Storage,
        readiness: Readiness,
        metrics: Metrics,
        lease: ShardLease | None = None,
        host_caps: HostCaps | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._workers = workers
        self._visits = visits
        self._registry = registry
        self._findings = findings
        self._outlets = outlets
        self._storage = storage
        self._readiness = readiness
        self._metrics = metrics
        self._lease = lease
        self._host_caps = host_caps
        self._next_slow_ns = 0
        self._processes: dict[str, int] = {}
        self._checks: deque[tuple[int, int]] = deque(maxlen=_RATE_WINDOW_S + 1)

    def update(self, now_ns: int) -> None:
        """Set the gauges, and count the periods that passed since the last call."""
        metrics, intake = self._metrics, self._workers.intake
        self._checks.append((now_ns, self._pipeline.checks_total))
        metrics.queue(intake.waiting_frames, intake.waiting_bytes, seconds(intake.oldest_age_ns(now_ns)))
        metrics.cameras(self._registry.counts)
        metrics.flow(self._visits.in_flight, len(self._workers), self._outlets.watch.watchers)
        scheduler = self._visits.status(now_ns)
        metrics.scheduler(scheduler)
        if self._lease is not None:
            self._lease.publish_load(self._checks_per_s(), scheduler.lag_s_max)
        metrics.outages(self._visits.outages())
        metrics.feeders(self._visits.feeders_ready())
        self._findings.measure()
        metrics.stored(*self._storage.writer.drain_counts())
        evidence = self._storage.evidence
        metrics.evidence(
            evidence.bytes_kept, evidence.bytes_pinned, evidence.bytes_max, evidence.uncopied, evidence.counts()
        )
        stories = self._outlets.stories.counts()
        metrics.stories.update(stories.open, stories.size, stories.evicted)
        self._readiness.advance(now_ns)
        not_ready = self._readiness.problems().keys()
        metrics.readiness(not not_ready, self._readiness.store_writable(now_ns))
        metrics.vitals.not_ready(not_ready)
        lease_left_s = math.inf if self._lease is None else seconds(max(0, self._lease.left_ns))
        granted = {} if self._host_caps is None else self._host_caps.granted
        metrics.vitals.shard(lease_left_s, self._storage.store.writes_fenced, granted)
        self._outlets.kpis.add_periods(self._visits.drain_periods())
        sum_reports()
        if now_ns >= self._next_slow_ns:
            self._next_slow_ns = now_ns + _SLOW_NS
            metrics.long_offline(self._registry.offline_before(wall_ns() - _LONG_OFFLINE_NS))
            metrics.memory(resident_bytes(self._processes))
            opened = descriptors(self._processes)
            metrics.vitals.descriptors(
                {name: found.open for name, found in opened.items()},
                {name: found.most for name, found in opened.items()},
            )

    def running(self, processes: dict[str, int]) -> None:
        """Measure these processes from the next update on. `processes`: ids by name."""
        self._processes, self._next_slow_ns = processes, 0

    def machine(self, now_ns: int) -> MachineStatus:
        """Return the load of the machine, for GetStatus."""
        return MachineStatus(
            visits_in_flight=self._visits.in_flight,
            feeders_ready=self._visits.feeders,
            period_lag_s_max=self._visits.status(now_ns).lag_s_max,
            frames_waiting=self._workers.intake.waiting_frames,
            workers_ready=len(self._workers),
            checks_total=self._pipeline.checks_total,
            checks_per_s=self._checks_per_s(),
        )

    def _checks_per_s(self) -> float:
        if len(self._checks) < 2:
            return 0.0
        (from_ns, before), (to_ns, after) = self._checks[0], self._checks[-1]
        return (after - before) / seconds(to_ns - from_ns)
