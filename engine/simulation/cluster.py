"""Simulates several machines that share a registry: placement and schedulers as they run, in virtual time. No clock.

Each shard is a simulation of its own; shards of a node share its cores. A node that is lost ends its shards' visits;
they go on elsewhere once their leases have ended and an engine has started there. What they leave of the cap of a
platform meanwhile is not used by others here, as it is by engines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns, seconds
from engine.cluster.placement.nodes import Node, Placement, place
from engine.cluster.placement.shards import CameraGroup, Shard, ShardSize, divide
from engine.config.schema import SchedulerSettings
from engine.errors import ConfigError
from engine.scheduler.classes import CLASSES
from engine.scheduler.host_shares import due_visits
from engine.scheduler.lag_histogram import LagHistogram
from engine.simulation.fleet import Fleet, fleet_from_plans
from engine.simulation.machine import Machine
from engine.simulation.simulation import Scenario, Simulation
from engine.simulation.world import World

FAILOVER_S = 12.0
"""From the loss of a node until another one visits its cameras: the end of the lease, a process that is started, an
engine that loads its cameras."""
HANDOVER_S = 4.0
"""The same for a shard that is moved: nobody waits for the end of a lease."""
ROW_NS = 60 * NS_PER_S
_STEP_NS = NS_PER_S // 10
"""Shards of a node take turns of so long; their keyframes are queued in that order."""


@dataclass(frozen=True, slots=True)
class NodeLoss:
    """A node that is lost at a moment of the simulation."""

    node: str
    at_ns: int


@dataclass(slots=True)
class NodeRow:
    """One step of the timeline. `visits`: by node; `lags`: by class; `core_share`: by node, of its cores."""

    at_s: float
    until_s: float
    visits: dict[str, int]
    lags: list[LagHistogram]
    core_share: dict[str, float]


@dataclass(slots=True)
class LossRecovery:
    """What a loss did. `shards`, `cameras`: of the node. `first_visit_s`: from the loss until one of its cameras was
    visited again; `all_seen_s`: until each of them was seen that can be reached and whose kitchen works. None: not
    yet."""

    loss: NodeLoss
    shards: tuple[int, ...]
    cameras: int
    first_visit_s: float | None = None
    all_seen_s: float | None = None


@dataclass(slots=True)
class _Run:
    """A shard and its simulation. `resumes_ns`: when it goes on, while it stands still; 0 while it runs."""

    shard: Shard
    simulation: Simulation
    resumes_ns: int = 0
    visits: int = 0


class ClusterSimulation:
    """One run. `rows`: the timeline, a row a minute; `recoveries`: what each loss did; `moves`: shards that began on
    another node; `runs`: the shards by number."""

    def __init__(
        self,
        scenario: Scenario,
        nodes: Sequence[Node],
        size: ShardSize,
        losses: Sequence[NodeLoss],
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Raises ConfigError if a loss names no node, or the last one, or comes after the end."""
        _check_losses(nodes, losses, scenario.span_ns)
        self.scenario = scenario
        self.nodes = list(nodes)
        self.losses = sorted(losses, key=lambda loss: loss.at_ns)
        self.division = divide(fleet_groups(scenario.fleet, scenario.settings.scheduler, scenario.world), {}, size)
        self._machines = {node.name: Machine(scenario.settings, scenario.world, int(node.cores)) for node in nodes}
        self.placement = self._place({})
        self.node_of = dict(self.placement.node_of)
        self.first_placement = dict(self.node_of)
        self.rows: list[NodeRow] = []
        self.recoveries: list[LossRecovery] = []
        self.moves = 0
        self.runs = {shard.number: self._run(shard) for shard in self.division.shards}
        self._on_progress = on_progress
        self._done_ns = dict.fromkeys(self._machines, 0)

    def run(self) -> None:
        """Run from the beginning to the end."""
        span_ns, waiting = self.scenario.span_ns, list(self.losses)
        for now_ns in range(0, span_ns, _STEP_NS):
            while waiting and waiting[0].at_ns <= now_ns:
                self._lose(waiting.pop(0), now_ns)
            self._resume_due(now_ns)
            until_ns = min(span_ns, now_ns + _STEP_NS)
            for run in self.runs.values():
                if not run.resumes_ns:
                    run.simulation.advance(until_ns)
            if now_ns % NS_PER_S == 0:
                self._observe_recoveries(now_ns)
            if until_ns % ROW_NS == 0 or until_ns == span_ns:
                self._end_row(until_ns)
        for run in self.runs.values():
            if not run.resumes_ns:
                simulation = run.simulation
                simulation.oracle.check(simulation.scheduler, simulation.camera_model, span_ns)

    def _place(self, before: dict[int, str]) -> Placement:
        return place(self.division.shards, self.nodes, before, self.scenario.settings.cluster.bindings)

    def _run(self, shard: Shard) -> _Run:
        scenario = self.scenario
        counties = set(shard.counties)
        plans = [plan for plan in scenario.fleet.plans if (plan.county or "") in counties]
        caps = own_caps(scenario.settings.scheduler, self.division.shared_hosts, shard.number)
        scheduler = scenario.settings.scheduler.model_copy(update={"host_visits_max": caps})
        settings = scenario.settings.model_copy(update={"scheduler": scheduler})
        fleet = fleet_from_plans(plans, scenario.world, settings.scheduler, scenario.seed)
        part = replace(scenario, settings=settings, fleet=fleet, seed=scenario.seed + shard.number, rows_max=1)
        machine = self._machines[self.node_of[shard.number]]
        return _Run(shard, Simulation(part, machine=machine))

    def _lose(self, loss: NodeLoss, now_ns: int) -> None:
        self.nodes = [node for node in self.nodes if node.name != loss.node]
        lost = tuple(number for number, node in self.node_of.items() if node == loss.node)
        cameras = sum(self.runs[number].shard.cameras for number in lost)
        self.recoveries.append(LossRecovery(loss, lost, cameras))
        for move in self._place(self.node_of).moves:
            run = self.runs[move.shard]
            if not run.resumes_ns:
                run.simulation.stop(now_ns)
            run.resumes_ns = now_ns + ns(FAILOVER_S if move.shard in lost else HANDOVER_S)
            self.node_of[move.shard] = move.target
            self.moves += 1

    def _resume_due(self, now_ns: int) -> None:
        for number, run in self.runs.items():
            if run.resumes_ns and now_ns >= run.resumes_ns:
                run.resumes_ns = 0
                run.simulation.resume(self._machines[self.node_of[number]], now_ns)

    def _observe_recoveries(self, now_ns: int) -> None:
        for recovery in self.recoveries:
            after_s = seconds(now_ns - recovery.loss.at_ns)
            if recovery.all_seen_s is not None or after_s <= 0:
                continue
            runs = [self.runs[number] for number in recovery.shards]
            if recovery.first_visit_s is None and any(run.simulation.oracle.flights for run in runs):
                recovery.first_visit_s = after_s
            if recovery.first_visit_s is not None and all(_all_seen(run, recovery.loss.at_ns) for run in runs):
                recovery.all_seen_s = after_s

    def _end_row(self, now_ns: int) -> None:
        begin_s = self.rows[-1].until_s if self.rows else 0.0
        row = NodeRow(begin_s, seconds(now_ns), dict.fromkeys(self._machines, 0), [LagHistogram() for _ in CLASSES], {})
        for number, run in self.runs.items():
            timeline = run.simulation.timeline
            row.visits[self.node_of[number]] += run.simulation.visits - run.visits
            run.visits = run.simulation.visits
            for camera_class in CLASSES:
                row.lags[camera_class].merge(timeline.row_lags[camera_class])
            if not run.resumes_ns:
                timeline.end_row(now_ns)
                timeline.begin_row(now_ns)
        for name, machine in self._machines.items():
            done_ns = machine.done_ns(now_ns)
            row.core_share[name] = seconds(done_ns - self._done_ns[name]) / (row.until_s - begin_s) / machine.servers
            self._done_ns[name] = done_ns
        self.rows.append(row)
        self._on_progress(round(row.until_s / 60))


