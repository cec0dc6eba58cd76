"""The course of a rehearsal as a picture: load, connections, lag, coverage over the day; two plans in two columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from engine.rehearsal.report import Report
from engine.scheduler.classes import CLASSES, CameraClass

_COLOURS = {"key_point": "#1f77b4", "ordinary": "#9aa5b1", "suspicious": "#e08e0b", "offline": "#b04a9c"}
_TROUBLE = "#d62728"
_LAG_FLOOR_S = 0.05


def draw(reports: Sequence[Report], path: Path) -> None:
    """Write a PNG (or what the path's ending says)."""
    figure, axes = plt.subplots(
        4, len(reports), figsize=(9.5 * len(reports), 12), sharex="col", sharey="row", squeeze=False
    )
    for column, report in enumerate(reports):
        panels = axes[:, column]
        for panel, paint in zip(panels, (_load, _connections, _lag, _coverage), strict=True):
            paint(panel, report)
            _mark_troubles(panel, report)
            panel.grid(alpha=0.25)
            panel.legend(loc="lower right" if paint is _coverage else "upper right", fontsize=8, framealpha=0.85)
        panels[0].set_title(_title(report), fontsize=11, loc="left")
        panels[-1].set_xlabel("hours since the beginning")
        panels[-1].set_xlim(0, report.figures["hours"])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _title(report: Report) -> str:
    figures = report.figures
    covered = 100 * figures["coverage"][CameraClass.KEY_POINT.word]
    return (
        f"{report.plan}: {figures['cameras']:,} cameras, {figures['cores']} cores; key points {covered:.2f} % covered, "
        f"{figures['cores_needed']} cores and {figures['connections_needed']} connections needed"
    )


def _times(report: Report) -> list[float]:
    return [row.at_s / 3600 for row in report.rows]


def _step_s(report: Report) -> float:
    return report.rows[1].at_s - report.rows[0].at_s if len(report.rows) > 1 else report.figures["hours"] * 3600


def _load(panel: Any, report: Report) -> None:
    """Visits a second by class, and what the periods ask for."""
    step_s = _step_s(report)
    series = [[row.started[kind] / step_s for row in report.rows] for kind in CLASSES]
    labels = [kind.word.replace("_", " ") for kind in CLASSES]
    panel.stackplot(
        _times(report),
        *series,
        labels=labels,
        colors=[_COLOURS[kind.word] for kind in CLASSES],
        alpha=0.85,
        step="post",
    )
    demand = [row.demand_per_s for row in report.rows]
    panel.step(_times(report), demand, where="post", color="black", lw=1, ls="--", label="asked for by the periods")
    panel.set_ylabel("visits a second")


def _connections(panel: Any, report: Report) -> None:
    times = _times(report)
    panel.step(
        times, [row.in_flight_max for row in report.rows], where="post", color="#1f77b4", label="in flight, most"
    )
    panel.step(times, [row.allowed for row in report.rows], where="post", color="black", ls="--", lw=1, label="allowed")
    panel.set_ylabel("visits in flight")
    panel.set_ylim(bottom=0)
    share = panel.twinx()
    share.step(times, [100 * row.core_share for row in report.rows], where="post", color="#2ca02c", lw=1)
    share.set_ylabel("cores busy, % (green)", color="#2ca02c")
    share.set_ylim(0, 105)


def _lag(panel: Any, report: Report) -> None:
    for kind in CLASSES:
        lags = [max(_LAG_FLOOR_S, row.lag_s_p99[kind]) for row in report.rows]
        panel.step(
            _times(report), lags, where="post", color=_COLOURS[kind.word], label=f"{kind.word.replace('_', ' ')} p99"
        )
    panel.set_yscale("log")
    panel.set_ylabel("lag, s")


def _coverage(panel: Any, report: Report) -> None:
    times = _times(report)
    for kind in (CameraClass.KEY_POINT, CameraClass.ORDINARY):
        shares = [100 * row.coverage[kind] for row in report.rows]
        panel.step(times, shares, where="post", color=_COLOURS[kind.word], label=f"{kind.word.replace('_', ' ')}, %")
    panel.set_ylabel("periods kept, %")
    panel.set_ylim(0, 104)
    offline = panel.twinx()
    offline.step(times, [row.offline for row in report.rows], where="post", color=_COLOURS["offline"], lw=1)
    offline.set_ylabel("cameras offline (violet)", color=_COLOURS["offline"])
    offline.set_ylim(bottom=0)


def _mark_troubles(panel: Any, report: Report) -> None:
    for one in report.figures["troubles"]:
        panel.axvspan(one["from_s"] / 3600, one["until_s"] / 3600, color=_TROUBLE, alpha=0.12, lw=0)
