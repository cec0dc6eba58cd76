"""What a rehearsal says: coverage, lags, what is needed, what was shed, which promises held.

Lags, connections, bandwidth and cores are those after the first round (see course.py), which has figures of its own.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from engine.clock import seconds
from engine.config.diff import revision
from engine.scheduler.classes import CLASSES, CameraClass
from engine.scheduler.status import coverage_by_class, coverage_by_county
from engine.simulation.simulation import Scenario, Simulation
from engine.simulation.timeline import LagHistogram, Row

CORE_SHARE_MAX = 0.9
"""Cores fuller than this let keyframes queue; the capacity answer leaves the rest free."""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """`rows`: the course, for plots; the first `first_rows` of them are the first round. `figures`: see `json`."""

    plan: str
    stage: Scenario
    rows: tuple[Row, ...]
    first_rows: int
    figures: dict[str, Any]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return not self.figures["promises"]["broken"]

    def json(self) -> dict[str, Any]:
        """Figures; lists and maps of them."""
        return {"plan": self.plan, **self.figures}


def simulate(plan: str, stage: Scenario, on_progress: Callable[[int], None] = lambda _: None) -> Report:
    """Play it through."""
    play = Simulation(stage, on_progress)
    play.run()
    return Report(plan, stage, tuple(play.course.rows), play.course.first_rows, _figures(play))


def _figures(play: Simulation) -> dict[str, Any]:
    return {**_stage(play.stage), **_patrol(play), **_needs(play), **_trouble(play), **_proof(play)}


def _stage(stage: Scenario) -> dict[str, Any]:
    return {
        "cameras": len(stage.fleet),
        "uplinks": len(stage.fleet.uplinks),
        "platforms": len(stage.fleet.hosts),
        "counties": len(stage.fleet.counties),
        "hours": round(seconds(stage.span_ns) / 3600, 3),
        "cores": stage.cores,
        "seed": stage.seed,
        "revision": revision(stage.settings),
    }


def _patrol(play: Simulation) -> dict[str, Any]:
    """How the periods were kept."""
    core, course = play.core, play.course
    tally, now_ns = core.statistics, play.stage.span_ns
    counties = coverage_by_county(core, now_ns)
    worst = sorted(counties, key=lambda name: (counties[name], name))[:_SHOWN]
    first = course.rows[: course.first_rows]
    return {
        "visits": play.visits,
        "visits_by_class": {kind.label: tally.visits[kind] for kind in CLASSES},
        "coverage": {
            kind.label: coverage if tally.periods_due[kind] else None  # no periods, nothing to cover
            for kind, coverage in zip(CLASSES, coverage_by_class(core, now_ns), strict=True)
        },
        "coverage_by_county": {
            "worst": {name: counties[name] for name in worst},
            "min": min(counties.values(), default=1.0),
            "mean": round(sum(counties.values()) / max(1, len(counties)), 6),
        },
        "lag_s": _lags(course.lags),
        "achieved_period_s": {kind.label: round(tally.gaps[kind].mean_ns / 1e9, 3) for kind in CLASSES},
        "stretch_max": {
            kind.label: round(max((row.stretch[kind] for row in course.rows), default=1.0), 3) for kind in CLASSES
        },
        "shed": {reason: round(periods, 1) for reason, periods in sorted(tally.shed.items())},
        "first_round": {
            "lasted_s": round(first[-1].until_s) if first else None,
            "connections_max": max((row.in_flight_max for row in first), default=0),
            "lag_s": _lags(course.first_lags),
        },
    }


def _needs(play: Simulation) -> dict[str, Any]:
    """What was used, what is needed, and what cannot be had."""
    stage, rows = play.stage, play.course.settled
    span_s = seconds(stage.span_ns)
    return {
        "connections": {
            "max": max((row.in_flight_max for row in rows), default=0),
            "mean": round(seconds(play.duration_ns) / span_s, 1),
            "allowed": stage.settings.scheduler.visits_max,
        },
        "mbit_s": {"max": round(max((row.mbit_s_max for row in rows), default=0.0), 1)},
        "cpu": {
            "cores_busy_mean": round(seconds(play.machine.done_ns(stage.span_ns)) / span_s, 3),
            "cores_busy_max": round(play.machine.servers * max((row.core_share for row in rows), default=0.0), 3),
            "frames_waiting_max": max((row.frames_waiting_max for row in rows), default=0),
        },
        "demand_per_s_max": round(_demand(play), 2),
        "cores_needed": _cores_needed(play),
        "connections_needed": _connections_needed(play),
        "bottlenecks": {
            "count": len(play.bottlenecks),
            "worst": [
                {**asdict(one), "wanted": round(one.wanted, 2), "allowed": one.allowed}
                for one in play.bottlenecks[:_SHOWN]
            ],
        },
    }


def _trouble(play: Simulation) -> dict[str, Any]:
    """What went wrong, and how long after it all was well."""
    return {
        "failures": dict(sorted(play.failures.items())),
        "presumed": dict(sorted(play.presumed.items())),
        "expired": play.promises.expired,
        "outages": play.outages,
        "troubles": [
            {
                "name": one.trouble.name,
                "cameras": int(one.trouble.cameras.size),
                "from_s": round(seconds(one.trouble.from_ns)),
                "until_s": round(seconds(one.trouble.until_ns)),
                "recovered_after_s": one.after_s,
            }
            for one in play.recovery.all
        ],
    }


def _proof(play: Simulation) -> dict[str, Any]:
    promises = play.promises
    return {
        "promises": {
            "looks": promises.looks,
            "broken": list(promises.broken),
            "unseen_periods_max": {
                kind.label: round(promises.unseen_periods_max[kind], 3)
                for kind in (CameraClass.KEY_POINT, CameraClass.ORDINARY)
            },
        },
        "events": play.events,
        "digest": play.digest,
    }


def _lags(lags: list[LagHistogram]) -> dict[str, dict[str, float]]:
    return {
        kind.label: {
            "p50": round(one.percentile_s(0.5), 3),
            "p99": round(one.percentile_s(0.99), 3),
            "max": round(seconds(one.max_ns), 3),
        }
        for kind, one in zip(CLASSES, lags, strict=True)
    }


def _demand(play: Simulation) -> float:
    """Visits a second that the configured periods ask for in the busiest step."""
    return max((row.demand_per_s for row in play.course.rows), default=0.0)


def _cores_needed(play: Simulation) -> int:
    """The fewest cores that carry the busiest step's demand without being fuller than CORE_SHARE_MAX."""
    if not play.visits:
        return 1
    cost_s = seconds(play.machine.done_ns(play.stage.span_ns)) / play.visits
    return max(1, math.ceil(_demand(play) * cost_s / CORE_SHARE_MAX))


def _connections_needed(play: Simulation) -> int:
    """Visits in flight by Little's law (rate times duration), and three standard deviations of a Poisson number."""
    if not play.visits:
        return 1
    mean = _demand(play) * seconds(play.duration_ns) / play.visits
    return max(1, math.ceil(mean + 3 * math.sqrt(mean)))
