"""Runs the whole benchmark: plans it, patrols the cameras in several processes, answers the files, makes the tables."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.accuracy.camera import Rig
from bench.accuracy.files import FileAnswer, answer_file
from bench.accuracy.findings import Findings
from bench.accuracy.labels import OK, Label
from bench.accuracy.patrol import patrol
from bench.accuracy.plan import CameraPlan, plan, plan_framed
from bench.accuracy.reporting import acceptance
from bench.accuracy.reporting.frames import frames_table
from bench.accuracy.reporting.kinds import films_table, good_table, greasing_table, kinds_table
from bench.accuracy.reporting.seeds import headline, spread
from bench.accuracy.reporting.sharpness import sharpness_tables
from bench.accuracy.scenes import Scene, sources, views
from bench.accuracy.tuning.cross_validation import cross_validate
from bench.accuracy.unseen import unseen_scenes
from engine.kernels.warmup import warm_up

KEYFRAMES_MAX: Final = 150
KEYFRAMES_MAX_QUICK: Final = 5

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is made of. `unseen`: a folder of photographs that no rule was tuned on, or None. `seeds`: the first
    makes the tables; the others repeat the cameras of both plans for the spread of the main figures."""

    data: Path
    labels: Sequence[Label]
    unseen: Path | None = None
    seeds: tuple[int, ...] = (1,)
    jobs: int = 1
    quick: bool = False
    cross_validate: bool = False


def run(options: RunOptions) -> tuple[dict[str, Any], Findings]:
    """Return the result as JSON, and the findings it is made of.

    Raises ValueError if no picture of `data` is a sharp source, no photograph of `unseen` is one, or there are too few
    scenes to cross-validate.
    """
    began_s = time.monotonic()
    warm_up()
    data, labels, seed, quick = options.data, options.labels, options.seeds[0], options.quick
    natives = dict(sources(data, labels))
    seen = [view for name, native in natives.items() for view in views(name, native)]
    if not seen:
        raise ValueError(f"{data}: no ok row of labels.csv is a sharp picture of at least 280 lines")
    unseen = unseen_scenes(options.unseen, list(natives.values())) if options.unseen is not None else []
    cameras = _cameras(seen, unseen, seed, options)
    limit = KEYFRAMES_MAX_QUICK if quick else KEYFRAMES_MAX
    selected = [label for label in labels if not quick or label.truth != OK] or list(labels)
    findings = _patrolled([*cameras, *plan_framed(seen, seed, quick=quick)], options.jobs)
    main, compared, other = (_part(findings, which) for which in (_is_main, _is_compared, _is_unseen))
    answers = list(_map_parallel(_AnswerFile(data, limit, not quick), selected, options.jobs))
    result = {
        "data": data.name,
        "seed": seed,
        "quick": quick,
        **_tables(main, seed),
        **_file_tables(answers),
        "greasing": greasing_table(findings.greasings),
        "frames": frames_table(compared.episodes, compared.days),
        "unseen": _tables(other, seed) if unseen else None,
        "cameras": sum(not camera.scene.unseen for camera in cameras),
        "scenes": sorted({camera.scene.name for camera in cameras if not camera.scene.unseen}),
        "unseen_scenes": sorted({camera.scene.name for camera in cameras if camera.scene.unseen}),
    }
    result["seeds"] = _seeds_table(result, seen, unseen, options)
    if options.cross_validate:
        shots = [*main.shots, *other.shots]
        result["cross_validation"] = cross_validate(findings.recordings, shots, options.jobs)
    result["seconds"] = round(time.monotonic() - began_s, 1)
    result["demands"] = acceptance.table(result)
    findings.examples.extend(example for answer in answers for example in answer.examples)
    return result, findings


def _cameras(seen: Sequence[Scene], unseen: Sequence[Scene], seed: int, options: RunOptions) -> list[CameraPlan]:
    """Return the cameras of both plans; their measurements are kept if the run is to be cross-validated."""
    planned = [*plan(seen, seed, quick=options.quick), *plan(unseen, seed, quick=options.quick)]
    return [replace(camera, recorded=options.cross_validate) for camera in planned]


def _seeds_table(
    result: Mapping[str, Any], seen: Sequence[Scene], unseen: Sequence[Scene], options: RunOptions
) -> dict[str, Any] | None:
    """Run both plans again with every further seed, and return the spread of the main figures; None for one seed."""
    if len(options.seeds) < 2:
        return None
    tables = [(result, result["unseen"])]
    for seed in options.seeds[1:]:
        findings = _patrolled(_cameras(seen, unseen, seed, replace(options, cross_validate=False)), options.jobs)
        other = _tables(_part(findings, _is_unseen), seed) if unseen else None
        tables.append((_tables(_part(findings, _is_main), seed), other))
    others = [table for _, table in tables if table is not None]
    return {
        "seeds": list(options.seeds),
        "seen": spread([headline(table) for table, _ in tables]),
        "unseen": spread([headline(table) for table in others]) if others else None,
    }


def _patrolled(cameras: Sequence[CameraPlan], jobs: int) -> Findings:
    return _merged(list(_map_parallel(patrol, cameras, jobs)))


def _merged(findings: Sequence[Findings]) -> Findings:
    """Return the findings of all cameras together."""
    return Findings(
        shots=[shot for of_camera in findings for shot in of_camera.shots],
        episodes=[episode for of_camera in findings for episode in of_camera.episodes],
        days=[day for of_camera in findings for day in of_camera.days],
        greasings=[greasing for of_camera in findings for greasing in of_camera.greasings],
        examples=[example for of_camera in findings for example in of_camera.examples],
        recordings=[recording for of_camera in findings for recording in of_camera.recordings],
    )


def _part(findings: Findings, which: Callable[[Rig], bool]) -> Findings:
    """Return the shots, episodes and days of the cameras that `which` names."""
    return Findings(
        shots=[shot for shot in findings.shots if which(shot.rig)],
        episodes=[episode for episode in findings.episodes if which(episode.rig)],
        days=[day for day in findings.days if which(day.rig)],
    )


def _is_compared(rig: Rig) -> bool:
    return rig.compared


def _is_unseen(rig: Rig) -> bool:
    return rig.unseen


def _is_main(rig: Rig) -> bool:
    return not rig.compared and not rig.unseen


def _tables(findings: Findings, seed: int) -> dict[str, Any]:
    """Return the tables of cameras: sharpness, kinds of fault, good days."""
    return {
        **sharpness_tables(findings.shots, seed),
        **kinds_table(findings.episodes, findings.days, seed),
        **good_table(findings.days),
    }


def _file_tables(answers: Sequence[FileAnswer]) -> dict[str, Any]:
    rights = [answer.json["right"] for answer in answers]
    return {
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
