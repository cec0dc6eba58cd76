"""What a rehearsal says: coverage, lags, what is needed, what was shed, which promises held."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.clock import seconds
from engine.config.diff import revision
from engine.rehearsal.course import Row
from engine.rehearsal.play import Play, Stage
from engine.scheduler.classes import CLASSES
from engine.scheduler.status import coverage_by_class, coverage_by_county

CORE_SHARE_MAX = 0.9
"""Cores fuller than this let keyframes queue; the capacity answer leaves the rest free."""
_COUNTIES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """`rows`: the course, for plots. The rest is one JSON object; see `json`."""

    plan: str
    stage: Stage
    rows: tuple[Row, ...]
    figures: dict[str, Any]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return not self.figures["promises"]["broken"]

    def json(self) -> dict[str, Any]:
        """Figures; lists and maps of them."""
        return {"plan": self.plan, **self.figures}


def rehearse(plan: str, stage: Stage, on_progress: Callable[[int], None] = lambda _: None) -> Report:
    """Play it through."""
    play = Play(stage, on_progress)
    play.run()
    return Report(plan, stage, tuple(play.rows), _figures(play))


def _figures(play: Play) -> dict[str, Any]:
    stage, core = play.stage, play.core
    promises, tally = play.promises, core.tally
    now_ns = stage.span_ns
    counties = coverage_by_county(core, now_ns)
    worst = sorted(counties, key=lambda name: (counties[name], name))[:_COUNTIES_SHOWN]
    span_s = seconds(stage.span_ns)
    return {
        "cameras": len(stage.fleet),
        "uplinks": len(stage.fleet.uplinks),
        "platforms": len(stage.fleet.hosts),
        "counties": len(stage.fleet.counties),
        "hours": round(span_s / 3600, 3),
        "cores": stage.cores,
        "seed": stage.seed,
        "revision": revision(stage.settings),
        "visits": play.visits,
        "visits_by_class": {kind.word: tally.looks[kind] for kind in CLASSES},
        "coverage": {
            kind.word: coverage if tally.periods_due[kind] else None  # no periods, nothing to cover
            for kind, coverage in zip(CLASSES, coverage_by_class(core, now_ns), strict=True)
        },
        "coverage_by_county": {
            "worst": {name: counties[name] for name in worst},
            "min": min(counties.values(), default=1.0),
            "mean": round(sum(counties.values()) / max(1, len(counties)), 6),
        },
        "lag_s": {
            kind.word: {
                "p50": round(lags.percentile_s(0.5), 3),
                "p99": round(lags.percentile_s(0.99), 3),
                "max": round(seconds(lags.max_ns), 3),
            }
            for kind, lags in zip(CLASSES, play.lags, strict=True)
        },
        "achieved_period_s": {kind.word: round(tally.gaps[kind].mean_ns / 1e9, 3) for kind in CLASSES},
        "stretch_max": round(max((row.stretch_max for row in play.rows), default=1.0), 3),
        "connections": {
            "max": max((row.in_flight_max for row in play.rows), default=0),
            "mean": round(seconds(play.duration_ns) / span_s, 1),
            "allowed": stage.settings.scheduler.visits_max,
        },
        "mbit_s": {"max": round(max((row.mbit_s_max for row in play.rows), default=0.0), 1)},
        "cpu": {
            "cores_busy_mean": round(seconds(play.machine.busy_ns) / span_s, 3),
            "cores_busy_max": round(stage.cores * max((row.core_share for row in play.rows), default=0.0), 3),
            "frames_waiting_max": max((row.frames_waiting_max for row in play.rows), default=0),
        },
        "demand_per_s_max": round(_demand(play), 2),
        "cores_needed": _cores_needed(play),
        "connections_needed": _connections_needed(play),
        "shed": {reason: round(periods, 1) for reason, periods in sorted(tally.shed.items())},
        "failures": dict(sorted(play.failures.items())),
        "presumed": dict(sorted(play.presumed.items())),
        "expired": promises.expired,
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
        "promises": {
            "looks": promises.looks,
            "broken": list(promises.broken),
            "key_point_unseen_periods_max": round(promises.key_gap_periods_max, 3),
        },
        "events": play.events,
        "digest": play.digest,
    }


def _demand(play: Play) -> float:
    """Visits a second that the configured periods ask for in the busiest step."""
    return max((row.demand_per_s for row in play.rows), default=0.0)


def _cores_needed(play: Play) -> int:
    """The fewest cores that carry the busiest step's demand without being fuller than CORE_SHARE_MAX."""
    if not play.visits:
        return 1
    cost_s = seconds(play.machine.busy_ns) / play.visits
    return max(1, math.ceil(_demand(play) * cost_s / CORE_SHARE_MAX))


def _connections_needed(play: Play) -> int:
    """Visits in flight by Little's law (rate times duration), and three standard deviations of a Poisson number."""
    if not play.visits:
        return 1
    mean = _demand(play) * seconds(play.duration_ns) / play.visits
    return max(1, math.ceil(mean + 3 * math.sqrt(mean)))
