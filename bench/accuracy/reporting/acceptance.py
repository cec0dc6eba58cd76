"""Lists the project's requirements on the judge next to the measured values, as JSON and Markdown tables. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Demand:
    """A requirement on one figure. `at_least`: the value must reach `target`; else it must not exceed it.

    `value`: None if it was not measured.
    """

    name: str
    value: float | None
    target: float
    at_least: bool

    @property
    def met(self) -> bool | None:
        """Whether the requirement is met; None if nothing was measured."""
        if self.value is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


_HIT_RATES = {
    "covered": 0.99,
    "partly_covered": 0.95,
    "too_dark": 0.97,
    "too_bright": 0.97,
    "over_exposed": 0.90,
    "under_exposed": 0.90,
    "drops": 0.70,
    "moved": 0.95,
    "frozen": 0.99,
    "signal_loss": 0.99,
    "noisy": 0.80,
    "snow": 0.95,
    "stripes": 0.90,
    "dead_rows": 0.95,
}


def demands(result: Mapping[str, Any]) -> list[Demand]:
    """Return all demands with the values of a run's result."""
    auc, hits, films, labels = result["auc"], result["hit_rate"], result["films"], result["labels_right"]
    greasing, frames = result["greasing"]["in_time"], result["frames"]
    return [
        Demand("AUC of sharpness, without a baseline", _number(auc["sharpness"]), 0.95, True),
        Demand("AUC of sharpness, with a baseline", _number(auc["sharpness_baseline"]), 0.99, True),
        *(Demand(f"hit rate, {kind}", _number(hits.get(kind)), target, True) for kind, target in _HIT_RATES.items()),
        Demand("steam, grease and defocus told apart", _number(result["told_apart"]["value"]), 0.85, True),
        Demand("motion told from defocus, from 12 px", _number(result["motion_told"]["value"]), 0.70, True),
        Demand("false alarms announced, share of camera-days", _number(result["false_alarm_rate"]), 0.005, False),
        Demand("the same with bars, masks, banners, four views", _number(frames["false_alarm_rate"]), 0.005, False),
        Demand("faults found less often in them, points", _number(frames["hits_lost"]), 2, False),
        Demand("unknown with a baseline, share of visits", _number(result["unknown_rate"]), 0.05, False),
        Demand("false alarms on real films, camera-days", _number(films["false_alarm_days"]), 0, False),
        Demand("labelled files wrong", _number(labels["wrong"]), 0, False),
        Demand(
            "greased over 30 days, announced in time", _number(greasing["value"]) if greasing["n"] else None, 1, True
        ),
        Demand("shuffled labels, AUC off 0.5", abs(result["shuffled_auc"]["sharpness"] - 0.5), 0.03, False),
        Demand("planted bug, loss that shows", _number(result["planted"]["lost"]), 0.001, True),
    ]


def table(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the demands as JSON."""
    return [
        {
            "demand": demand.name,
            "value": None if demand.value is None else round(demand.value, 4),
            "target": demand.target,
            "at": "least" if demand.at_least else "most",
            "met": demand.met,
        }
        for demand in demands(result)
    ]


def markdown(result: Mapping[str, Any]) -> str:
    """Return the demands, the measures of sharpness and the causes as Markdown tables."""
    auc = result["auc"]
    rows = ["| demand | measured | asked | met |", "|---|---|---|---|"]
    for demand in demands(result):
        value = "-" if demand.value is None else f"{demand.value:.3f}"
        met = {None: "-", True: "yes", False: "**no**"}[demand.met]
        rows.append(f"| {demand.name} | {value} | {'>=' if demand.at_least else '<='} {demand.target:g} | {met} |")
    rows += ["", f"| measure | AUC, {auc['asked']} | 95 % over scenes | AUC, everything |", "|---|---|---|---|"]
    for name, entry in auc["intervals"].items():
        interval = f"{entry['low']:.3f} to {entry['high']:.3f}"
        rows.append(f"| {name} | {entry['value']:.3f} | {interval} | {auc['everything'][name]['value']:.3f} |")
    rows += ["", "| kind | hit rate | 95 % interval | of | announced as |", "|---|---|---|---|---|"]
    for kind, rate in result["hits"].items():
        interval = f"{rate['low']:.1%} to {rate['high']:.1%}"
        announced = ", ".join(f"{name} {count}" for name, count in result["causes"][kind].items())
        rows.append(f"| {kind} | {rate['value']:.1%} | {interval} | {rate['n']} | {announced} |")
    return "\n".join(rows) + "\n"


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
