"""Makes the table of the main figures over several seeds: median, least and most. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def headline(tables: Mapping[str, Any]) -> dict[str, float]:
    """Return the main figures of one run's tables by name; those that were not measured are left out."""
    figures = {
        "AUC of sharpness, without a baseline": tables["auc"]["sharpness"],
        "AUC of sharpness, with a baseline": tables["auc"]["sharpness_baseline"],
        "steam, grease and defocus told apart": tables["told_apart"]["value"],
        "false alarms announced, share of camera-days": tables["false_alarm_rate"],
        "unknown with a baseline, share of visits": tables["unknown_rate"],
        **{f"hit rate, {kind}": value for kind, value in tables["hit_rate"].items()},
    }
    return {name: float(value) for name, value in figures.items() if value is not None and not math.isnan(value)}


def spread(headlines: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | int]]:
    """Return by figure the `median`, `least` and `most` over the seeds, and `n`, the number of seeds that have it."""
    names = dict.fromkeys(name for figures in headlines for name in figures)
    table: dict[str, dict[str, float | int]] = {}
    for name in names:
        values = [figures[name] for figures in headlines if name in figures]
        table[name] = {
            "median": round(statistics.median(values), 4),
            "least": round(min(values), 4),
            "most": round(max(values), 4),
            "n": len(values),
        }
    return table
