"""Passes the labelled files of a data directory through the engine and compares each answer with the row's truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av
import cv2

from bench.accuracy import words
from bench.accuracy.camera import Camera, Rig
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine
from bench.accuracy.findings import HIT, NEAR, WRONG_FILE, Day, Example
from bench.accuracy.footage import CodedKeyframe, coded_keyframes, pictures
from bench.accuracy.imaging.codec import Coding
from bench.accuracy.imaging.light import DAY, linear
from bench.accuracy.labels import DAMAGED, OK, Label
from bench.accuracy.nearness import nearness
from bench.accuracy.scenes import Scene
from bench.accuracy.visitor import BEGIN_WALL_NS, NS_PER_H, VISITS_PER_DAY, Visitor
from engine.config.judge import JudgeSettings
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement

_REFERENCE_VISITS: Final = 8
_REFERENCE_CODING: Final = Coding(Codec.H264, 4000, 0.4)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer to one row. `json`: its entry in `labels`. `days`: the keyframes of an ok film as camera-days."""

    json: dict[str, Any]
    days: tuple[Day, ...] = ()
    examples: tuple[Example, ...] = ()


def answer_file(data: Path, label: Label, keyframes_max: int, *, references: bool) -> FileAnswer:
    """Judge all keyframes of a row, `keyframes_max` at most, as visits two hours apart; a photo is one visit.

    `references`: judge them also with a baseline learned from the row's good picture of the same scene. Kinds that no
    single picture can show (words.NEED_BASELINE) are always judged that way, and this gives the row's answer.
    """
    cv2.setNumThreads(1)
    engine = Engine()
    path = data / label.path
    keyframes = _keyframes(path, label, keyframes_max)
    if not keyframes:
        return _check_file(engine, path, label)
    answers, days, example = _judge_visits(engine, keyframes, label)
    last = answers[-1]
    name, state = _final(answers)
    entry: dict[str, Any] = {
        "path": label.path,
        "truth": label.truth,
        "answer": name,
        "right": _right(label.truth, state, last, name),
        "kinds": list(last.announced_kinds or last.kinds),
        "reason": last.reason,
        "sharpness": _rounded(last.sharpness),
        "keyframes": len(answers),
        "fault_visits": sum(answer.state == "fault" for answer in answers),
        "unknown_visits": sum(answer.state == "unknown" for answer in answers),
    }
    if label.truth == DAMAGED:
        first = engine.check(path)
        entry["first_keyframe"] = words.answer_name(first.state, first.kinds, first.cause)
        if first.state == "fault":
            entry["right"] = "wrong"
    needs_baseline = label.truth in words.NEED_BASELINE
    if label.reference and (references or needs_baseline):
        with_reference = _judge_with_reference(engine, data, label, keyframes)
        entry["with_reference"] = with_reference
        if needs_baseline and with_reference is not None:
            entry["alone"] = {"answer": entry["answer"], "right": entry["right"]}
            entry |= with_reference
    return FileAnswer(entry, tuple(days) if label.truth == OK else (), tuple(_examples(entry, example)))


def _examples(entry: Mapping[str, Any], example: Example) -> Iterator[Example]:
    """Yield the example of a file in its group, if it belongs to one: what was answered with a reference has none of
    its figures, so the answer stands in the title."""
    title = f"{entry['path']}: {entry['truth']}, answered {entry['answer']}"
    if entry["right"] == "wrong":
        yield replace(example, group=WRONG_FILE, title=title)
    elif entry["truth"] == OK and example.verdict.kinds:
        yield replace(example, group=NEAR, title=title, badness=nearness(example.verdict))
    elif entry["truth"] not in (OK, DAMAGED) and entry["right"] == "right":
        yield replace(example, group=HIT, title=title)


def _keyframes(path: Path, label: Label, keyframes_max: int) -> list[CodedKeyframe]:
    try:
        return coded_keyframes(path, label.first_frame, label.last_frame, keyframes_max)
    except (OSError, av.FFmpegError, ValueError, IndexError, UnicodeDecodeError):
        return []


def _check_file(engine: Engine, path: Path, label: Label) -> FileAnswer:
    """Return the answer of `patrol check` for a file from which no keyframe can be read."""
    answer = engine.check(path)
    name = words.answer_name(answer.state, answer.kinds, answer.cause)
    return FileAnswer(
        {
            "path": label.path,
            "truth": label.truth,
            "answer": name,
            "right": _right(label.truth, answer.state, answer, name),
            "kinds": list(answer.kinds),
            "reason": answer.reason,
            "keyframes": 0,
        }
    )


