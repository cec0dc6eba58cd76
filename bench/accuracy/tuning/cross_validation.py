"""Cross-validates the thresholds: tuned on one half of the scenes, measured on the other half, both ways.

Pictures are not made again: the recorded measurements are judged with other thresholds, in several processes, each of
which reads the recordings once from files.
"""

import multiprocessing
import pickle
import tempfile
from collections.abc import Sequence
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, Final

from bench.accuracy.findings import Shot
from bench.accuracy.reporting.sharpness import required_without_baseline, sharpness_figures, split
from bench.accuracy.reporting.statistics import auc, wilson
from bench.accuracy.tuning.recording import Recording, Tally, added, rejudge
from bench.accuracy.tuning.thresholds import TUNED, false_alarm_rate, mean_hit_rate, tuned
from engine.config.judge import JudgeSettings

_HALVES: Final = ("A", "B")


def cross_validate(recordings: Sequence[Recording], shots: Sequence[Shot], jobs: int) -> dict[str, Any]:
    """Return both directions as JSON: `tuned_on`, `measured_on`, the `thresholds` that were changed, and what the tuned
    and the shipped thresholds give on the other half.

    `shots` are for the AUC of sharpness, which no threshold changes, on each half. Raises ValueError if there are fewer
    than two scenes.
    """
    of_half = halves([recording.rig.scene for recording in recordings])
    shipped = JudgeSettings()
    with tempfile.TemporaryDirectory() as name, _pool(jobs) as pool:
        folder = Path(name)
        for number, recording in enumerate(recordings):
            with _file(folder, number).open("wb") as file:
                pickle.dump(recording, file)

        def evaluate(half: str, settings: JudgeSettings) -> Tally:
            numbers = [number for number, recording in enumerate(recordings) if of_half[recording.rig.scene] == half]
            work = [(folder, number, settings) for number in numbers]
            return added(list(pool.imap_unordered(_rejudged, work)))

        directions = []
        for here, there in (_HALVES, _HALVES[::-1]):
            settings, on_tuned = tuned(lambda candidate, half=here: evaluate(half, candidate), shipped)  # type: ignore[misc]
            directions.append(
                {
                    "tuned_on": here,
                    "measured_on": there,
                    "thresholds": changed(settings, shipped),
                    "where_tuned": _row(on_tuned),
                    "tuned": _row(evaluate(there, settings)),
                    "shipped": _row(evaluate(there, shipped)),
                }
            )
    return {
        "halves": {half: sorted(scene for scene, of in of_half.items() if of == half) for half in _HALVES},
        "directions": directions,
        "auc": {half: _auc([shot for shot in shots if of_half.get(shot.rig.scene) == half]) for half in _HALVES},
    }


def halves(scenes: Sequence[str]) -> dict[str, str]:
    """Return the half of each scene: every second one by name. Raises ValueError if there are fewer than two scenes."""
    names = sorted(set(scenes))
    if len(names) < len(_HALVES):
        raise ValueError(f"{len(names)} scenes cannot be halved; cross-validation needs at least {len(_HALVES)}")
    return {name: _HALVES[number % len(_HALVES)] for number, name in enumerate(names)}


def changed(settings: JudgeSettings, shipped: JudgeSettings) -> dict[str, list[float]]:
    """Return the thresholds that differ: shipped and tuned value by name."""
    pairs = {name: [float(getattr(of, name)) for of in (shipped, settings)] for name in TUNED}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _row(tally: Tally) -> dict[str, Any]:
    return {
        "mean_hit_rate": round(mean_hit_rate(tally), 4),
        "false_alarm_rate": round(false_alarm_rate(tally), 5),
        "false_alarm_days": wilson(tally.false_alarm_days, tally.days).json(),
        "unknown_rate": round(tally.unknown_visits / max(1, tally.visits), 5),
        "hits": {truth: wilson(found, count).json() for truth, (found, count) in tally.hits.items()},
    }


def _auc(shots: Sequence[Shot]) -> dict[str, float]:
    figures = sharpness_figures()
    return {
        "sharpness": round(auc(*split(required_without_baseline(shots), figures["sharpness"])), 4),
        "sharpness_baseline": round(auc(*split(shots, figures["sharpness_baseline"])), 4),
    }


def _pool(jobs: int) -> Pool:
    return multiprocessing.get_context("spawn").Pool(max(1, jobs))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number}.pickle"


def _rejudged(work: tuple[Path, int, JudgeSettings]) -> Tally:
    folder, number, settings = work
    return rejudge(_read(_file(folder, number)), settings)


@cache
def _read(path: Path) -> Recording:
    """Return a recording; a process keeps all that it has read, which are those of one run."""
    with path.open("rb") as file:
        recording: Recording = pickle.load(file)
    return recording
