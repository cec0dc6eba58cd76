"""Draws the plots of a run as PNG."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.accuracy.findings import Findings, Shot
from bench.accuracy.reporting.sharpness import required_without_baseline, sharpness_figures, split
from bench.accuracy.reporting.statistics import auc, roc

mpl.use("Agg")

LABELS: Final = {
    "sharpness_baseline": "engine, with baseline",
    "sharpness": "engine",
    "uncorrected": "engine, noise correction off",
    "laplacian_variance": "Laplacian variance",
    "tenengrad": "Tenengrad",
    "crete_blur_effect": "Crete blur effect",
    "ffmpeg_blurdetect": "ffmpeg blurdetect",
}
_COLOURS: Final = {
    "sharpness_baseline": "#0b6e4f",
    "sharpness": "#1f9d6b",
    "uncorrected": "#9ecbb5",
    "laplacian_variance": "#c8553d",
    "tenengrad": "#e09f3e",
    "crete_blur_effect": "#3d5a9b",
    "ffmpeg_blurdetect": "#8d6a9f",
}
_STYLE: Final[Any] = {
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "axes.edgecolor": "#9aa5b1",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.dpi": 110,
}


def draw(result: Mapping[str, Any], findings: Findings) -> dict[str, bytes]:
    """Return all plots as PNG, by name."""
    with mpl.rc_context(_STYLE):
        return {
            "roc": _png((5.6, 5.0), lambda axes: _roc(axes, findings.shots)),
            "strength": _strengths(result["by_strength"]),
            "causes": _png((8.6, 7.2), lambda axes: _causes(axes, result["causes"])),
            "kinds": _png((5.6, 5.0), lambda axes: _kinds(axes, findings)),
            "hits": _png((7.4, 5.6), lambda axes: _hits(axes, result["hits"], result["hit_rate_alone"])),
        }


def _png(size: tuple[float, float], paint: Callable[[Axes], None]) -> bytes:
    figure = Figure(figsize=size, layout="constrained")
    paint(figure.add_subplot())
    return _bytes(figure)


def _bytes(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _roc(axes: Axes, shots: Sequence[Shot]) -> None:
    figures = sharpness_figures()
    required = required_without_baseline(shots)
    for name, label in LABELS.items():
        sharp, blurred = split(shots if name == "sharpness_baseline" else required, figures[name])
        if not sharp or not blurred:
            continue
        false_rate, hit_rate = roc(sharp, blurred)
        label = f"{label}  {auc(sharp, blurred):.3f}"
        axes.plot(false_rate, hit_rate, label=label, color=_COLOURS[name], linewidth=_line_width(name))
    axes.plot([0, 1], [0, 1], color="#c0c7cf", linewidth=0.8, linestyle=":")
    axes.set(xlabel="sharp pictures taken for blurred", ylabel="blurred pictures found", xlim=(0, 1), ylim=(0, 1.005))
    axes.set_title("Sharp against blurred: ROC and AUC")
    axes.legend(loc="lower right", frameon=False)


def _line_width(name: str) -> float:
    return 2.2 if name.startswith("sharpness") else 1.2


def _kinds(axes: Axes, findings: Findings) -> None:
    """Plot, for each kind that has a figure, damaged visits against good ones."""
    palette = mpl.colormaps["tab10"]
    episodes = [episode for episode in findings.episodes if episode.counted and episode.kind_figure is not None]
    for number, truth in enumerate(sorted({episode.truth for episode in episodes})):
        faulty = [
            -episode.kind_figure for episode in episodes if episode.truth == truth and episode.kind_figure is not None
        ]
        good = [-figures[truth] for day in findings.days for figures in day.kind_figures if truth in figures]
        if not faulty or not good:
            continue
        false_rate, hit_rate = roc(good, faulty)
        label = f"{truth}  {auc(good, faulty):.3f}"
        axes.plot(false_rate, hit_rate, label=label, color=palette(number % 10), linewidth=1.5)
    axes.set(
        xlabel="good visits beyond the threshold", ylabel="damaged visits beyond it", xlim=(-0.01, 1), ylim=(0, 1.01)
    )
    axes.set_title("Each kind by its own figure: ROC and AUC")
    axes.legend(loc="lower right", frameon=False)


def _strengths(table: Mapping[str, Mapping[str, float]]) -> bytes:
    kinds = sorted({name.rpartition(" ")[0] for name in table})
    figure = Figure(figsize=(4.9 * max(1, len(kinds)), 4.0), layout="constrained")
    for number, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(1, len(kinds), number)
        rows = sorted((float(name.rpartition(" ")[2]), row) for name, row in table.items() if name.startswith(kind))
        for name, label in LABELS.items():
            values = [row.get(name, np.nan) for _, row in rows]
            axes.plot(
                range(len(rows)), values, marker="o", markersize=3.5, label=label, color=_COLOURS[name],
                linewidth=_line_width(name),
            )  # fmt: skip
        axes.set_xticks(range(len(rows)), [f"{strength:g}" for strength, _ in rows])
        axes.set(ylim=(0.4, 1.01), xlabel="px at 1080 lines", ylabel="AUC against good pictures")
        axes.set_title("Defocus, radius of the disc" if kind == "defocus" else "Motion, length of the path")
        if number == len(kinds):
            axes.legend(loc="lower right", frameon=False, fontsize=8)
    return _bytes(figure)


def _causes(axes: Axes, causes: Mapping[str, Mapping[str, int]]) -> None:
    truths = list(causes)
    names = sorted(
        {name for row in causes.values() for name in row}, key=lambda name: (name in ("ok", "unknown"), name)
    )
    counts = np.array([[causes[truth].get(name, 0) for name in names] for truth in truths], float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1, aspect="auto")
    for row in range(len(truths)):
        for column in range(len(names)):
            if counts[row, column]:
                ink = "white" if shares[row, column] > 0.55 else "#1f2933"
                axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(truths)), [f"{truth} ({int(counts[row].sum())})" for row, truth in enumerate(truths)])
    axes.grid(visible=False)
    axes.set(xlabel="announced", ylabel="simulated fault")
    axes.set_title("Announced cause, with a baseline")


def _hits(axes: Axes, hits: Mapping[str, Mapping[str, float]], alone: Mapping[str, Mapping[str, float]]) -> None:
    kinds = list(reversed(list(hits)))
    positions = np.arange(len(kinds))
    for shift, rates, colour, label in ((0.18, hits, "#1f9d6b", "with baseline"), (-0.18, alone, "#b8c4d0", "without")):
        values = np.array([rates[kind]["value"] for kind in kinds])
        low = values - np.array([rates[kind]["low"] for kind in kinds])
        high = np.array([rates[kind]["high"] for kind in kinds]) - values
        spread = np.clip(np.array([low, high]), 0, 1)
        axes.barh(positions + shift, values, height=0.34, color=colour, label=label, xerr=spread, ecolor="#52606d")
    axes.set_yticks(positions, [f"{kind} ({hits[kind]['n']})" for kind in kinds])
    axes.set(xlim=(0, 1.02), xlabel="correctly announced after N of M visits, with 95 % interval")
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.set_title("Hit rate by kind")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
