"""Makes the tables of how well sharp pictures are separated from blurred ones, by the engine's figures and by other
methods. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.accuracy import peers
from bench.accuracy.engine_path import SHARPNESS_MIN
from bench.accuracy.findings import Shot
from bench.accuracy.plan import COUNTED
from bench.accuracy.reporting.groups import grouped
from bench.accuracy.reporting.statistics import auc, auc_interval, shuffled_auc

ALONE_KBPS_MIN: Final = {"1080p": 2000, "720p": 1000}
"""Lowest bit rate per size at which sharpness must separate pictures without a baseline."""

Figure = Callable[[Shot], float | None]


def sharpness_tables(shots: Sequence[Shot], seed: int) -> dict[str, Any]:
    """Return `auc` with intervals, by size, codec, light and scene; `by_strength`; `shuffled_auc`; `planted`."""
    required, figures = required_without_baseline(shots), sharpness_figures()
    alone = {name: _auc(required, figure, seed) for name, figure in figures.items() if name != "sharpness_baseline"}
    everything = {name: _auc(shots, figure, seed) for name, figure in figures.items()}
    values = {name: entry["value"] for name, entry in alone.items()}
    return {
        "auc": {
            "sharpness": values["sharpness"],
            "sharpness_baseline": everything["sharpness_baseline"]["value"],
            "peers": {name: values[name] for name in peers.NAMES},
            "intervals": alone | {"sharpness_baseline": everything["sharpness_baseline"]},
            "everything": everything,
            "by_size": _auc_by(shots, lambda shot: shot.rig.size, figures),
            "by_codec": _auc_by(shots, lambda shot: f"{shot.rig.codec} {shot.rig.kbps}", figures),
            "by_light": _auc_by(shots, lambda shot: shot.rig.light, figures),
            "by_scene": _auc_by(shots, lambda shot: shot.rig.scene, figures),
            "asked": "1080p from 2 Mbit/s and 720p from 1 Mbit/s" if len(required) < len(shots) else "every size",
        },
        "by_strength": _auc_by_strength(required, shots, figures),
        "shuffled_auc": {
            "sharpness": round(shuffled_auc(*split(required, figures["sharpness"]), seed), 4),
            "sharpness_baseline": round(shuffled_auc(*split(shots, figures["sharpness_baseline"]), seed), 4),
        },
        "planted": _planted(shots, figures),
    }


def sharpness_figures() -> dict[str, Figure]:
    """Return functions that give a shot's figures, the engine's and the other methods', by name."""
    return {
        "sharpness": lambda shot: shot.sharpness,
        "sharpness_baseline": lambda shot: shot.relative,
        "uncorrected": lambda shot: shot.uncorrected,
        **{name: _peer(name) for name in peers.NAMES},
    }


def required_without_baseline(shots: Sequence[Shot]) -> list[Shot]:
    """Return the shots whose sharpness must be right without a baseline (ALONE_KBPS_MIN); all, if there are none."""
    return [shot for shot in shots if shot.rig.kbps >= ALONE_KBPS_MIN.get(shot.rig.size, math.inf)] or list(shots)


