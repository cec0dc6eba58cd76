"""Runs the whole benchmark: plans it, patrols the cameras in several processes, answers the files, makes the tables."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.accuracy.files import FileAnswer, answer_file
from bench.accuracy.findings import Findings
from bench.accuracy.labels import OK, Label
from bench.accuracy.patrol import patrol
from bench.accuracy.plan import CameraPlan, plan, plan_framed
from bench.accuracy.reporting import acceptance
from bench.accuracy.reporting.frames import frames_table
from bench.accuracy.reporting.kinds import films_table, good_table, greasing_table, kinds_table
from bench.accuracy.reporting.sharpness import sharpness_tables
from bench.accuracy.scenes import sources, views
from engine.kernels.warmup import warm_up

KEYFRAMES_MAX: Final = 150
KEYFRAMES_MAX_QUICK: Final = 5

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def run(data: Path, labels: Sequence[Label], *, seed: int, jobs: int, quick: bool) -> tuple[dict[str, Any], Findings]:
    """Return the result as JSON, and the findings it is made of.

    Raises ValueError if no picture of `data` is a sharp source.
    """
    began_s = time.monotonic()
    warm_up()
    scenes = [view for name, native in sources(data, labels) for view in views(name, native)]
    if not scenes:
        raise ValueError(f"{data}: no ok row of labels.csv is a sharp picture of at least 280 lines")
    cameras = plan(scenes, seed, quick=quick)
    framed = plan_framed(scenes, seed, quick=quick)
    limit = KEYFRAMES_MAX_QUICK if quick else KEYFRAMES_MAX
    selected = [label for label in labels if not quick or label.truth != OK] or list(labels)
    findings = _merged(list(_map_parallel(patrol, [*cameras, *framed], jobs)))
    findings, compared = _split(findings)
    answers = list(_map_parallel(_AnswerFile(data, limit, not quick), selected, jobs))
    result = {
        "data": data.name,
        "seed": seed,
        "quick": quick,
        **_tables(findings, answers, seed),
        "frames": frames_table(compared.episodes, compared.days),
        "cameras": len(cameras),
        "scenes": sorted({camera.scene.name for camera in cameras}),
        "seconds": round(time.monotonic() - began_s, 1),
    }
    result["demands"] = acceptance.table(result)
    findings.examples.extend(example for answer in answers for example in answer.examples)
    return result, findings


def _merged(findings: Sequence[Findings]) -> Findings:
    """Return the findings of all cameras together."""
    return Findings(
        shots=[shot for of_camera in findings for shot in of_camera.shots],
        episodes=[episode for of_camera in findings for episode in of_camera.episodes],
        days=[day for of_camera in findings for day in of_camera.days],
        greasings=[greasing for of_camera in findings for greasing in of_camera.greasings],
        examples=[example for of_camera in findings for example in of_camera.examples],
    )


def _split(findings: Findings) -> tuple[Findings, Findings]:
    """Return the findings of the plan, and those of the cameras that are there to compare frames by."""

    def part(compared: bool) -> Findings:
        return Findings(
            shots=[shot for shot in findings.shots if shot.rig.compared == compared],
            episodes=[episode for episode in findings.episodes if episode.rig.compared == compared],
            days=[day for day in findings.days if day.rig.compared == compared],
            greasings=[] if compared else findings.greasings,
            examples=[] if compared else findings.examples,
        )

    return part(compared=False), part(compared=True)


def _tables(findings: Findings, answers: Sequence[FileAnswer], seed: int) -> dict[str, Any]:
    rights = [answer.json["right"] for answer in answers]
    return {
        **sharpness_tables(findings.shots, seed),
        **kinds_table(findings.episodes, findings.days, seed),
        **good_table(findings.days),
        "greasing": greasing_table(findings.greasings),
        "films": films_table([day for answer in answers for day in answer.days]),
        "labels": [answer.json for answer in answers],
        "labels_right": {word: rights.count(word) for word in ("right", "unknown", "wrong")},
    }


class _AnswerFile:
    """`answer_file` bound to its arguments, for a process pool."""

    def __init__(self, data: Path, keyframes_max: int, references: bool) -> None:
        self._data, self._keyframes_max, self._references = data, keyframes_max, references

    def __call__(self, label: Label) -> FileAnswer:
        return answer_file(self._data, label, self._keyframes_max, references=self._references)


def _map_parallel(work: Callable[[_In], _Out], items: Sequence[_In], jobs: int) -> Iterator[_Out]:
    """Apply `work` to each item in `jobs` processes; results come in order. Shows progress if stderr is a terminal."""
    if jobs <= 1 or len(items) < 2:
        yield from _with_progress(map(work, items), len(items))
        return
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(items))) as pool:
        yield from _with_progress(pool.imap(work, items, chunksize=1), len(items))


def _with_progress(results: Iterable[_Out], total: int) -> Iterator[_Out]:
    terminal = sys.stderr.isatty()
    for number, result in enumerate(results, 1):
        if terminal:
            print(f"\r{number}/{total}", end="\n" if number == total else "", file=sys.stderr, flush=True)
        yield result


__all__ = ["CameraPlan", "run"]
