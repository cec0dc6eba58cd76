"""One camera of the plan through the engine: learned, watched, damaged, greased. Runs in a process of its own."""

from collections.abc import Sequence
from typing import Final

import cv2

from bench.accuracy import words
from bench.accuracy.camera import Camera
from bench.accuracy.covers import Cover
from bench.accuracy.damage import Damage
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine, without_noise_correction
from bench.accuracy.findings import Day, Episode, Example, Findings, Shot
from bench.accuracy.greasing import grease
from bench.accuracy.peers import peers
from bench.accuracy.plan import COUNTED, CameraPlan
from bench.accuracy.visitor import VISITS_A_DAY, Visitor
from engine.config.judge import JudgeSettings
from engine.model.measurement import Measurement

_EXAMPLES_MAX: Final = 6
_HITS_SHOWN_OF: Final = 7
"""Each camera shows every seventh of its episodes if it was a hit; others, others."""


def patrol(plan: CameraPlan) -> Findings:
    """Everything that the plan asks of one camera."""
    cv2.setNumThreads(1)
    return _Patrol(plan).run()


class _Patrol:
    def __init__(self, plan: CameraPlan) -> None:
        self._plan = plan
        self._engine = Engine()
        camera = Camera(plan.scene, plan.coding, plan.sensor, plan.seed, infrared=plan.infrared)
        self._visitor = Visitor(camera, self._engine)
        self._rig = camera.rig
        self._usual: float | None = None
        self._found = Findings()
        settings = JudgeSettings()
        self._visits_asked = max(settings.confirm_m, settings.frozen_visits)

    def run(self) -> Findings:
        scores = sorted(
            one.sharpness for one in self._visitor.learn(self._plan.learn_visits) if one.sharpness is not None
        )
        self._usual = scores[len(scores) // 2] if scores else None
        for _ in range(self._plan.good_days):
            self._watch()
        for damages in self._plan.episodes:
            self._suffer(damages)
        if self._plan.greasing:
            self._found.greasings.append(grease(self._visitor, self._plan.seed, self._visits_asked))
        return self._found

    def _watch(self) -> None:
        """One good day."""
        unknown = faults = alone_unknown = alone_faults = 0
        announced = ""
        evidence: list[dict[str, float]] = []
        for turn in range(VISITS_A_DAY):
            mode = self._visitor.mode(turn)
            payload, seen = self._visitor.take(mode)
            alone, answer = self._visitor.alone(seen), self._visitor.judge(seen)
            if not mode:
                self._shoot("good", 0.0, payload, alone, answer)
            evidence.append(answer.evidence)
            unknown += answer.state == "unknown"
            faults += answer.state == "fault"
            alone_unknown += alone.state == "unknown"
            alone_faults += alone.state == "fault"
            if answer.announced == "fault" and not announced:
                announced = words.named("fault", answer.announced_kinds, answer.announced_cause)
                self._keep("false alarm", "good", f"good, announced {announced}", payload, seen, answer)
        self._visitor.sleep(VISITS_A_DAY)
        self._found.days.append(
            Day(self._rig, VISITS_A_DAY, unknown, faults, announced, alone_unknown, alone_faults, tuple(evidence))
        )

    def _suffer(self, damages: Sequence[Damage]) -> None:
        """M visits and one more to a damaged camera, from the memory that good visits left, or fewer to a hit."""
        memory, alone_memory = self._visitor.memory, NEVER_SEEN
        damage = damages[-1]
        truth = damage.truth if isinstance(damage, Cover) else damage.kind
        visits = 0
        for visit in range(1, self._visits_asked + 2):
            payload, seen = self._visitor.take(damages)
            answer, memory = self._engine.judge(seen, memory, self._visitor.now_ns)
            alone, alone_memory = self._engine.judge(seen, alone_memory, self._visitor.now_ns)
            if visit == 1 and damage.kind in ("defocus", "motion"):
                self._shoot(damage.kind, damage.strength, payload, alone, answer)
            hit, alone_hit = _hit(truth, answer), _hit(truth, alone)
            if hit and not visits:
                visits = visit
            if hit and visit > 1 and (alone_hit or visit >= self._visits_asked):
                break
        named = words.named(answer.announced, answer.announced_kinds, answer.announced_cause)
        counted = damage.strength >= COUNTED.get(truth, 0.0)
        self._found.episodes.append(
            Episode(
                rig=self._rig,
                kind=damage.kind,
                truth=truth,
                strength=damage.strength,
                detail=damage.detail,
                counted=counted,
                state=answer.announced,
                named=named,
                hit=hit,
                visits=visits,
                alone_state=alone.announced,
                alone_named=words.named(alone.announced, alone.announced_kinds, alone.announced_cause),
                alone_hit=alone_hit,
                evidence=answer.evidence.get(truth),
            )
        )
        if counted:
            title = f"{damage.kind} {damage.strength:g} {damage.unit} {damage.detail}: {named}"
            self._keep("hit" if hit else "miss", truth, title, payload, seen, answer)

    def _shoot(self, kind: str, strength: float, payload: bytes, alone: Answer, answer: Answer) -> None:
        codec, at_ns = self._plan.coding.codec, self._visitor.now_ns
        with without_noise_correction():
            uncorrected = self._engine.look(codec, payload, at_ns, None)
        relative = answer.relative
        if relative is None and answer.sharpness is not None and self._usual:
            relative = answer.sharpness / self._usual
        self._found.shots.append(
            Shot(
                rig=self._rig,
                kind=kind,
                strength=strength,
                sharpness=alone.sharpness,
                relative=relative,
                uncorrected=uncorrected.scores.sharpness if isinstance(uncorrected, Measurement) else None,
                peers=peers(self._engine.luma(codec, payload)),
            )
        )

    def _keep(self, group: str, kind: str, title: str, payload: bytes, seen: Measurement | str, answer: Answer) -> None:
        kept = sum(one.group == group for one in self._found.examples)
        shown = group != "hit" or len(self._found.episodes) % _HITS_SHOWN_OF == self._plan.index % _HITS_SHOWN_OF
        if kept >= _EXAMPLES_MAX or not shown:
            return
        rig = self._rig
        where = f"{title} ({rig.size} {rig.codec} {rig.kbps} kbit/s, {rig.light})"
        tiles = seen.tiles if isinstance(seen, Measurement) else None
        self._found.examples.append(
            Example(group, kind, where, self._plan.coding.codec, payload, tiles, answer.verdict)
        )


def _hit(truth: str, answer: Answer) -> bool:
    """Announced, and right. The infrared mode of a camera that has one is no fault."""
    if truth == "ir_night":
        return answer.announced != "fault"
    return answer.announced == "fault" and words.hit(truth, answer.announced_kinds, answer.announced_cause)