def own_caps(
    settings: SchedulerSettings, shared_hosts: Mapping[str, Mapping[int, float]], number: int
) -> dict[str, int]:
    """Return a shard's caps of platforms: those of the settings, and what is due to it of those that others visit too
    while all shards run; one visit at least, since nobody takes turns here."""
    caps = dict(settings.host_visits_max)
    for host, shares in shared_hosts.items():
        if number in shares:
            cap = caps.get(host, settings.visits_per_host_max)
            caps[host] = max(1, due_visits(cap, shares)[number])
    return caps


def fleet_groups(fleet: Fleet, settings: SchedulerSettings, world: World) -> list[CameraGroup]:
    """Return a simulation's cameras as groups, for placement."""
    cpu_s = np.array([stream.cpu_ms for stream in world.streams]) / 1000
    period_s = np.where(np.array(fleet.key_point, dtype=bool), settings.key_period_s, settings.ordinary_period_s)
    visits_per_s = 1 / period_s
    cores = visits_per_s * cpu_s[np.array(fleet.stream)]
    keys = np.stack([np.array(fleet.county), np.array(fleet.uplink), np.array(fleet.host)], axis=1)
    found, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    visits_of = np.bincount(inverse, visits_per_s, len(found))
    cores_of = np.bincount(inverse, cores, len(found))
    return [
        CameraGroup(
            _county(fleet, county),
            fleet.uplinks[uplink] if uplink >= 0 else "",
            fleet.hosts[host] if host >= 0 else "",
            int(counts[index]),
            float(visits_of[index]),
            float(cores_of[index]),
        )
        for index, (county, uplink, host) in enumerate(found.tolist())
    ]


