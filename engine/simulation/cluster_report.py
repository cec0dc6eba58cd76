"""Computes and prints the figures of several simulated machines: lags before, during and after a loss, load by node."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.clock import seconds
from engine.scheduler.classes import CLASSES, CameraClass
from engine.scheduler.lag_histogram import LagHistogram
from engine.simulation.cluster import ClusterSimulation, NodeRow

_BASE_CLASSES = (CameraClass.KEY_POINT, CameraClass.ORDINARY)
_SETTLED_PERIODS = 2.0
"""A loss is over after so many ordinary periods."""
_FIRST_ROUND_PERIODS = 1.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the simulation. `lags`: by class."""

    name: str
    from_s: float
    until_s: float
    visits: int
    lags: Sequence[LagHistogram]

    def json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "phase": self.name,
            "from_s": self.from_s,
            "until_s": self.until_s,
            "visits": self.visits,
            "lag_s": {
                camera_class.label: {
                    "p50": round(self.lags[camera_class].percentile_s(0.5), 3),
                    "p99": round(self.lags[camera_class].percentile_s(0.99), 3),
                    "max": round(seconds(self.lags[camera_class].max_ns), 3),
                }
                for camera_class in _BASE_CLASSES
            },
        }


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """`figures`: see `json`."""

    simulation: ClusterSimulation
    phases: Sequence[Phase]
    figures: dict[str, Any]

    @property
    def promises_held(self) -> bool:
        """Whether no promise was broken, every lost shard went on, and every shard has a node."""
        return not self.figures["broken"] and not self.figures["unplaced"]

    def json(self) -> dict[str, Any]:
        """Return the figures."""
        return self.figures


def report(simulation: ClusterSimulation) -> ClusterReport:
    """Return the figures of a simulation that has run."""
    phases = _phases(simulation)
    scenario = simulation.scenario
    broken = [
        f"shard {number}: {sentence}"
        for number, run in simulation.runs.items()
        for sentence in run.simulation.oracle.broken
    ]
    broken += [
        f"{recovery.loss.node} was lost, and its cameras were not all seen again by the end"
        for recovery in simulation.recoveries
        if recovery.all_seen_s is None and recovery.shards
    ]
    figures = {
        "cameras": len(scenario.fleet),
        "counties": len(scenario.fleet.counties),
        "hours": round(seconds(scenario.span_ns) / 3600, 3),
        "seed": scenario.seed,
        "shards": len(simulation.runs),
        "visits": sum(run.simulation.visits for run in simulation.runs.values()),
        "nodes": [_node(simulation, name) for name in simulation.rows[0].core_share],
        "phases": [phase.json() for phase in phases],
        "losses": [
            {
                "node": recovery.loss.node,
                "at_s": round(seconds(recovery.loss.at_ns)),
                "shards": len(recovery.shards),
                "cameras": recovery.cameras,
                "first_visit_after_s": recovery.first_visit_s,
                "all_seen_after_s": recovery.all_seen_s,
            }
            for recovery in simulation.recoveries
        ],
        "moves": simulation.moves,
        "shared_hosts": len(simulation.division.shared_hosts),
        "unplaced": {str(number): why for number, why in simulation.placement.unplaced.items()},
        "broken": broken[:100],
    }
    return ClusterReport(simulation, phases, figures)


def show(console: Console, report: ClusterReport) -> None:
    """Print the report."""
    figures = report.figures
    head = Text(
        f"{figures['cameras']:,} cameras in {figures['counties']:,} counties, {figures['shards']} shards on "
        f"{len(figures['nodes'])} nodes, {figures['hours']:g} h, seed {figures['seed']}",
        style="bold",
    )
    console.print(Group(head, _phase_table(figures), _node_table(figures), *_loss_table(figures)))
    if report.promises_held:
        console.print(Text("every promise held", style="green"))
        return
    lines = [*figures["broken"][:10], *(f"shard {number}: {why}" for number, why in figures["unplaced"].items())]
    console.print(Panel("\n".join(lines), title="broken promises", border_style="red"))