def _judge_visits(
    engine: Engine, keyframes: Sequence[CodedKeyframe], label: Label
) -> tuple[list[Answer], list[Day], Example]:
    """Return the answers, the days, and an example: the first visit of an ok file that shows a fault, or the last."""
    judge_state = NEVER_SEEN
    answers: list[Answer] = []
    days: list[Day] = []
    example: Example | None = None
    day: list[tuple[Answer, Answer]] = []
    for number, keyframe in enumerate(keyframes):
        at_ns = BEGIN_WALL_NS + 2 * number * NS_PER_H
        measurement = engine.measure(keyframe.codec, keyframe.payload, at_ns, keyframe.time_ns)
        alone, _ = engine.judge(measurement, NEVER_SEEN, at_ns)
        answer, judge_state = engine.judge(measurement, judge_state, at_ns)
        answers.append(answer)
        day.append((answer, alone))
        last = number == len(keyframes) - 1
        if example is None and (last or (label.truth == OK and answer.state == "fault")):
            tiles = measurement.tiles if isinstance(measurement, Measurement) else None
            example = Example(HIT, label.truth, label.path, keyframe.codec, keyframe.payload, tiles, answer.verdict)
        if len(keyframes) > 1 and (len(day) == VISITS_PER_DAY or last):
            size = f"{measurement.width}x{measurement.height}" if isinstance(measurement, Measurement) else "?"
            days.append(_day(Rig(label.path, "film", size, keyframe.codec.value, 0, "film", False), day))
            day = []
    assert example is not None  # the last visit makes one
    return answers, days, example


def _day(rig: Rig, visits: Sequence[tuple[Answer, Answer]]) -> Day:
    """Sum up a day; `visits`: the answer with the judge state, and the answer without one."""
    announced = next((answer for answer, _ in visits if answer.announced == "fault"), None)
    return Day(
        rig=rig,
        visits=len(visits),
        unknown=sum(answer.state == "unknown" for answer, _ in visits),
        faults=sum(answer.state == "fault" for answer, _ in visits),
        announced=""
        if announced is None
        else words.answer_name("fault", announced.announced_kinds, announced.announced_cause),
        alone_unknown=sum(alone.state == "unknown" for _, alone in visits),
        alone_faults=sum(alone.state == "fault" for _, alone in visits),
    )


def _final(answers: Sequence[Answer]) -> tuple[str, str]:
    """Return the name and state of the answer to a row: the announced state after its visits; with too few visits to
    announce anything, the state of the last visit."""
    last = answers[-1]
    if len(answers) < JudgeSettings().confirm_n:
        return words.answer_name(last.state, last.kinds, last.cause), last.state
    return words.answer_name(last.announced, last.announced_kinds, last.announced_cause), last.announced


def _right(truth: str, state: str, answer: Answer, name: str) -> str:
    """Return "right", "unknown" or "wrong"."""
    if truth == DAMAGED:
        return "wrong" if state == "fault" else "right"
    if truth == OK:
        return {"ok": "right", "fault": "wrong"}.get(state, "unknown")
    if state == "fault":
        kinds = answer.announced_kinds or answer.kinds
        return "right" if words.is_hit(truth, kinds, answer.announced_cause or answer.cause or name) else "wrong"
    return "wrong" if state == "ok" else "unknown"


def _judge_with_reference(
    engine: Engine, data: Path, label: Label, keyframes: Sequence[CodedKeyframe]
) -> dict[str, Any] | None:
    """Judge the keyframes with a baseline learned from the row's reference: coded anew, with people, noise and light.

    Returns the answer as JSON, None if the reference cannot be read.
    """
    try:
        rgb = pictures(data / label.reference, None, None, 2)[-1]
    except (OSError, av.FFmpegError, ValueError, IndexError):
        return None
    rows, columns = (side // 2 * 2 for side in rgb.shape[:2])
    scene = Scene(label.reference, "reference", f"{columns}x{rows}", linear(rgb[:rows, :columns]))
    visitor = Visitor(Camera(scene, _REFERENCE_CODING, DAY, 1), engine)
    visitor.learn(_REFERENCE_VISITS)
    answers = []
    for keyframe in keyframes if len(keyframes) > 1 else [*keyframes] * JudgeSettings().confirm_n:
        visitor.now_ns += 2 * NS_PER_H
        measurement = engine.measure(keyframe.codec, keyframe.payload, visitor.now_ns, keyframe.time_ns)
        answers.append(visitor.judge(measurement))
    name, state = _final(answers)
    return {"answer": name, "right": _right(label.truth, state, answers[-1], name)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
