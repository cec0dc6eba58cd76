"""From what a visit brought to a stored verdict: judge, remember, hand to the writer, count."""

from collections.abc import Callable, Sequence

from engine.clock import monotonic_ns, seconds, wall_ns
from engine.config.schema import Settings
from engine.hub.findings import FindingsOffice
from engine.hub.memories import Memories
from engine.hub.registry import Registry
from engine.jobs import Failed, pack_measurement
from engine.judge.history import History
from engine.judge.rules import judge_failure, judge_measurement, judge_undecoded
from engine.record.store import VisitRecord
from engine.record.writer import Writer
from engine.serve.metrics import Metrics
from engine.types import Camera, Keyframe, Measurement, State, UnknownReason, Verdict, VisitFailure


class Judging:
    """Keeps each camera's judge memory up. `memories`: as the store has them at start."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        memories: Memories,
        writer: Writer,
        findings: FindingsOffice,
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

    def measured(self, keyframe: Keyframe, measurement: Measurement) -> Verdict | None:
        """A keyframe was scored."""
        self._metrics.stage("decode", seconds(measurement.decode_ns))
        self._metrics.stage("kernels", seconds(measurement.kernels_ns))
        working = self._works(keyframe)
        kept = pack_measurement(measurement) if self.settings.record.measurements else b""
        return self._judge(
            keyframe.camera_id,
            keyframe,
            lambda old: judge_measurement(measurement, old, self.settings.judge, working=working),
            kept,
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
        self._judge(failure.camera_id, None, lambda old: judge_failure(failure, at_ns, old, self.settings.judge))

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
        return self._judge(
            keyframe.camera_id,
            keyframe,
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

    def _works(self, keyframe: Keyframe) -> bool:
        """Whether the camera's kitchen worked when the keyframe came."""
        camera = self._registry.cameras.get(keyframe.camera_id)
        return camera is None or self.is_working(camera, keyframe.arrival_wall_ns)

    def _judge(
        self,
        camera_id: str,
        keyframe: Keyframe | None,
        rule: Callable[[History], tuple[Verdict, History]],
        measurement: bytes = b"",
        working: bool = True,
    ) -> Verdict | None:
        """The verdict; None if the camera was removed while its visit was under way."""
        camera = self._registry.cameras.get(camera_id)
        if camera is None:
            return None
        old = self._memories.of(camera_id)
        began_ns = monotonic_ns()
        verdict, history = rule(old)
        changed = self._registry.announce(camera_id, verdict.announced)
        self._metrics.stage("judge", seconds(monotonic_ns() - began_ns))
        if keyframe is not None:
            self._metrics.stage("arrival_to_verdict", seconds(max(0, wall_ns() - keyframe.arrival_wall_ns)))
        self._metrics.check_done(verdict.state)
        self.checks_total += 1
        evidence = self._evidence(keyframe, verdict)
        # The ledger cites only what is kept, and what it may cite is kept for good.
        also = self._findings.heard(verdict, camera, evidence)
        news = history.announced == State.FAULT and _stands_by(history) != _stands_by(old)
        record = VisitRecord(
            verdict,
            self._memories.put(camera_id, history),
            changed,
            measurement,
            working,
            exhibit=news or (bool(also) and evidence is not None),
        )
        self._writer.submit(record, evidence, also)
        return verdict

    def _evidence(self, keyframe: Keyframe | None, verdict: Verdict) -> Keyframe | None:
        keep = self.settings.record.evidence
        if keyframe is None or keep == "none" or (keep == "faults" and verdict.state == State.OK):
            return None
        return keyframe


def _stands_by(history: History) -> tuple[object, ...]:
    """What is announced: a change of it is news, with a picture to be kept."""
    return history.announced, history.announced_kinds, history.announced_cause
