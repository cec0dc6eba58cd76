"""Plots the timeline of a simulation: load, connections, lag, coverage over the day; two plans in two columns."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from engine.clock import NS_PER_S
from engine.scheduler.classes import CLASSES, CameraClass
from engine.simulation.report import Report
from engine.simulation.timeline import Row

ENDINGS = (".png", ".svg", ".pdf")
_COLOURS = {"key_point": "#1f77b4", "ordinary": "#7d8896", "suspicious": "#e08e0b", "offline": "#b04a9c"}
_TROUBLE, _FIRST_ROUND, _CORES = "#d62728", "#555555", "#2ca02c"
_LAG_FLOOR_S = 0.05


def draw(reports: Sequence[Report], path: Path) -> None:
    """Write a picture to `path`; its ending, one of ENDINGS, decides the format."""
    figure, axes = plt.subplots(4, len(reports), figsize=(9.5 * len(reports), 12), sharex="col", squeeze=False)
    for column, report in enumerate(reports):
        panels = axes[:, column]
        for panel, draw_panel in zip(panels, (_load, _connections, _lag, _coverage), strict=True):
            draw_panel(panel, report)
            _mark_times(panel, report)
            panel.grid(alpha=0.25)
            panel.legend(loc="lower right" if draw_panel is _coverage else "upper right", fontsize=8, framealpha=0.85)
        panels[0].set_title(_title(report), fontsize=11, loc="left")
        panels[-1].set_xlabel(f"hours since {_start_time(report)}; grey: first round, red: trouble")
        panels[-1].set_xlim(0, report.figures["hours"])
    for row in axes:  # not sharey: the first panel drawn would set the limits of all
        low, high = zip(*(panel.get_ylim() for panel in row), strict=True)
        for panel in row:
            panel.set_ylim(min(low), max(high))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _title(report: Report) -> str:
    figures = report.figures
    coverage = figures["coverage"][CameraClass.KEY_POINT.label]
    kept = "no key points" if coverage is None else f"{100 * coverage:.2f} % of the key points' periods kept"
    return (
        f"{report.plan}: {figures['cameras']:,} cameras, {_plural(figures['cores'], 'core')}, seed {figures['seed']}\n"
        f"{kept}; needed are {_plural(figures['cores_needed'], 'core')} and "
        f"{_plural(figures['connections_needed'], 'connection')}"
    )


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _start_time(report: Report) -> str:
    zone = ZoneInfo(report.scenario.calendar.timezone)
    return f"{datetime.datetime.fromtimestamp(report.scenario.wall_ns / NS_PER_S, zone):%a %Y-%m-%d %H:%M} ({zone.key})"


def _steps(panel: Any, report: Report, value: Callable[[Row], float | None], **style: Any) -> None:
    """Draw a line that is level within a row, with a gap where there is no value."""
    rows = report.rows
    edges = [row.at_s / 3600 for row in rows] + [rows[-1].until_s / 3600]
    values = [float("nan") if (number := value(row)) is None else number for row in rows]
    panel.step(edges, [*values, values[-1]], where="post", **style)


def _visited_classes(report: Report) -> list[CameraClass]:
    return [camera_class for camera_class in CLASSES if any(row.started[camera_class] for row in report.rows)]


def _load(panel: Any, report: Report) -> None:
    """Draw the visits a second by class, and what the periods ask for."""
    rows, classes = report.rows, _visited_classes(report)
    edges = [row.at_s / 3600 for row in rows] + [rows[-1].until_s / 3600]
    series = [[row.started[camera_class] / (row.until_s - row.at_s) for row in rows] for camera_class in classes]
    panel.stackplot(
        edges,
        *([*values, values[-1]] for values in series),
        labels=[_name(camera_class) for camera_class in classes],
        colors=[_COLOURS[camera_class.label] for camera_class in classes],
        alpha=0.85,
        step="post",
    )
    _steps(panel, report, lambda row: row.demand_per_s, color="black", lw=1, ls="--", label="asked for by the periods")
    settled_rows = _settled_rows(report)
    most = max(max(sum(row.started) / (row.until_s - row.at_s), row.demand_per_s) for row in settled_rows)
    _limit(panel, 1.25 * most, (sum(row.started) / (row.until_s - row.at_s) for row in rows), "visits a second")


def _connections(panel: Any, report: Report) -> None:
    _steps(panel, report, lambda row: row.in_flight_max, color=_COLOURS["key_point"], label="in flight, most")
    most = max(row.in_flight_max for row in _settled_rows(report))
    if min(row.allowed for row in report.rows) <= 4 * most:
        _steps(panel, report, lambda row: row.allowed, color="black", ls="--", lw=1, label="allowed")
    _limit(panel, 1.25 * max(1, most), (row.in_flight_max for row in report.rows), "visits in flight")
    cores = panel.twinx()
    _steps(cores, report, lambda row: 100 * row.core_share, color=_CORES, lw=1)
    cores.set_ylabel("cores busy, %", color=_CORES)
    cores.set_ylim(0, 105)


def _lag(panel: Any, report: Report) -> None:
    for camera_class in reversed(_visited_classes(report)):

        def lag_s(row: Row, camera_class: CameraClass = camera_class) -> float | None:
            p99_s = row.lag_s_p99[camera_class]
            return None if p99_s is None else max(_LAG_FLOOR_S, p99_s)

        _steps(panel, report, lag_s, color=_COLOURS[camera_class.label], label=f"{_name(camera_class)}, p99")
    panel.set_yscale("log")
    panel.set_ylim(bottom=0.8 * _LAG_FLOOR_S)
    panel.set_ylabel("lag, s")


def _coverage(panel: Any, report: Report) -> None:
    for camera_class in (CameraClass.ORDINARY, CameraClass.KEY_POINT):

        def percent(row: Row, camera_class: CameraClass = camera_class) -> float | None:
            coverage = row.coverage[camera_class]
            return None if coverage is None else 100 * coverage

        _steps(panel, report, percent, color=_COLOURS[camera_class.label], label=_name(camera_class))
    panel.set_ylabel("periods kept, %")
    panel.set_ylim(0, 104)
    if any(row.offline for row in report.rows):
        offline = panel.twinx()
        _steps(offline, report, lambda row: row.offline, color=_COLOURS["offline"], lw=1)
        offline.set_ylabel("cameras offline", color=_COLOURS["offline"])
        offline.set_ylim(bottom=0)


def _settled_rows(report: Report) -> Sequence[Row]:
    """Return the rows after the first round; all of them if there are none after it."""
    return report.rows[report.first_round_rows :] or report.rows


def _limit(panel: Any, top: float, values: Iterable[float], label: str) -> None:
    """Set limits and label of the vertical axis; a first round far above the rest is cut off, with its height in the
    label.
    """
    most = max(values)
    panel.set_ylim(bottom=0)
    if most > top:
        panel.set_ylim(top=top)
        label += f"\n(first round: {most:,.0f})"
    panel.set_ylabel(label)


def _name(camera_class: CameraClass) -> str:
    return camera_class.label.replace("_", " ")


def _mark_times(panel: Any, report: Report) -> None:
    if report.first_round_rows:
        panel.axvspan(0, report.rows[report.first_round_rows - 1].until_s / 3600, color=_FIRST_ROUND, alpha=0.15, lw=0)
    for trouble in report.figures["troubles"]:
        panel.axvspan(trouble["from_s"] / 3600, trouble["until_s"] / 3600, color=_TROUBLE, alpha=0.12, lw=0)
