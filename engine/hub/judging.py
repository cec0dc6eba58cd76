"""From what a visit brought to a stored verdict: judge, remember, hand to the writer, count."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.clock import monotonic_ns, seconds, thread_cpu_ns, wall_ns
from engine.config.schema import Settings
from engine.hub.findings_service import FindingsService
from engine.hub.judge_state_store import JudgeStateStore
from engine.hub.registry import Registry
from engine.judge.rules import judge_failure, judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import State, UnknownReason, Verdict
from engine.model.visit import VisitFailure
from engine.storage.db.store import VisitRecord
from engine.storage.writer.writer import Writer
from engine.worker.wire import Failed, pack_measurement


class _Judged(NamedTuple):
    """A verdict and what is to be kept with it; `news`: another fault is announced than before."""

    camera: Camera
    verdict: Verdict
    memory: bytes
    changed: bool
    news: bool
    working: bool
    took_ns: int
    took_cpu_ns: int


class Judging:
    """Keeps each camera's judge memory up. `memories`: as the store has them at start."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        memories: JudgeStateStore,
        writer: Writer,
        findings: FindingsService,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self._registry = registry
        self._memories = memories
        self._writer = writer
        self._findings = findings
        self._metrics = metrics
        self.is_working: Callable[[Camera, int], bool] = lambda _camera, _wall_ns: True
        """Whether a kitchen works at a moment; the schedule knows."""
        self.checks_total = 0

    def measured(self, batch: Sequence[tuple[Keyframe, Measurement]]) -> list[Verdict | None]:
        """Keyframes were scored; judged one right after the other, which takes half the time that each alone takes."""
        judged = [self._judge_measured(keyframe, measurement) for keyframe, measurement in batch]
        verdicts = []
        # Only now: what counts and stores one verdict takes the caches from the next.
        for (keyframe, measurement), one in zip(batch, judged, strict=True):
            self._metrics.stage("decode", seconds(measurement.decode_ns))
            self._metrics.stage("kernels", seconds(measurement.kernels_ns))
            self._metrics.stage_cpu("decode", seconds(measurement.decode_cpu_ns))
            self._metrics.stage_cpu("kernels", seconds(measurement.kernels_cpu_ns))
            kept = pack_measurement(measurement) if self.settings.record.measurements else b""
            verdicts.append(None if one is None else self._keep(one, keyframe, kept))
        return verdicts

    def _judge_measured(self, keyframe: Keyframe, measurement: Measurement) -> _Judged | None:
        working = self._works(keyframe)
        return self._judge(
            keyframe.camera_id,
            lambda old: judge_measurement(measurement, old, self.settings.judge, working=working),
            working,
        )

    def undecoded(self, keyframe: Keyframe, failed: Failed) -> Verdict | None:
        """No picture came out of a keyframe."""
        damaged = failed.reason not in ("unsupported", "too_large", "empty", "no_keyframe")
        reason = UnknownReason.DAMAGED if damaged else UnknownReason.NO_PICTURE
        return self._unknown(keyframe, reason, failed.detail)

    def quarantined(self, keyframe: Keyframe) -> Verdict | None:
        """A keyframe took two workers down."""
        return self._unknown(
            keyframe, UnknownReason.QUARANTINED, "two workers died over this keyframe; it is kept aside"
        )

    def failed(self, failure: VisitFailure) -> None:
        """A visit brought no keyframe."""
        at_ns = wall_ns()
        judged = self._judge(failure.camera_id, lambda old: judge_failure(failure, at_ns, old, self.settings.judge))
        if judged is not None:
            self._keep(judged, None)

    def forget(self, camera_id: str) -> None:
        """The camera left the registry."""
        self._memories.forget(camera_id)

    def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """What these cameras show is learned anew; the memories to store, by id, and the ids not known."""
        reset: dict[str, bytes] = {}
        unknown: list[str] = []
        for camera_id in dict.fromkeys(camera_ids):
            if camera_id not in self._registry.cameras:
                unknown.append(camera_id)
                continue
            reset[camera_id] = self._memories.put(camera_id, self._memories.of(camera_id).without_baseline())
        return reset, tuple(unknown)

    def _unknown(self, keyframe: Keyframe, reason: UnknownReason, detail: str) -> Verdict | None:
        judged = self._judge(
            keyframe.camera_id,
            lambda old: judge_undecoded(
                keyframe.camera_id,
                keyframe.visit_id,
                keyframe.arrival_wall_ns,
                reason,
                detail,
                old,
                self.settings.judge,
            ),
            working=self._works(keyframe),
        )
        return None if judged is None else self._keep(judged, keyframe)

    def _works(self, keyframe: Keyframe) -> bool:
        """Whether the camera's kitchen worked when the keyframe came."""
        camera = self._registry.cameras.get(keyframe.camera_id)
        return camera is None or self.is_working(camera, keyframe.arrival_wall_ns)

    def _judge(
        self, camera_id: str, rule: Callable[[JudgeState], tuple[Verdict, JudgeState]], working: bool = True
    ) -> _Judged | None:
        """None if the camera was removed while its visit was under way."""
        camera = self._registry.cameras.get(camera_id)
        if camera is None:
            return None
        began_ns, began_cpu_ns = monotonic_ns(), thread_cpu_ns()
        old = self._memories.of(camera_id)
        verdict, history = rule(old)
        changed = self._registry.announce(camera_id, verdict.announced)
        memory = self._memories.put(camera_id, history)
        news = history.announced == State.FAULT and _stands_by(history) != _stands_by(old)
        took_cpu_ns, took_ns = thread_cpu_ns() - began_cpu_ns, monotonic_ns() - began_ns
        return _Judged(camera, verdict, memory, changed, news, working, took_ns, took_cpu_ns)

    def _keep(self, judged: _Judged, keyframe: Keyframe | None, measurement: bytes = b"") -> Verdict:
        """Count it, and hand it to the writer."""
        verdict = judged.verdict
        self._metrics.stage("judge", seconds(judged.took_ns))
        self._metrics.stage_cpu("judge", seconds(judged.took_cpu_ns))
        if keyframe is not None:
            self._metrics.stage("arrival_to_verdict", seconds(max(0, wall_ns() - keyframe.arrival_wall_ns)))
        self._metrics.check_done(verdict.state)
        self.checks_total += 1
        evidence = self._evidence(keyframe, verdict)
        # The ledger cites only what is kept, and what it may cite is kept for good.
        also = self._findings.heard(verdict, judged.camera, evidence)
        record = VisitRecord(
            verdict,
            judged.memory,
            judged.changed,
            measurement,
            judged.working,
            exhibit=judged.news or (bool(also) and evidence is not None),
        )
        self._writer.submit(record, evidence, also)
        return verdict

    def _evidence(self, keyframe: Keyframe | None, verdict: Verdict) -> Keyframe | None:
        keep = self.settings.record.evidence
        if keyframe is None or keep == "none" or (keep == "faults" and verdict.state == State.OK):
            return None
        return keyframe


def _stands_by(history: JudgeState) -> tuple[object, ...]:
    """What is announced: a change of it is news, with a picture to be kept."""
    return history.announced, history.announced_kinds, history.announced_cause
