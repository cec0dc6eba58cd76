"""The course of a rehearsal as a picture: load, connections, lag, coverage over the day; two plans in two columns."""

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
    """Write a picture; what kind says the path's ending, one of ENDINGS."""
    figure, axes = plt.subplots(4, len(reports), figsize=(9.5 * len(reports), 12), sharex="col", squeeze=False)
    for column, report in enumerate(reports):
        panels = axes[:, column]
        for panel, paint in zip(panels, (_load, _connections, _lag, _coverage), strict=True):
            paint(panel, report)
            _mark_times(panel, report)
            panel.grid(alpha=0.25)
            panel.legend(loc="lower right" if paint is _coverage else "upper right", fontsize=8, framealpha=0.85)
        panels[0].set_title(_title(report), fontsize=11, loc="left")
        panels[-1].set_xlabel(f"hours since {_beginning(report)}; grey: first round, red: trouble")
        panels[-1].set_xlim(0, report.figures["hours"])
    for row in axes:  # not sharey: whoever is drawn first would set how far all reach
        low, high = zip(*(panel.get_ylim() for panel in row), strict=True)
        for panel in row:
            panel.set_ylim(min(low), max(high))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _title(report: Report) -> str:
    figures = report.figures
    covered = figures["coverage"][CameraClass.KEY_POINT.label]
    said = "no key points" if covered is None else f"{100 * covered:.2f} % of the key points' periods kept"
    return (
        f"{report.plan}: {figures['cameras']:,} cameras, {_many(figures['cores'], 'core')}, seed {figures['seed']}\n"
        f"{said}; needed are {_many(figures['cores_needed'], 'core')} and "
        f"{_many(figures['connections_needed'], 'connection')}"
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _beginning(report: Report) -> str:
    zone = ZoneInfo(report.stage.calendar.timezone)
    return f"{datetime.datetime.fromtimestamp(report.stage.wall_ns / NS_PER_S, zone):%a %Y-%m-%d %H:%M}"


def _steps(panel: Any, report: Report, value: Callable[[Row], float | None], **style: Any) -> None:
    """A line that is level within a row, and has a gap where there is nothing to say."""
    rows = report.rows
    edges = [row.at_s / 3600 for row in rows] + [rows[-1].until_s / 3600]
    values = [float("nan") if (found := value(row)) is None else found for row in rows]
    panel.step(edges, [*values, values[-1]], where="post", **style)


def _present(report: Report) -> list[CameraClass]:
    """Classes that were visited at all."""
    return [kind for kind in CLASSES if any(row.started[kind] for row in report.rows)]


def _load(panel: Any, report: Report) -> None:
    """Visits a second by class, and what the periods ask for."""
    rows, kinds = report.rows, _present(report)
    edges = [row.at_s / 3600 for row in rows] + [rows[-1].until_s / 3600]
    series = [[row.started[kind] / (row.until_s - row.at_s) for row in rows] for kind in kinds]
    panel.stackplot(
        edges,
        *([*one, one[-1]] for one in series),
        labels=[_words(kind) for kind in kinds],
        colors=[_COLOURS[kind.label] for kind in kinds],
        alpha=0.85,
        step="post",
    )
    _steps(panel, report, lambda row: row.demand_per_s, color="black", lw=1, ls="--", label="asked for by the periods")
    settled = _settled(report)
    most = max(max(sum(row.started) / (row.until_s - row.at_s), row.demand_per_s) for row in settled)
    _reach(panel, 1.25 * most, (sum(row.started) / (row.until_s - row.at_s) for row in rows), "visits a second")


def _connections(panel: Any, report: Report) -> None:
    _steps(panel, report, lambda row: row.in_flight_max, color=_COLOURS["key_point"], label="in flight, most")
    most = max(row.in_flight_max for row in _settled(report))
    if min(row.allowed for row in report.rows) <= 4 * most:
        _steps(panel, report, lambda row: row.allowed, color="black", ls="--", lw=1, label="allowed")
    _reach(panel, 1.25 * max(1, most), (row.in_flight_max for row in report.rows), "visits in flight")
    share = panel.twinx()
    _steps(share, report, lambda row: 100 * row.core_share, color=_CORES, lw=1)
    share.set_ylabel("cores busy, %", color=_CORES)
    share.set_ylim(0, 105)


def _lag(panel: Any, report: Report) -> None:
    for kind in reversed(_present(report)):

        def lag_s(row: Row, kind: CameraClass = kind) -> float | None:
            found = row.lag_s_p99[kind]
            return None if found is None else max(_LAG_FLOOR_S, found)

        _steps(panel, report, lag_s, color=_COLOURS[kind.label], label=f"{_words(kind)}, p99")
    panel.set_yscale("log")
    panel.set_ylim(bottom=0.8 * _LAG_FLOOR_S)
    panel.set_ylabel("lag, s")


def _coverage(panel: Any, report: Report) -> None:
    for kind in (CameraClass.ORDINARY, CameraClass.KEY_POINT):

        def share(row: Row, kind: CameraClass = kind) -> float | None:
            found = row.coverage[kind]
            return None if found is None else 100 * found

        _steps(panel, report, share, color=_COLOURS[kind.label], label=_words(kind))
    panel.set_ylabel("periods kept, %")
    panel.set_ylim(0, 104)
    if any(row.offline for row in report.rows):
        offline = panel.twinx()
        _steps(offline, report, lambda row: row.offline, color=_COLOURS["offline"], lw=1)
        offline.set_ylabel("cameras offline", color=_COLOURS["offline"])
        offline.set_ylim(bottom=0)


def _settled(report: Report) -> Sequence[Row]:
    return report.rows[report.first_rows :] or report.rows


def _reach(panel: Any, top: float, values: Iterable[float], what: str) -> None:
    """The first round may be far above what comes after; then it is cut off, and its height is said."""
    most = max(values)
    panel.set_ylim(bottom=0)
    if most > top:
        panel.set_ylim(top=top)
        what += f"\n(first round: {most:,.0f})"
    panel.set_ylabel(what)


def _words(kind: CameraClass) -> str:
    return kind.label.replace("_", " ")


def _mark_times(panel: Any, report: Report) -> None:
    if report.first_rows:
        panel.axvspan(0, report.rows[report.first_rows - 1].until_s / 3600, color=_FIRST_ROUND, alpha=0.15, lw=0)
    for one in report.figures["troubles"]:
        panel.axvspan(one["from_s"] / 3600, one["until_s"] / 3600, color=_TROUBLE, alpha=0.12, lw=0)