def parse_loss(text: str, hours: float) -> NodeLoss:
    """Return the loss of an option, NODE@TIME, with a time like 3h, 90m or 600s. Raises ConfigError."""
    node, _, time = text.partition("@")
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    try:
        at_s = float(time[:-1]) * units[time[-1:]]
    except (KeyError, ValueError):
        at_s = -1.0
    if not node or not 0 < at_s < hours * 3600:
        raise ConfigError(
            f"--lose-node {text}: give NODE@TIME within the {hours:g} hours, such as node-2@3h or node-2@90m"
        )
    return NodeLoss(node, ns(at_s))


def _county(fleet: Fleet, index: int) -> str:
    name = fleet.counties[index]
    return "" if name == "none" else name


def _all_seen(run: _Run, since_ns: int) -> bool:
    simulation = run.simulation
    seen: npt.NDArray[np.bool_] = np.frombuffer(simulation.oracle.last_keyframe, dtype=np.int64) >= since_ns
    reachable = np.frombuffer(simulation.camera_model.unreachable_reason, dtype=np.uint8) == 0
    return not run.resumes_ns and not bool((reachable & simulation.oracle.kitchen_works & ~seen).any())


def _check_losses(nodes: Sequence[Node], losses: Sequence[NodeLoss], span_ns: int) -> None:
    names = [node.name for node in nodes]
    for loss in losses:
        if loss.node not in names:
            raise ConfigError(f"--lose-node {loss.node}: there is no such node; allowed: {', '.join(names)}")
        if loss.at_ns >= span_ns:
            raise ConfigError(f"--lose-node {loss.node}: comes after the end of the simulation")
    if len({loss.node for loss in losses}) >= len(names):
        raise ConfigError("--lose-node: all nodes would be lost; leave one")
