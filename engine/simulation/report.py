"""Computes the figures of a simulation: coverage, lags, what is needed, what was shed, which promises held.

Lags, connections, bandwidth and cores are those after the first round (see timeline.py), which has figures of its own.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from engine.clock import seconds
from engine.config.diff import revision
from engine.scheduler.classes import CLASSES, CameraClass
from engine.scheduler.lag_histogram import LagHistogram
from engine.scheduler.status import coverage_by_class, coverage_by_county
from engine.simulation.due import Due, due_of
from engine.simulation.simulation import Scenario, Simulation
from engine.simulation.timeline import Row

CORE_SHARE_MAX = 0.9
"""Cores that are busier than this make keyframes queue; `cores_needed` leaves the rest free."""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """`rows`: the timeline, for plots; its first `first_round_rows` rows are the first round. `figures`: see `json`.

    `due`: how much there was to promise.
    """

    plan: str
    scenario: Scenario
    rows: tuple[Row, ...]
    first_round_rows: int
    figures: dict[str, Any]
    due: Due

    @property
    def promises_held(self) -> bool:
        """Whether no promise was broken, and there was something to promise."""
        return not self.figures["promises"]["broken"] and not self.due.nothing

    def json(self) -> dict[str, Any]:
        """Return the figures; lists and maps of them."""
        return {"plan": self.plan, **self.figures}


def simulate(plan: str, scenario: Scenario, on_progress: Callable[[int], None] = lambda _: None) -> Report:
    """Run a scenario to its end and report. `plan`: its name; `on_progress`: called with the minutes simulated."""
    simulation = Simulation(scenario, on_progress)
    simulation.run()
    timeline = simulation.timeline
    due = due_of(simulation)
    figures = {**_figures(simulation), "due": due.json()}
    return Report(plan, scenario, tuple(timeline.rows), timeline.first_round_rows, figures, due)


def _figures(simulation: Simulation) -> dict[str, Any]:
    return {
        **_scenario(simulation.scenario),
        **_patrol(simulation),
        **_needs(simulation),
        **_trouble(simulation),
        **_promises(simulation),
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "cameras": len(scenario.fleet),
        "uplinks": len(scenario.fleet.uplinks),
        "platforms": len(scenario.fleet.hosts),
        "counties": len(scenario.fleet.counties),
        "hours": round(seconds(scenario.span_ns) / 3600, 3),
        "cores": scenario.cores,
        "seed": scenario.seed,
        "revision": revision(scenario.settings),
    }


def _patrol(simulation: Simulation) -> dict[str, Any]:
    """Return how the periods were kept."""
    scheduler, timeline = simulation.scheduler, simulation.timeline
    statistics, now_ns = scheduler.statistics, simulation.scenario.span_ns
    counties = coverage_by_county(scheduler, now_ns)
    worst = sorted(counties, key=lambda name: (counties[name], name))[:_SHOWN]
    first_round = timeline.rows[: timeline.first_round_rows]
    return {
        "visits": simulation.visits,
        "visits_by_class": {camera_class.label: statistics.visits[camera_class] for camera_class in CLASSES},
        "coverage": {
            camera_class.label: coverage if statistics.periods_due[camera_class] else None  # None: no periods to keep
            for camera_class, coverage in zip(CLASSES, coverage_by_class(scheduler, now_ns), strict=True)
        },
        "coverage_by_county": {
            "worst": {name: counties[name] for name in worst},
            "min": min(counties.values(), default=1.0),
            "mean": round(sum(counties.values()) / max(1, len(counties)), 6),
        },
        "lag_s": _lags(timeline.lags),
        "achieved_period_s": {
            camera_class.label: round(statistics.gaps[camera_class].mean_ns / 1e9, 3) for camera_class in CLASSES
        },
        "stretch_max": {
            camera_class.label: round(max((row.stretch[camera_class] for row in timeline.rows), default=1.0), 3)
            for camera_class in CLASSES
        },
        "shed": {reason: round(periods, 1) for reason, periods in sorted(statistics.shed.items())},
        "first_round": {
            "lasted_s": round(first_round[-1].until_s) if first_round else None,
            "connections_max": max((row.in_flight_max for row in first_round), default=0),
            "lag_s": _lags(timeline.first_round_lags),
        },
    }


def _needs(simulation: Simulation) -> dict[str, Any]:
    """Return what was used, what is needed, and where it cannot be had."""
    scenario, machine, rows = simulation.scenario, simulation.machine, simulation.timeline.settled_rows
    span_s = seconds(scenario.span_ns)
    return {
        "connections": {
            "max": max((row.in_flight_max for row in rows), default=0),
            "mean": round(seconds(simulation.duration_ns) / span_s, 1),
            "allowed": scenario.settings.scheduler.visits_max,
        },
        "mbit_s": {"max": round(max((row.mbit_s_max for row in rows), default=0.0), 1)},
        "network": {"sub_visits": simulation.sub_visits, **simulation.network.json()},
        "cpu": {
            "cores_busy_mean": round(seconds(machine.done_ns(scenario.span_ns)) / span_s, 3),
            "cores_busy_max": round(machine.servers * max((row.core_share for row in rows), default=0.0), 3),
            "frames_waiting_max": max((row.frames_waiting_max for row in rows), default=0),
        },
        "demand_per_s_max": round(_demand_per_s_max(simulation), 2),
        "cores_needed": _cores_needed(simulation),
        "connections_needed": _connections_needed(simulation),
        "bottlenecks": {
            "count": len(simulation.bottlenecks),
            "worst": [
                {**asdict(bottleneck), "wanted": round(bottleneck.wanted, 2), "allowed": bottleneck.allowed}
                for bottleneck in simulation.bottlenecks[:_SHOWN]
            ],
        },
    }


def _trouble(simulation: Simulation) -> dict[str, Any]:
    """Return what went wrong, and how long the recovery took."""
    return {
        "failures": dict(sorted(simulation.failures.items())),
        "presumed": dict(sorted(simulation.presumed.items())),
        "expired": simulation.oracle.expired,
        "outages": simulation.outages,
        "troubles": [
            {
                "name": recovery.trouble.name,
                "cameras": int(recovery.trouble.cameras.size),
                "from_s": round(seconds(recovery.trouble.from_ns)),
                "until_s": round(seconds(recovery.trouble.until_ns)),
                "recovered_after_s": recovery.after_s,
            }
            for recovery in simulation.recovery.recoveries
        ],
    }


def _promises(simulation: Simulation) -> dict[str, Any]:
    oracle = simulation.oracle
    return {
        "promises": {
            "looks": oracle.checks,
            "broken": list(oracle.broken),
            "unseen_periods_max": {
                camera_class.label: round(oracle.unseen_periods_max[camera_class], 3)
                for camera_class in (CameraClass.KEY_POINT, CameraClass.ORDINARY)
            },
        },
        "events": simulation.events,
        "digest": simulation.digest,
    }


def _lags(lags: list[LagHistogram]) -> dict[str, dict[str, float]]:
    return {
        camera_class.label: {
            "p50": round(histogram.percentile_s(0.5), 3),
            "p99": round(histogram.percentile_s(0.99), 3),
            "max": round(seconds(histogram.max_ns), 3),
        }
        for camera_class, histogram in zip(CLASSES, lags, strict=True)
    }


def _demand_per_s_max(simulation: Simulation) -> float:
    """Return the visits a second that the configured periods ask for in the busiest step."""
    return max((row.demand_per_s for row in simulation.timeline.rows), default=0.0)


def _cores_needed(simulation: Simulation) -> int:
    """Return the fewest cores that carry the busiest step's demand without being busier than CORE_SHARE_MAX."""
    if not simulation.visits:
        return 1
    cost_s = seconds(simulation.machine.done_ns(simulation.scenario.span_ns)) / simulation.visits
    return max(1, math.ceil(_demand_per_s_max(simulation) * cost_s / CORE_SHARE_MAX))


def _connections_needed(simulation: Simulation) -> int:
    """Return the visits in flight by Little's law (rate times duration), plus three standard deviations of a Poisson
    number.
    """
    if not simulation.visits:
        return 1
    mean = _demand_per_s_max(simulation) * seconds(simulation.duration_ns) / simulation.visits
    return max(1, math.ceil(mean + 3 * math.sqrt(mean)))
