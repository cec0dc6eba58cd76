"""The labelled files of a data directory through the engine: each row's truth beside the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import cv2

from bench.accuracy import words
from bench.accuracy.camera import Camera, Rig
from bench.accuracy.codec import Coding
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine, Memory
from bench.accuracy.findings import Day, Example
from bench.accuracy.footage import Coded, coded_keyframes, pictures
from bench.accuracy.labels import DAMAGED, OK, Label
from bench.accuracy.light import DAY, linear
from bench.accuracy.scenes import Scene
from bench.accuracy.visitor import BEGIN_WALL_NS, NS_PER_H, VISITS_A_DAY, Visitor
from engine.config.judge import JudgeSettings
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement

_REFERENCE_VISITS: Final = 8
_REFERENCE_CODING: Final = Coding(Codec.H264, 4000, 0.4)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """`json`: the row's entry in `labels`. `days`: of an ok film, its keyframes as camera-days."""

    json: dict[str, Any]
    days: tuple[Day, ...] = ()
    examples: tuple[Example, ...] = ()


def answer_file(data: Path, label: Label, keyframes_max: int, *, references: bool) -> FileAnswer:
    """All keyframes of a row, `keyframes_max` at most, as visits two hours apart; a photo is one visit.

    `references`: ask also a camera that has learned from the row's good picture of the same scene. What no single
    picture can tell (words.NEED_MEMORY) is always asked so, and that is the row's answer.
    """
    cv2.setNumThreads(1)
    engine = Engine()
    path = data / label.path
    found = _keyframes(path, label, keyframes_max)
    if not found:
        return _checked(engine, path, label)
    answers, days, examples = _visits(engine, found, label)
    last = answers[-1]
    named, state = _final(answers)
    entry: dict[str, Any] = {
        "path": label.path,
        "truth": label.truth,
        "answer": named,
        "right": _right(label.truth, state, last, named),
        "kinds": list(last.announced_kinds or last.kinds),
        "reason": last.reason,
        "sharpness": _rounded(last.sharpness),
        "keyframes": len(answers),
        "fault_visits": sum(one.state == "fault" for one in answers),
        "unknown_visits": sum(one.state == "unknown" for one in answers),
    }
    if label.truth == DAMAGED:
        first = engine.check(path)
        entry["first_keyframe"] = words.named(first.state, first.kinds, first.cause)
        if first.state == "fault":
            entry["right"] = "wrong"
    needs_memory = label.truth in words.NEED_MEMORY
    if label.reference and (references or needs_memory):
        informed = _with_reference(engine, data, label, found)
        entry["with_reference"] = informed
        if needs_memory and informed is not None:
            entry["alone"] = {"answer": entry["answer"], "right": entry["right"]}
            entry |= informed
    return FileAnswer(entry, tuple(days) if label.truth == OK else (), tuple(examples))


def _keyframes(path: Path, label: Label, keyframes_max: int) -> list[Coded]:
    try:
        return coded_keyframes(path, label.first_frame, label.last_frame, keyframes_max)
    except (OSError, av.FFmpegError, ValueError, IndexError, UnicodeDecodeError):
        return []


def _checked(engine: Engine, path: Path, label: Label) -> FileAnswer:
    """A file without a keyframe that could be had: what `patrol check` says of it."""
    answer = engine.check(path)
    named = words.named(answer.state, answer.kinds, answer.cause)
    return FileAnswer(
        {
            "path": label.path,
            "truth": label.truth,
            "answer": named,
            "right": _right(label.truth, answer.state, answer, named),
            "kinds": list(answer.kinds),
            "reason": answer.reason,
            "keyframes": 0,
        }
    )


