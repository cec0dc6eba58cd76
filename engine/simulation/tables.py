"""Prints a simulation as tables; two plans side by side."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.scheduler.classes import CLASSES
from engine.simulation.bottlenecks import bottleneck_sentence
from engine.simulation.report import Report

_BOTTLENECKS_SHOWN = 3


def show(console: Console, reports: Sequence[Report]) -> None:
    """Print one report, or two side by side."""
    console.print(Group(_headline(reports[0]), _classes(reports), _machine(reports), *_troubles(reports)))
    for report in reports:
        for line in _bottlenecks(report):
            console.print(line)
        console.print(_verdict(report))


def _headline(report: Report) -> RenderableType:
    figures = report.figures
    return Text(
        f"{figures['cameras']:,} cameras on {figures['uplinks']:,} recorders and {figures['platforms']} platforms in "
        f"{figures['counties']} counties, {figures['hours']:g} h, seed {figures['seed']}; lags, connections, bandwidth "
        "and busy cores are those after the first round",
        style="bold",
    )


def _classes(reports: Sequence[Report]) -> Table:
    table = _table("class", "visits", "coverage", "achieved period", "lag p50", "p99", "max", plans=reports)
    for camera_class in CLASSES:
        label = camera_class.label
        for report in reports:
            figures = report.figures
            if not figures["visits_by_class"][label]:
                continue
            lag = figures["lag_s"][label]
            period, coverage = figures["achieved_period_s"][label], figures["coverage"][label]
            cells = [
                label.replace("_", " "),
                f"{figures['visits_by_class'][label]:,}",
                "-" if coverage is None else f"{100 * coverage:.2f} %",
                f"{period:.0f} s" if period else "-",
                *(f"{lag[key]:.1f} s" for key in ("p50", "p99", "max")),
            ]
            table.add_row(*_with_plan(report, cells, reports))
    return table


def _machine(reports: Sequence[Report]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold bright_black")
    table.add_column("")
    for report in reports:
        table.add_column(report.plan, justify="right")
    for name, text in _LINES:
        table.add_row(name, *(text(report.figures) for report in reports))
    return table


def _troubles(reports: Sequence[Report]) -> list[RenderableType]:
    if not any(report.figures["troubles"] for report in reports):
        return []
    table = _table("trouble", "cameras", "from", "until", "recovered after", plans=reports)
    for report in reports:
        for trouble in report.figures["troubles"]:
            after_s = trouble["recovered_after_s"]
            cells = [
                trouble["name"],
                f"{trouble['cameras']:,}",
                _hours(trouble["from_s"]),
                _hours(trouble["until_s"]),
                "-" if after_s is None else f"{after_s:.0f} s",
            ]
            table.add_row(*_with_plan(report, cells, reports))
    return [table]


def _bottlenecks(report: Report) -> list[RenderableType]:
    """Return lines that name the gates that cannot carry their cameras' periods, with the arithmetic."""
    bottlenecks = report.figures["bottlenecks"]
    lines = [f"{report.plan}: {bottleneck_sentence(gate)}" for gate in bottlenecks["worst"][:_BOTTLENECKS_SHOWN]]
    more = bottlenecks["count"] - len(lines)
    if more:
        lines.append(f"... and {more:,} more like it")
    return [Text(line, style="yellow") for line in lines]


def _verdict(report: Report) -> RenderableType:
    figures = report.figures
    promises = figures["promises"]
    if not promises["broken"] and not report.due.enough:
        return Text(f"{report.plan}: no promise was broken, but {report.due.sentence()}", style="bold yellow")
    if not promises["broken"]:
        return Text(f"{report.plan}: every promise held, checked {promises['looks']:,} times", style="green")
    return Panel("\n".join(promises["broken"][:10]), title=f"{report.plan}: broken promises", border_style="red")


def _table(*columns: str, plans: Sequence[Report]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold bright_black")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
        if number == 0 and len(plans) > 1:
            table.add_column("plan")
    return table


def _with_plan(report: Report, cells: list[str], reports: Sequence[Report]) -> list[str]:
    return [cells[0], report.plan, *cells[1:]] if len(reports) > 1 else cells


def _by_class(values: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in values.items())


def _stretches(values: dict[str, float]) -> str:
    return _by_class({name: value for name, value in values.items() if value > 1}) or "not at all"


def _lasted(lasted_s: float | None) -> str:
    return "-" if lasted_s is None else f"{lasted_s:,.0f} s"


def _mbit_s(value: float) -> str:
    return f"{value:,.0f} Mbit/s" if value >= 10 else f"{value:.2g} Mbit/s"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if part else "none"


def _counts(counts: dict[str, float]) -> str:
    return ", ".join(f"{reason} {number:,.0f}" for reason, number in counts.items()) or "none"


_LINES: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("visits in flight, most (allowed)", lambda f: f"{f['connections']['max']:,} ({f['connections']['allowed']:,})"),
    ("connections needed", lambda f: f"{f['connections_needed']:,}"),
    ("bandwidth, most", lambda f: f"{f['mbit_s']['max']:,.0f} Mbit/s"),
    ("network, 95 % of minutes below", lambda f: _mbit_s(f["network"]["mbit_s_p95"])),
    ("of the busiest county", lambda f: _mbit_s(f["network"]["counties"]["max"])),
    ("of the busiest recorder", lambda f: _mbit_s(f["network"]["uplinks"]["max"])),
    ("received", lambda f: f"{f['network']['gbyte']:,.1f} GB"),
    ("visits on the sub-stream", lambda f: _share(f["network"]["sub_visits"], f["visits"])),
    ("cores busy, on average (allowed)", lambda f: f"{f['cpu']['cores_busy_mean']:.2f} ({f['cores']})"),
    ("cores busy, busiest step", lambda f: f"{f['cpu']['cores_busy_max']:.2f}"),
    ("cores needed", lambda f: str(f["cores_needed"])),
    ("demand, most", lambda f: f"{f['demand_per_s_max']:,.1f} visits/s"),
    ("keyframes waiting, most", lambda f: f"{f['cpu']['frames_waiting_max']:,}"),
    ("periods stretched by, most", lambda f: _stretches(f["stretch_max"])),
    ("worst county's coverage", lambda f: f"{100 * f['coverage_by_county']['min']:.2f} %"),
    ("periods without a visit", lambda f: _counts(f["shed"])),
    ("failed visits", lambda f: f"{sum(f['failures'].values()):,}"),
    ("not visited, platform out", lambda f: f"{sum(f['presumed'].values()):,}"),
    ("orders never answered", lambda f: f"{f['expired']:,}"),
    ("longest unseen, in periods", lambda f: _by_class(f["promises"]["unseen_periods_max"])),
    ("first round: lasted", lambda f: _lasted(f["first_round"]["lasted_s"])),
    ("first round: visits in flight, most", lambda f: f"{f['first_round']['connections_max']:,}"),
    ("digest", lambda f: str(f["digest"])[:12]),
)


def _hours(at_s: float) -> str:
    minutes = round(at_s / 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
