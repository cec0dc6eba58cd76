"""Writes one self-contained HTML page about a run: figures against demands, plots, pictures with their tile maps."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.accuracy.findings import HIT, Example, Findings
from bench.accuracy.reporting import acceptance, generalisation
from bench.accuracy.reporting.html_page import html_page
from bench.accuracy.reporting.page import markdown
from bench.accuracy.reporting.pictures import data_url, figure
from bench.accuracy.reporting.plots import LABELS, draw
from bench.accuracy.reporting.worst import write_worst


def write_report(folder: Path, result: Mapping[str, Any], findings: Findings) -> Path:
    """Write report.html, its plots, worst.html, and the tables as accuracy.md into `folder`; return the path of
    report.html.

    Raises OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = draw(result, findings)
    for name, png in plots.items():
        (folder / f"{name}.png").write_bytes(png)
    (folder / "accuracy.md").write_text(markdown(result), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_page(result, plots, findings.examples), encoding="utf-8")
    write_worst(folder, _summary(result), findings.examples)
    return page


def _page(result: Mapping[str, Any], plots: Mapping[str, bytes], examples: Sequence[Example]) -> str:
    auc = result["auc"]
    return html_page(
        "report.html",
        summary=html.escape(_summary(result)),
        demands=_demands(acceptance.table(result)),
        **{f"plot_{name}": data_url("png", png) for name, png in plots.items()},
        measures=_measures(auc),
        planted=_planted(result["planted"]),
        by_size=_breakdown(auc["by_size"]),
        by_light=_breakdown(auc["by_light"]),
        by_codec=_breakdown(auc["by_codec"]),
        by_scene=_breakdown(auc["by_scene"]),
        areas=_areas(result["kinds_auc"]),
        cuts="".join(_matrix(cut.removeprefix("by_"), table) for cut, table in result["hit_rate_by"].items()),
        strengths=_rates(result["hit_rate_by_strength"]),
        details=_rates(result["hit_rate_by_detail"]),
        good=_good(result["good"]),
        greasing=_greasing(result["greasing"]["cameras"]),
        labels=_labels(result["labels"]),
        generalisation=_generalisation(result),
        hits=_hits(examples),
    )


def _demands(demands: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        (
            demand["demand"],
            _number(demand["value"]),
            f"{'≥' if demand['at'] == 'least' else '≤'} {demand['target']:g}",
            _mark(demand["met"]),
        )
        for demand in demands
    )
    return _table(("demand", "measured", "required", ""), rows)


def _good(good: Mapping[str, Any]) -> str:
    labels = {
        "false_alarm_days": "camera-days with a false alarm announced",
        "fault": "visits answered fault, with a baseline",
        "unknown": "visits answered unknown, with a baseline",
        "alone_fault": "single pictures answered fault, without a baseline",
        "alone_unknown": "single pictures answered unknown, without a baseline",
    }
    rows = (
        (label, f"{rate['value']:.2%}", f"{rate['low']:.2%} to {rate['high']:.2%}", rate["n"])
        for rate, label in ((good[key], label) for key, label in labels.items())
        if rate["n"]
    )
    return _table(("good pictures", "rate", "95 % interval", "of"), rows)


def _greasing(cameras: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        (
            camera["camera"],
            camera["announced_day"] or "never",
            camera["announced_as"],
            _number(camera["one_shot_strength"]),
            camera["one_shot_as"],
            _mark(camera["in_time"]),
        )
        for camera in cameras
    )
    return _table(("camera", "announced on day", "as", "one-shot strength", "as", ""), rows)


def _labels(labels: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        (
            row["path"],
            row["truth"],
            row["answer"],
            (row.get("with_reference") or {}).get("answer", ""),
            _number(row.get("sharpness"), 0),
            row["keyframes"],
            {"right": "✓", "wrong": "✗"}.get(row["right"], "?"),
        )
        for row in sorted(labels, key=lambda row: ("wrong", "unknown", "right").index(row["right"]))
    )
    return _table(("file", "a person sees", "answer", "with its reference", "sharpness", "keyframes", ""), rows)


