"""Passes one camera of the plan through the engine: learns its baseline, watches good days, damages it, greases it.
Runs in a process of its own."""

from collections.abc import Sequence
from typing import Final

import cv2

from bench.accuracy import words
from bench.accuracy.camera import Camera
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine, without_noise_correction
from bench.accuracy.findings import FALSE_ALARM, HIT, MISS, NEAR, Day, Episode, Example, Findings, Shot
from bench.accuracy.greasing import grease
from bench.accuracy.imaging.covers import Cover
from bench.accuracy.imaging.damage import Damage
from bench.accuracy.imaging.exposure import ExposureShift
from bench.accuracy.nearness import nearness
from bench.accuracy.peers import peers
from bench.accuracy.plan import COUNTED, CameraPlan
from bench.accuracy.tuning.recording import RecordedEpisode, Recording, episode_visits, is_hit, visits_to_confirm
from bench.accuracy.visitor import VISITS_PER_DAY, Visit, Visitor
from engine.config.judge import JudgeSettings
from engine.model.measurement import Measurement

_EXAMPLES_MAX: Final = {FALSE_ALARM: 6, NEAR: 2, MISS: 6, HIT: 6}
"""Most examples of one camera, by group; the worst are kept."""
_NEAR_MIN: Final = 0.5
_HIT_SAMPLING: Final = 7
"""Every so many-th hit of a camera is an example; which ones differs from camera to camera."""


def patrol(plan: CameraPlan) -> Findings:
    """Run everything that the plan has for one camera."""
    cv2.setNumThreads(1)
    return _Patrol(plan).run()