def _visits(engine: Engine, found: Sequence[Coded], label: Label) -> tuple[list[Answer], list[Day], list[Example]]:
    memory: Memory = NEVER_SEEN
    answers: list[Answer] = []
    days: list[Day] = []
    examples: list[Example] = []
    day: list[tuple[Answer, Answer]] = []
    for number, one in enumerate(found):
        at_ns = BEGIN_WALL_NS + 2 * number * NS_PER_H
        seen = engine.look(one.codec, one.payload, at_ns, one.time_ns)
        alone, _ = engine.judge(seen, NEVER_SEEN, at_ns)
        answer, memory = engine.judge(seen, memory, at_ns)
        answers.append(answer)
        day.append((answer, alone))
        wrong = label.truth == OK and answer.state == "fault"
        if (wrong and not examples) or (number == len(found) - 1 and label.truth not in (OK, DAMAGED)):
            named = words.named(answer.state, answer.kinds, answer.cause)
            tiles = seen.tiles if isinstance(seen, Measurement) else None
            title = f"{label.path}: {label.truth}, answered {named}"
            right = not wrong and words.hit(label.truth, answer.kinds, answer.cause)
            group = "false alarm" if wrong else "hit" if right else "miss"
            examples.append(Example(group, label.truth, title, one.codec, one.payload, tiles, answer.verdict))
        if len(found) > 1 and (len(day) == VISITS_A_DAY or number == len(found) - 1):
            size = f"{seen.width}x{seen.height}" if isinstance(seen, Measurement) else "?"
            days.append(_day(Rig(label.path, "film", size, one.codec.value, 0, "film", False), day))
            day = []
    return answers, days, examples


def _day(rig: Rig, visits: Sequence[tuple[Answer, Answer]]) -> Day:
    announced = next((one for one, _ in visits if one.announced == "fault"), None)
    return Day(
        rig=rig,
        visits=len(visits),
        unknown=sum(one.state == "unknown" for one, _ in visits),
        faults=sum(one.state == "fault" for one, _ in visits),
        announced=""
        if announced is None
        else words.named("fault", announced.announced_kinds, announced.announced_cause),
        alone_unknown=sum(alone.state == "unknown" for _, alone in visits),
        alone_faults=sum(alone.state == "fault" for _, alone in visits),
    )


def _final(answers: Sequence[Answer]) -> tuple[str, str]:
    """The answer to a row: what is announced after its visits; of too few visits to announce, the last one's own."""
    last = answers[-1]
    if len(answers) < JudgeSettings().confirm_n:
        return words.named(last.state, last.kinds, last.cause), last.state
    return words.named(last.announced, last.announced_kinds, last.announced_cause), last.announced


def _right(truth: str, state: str, answer: Answer, named: str) -> str:
    """right, unknown or wrong."""
    if truth == DAMAGED:
        return "wrong" if state == "fault" else "right"
    if truth == OK:
        return {"ok": "right", "fault": "wrong"}.get(state, "unknown")
    if state == "fault":
        kinds = answer.announced_kinds or answer.kinds
        return "right" if words.hit(truth, kinds, answer.announced_cause or answer.cause or named) else "wrong"
    return "wrong" if state == "ok" else "unknown"


def _with_reference(engine: Engine, data: Path, label: Label, found: Sequence[Coded]) -> dict[str, Any] | None:
    """The same keyframes to a camera that has learned from its reference: coded anew, with people, noise and light."""
    try:
        rgb = pictures(data / label.reference, None, None, 2)[-1]
    except (OSError, av.FFmpegError, ValueError, IndexError):
        return None
    rows, columns = (side // 2 * 2 for side in rgb.shape[:2])
    scene = Scene(label.reference, "reference", f"{columns}x{rows}", linear(rgb[:rows, :columns]))
    visitor = Visitor(Camera(scene, _REFERENCE_CODING, DAY, 1), engine)
    visitor.learn(_REFERENCE_VISITS)
    answers = []
    for one in found if len(found) > 1 else [*found] * JudgeSettings().confirm_n:
        visitor.now_ns += 2 * NS_PER_H
        answers.append(visitor.judge(engine.look(one.codec, one.payload, visitor.now_ns, one.time_ns)))
    named, state = _final(answers)
    return {"answer": named, "right": _right(label.truth, state, answers[-1], named)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
