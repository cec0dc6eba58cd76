"""One camera of the plan through the engine: learned, watched, damaged, greased. Runs in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2

from bench.accuracy import words
from bench.accuracy.camera import Camera, Rig
from bench.accuracy.covers import Cover
from bench.accuracy.damage import Damage
from bench.accuracy.electronics import InfraredNight, NoSignal
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine, Memory, without_noise_correction
from bench.accuracy.peers import peers
from bench.accuracy.plan import COUNTED, CameraPlan
from engine.config.schema import JudgeSettings
from engine.types import Codec, Measurement, TileMap, Verdict

NS_PER_H: Final = 3_600_000_000_000
BEGIN_WALL_NS: Final = 1_772_436_000_000_000_000
"""A Monday, 07:20 UTC."""
VISITS_A_DAY: Final = 6
VISIT_EVERY_H: Final = 2
LEARN_ROUNDS: Final = 3
"""The visits to learn from are judged that often, on days that follow one another; encoding them is what costs."""
_INFRARED: Final = (InfraredNight(1.0),)
_EXAMPLES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture's figures of sharpness. `relative`: against the camera's own past. `peers`: more is sharper."""

    rig: Rig
    kind: str
    strength: float
    sharpness: float | None
    relative: float | None
    uncorrected: float | None
    peers: dict[str, float]


