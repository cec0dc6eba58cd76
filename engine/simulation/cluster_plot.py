"""Plots several simulated machines: visits by node, lag by class, cores busy; each loss is a red line."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from engine.scheduler.classes import CameraClass
from engine.simulation.cluster_report import ClusterReport

_LAG_FLOOR_S = 0.05
_LAGS = ((CameraClass.ORDINARY, "#7d8896"), (CameraClass.KEY_POINT, "#1f77b4"))
_LOSS = "#d62728"


def draw(report: ClusterReport, path: Path) -> None:
    """Write a picture to `path`; its ending decides the format."""
    rows = report.simulation.rows
    edges = [row.at_s / 3600 for row in rows] + [rows[-1].until_s / 3600]
    figure, (visits, lag, cores) = plt.subplots(3, 1, figsize=(10, 10), sharex=True)
    names = list(rows[0].visits)
    series = [[row.visits[name] / (row.until_s - row.at_s) for row in rows] for name in names]
    visits.stackplot(edges, *([*values, values[-1]] for values in series), labels=names, alpha=0.85, step="post")
    visits.set_ylabel("visits a second")
    for camera_class, colour in _LAGS:
        p99_s = [max(_LAG_FLOOR_S, row.lags[camera_class].percentile_s(0.99)) for row in rows]
        label = f"{camera_class.label.replace('_', ' ')}, p99"
        lag.step(edges, [*p99_s, p99_s[-1]], where="post", color=colour, label=label)
    lag.set_yscale("log")
    lag.set_ylabel("lag, s")
    for name in names:
        shares = [100 * row.core_share[name] for row in rows]
        cores.step(edges, [*shares, shares[-1]], where="post", lw=1, label=name)
    cores.set_ylabel("cores busy, %")
    cores.set_ylim(0, 105)
    for panel in (visits, lag, cores):
        _finish(panel, report, len(names))
    figures = report.figures
    visits.set_title(
        f"{figures['cameras']:,} cameras, {figures['shards']} shards on {len(names)} nodes, seed {figures['seed']}",
        fontsize=11,
        loc="left",
    )
    cores.set_xlabel("hours; red: a node is lost; grey: until all its cameras were seen again")
    cores.set_xlim(0, figures["hours"])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _finish(panel: Any, report: ClusterReport, nodes: int) -> None:
    for loss in report.figures["losses"]:
        at_h = loss["at_s"] / 3600
        panel.axvline(at_h, color=_LOSS, lw=1)
        if loss["all_seen_after_s"] is not None:
            panel.axvspan(at_h, at_h + loss["all_seen_after_s"] / 3600, color="#555555", alpha=0.12, lw=0)
    panel.grid(alpha=0.25)
    if nodes <= 8 or len(panel.get_legend_handles_labels()[1]) < nodes:
        panel.legend(loc="upper right", fontsize=8, framealpha=0.85)
