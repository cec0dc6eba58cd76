"""The whole run: plan, patrol the cameras in processes of their own, answer the files, make the tables."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.accuracy import acceptance
from bench.accuracy.files import FileAnswer, answer_file
from bench.accuracy.findings import Findings
from bench.accuracy.kinds import films_table, good_table, greasing_table, kinds_table
from bench.accuracy.labels import OK, Label
from bench.accuracy.patrol import patrol
from bench.accuracy.plan import CameraPlan, plan
from bench.accuracy.scenes import sources, views
from bench.accuracy.sharpness import sharpness_tables
from engine.kernels.warmup import warm_up

KEYFRAMES_MAX: Final = 150
KEYFRAMES_MAX_QUICK: Final = 5

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def run(data: Path, labels: Sequence[Label], *, seed: int, jobs: int, quick: bool) -> tuple[dict[str, Any], Findings]:
    """The result as JSON, and what it was made of. Raises ValueError where no picture of `data` is a sharp source."""
    began_s = time.monotonic()
    warm_up()
    scenes = [view for name, native in sources(data, labels) for view in views(name, native)]
    if not scenes:
        raise ValueError(f"{data}: no ok row of labels.csv is a sharp picture of at least 280 lines")
    cameras = plan(scenes, seed, quick=quick)
    limit = KEYFRAMES_MAX_QUICK if quick else KEYFRAMES_MAX
    wanted = [label for label in labels if not quick or label.truth != OK] or list(labels)
    findings = list(_spread(patrol, cameras, jobs))
    answers = list(_spread(_Answering(data, limit, not quick), wanted, jobs))
    result = {
        "data": data.name,
        "seed": seed,
        "quick": quick,
        **_tables(findings, answers, seed),
        "cameras": len(cameras),
        "scenes": sorted({camera.scene.name for camera in cameras}),
        "seconds": round(time.monotonic() - began_s, 1),
    }
    result["demands"] = acceptance.table(result)
    return result, Findings(
        shots=[shot for one in findings for shot in one.shots],
        episodes=[episode for one in findings for episode in one.episodes],
        days=[day for one in findings for day in one.days],
        examples=[
            *(example for one in findings for example in one.examples),
            *(example for one in answers for example in one.examples),
        ],
    )


def _tables(findings: Sequence[Findings], answers: Sequence[FileAnswer], seed: int) -> dict[str, Any]:
    shots = [shot for one in findings for shot in one.shots]
    episodes = [episode for one in findings for episode in one.episodes]
    simulated = [day for one in findings for day in one.days]
    rights = [one.json["right"] for one in answers]
    return {
        **sharpness_tables(shots, seed),
        **kinds_table(episodes, simulated, seed),
        **good_table(simulated),
        "greasing": greasing_table([greasing for one in findings for greasing in one.greasings]),
        "films": films_table([day for one in answers for day in one.days]),
        "labels": [one.json for one in answers],
        "labels_right": {word: rights.count(word) for word in ("right", "unknown", "wrong")},
    }


class _Answering:
    """`answer_file` with its arguments, for a pool."""

    def __init__(self, data: Path, keyframes_max: int, references: bool) -> None:
        self._data, self._keyframes_max, self._references = data, keyframes_max, references

    def __call__(self, label: Label) -> FileAnswer:
        return answer_file(self._data, label, self._keyframes_max, references=self._references)


def _spread(work: Callable[[_In], _Out], items: Sequence[_In], jobs: int) -> Iterator[_Out]:
    """`work` on each item, in order, by `jobs` processes; progress goes to stderr if a person looks."""
    if jobs <= 1 or len(items) < 2:
        yield from _counted(map(work, items), len(items))
        return
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(items))) as pool:
        yield from _counted(pool.imap(work, items, chunksize=1), len(items))


def _counted(results: Iterable[_Out], total: int) -> Iterator[_Out]:
    shown = sys.stderr.isatty()
    for number, result in enumerate(results, 1):
        if shown:
            print(f"\r{number}/{total}", end="\n" if number == total else "", file=sys.stderr, flush=True)
        yield result


__all__ = ["CameraPlan", "run"]