def _planted(shots: Sequence[Shot], figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Compare the score with and without the noise correction, by light.

    `passed`: share of blurred pictures that the shipped threshold lets pass as sharp. `lost`: what the planted bug
    costs, in AUC or in `passed`, in the light where it costs most.
    """
    by_light: dict[str, Any] = {}
    lost = [math.nan]
    for light, group in sorted(grouped(shots, lambda shot: shot.rig.light).items()):
        rows = {
            "auc": [auc(*split(group, figures[name])) for name in ("sharpness", "uncorrected")],
            "passed": [_passed(group, figures[name]) for name in ("sharpness", "uncorrected")],
        }
        by_light[light] = {
            name: {"noise_correction_on": round(on, 4), "noise_correction_off": round(off, 4)}
            for name, (on, off) in rows.items()
        }
        lost += [rows["auc"][0] - rows["auc"][1], rows["passed"][1] - rows["passed"][0]]
    worst = float(np.nanmax(lost)) if len(lost) > 1 else math.nan
    return {"by_light": by_light, "lost": round(worst, 4), "shows": bool(worst > 0)}


def _passed(shots: Sequence[Shot], figure: Figure) -> float:
    _, blurred = split(shots, figure)
    return sum(value >= SHARPNESS_MIN for value in blurred) / len(blurred) if blurred else math.nan


def _peer(name: str) -> Figure:
    return lambda shot: shot.peers[name]


def _is_blurred(shot: Shot) -> bool:
    return shot.strength >= COUNTED.get(shot.kind, math.inf)


def split(shots: Iterable[Shot], figure: Figure) -> tuple[list[float], list[float]]:
    """Return the figures of the good and of the blurred shots; shots without the figure are left out."""
    sharp: list[float] = []
    blurred: list[float] = []
    for shot in shots:
        value = figure(shot)
        if value is None or math.isnan(value):
            continue
        if shot.kind == "good":
            sharp.append(value)
        elif _is_blurred(shot):
            blurred.append(value)
    return sharp, blurred


def _auc(shots: Sequence[Shot], figure: Figure, seed: int) -> dict[str, Any]:
    """Return the pooled AUC with its interval. `answered`: the share of pictures that have the figure;
    `unanswered_half`: the AUC if every comparison with a picture without the figure counts half."""
    by_scene = {scene: split(group, figure) for scene, group in grouped(shots, lambda shot: shot.rig.scene).items()}
    sharp_by_scene = {scene: sharp for scene, (sharp, _) in by_scene.items()}
    blurred_by_scene = {scene: blurred for scene, (_, blurred) in by_scene.items()}
    interval = auc_interval(sharp_by_scene, blurred_by_scene, seed)
    sharp, blurred = split(shots, figure)
    sharp_count = sum(shot.kind == "good" for shot in shots)
    blurred_count = sum(shot.kind != "good" and _is_blurred(shot) for shot in shots)
    total = max(1, sharp_count + blurred_count)
    compared = len(sharp) * len(blurred) / max(1, sharp_count * blurred_count)
    half = auc(sharp, blurred) * compared + 0.5 * (1 - compared) if sharp and blurred else float("nan")
    return {
        **interval.json(),
        "answered": round((len(sharp) + len(blurred)) / total, 4),
        "unanswered_half": round(half, 4),
    }


def _auc_by(
    shots: Sequence[Shot], key: Callable[[Shot], str], figures: Mapping[str, Figure]
) -> dict[str, dict[str, float | int]]:
    table: dict[str, dict[str, float | int]] = {}
    for value, group in sorted(grouped(shots, key).items()):
        row: dict[str, float | int] = {"n": len(group)}
        for name, figure in figures.items():
            row[name] = round(auc(*split(group, figure)), 4)
        table[value] = row
    return table


def _auc_by_strength(required: Sequence[Shot], shots: Sequence[Shot], figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return the AUC of good pictures against those of each single strength: from which strength on a measure works."""
    table: dict[str, Any] = {}
    for kind, strength in sorted({(shot.kind, shot.strength) for shot in shots if shot.kind != "good"}):
        row: dict[str, float | int] = {}
        for name, figure in figures.items():
            pool = shots if name == "sharpness_baseline" else required
            good = _values((shot for shot in pool if shot.kind == "good"), figure)
            damaged = _values((shot for shot in pool if (shot.kind, shot.strength) == (kind, strength)), figure)
            row[name] = round(auc(good, damaged), 4)
            row["n"] = max(int(row.get("n", 0)), len(damaged))
        table[f"{kind} {strength:g}"] = row
    return table


def _values(shots: Iterable[Shot], figure: Figure) -> list[float]:
    """Return the figure of each shot that has it."""
    return [value for shot in shots if (value := figure(shot)) is not None and not math.isnan(value)]