class _Patrol:
    def __init__(self, plan: CameraPlan) -> None:
        self._plan = plan
        self._engine = Engine()
        camera = Camera(
            plan.scene,
            plan.coding,
            plan.sensor,
            plan.seed,
            infrared=plan.infrared,
            frame=plan.frame,
            dim_to=plan.dim_to,
            compared=plan.compared,
        )
        self._visitor = Visitor(camera, self._engine)
        self._rig = camera.rig
        self._usual_sharpness: float | None = None
        self._findings = Findings()
        self._settings = JudgeSettings()
        self._recorded_episodes: list[RecordedEpisode] = []

    def run(self) -> Findings:
        answers = self._visitor.learn(self._plan.learn_visits)
        learned, days = self._visitor.take_judged(), []
        scores = sorted(answer.sharpness for answer in answers if answer.sharpness is not None)
        self._usual_sharpness = scores[len(scores) // 2] if scores else None
        for _ in range(self._plan.good_days):
            self._run_good_day()
            days.append(self._visitor.take_judged())
        for damages in self._plan.episodes:
            self._run_episode(damages)
        if self._plan.greasing:
            confirm_visits = visits_to_confirm(self._settings)
            self._findings.greasings.append(grease(self._visitor, self._plan.seed, confirm_visits))
        if self._plan.recorded:
            recording = Recording(self._rig, learned, tuple(days), tuple(self._recorded_episodes))
            self._findings.recordings.append(recording)
        return self._findings

    def _run_good_day(self) -> None:
        unknown = faults = alone_unknown = alone_faults = 0
        announced = ""
        kind_figures: list[dict[str, float]] = []
        for turn in range(VISITS_PER_DAY):
            mode = self._visitor.mode(turn)
            payload, measurement = self._visitor.visit(mode)
            alone, answer = self._visitor.judge_alone(measurement), self._visitor.judge(measurement)
            if not mode:
                self._record_shot("good", 0.0, payload, alone, answer)
            kind_figures.append(answer.kind_figures)
            unknown += answer.state == "unknown"
            faults += answer.state == "fault"
            alone_unknown += alone.state == "unknown"
            alone_faults += alone.state == "fault"
            if answer.announced == "fault" and not announced:
                announced = words.answer_name("fault", answer.announced_kinds, answer.announced_cause)
                title = f"good, announced {announced}"
                self._record_example(FALSE_ALARM, "good", title, payload, measurement, answer)
            elif not announced and (near := nearness(answer.verdict)) >= _NEAR_MIN:
                title = f"good, {answer.state} {' '.join(answer.kinds)}"
                self._record_example(NEAR, "good", title, payload, measurement, answer, near)
        self._visitor.skip_to_morning(VISITS_PER_DAY)
        self._findings.days.append(
            Day(self._rig, VISITS_PER_DAY, unknown, faults, announced, alone_unknown, alone_faults, tuple(kind_figures))
        )

    def _run_episode(self, damages: Sequence[Damage]) -> None:
        """Visit the damaged camera M + 1 times, or fewer if it is a hit earlier. Starts from the judge state that the
        good visits left, and leaves that as it is."""
        judge_state, alone_state = self._visitor.judge_state, NEVER_SEEN
        damage = damages[-1]
        truth = damage.truth if isinstance(damage, Cover | ExposureShift) else damage.kind
        visits = 0
        judged: list[Visit] = []
        for visit in range(1, episode_visits(self._settings) + 1):
            payload, measurement = self._visitor.visit(damages)
            answer, judge_state = self._engine.judge(measurement, judge_state, self._visitor.now_ns)
            alone, alone_state = self._engine.judge(measurement, alone_state, self._visitor.now_ns)
            judged.append((self._visitor.now_ns, measurement))
            if visit == 1 and damage.kind in ("defocus", "motion"):
                self._record_shot(damage.kind, damage.strength, payload, alone, answer)
            hit, alone_hit = is_hit(truth, answer), is_hit(truth, alone)
            if hit and not visits:
                visits = visit
            if hit and visit > 1 and (alone_hit or visit >= visits_to_confirm(self._settings)):
                break
        name = words.answer_name(answer.announced, answer.announced_kinds, answer.announced_cause)
        counted = damage.strength >= COUNTED.get(truth, 0.0)
        self._findings.episodes.append(
            Episode(
                rig=self._rig,
                kind=damage.kind,
                truth=truth,
                strength=damage.strength,
                detail=damage.detail,
                counted=counted,
                state=answer.announced,
                name=name,
                hit=hit,
                visits=visits,
                alone_state=alone.announced,
                alone_name=words.answer_name(alone.announced, alone.announced_kinds, alone.announced_cause),
                alone_hit=alone_hit,
                kind_figure=answer.kind_figures.get(truth),
            )
        )
        if counted:
            self._recorded_episodes.append(RecordedEpisode(truth, tuple(judged)))
            variant = f" {damage.detail}" if damage.detail else ""
            title = f"{damage.kind} {damage.strength:g} {damage.unit}{variant}: {name}"
            badness = damage.strength / COUNTED.get(truth, 1.0)
            self._record_example(HIT if hit else MISS, truth, title, payload, measurement, answer, badness)

    def _record_shot(self, kind: str, strength: float, payload: bytes, alone: Answer, answer: Answer) -> None:
        codec, at_ns = self._plan.coding.codec, self._visitor.now_ns
        with without_noise_correction():
            uncorrected = self._engine.measure(codec, payload, at_ns, None)
        relative = answer.relative
        if relative is None and answer.sharpness is not None and self._usual_sharpness:
            relative = answer.sharpness / self._usual_sharpness
        self._findings.shots.append(
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

    def _record_example(
        self,
        group: str,
        kind: str,
        title: str,
        payload: bytes,
        measurement: Measurement | str,
        answer: Answer,
        badness: float = 0.0,
    ) -> None:
        sampled = len(self._findings.episodes) % _HIT_SAMPLING == self._plan.index % _HIT_SAMPLING
        if group == HIT and not sampled:
            return
        rig = self._rig
        camera = f"{rig.scene}, {rig.size} {rig.codec} {rig.kbps} kbit/s, {rig.light}"
        full_title = f"{title} ({camera}{', ' * bool(rig.frame)}{rig.frame})"
        tiles = measurement.tiles if isinstance(measurement, Measurement) else None
        examples = self._findings.examples
        examples.append(
            Example(group, kind, full_title, self._plan.coding.codec, payload, tiles, answer.verdict, badness)
        )
        of_group = [example for example in examples if example.group == group]
        if len(of_group) > _EXAMPLES_MAX[group]:
            least = min(of_group, key=lambda example: example.badness)
            self._findings.examples = [example for example in examples if example is not least]