def _generalisation(result: Mapping[str, Any]) -> str:
    """Return the tables of unseen scenes, cross-validation and seeds, those that the run has."""
    parts = [
        f'<h3>{_plain(table.title)}</h3><div class="scroll">'
        + _table(table.header, (tuple(cell.replace("**", "") for cell in row) for row in table.rows))
        + f"</div>{''.join(f'<p>{_plain(note)}</p>' for note in table.notes)}"
        for table in generalisation.tables(result)
    ]
    return "\n".join(parts) or "<p>Not measured: see --scenes, --cross-validate and --seeds.</p>"


def _plain(text: str) -> str:
    return html.escape(text.replace("`", ""))


def _summary(result: Mapping[str, Any]) -> str:
    good, labels = result["good"], result["labels_right"]
    return (
        f"{result['cameras']} cameras on {len(result['scenes'])} scenes, {good['camera_days']} good camera-days, "
        f"{sum(row['n'] for row in result['hits'].values())} damages that count, "
        f"{sum(labels.values())} labelled files; seed {result['seed']}, {result['seconds']:.0f} s"
        + (", quick run: too few cameras for reliable figures." if result["quick"] else ".")
    )


def _measures(auc: Mapping[str, Any]) -> str:
    rows = []
    for name, label in LABELS.items():
        required, everything = auc["intervals"].get(name), auc["everything"][name]
        interval = ""
        if required and required["value"] is not None:
            interval = f"{required['low']:.3f} to {required['high']:.3f}"
        rows.append(
            (
                label,
                _number(required["value"]) if required else "",
                interval,
                _number(everything["value"]),
                f"{everything['answered']:.1%}",
                _number(everything["unanswered_half"]),
            )
        )
    header = (
        "measure",
        f"AUC, {auc['asked']}",
        "95 % over scenes",
        "AUC, all sizes and rates",
        "pictures with a figure",
        "AUC if a missing figure counts as a coin toss",
    )
    return _table(header, rows)


def _planted(planted: Mapping[str, Any]) -> str:
    labels = {
        "auc": "AUC of the score",
        "passed": "blurred pictures that pass as sharp",
    }
    return _table(
        ("light", "measure", "noise correction on", "off"),
        (
            (light, labels[name], _number(row["noise_correction_on"]), _number(row["noise_correction_off"]))
            for light, rows in planted["by_light"].items()
            for name, row in rows.items()
        ),
    )


def _breakdown(table: Mapping[str, Mapping[str, Any]]) -> str:
    names = list(LABELS)
    return _table(
        ("", "pictures", *(LABELS[name] for name in names)),
        ((key, row["n"], *(_number(row[name]) for name in names)) for key, row in table.items()),
    )


def _rates(table: Mapping[str, Mapping[str, Any]]) -> str:
    return _table(
        ("damage", "hit rate", "95 % interval", "of"),
        (
            (name, f"{row['value']:.0%}", f"{row['low']:.0%} to {row['high']:.0%}", row["n"])
            for name, row in table.items()
        ),
    )


def _areas(table: Mapping[str, Mapping[str, Any]]) -> str:
    return _table(
        ("kind", "AUC of its figure", "95 % over scenes", "visits"),
        (
            (kind, _number(row["value"]), f"{row['low']:.3f} to {row['high']:.3f}", row["n"])
            for kind, row in table.items()
        ),
    )


def _matrix(cut: str, table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the hit rates of every kind as a table with one column for each value of `cut`."""
    kinds = sorted({kind for row in table.values() for kind in row})
    rows = (
        (kind, *(f"{row[kind]['value']:.0%} of {row[kind]['n']}" if kind in row else "" for row in table.values()))
        for kind in kinds
    )
    return f"<h3>Hit rate by {html.escape(cut)}</h3>" + _table(("kind", *table), rows)


def _hits(examples: Sequence[Example]) -> str:
    """Return one found fault of each kind."""
    of_kind = {example.kind: example for example in reversed(examples) if example.group == HIT}
    return "\n".join(figure(of_kind[kind]) for kind in sorted(of_kind)) or "<p>None.</p>"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _mark(met: bool | None) -> str:
    return "–" if met is None else "✓" if met else "✗"
