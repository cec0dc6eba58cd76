"""How well sharp pictures are told from blurred ones: tables of the engine's figures and their peers. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.accuracy import peers
from bench.accuracy.engine_path import SHARPNESS_MIN
from bench.accuracy.findings import Shot
from bench.accuracy.groups import grouped
from bench.accuracy.plan import COUNTED
from bench.accuracy.statistics import auc, auc_interval, shuffled_auc

ALONE_KBPS_MIN: Final = {"1080p": 2000, "720p": 1000}
"""What sharpness must tell without a baseline: these sizes, from these bit rates on."""

Figure = Callable[[Shot], float | None]


def sharpness_tables(shots: Sequence[Shot], seed: int) -> dict[str, Any]:
    """`auc` with intervals, by size, codec, light and strength; `shuffled_auc`; `planted`."""
    asked, figures = asked_alone(shots), figures_of_sharpness()
    alone = {name: _auc(asked, figure, seed) for name, figure in figures.items() if name != "sharpness_baseline"}
    everywhere = {name: _auc(shots, figure, seed) for name, figure in figures.items()}
    sharp, blurred = split(asked, figures["sharpness"])
    related, unrelated = split(shots, figures["sharpness_baseline"])
    told = {name: entry["value"] for name, entry in alone.items()}
    return {
        "auc": {
            "sharpness": told["sharpness"],
            "sharpness_baseline": everywhere["sharpness_baseline"]["value"],
            "peers": {name: told[name] for name in peers.NAMES},
            "intervals": alone | {"sharpness_baseline": everywhere["sharpness_baseline"]},
            "everything": everywhere,
            "by_size": _by(shots, lambda one: one.rig.size, figures, seed),
            "by_codec": _by(shots, lambda one: f"{one.rig.codec} {one.rig.kbps}", figures, seed),
            "by_light": _by(shots, lambda one: one.rig.light, figures, seed),
            "by_scene": _by(shots, lambda one: one.rig.scene, figures, seed),
            "asked": "1080p from 2 Mbit/s and 720p from 1 Mbit/s" if len(asked) < len(shots) else "every size",
        },
        "by_strength": _by_strength(asked, shots, figures),
        "shuffled_auc": {
            "sharpness": round(shuffled_auc(sharp, blurred, seed), 4),
            "sharpness_baseline": round(shuffled_auc(related, unrelated, seed), 4),
        },
        "planted": _planted(shots, figures),
    }


def figures_of_sharpness() -> dict[str, Figure]:
    """The engine's figures and its peers', by name."""
    return {
        "sharpness": lambda one: one.sharpness,
        "sharpness_baseline": lambda one: one.relative,
        "uncorrected": lambda one: one.uncorrected,
        **{name: _peer(name) for name in peers.NAMES},
    }


def asked_alone(shots: Sequence[Shot]) -> list[Shot]:
    """Of which a sharpness without a baseline is asked: ALONE_KBPS_MIN; of data without such pictures, all."""
    return [one for one in shots if one.rig.kbps >= ALONE_KBPS_MIN.get(one.rig.size, math.inf)] or list(shots)


def _planted(shots: Sequence[Shot], figures: Mapping[str, Figure]) -> dict[str, Any]:
    """The score with the correction for noise and without, by light.

    `passed`: share of blurred pictures that the shipped threshold lets pass as sharp. `lost`: what the bug costs, of
    AUC or of passed, in the light where it costs most.
    """
    by_light: dict[str, Any] = {}
    lost = [math.nan]
    for light, group in sorted(grouped(shots, lambda one: one.rig.light).items()):
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


def _blurred(shot: Shot) -> bool:
    return shot.strength >= COUNTED.get(shot.kind, math.inf)


def split(shots: Iterable[Shot], figure: Figure) -> tuple[list[float], list[float]]:
    """Figures of the good and of the blurred; those that have none are left out."""
    sharp: list[float] = []
    blurred: list[float] = []
    for shot in shots:
        value = figure(shot)
        if value is None or math.isnan(value):
            continue
        if shot.kind == "good":
            sharp.append(value)
        elif _blurred(shot):
            blurred.append(value)
    return sharp, blurred


def _auc(shots: Sequence[Shot], figure: Figure, seed: int) -> dict[str, Any]:
    """Pooled AUC with its interval. `answered`: the share of pictures that have the figure; `unanswered_half`: the AUC
    if a picture without one were held for neither sharp nor blurred."""
    by_scene = grouped(shots, lambda one: one.rig.scene)
    parts = {scene: split(group, figure) for scene, group in by_scene.items()}
    interval = auc_interval({s: one[0] for s, one in parts.items()}, {s: one[1] for s, one in parts.items()}, seed)
    sharp, blurred = split(shots, figure)
    sharp_all, blurred_all = (
        sum(one.kind == "good" for one in shots),
        sum(one.kind != "good" and _blurred(one) for one in shots),
    )
    total = max(1, sharp_all + blurred_all)
    told = len(sharp) * len(blurred) / max(1, sharp_all * blurred_all)
    half = auc(sharp, blurred) * told + 0.5 * (1 - told) if sharp and blurred else float("nan")
    return {
        **interval.json(),
        "answered": round((len(sharp) + len(blurred)) / total, 4),
        "unanswered_half": round(half, 4),
    }


def _by(
    shots: Sequence[Shot], key: Callable[[Shot], str], figures: Mapping[str, Figure], seed: int
) -> dict[str, dict[str, float | int]]:
    table: dict[str, dict[str, float | int]] = {}
    for name, group in sorted(grouped(shots, key).items()):
        row: dict[str, float | int] = {"n": len(group)}
        for of, figure in figures.items():
            row[of] = round(auc(*split(group, figure)), 4)
        table[name] = row
    return table


def _by_strength(asked: Sequence[Shot], shots: Sequence[Shot], figures: Mapping[str, Figure]) -> dict[str, Any]:
    """AUC of the good against one strength: where each measure begins to see."""
    table: dict[str, Any] = {}
    for kind, strength in sorted({(one.kind, one.strength) for one in shots if one.kind != "good"}):
        row: dict[str, float | int] = {}
        for name, figure in figures.items():
            pool = shots if name == "sharpness_baseline" else asked
            sharp = [value for one in pool if one.kind == "good" and _is_number(value := figure(one))]
            weak = [
                value
                for one in pool
                if (one.kind, one.strength) == (kind, strength) and _is_number(value := figure(one))
            ]
            row[name] = round(auc(_floats(sharp), _floats(weak)), 4)
            row["n"] = max(int(row.get("n", 0)), len(weak))
        table[f"{kind} {strength:g}"] = row
    return table


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _floats(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
