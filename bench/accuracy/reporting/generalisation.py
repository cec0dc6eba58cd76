"""Makes the tables of how well the judge does on what it was not tuned on: unseen scenes, the other half of the scenes,
other seeds. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.accuracy.reporting.acceptance import Demand, demands

_OF_CAMERAS: Final = ("AUC of", "hit rate,", "steam,", "false alarms announced", "unknown with")
"""Beginnings of the names of demands that a table of cameras answers; the others are about files and frames."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `title`: a sentence before it; `notes`: sentences after it."""

    title: str
    header: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def tables(result: Mapping[str, Any]) -> list[Table]:
    """Return the tables that a run has: each is made only if it was asked for."""
    return [*_unseen(result), *_cross_validation(result), *_seeds(result)]


def markdown(result: Mapping[str, Any]) -> str:
    """Return the tables as Markdown; empty if there is none."""
    lines: list[str] = []
    for table in tables(result):
        lines += ["", table.title, "", _line(table.header), "|" + "---|" * len(table.header)]
        lines += map(_line, table.rows)
        for note in table.notes:
            lines += ["", note]
    return "".join(f"{line}\n" for line in lines)


def unseen_demands(result: Mapping[str, Any]) -> list[Demand]:
    """Return the demands on cameras with the values of the unseen scenes; empty if there were none."""
    if not result.get("unseen"):
        return []
    return [demand for demand in demands({**result, **result["unseen"]}) if demand.name.startswith(_OF_CAMERAS)]


def _unseen(result: Mapping[str, Any]) -> Iterator[Table]:
    unseen = result.get("unseen")
    if not unseen:
        return
    seen = {demand.name: demand for demand in demands(result)}
    yield Table(
        f"On {len(result['unseen_scenes'])} unseen scenes (photographs that packages of Debian and PyPI carry), "
        f"{unseen['good']['camera_days']} camera-days:",
        ("demand", "shared scenes", "unseen scenes", "asked", "met"),
        tuple(
            (
                demand.name,
                _number(seen[demand.name].value),
                _number(demand.value),
                f"{'>=' if demand.at_least else '<='} {demand.target:g}",
                {None: "-", True: "yes", False: "**no**"}[demand.met],
            )
            for demand in unseen_demands(result)
        ),
    )
    yield Table(
        "By kind of fault:",
        ("kind", "shared scenes", "unseen scenes", "95 % interval", "of", "announced as"),
        tuple(
            (
                kind,
                _percent(result["hits"][kind]["value"]) if kind in result["hits"] else "-",
                _percent(rate["value"]),
                f"{_percent(rate['low'])} to {_percent(rate['high'])}",
                str(rate["n"]),
                ", ".join(f"{name} {count}" for name, count in unseen["causes"][kind].items()),
            )
            for kind, rate in unseen["hits"].items()
        ),
    )


def _cross_validation(result: Mapping[str, Any]) -> Iterator[Table]:
    validation = result.get("cross_validation")
    if not validation:
        return
    directions: Sequence[Mapping[str, Any]] = validation["directions"]
    counts = {half: len(scenes) for half, scenes in validation["halves"].items()}
    columns = [(of, name) for of in directions for name in ("tuned", "shipped")]
    sides = [of[name] for of, name in columns]
    rows: list[Row] = [
        ("mean hit rate of all kinds", *(_percent(side["mean_hit_rate"]) for side in sides)),
        (
            "false alarms announced, of camera-days",
            *(f"{_percent(side['false_alarm_rate'], 2)} of {side['false_alarm_days']['n']}" for side in sides),
        ),
        ("unknown, of visits", *(_percent(side["unknown_rate"], 2) for side in sides)),
    ]
    for figure, label in (("sharpness", "without"), ("sharpness_baseline", "with")):
        values = [_number(validation["auc"][of["measured_on"]][figure]) for of, _ in columns]
        rows.append((f"AUC of sharpness, {label} a baseline", *values))
    kinds = sorted({kind for side in sides for kind in side["hits"]})
    rows += [(f"hit rate, {kind}", *(_rate(side["hits"].get(kind)) for side in sides)) for kind in kinds]
    yield Table(
        f"Thresholds tuned on one half of the scenes (A: {counts['A']}, B: {counts['B']}) and measured on the other, "
        "beside the shipped ones there:",
        ("figure", *(f"{name}, on {of['measured_on']}" for of, name in columns)),
        tuple(rows),
        tuple(map(_tuning, directions)),
    )


def _tuning(direction: Mapping[str, Any]) -> str:
    changes = ", ".join(f"`{name}` {was:g} to {now:g}" for name, (was, now) in direction["thresholds"].items())
    there = _percent(direction["where_tuned"]["mean_hit_rate"])
    return f"Tuned on {direction['tuned_on']} (mean hit rate there {there}): {changes or 'nothing changed'}."


def _seeds(result: Mapping[str, Any]) -> Iterator[Table]:
    seeds = result.get("seeds")
    if not seeds:
        return
    unseen = seeds["unseen"]
    yield Table(
        f"Over seeds {', '.join(map(str, seeds['seeds']))}, median (least to most):",
        ("figure", "shared scenes", *(["unseen scenes"] if unseen else [])),
        tuple(
            (name, _spread(figures), *([_spread(unseen.get(name))] if unseen else []))
            for name, figures in seeds["seen"].items()
        ),
    )


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return "-"
    return f"{figures['median']:.3f} ({figures['least']:.3f} to {figures['most']:.3f})"


def _rate(rate: Mapping[str, float] | None) -> str:
    return "-" if rate is None else f"{_percent(rate['value'])} of {rate['n']}"


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}%"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