def _phases(simulation: ClusterSimulation) -> list[Phase]:
    """Return before, during and after each loss; the first round is left out."""
    period_s = simulation.scenario.settings.scheduler.ordinary_period_s
    end_s = seconds(simulation.scenario.span_ns)
    cuts = [("before" if simulation.losses else "settled", min(_FIRST_ROUND_PERIODS * period_s, end_s / 2))]
    for loss in simulation.losses:
        at_s = seconds(loss.at_ns)
        cuts += [(f"{loss.node} lost", at_s), (f"after {loss.node}", at_s + _SETTLED_PERIODS * period_s)]
    cuts.sort(key=lambda cut: cut[1])
    ends = [*(at_s for _, at_s in cuts[1:]), end_s]
    return [
        _phase(name, from_s, until_s, simulation.rows)
        for (name, from_s), until_s in zip(cuts, ends, strict=True)
        if from_s < until_s
    ]


def _phase(name: str, from_s: float, until_s: float, rows: Sequence[NodeRow]) -> Phase:
    lags, visits = [LagHistogram() for _ in CLASSES], 0
    for row in rows:
        if from_s <= row.at_s < until_s:
            visits += sum(row.visits.values())
            for camera_class in CLASSES:
                lags[camera_class].merge(row.lags[camera_class])
    return Phase(name, from_s, until_s, visits, lags)


def _node(simulation: ClusterSimulation, name: str) -> dict[str, Any]:
    rows = simulation.rows
    first = [number for number, node in simulation.first_placement.items() if node == name]
    last = [number for number, node in simulation.node_of.items() if node == name]
    return {
        "node": name,
        "shards": len(first),
        "cameras": sum(simulation.runs[number].shard.cameras for number in first),
        "shards_at_end": len(last),
        "cameras_at_end": sum(simulation.runs[number].shard.cameras for number in last),
        "core_share_mean": round(sum(row.core_share[name] for row in rows) / len(rows), 3),
        "core_share_max": round(max(row.core_share[name] for row in rows), 3),
    }


def _phase_table(figures: dict[str, Any]) -> RenderableType:
    table = _table("phase", "from", "until", "visits", "key point lag p50", "p99", "ordinary lag p50", "p99")
    for phase in figures["phases"]:
        lags = [phase["lag_s"][camera_class.label] for camera_class in _BASE_CLASSES]
        table.add_row(
            phase["phase"],
            _hours(phase["from_s"]),
            _hours(phase["until_s"]),
            f"{phase['visits']:,}",
            *(f"{lag[key]:.1f} s" for lag in lags for key in ("p50", "p99")),
        )
    return table


def _node_table(figures: dict[str, Any]) -> RenderableType:
    table = _table("node", "shards", "cameras", "cameras at the end", "cores busy", "busiest minute")
    for node in figures["nodes"]:
        table.add_row(
            node["node"],
            str(node["shards"]),
            f"{node['cameras']:,}",
            f"{node['cameras_at_end']:,}",
            f"{node['core_share_mean']:.0%}",
            f"{node['core_share_max']:.0%}",
        )
    return table


def _loss_table(figures: dict[str, Any]) -> list[RenderableType]:
    if not figures["losses"]:
        return []
    table = _table("lost", "at", "shards", "cameras", "first visit after", "all seen after")
    for loss in figures["losses"]:
        times = (loss["first_visit_after_s"], loss["all_seen_after_s"])
        table.add_row(
            loss["node"],
            _hours(loss["at_s"]),
            str(loss["shards"]),
            f"{loss['cameras']:,}",
            *("-" if time_s is None else f"{time_s:,.0f} s" for time_s in times),
        )
    return [table]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold bright_black")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _hours(at_s: float) -> str:
    minutes = round(at_s / 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