@dataclass(frozen=True, slots=True)
class Episode:
    """A damage over M visits. `kinds`, `cause`, `state`: what was announced in the end, with the camera's memory and
    `alone`, without one. `visits`: visits until the right kind was announced, 0 if it never was."""

    rig: Rig
    kind: str
    truth: str
    strength: float
    detail: str
    counted: bool
    state: str
    named: str
    hit: bool
    visits: int
    alone_state: str
    alone_named: str
    alone_hit: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A good day of one camera. `unknown`, `faults`: visits so answered; `announced`: what fault was announced, if any.
    `alone_faults`, `alone_unknown`: the same of single pictures without a memory."""

    rig: Rig
    visits: int
    unknown: int
    faults: int
    announced: str
    alone_unknown: int
    alone_faults: int


@dataclass(frozen=True, slots=True)
class Example:
    """A picture for the report."""

    group: str
    title: str
    codec: Codec
    payload: bytes
    tiles: TileMap | None
    verdict: Verdict


@dataclass(slots=True)
class Findings:
    """All that one camera gave."""

    shots: list[Shot] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    greasings: list["Greasing"] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Greasing:
    """`announced_day`: 1..30, None: not within 30 days. `one_shot`: least strength that is announced at once."""

    rig: Rig
    announced_day: int | None
    one_shot: float | None


def patrol(plan: CameraPlan) -> Findings:
    """Everything that the plan asks of one camera."""
    cv2.setNumThreads(1)
    return _Patrol(plan).run()


class _Patrol:
    def __init__(self, plan: CameraPlan) -> None:
        self._plan = plan
        self._camera = Camera(plan.scene, plan.coding, plan.sensor, plan.seed, infrared=plan.infrared)
        self._engine = Engine()
        self._memory: Memory = NEVER_SEEN
        self._usual: float | None = None
        self._now_ns = BEGIN_WALL_NS
        self._number = 0
        self._found = Findings()
        settings = JudgeSettings()
        self._confirm_m = max(settings.confirm_m, settings.frozen_visits)

    def run(self) -> Findings:
        self._learn()
        for _ in range(self._plan.good_days):
            self._watch()
        for damages in self._plan.episodes:
            self._suffer(damages)
        return self._found

    def _learn(self) -> None:
        taken = [self._take(self._mode(turn)) for turn in range(self._plan.learn_visits)]
        scores = [answer.sharpness for _, seen in taken if (answer := self._alone(seen)).sharpness is not None]
        scores_known = sorted(score for score in scores if score is not None)
        self._usual = scores_known[len(scores_known) // 2] if scores_known else None
        for _ in range(LEARN_ROUNDS):
            for _, seen in taken:
                self._judge(seen)

    def _watch(self) -> None:
        """One good day."""
        unknown = faults = alone_unknown = alone_faults = 0
        announced = ""
        for turn in range(VISITS_A_DAY):
            payload, seen = self._take(self._mode(turn))
            alone, answer = self._alone(seen), self._judge(seen)
            if not self._mode(turn):
                self._shoot("good", 0.0, payload, alone, answer)
            unknown += answer.state == "unknown"
            faults += answer.state == "fault"
            alone_unknown += alone.state == "unknown"
            alone_faults += alone.state == "fault"
            if answer.announced == "fault" and not announced:
                announced = words.named("fault", answer.announced_kinds, answer.announced_cause)
                self._keep("false alarm", f"good, announced {announced}", payload, seen, answer)
        self._now_ns += (24 - VISITS_A_DAY * VISIT_EVERY_H) * NS_PER_H
        rig = self._camera.rig
        self._found.days.append(Day(rig, VISITS_A_DAY, unknown, faults, announced, alone_unknown, alone_faults))

    def _suffer(self, damages: Sequence[Damage]) -> None:
        """M visits to a damaged camera, from the memory that good visits left; ends with the right announcement."""
        memory, alone_memory = self._memory, NEVER_SEEN
        damage = damages[-1]
        truth = damage.truth if isinstance(damage, Cover) else damage.kind
        detail = damage.material if isinstance(damage, Cover) else damage.screen if isinstance(damage, NoSignal) else ""
        visits = 0
        hit = alone_hit = False
        for visit in range(1, self._confirm_m + 2):
            payload, seen = self._take(damages)
            answer, memory = self._engine.judge(seen, memory, self._now_ns)
            alone, alone_memory = self._engine.judge(seen, alone_memory, self._now_ns)
            if visit == 1 and damage.kind in ("defocus", "motion"):
                self._shoot(damage.kind, damage.strength, payload, alone, answer)
            hit = answer.announced == "fault" and words.hit(truth, answer.announced_kinds, answer.announced_cause)
            alone_hit = alone.announced == "fault" and words.hit(truth, alone.announced_kinds, alone.announced_cause)
            if truth == "ir_night":
                hit, alone_hit = answer.announced != "fault", alone.announced != "fault"
            if hit and not visits:
                visits = visit
            if hit and (alone_hit or visit >= self._confirm_m):
                break
        counted = damage.strength >= COUNTED.get(truth, 0.0)
        named = words.named(answer.announced, answer.announced_kinds, answer.announced_cause)
        self._found.episodes.append(
            Episode(
                rig=self._camera.rig,
                kind=damage.kind,
                truth=truth,
                strength=damage.strength,
                detail=detail,
                counted=counted,
                state=answer.announced,
                named=named,
                hit=hit,
                visits=visits,
                alone_state=alone.announced,
                alone_named=words.named(alone.announced, alone.announced_kinds, alone.announced_cause),
                alone_hit=alone_hit,
            )
        )
        if counted:
            group = "hit" if hit else "miss"
            self._keep(
                group, f"{damage.kind} {damage.strength:g} {damage.unit} {detail}: {named}", payload, seen, answer
            )

    def _shoot(self, kind: str, strength: float, payload: bytes, alone: Answer, answer: Answer) -> None:
        with without_noise_correction():
            uncorrected = self._engine.look(self._plan.coding.codec, payload, self._now_ns, None)
        relative = answer.relative
        if relative is None and answer.sharpness is not None and self._usual:
            relative = answer.sharpness / self._usual
        luma = self._engine.luma(self._plan.coding.codec, payload)
        self._found.shots.append(
            Shot(
                rig=self._camera.rig,
                kind=kind,
                strength=strength,
                sharpness=alone.sharpness,
                relative=relative,
                uncorrected=uncorrected.scores.sharpness if isinstance(uncorrected, Measurement) else None,
                peers=peers(luma),
            )
        )

    def _mode(self, turn: int) -> tuple[Damage, ...]:
        """An infrared camera is in its night mode on the first and last visit of a day."""
        return _INFRARED if self._plan.infrared and turn % VISITS_A_DAY in (0, VISITS_A_DAY - 1) else ()

    def _take(self, damages: Sequence[Damage]) -> tuple[bytes, Measurement | str]:
        self._number += 1
        self._now_ns += VISIT_EVERY_H * NS_PER_H
        payload = self._camera.visit(self._number, self._now_ns, damages)
        stream_ns = self._now_ns - BEGIN_WALL_NS
        return payload, self._engine.look(self._plan.coding.codec, payload, self._now_ns, stream_ns)

    def _judge(self, seen: Measurement | str) -> Answer:
        answer, self._memory = self._engine.judge(seen, self._memory, self._now_ns)
        return answer

    def _alone(self, seen: Measurement | str) -> Answer:
        return self._engine.judge(seen, NEVER_SEEN, self._now_ns)[0]

    def _keep(self, group: str, title: str, payload: bytes, seen: Measurement | str, answer: Answer) -> None:
        """Few of each group; hits of another kind for each camera."""
        kept = sum(one.group == group for one in self._found.examples)
        if kept >= _EXAMPLES_MAX or (group == "hit" and len(self._found.episodes) % 7 != self._plan.index % 7):
            return
        tiles = seen.tiles if isinstance(seen, Measurement) else None
        rig = self._camera.rig
        where = f"{title} ({rig.size} {rig.codec} {rig.kbps} kbit/s, {rig.light})"
        self._found.examples.append(Example(group, where, self._plan.coding.codec, payload, tiles, answer.verdict))
