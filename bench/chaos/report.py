"""Plots a run: memory and descriptors by process, checks a second, lag, and the faults."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.chaos.checks import Sample
from bench.chaos.deeds import Outcome


def plot(path: Path, samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> None:
    """Write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 1, figsize=(12, 12), sharex=True)
    names = sorted({name for sample in samples for name in sample.use})
    for name in names:
        used = [(sample.at_s, sample.use[name]) for sample in samples if name in sample.use]
        at_s = [second for second, _ in used]
        axes[0].plot(at_s, [use.resident_mb for _, use in used], label=name)
        axes[1].plot(at_s, [use.descriptors for _, use in used], label=name)
    _line(axes[2], samples, [sample.checks_per_s for sample in samples])
    _line(axes[3], samples, [sample.lag_s for sample in samples])
    for axis, label in zip(axes, ("memory, MB", "descriptors", "checks a second", "lag, s"), strict=True):
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        for outcome in outcomes:
            axis.axvline(outcome.fault.at_s, color="red" if outcome.recovery_s is None else "grey", alpha=0.4, lw=0.8)
    for outcome in outcomes:
        axes[3].text(outcome.fault.at_s, 0, f" {outcome.fault.name}", rotation=90, fontsize=6, va="bottom")
    axes[0].legend(fontsize=7, ncol=4)
    axes[3].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _line(axis: Any, samples: Sequence[Sample], values: Sequence[float | None]) -> None:
    known = [(sample.at_s, value) for sample, value in zip(samples, values, strict=True) if value is not None]
    axis.plot([second for second, _ in known], [value for _, value in known])
