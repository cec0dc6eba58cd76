"""Judges what a visit brought against the camera's judge state."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.clock import monotonic_ns, thread_cpu_ns, wall_ns
from engine.config.judge import JudgeSettings
from engine.hub.keyframes.judge_state_store import JudgeStateStore
from engine.hub.registry import Registry
from engine.judge.rules import judge_failure, judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.judge.streams import Rule, judge_on_stream, wants_main
from engine.model.camera import Camera, CameraStream
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import State, UnknownReason, Verdict
from engine.model.visit import VisitFailure
from engine.worker.wire import Failed

_NOT_DAMAGED = ("unsupported", "too_large", "empty", "no_keyframe")
"""Reasons of a decoder for which the payload, not the transmission, is at fault."""


class Judgement(NamedTuple):
    """A verdict with what the pipeline stores beside it.

    `before`: the announced state before the visit, unknown if it is the first. `judge_state`: the camera's new state,
    as bytes. `changed`: the announced state changed, or is the first. `announcement_changed`:
    a fault is announced now, and state, kinds or cause differ from before; its keyframe is worth keeping. `working`:
    the kitchen was at work. `took_ns`, `took_cpu_ns`: time the judge took. `main_next`: of a camera that has a
    sub-stream, the next picture is to be of the main stream; `main_soon`: without waiting a period.
    """

    camera: Camera
    before: State
    verdict: Verdict
    judge_state: bytes
    changed: bool
    announcement_changed: bool
    working: bool
    took_ns: int
    took_cpu_ns: int
    main_next: bool = False
    main_soon: bool = False


class Judge:
    """The rules, with the judge state of every camera. For the hub's thread.

    `is_working(camera, wall_ns)`: whether the camera's kitchen works at that moment. Every judge_* method returns None
    if the camera left the registry while its visit was under way.
    """

    def __init__(
        self,
        settings: JudgeSettings,
        registry: Registry,
        states: JudgeStateStore,
        is_working: Callable[[Camera, int], bool],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._states = states
        self._is_working = is_working

    def configure(self, settings: JudgeSettings) -> None:
        """Apply new thresholds."""
        self._settings = settings

    def judge_measurement(self, keyframe: Keyframe, measurement: Measurement) -> Judgement | None:
        """Judge a picture."""
        working = self._working_at_arrival(keyframe)
        return self._judge(
            keyframe.camera_id,
            lambda state: judge_measurement(measurement, state, self._settings, working=working),
            working,
            keyframe.stream,
        )

    def judge_undecoded(self, keyframe: Keyframe, failed: Failed) -> Judgement | None:
        """Judge a keyframe that gave no picture."""
        reason = UnknownReason.NO_PICTURE if failed.reason in _NOT_DAMAGED else UnknownReason.DAMAGED
        return self._judge_unknown(keyframe, reason, failed.detail)

    def judge_too_costly(self, keyframe: Keyframe, detail: str) -> Judgement | None:
        """Judge a keyframe that is not decoded, or not to its end, because that takes too much CPU time."""
        return self._judge_unknown(keyframe, UnknownReason.TOO_COSTLY, detail)

    def judge_quarantined(self, keyframe: Keyframe) -> Judgement | None:
        """Judge a keyframe that two workers died over."""
        detail = "two workers died over this keyframe; it is kept aside"
        return self._judge_unknown(keyframe, UnknownReason.QUARANTINED, detail)

    def judge_failure(self, failure: VisitFailure) -> Judgement | None:
        """Judge a visit that brought no keyframe."""
        at_wall_ns = wall_ns()
        return self._judge(
            failure.camera_id, lambda state: judge_failure(failure, at_wall_ns, state, self._settings), working=True
        )

    def forget(self, camera_id: str) -> None:
        """Drop the judge state of a camera that left the registry."""
        self._states.forget(camera_id)

    def load(self, camera_id: str, packed: bytes) -> None:
        """Go on with the judge state of a camera that another shard had."""
        self._states.load(camera_id, packed)

    def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """Forget what these cameras usually show. Returns the new judge states by id, and the ids not known."""
        reset: dict[str, bytes] = {}
        unknown: list[str] = []
        for camera_id in dict.fromkeys(camera_ids):
            if camera_id in self._registry.cameras:
                reset[camera_id] = self._states.replace(camera_id, self._states.get(camera_id).learning_anew())
            else:
                unknown.append(camera_id)
        return reset, tuple(unknown)

    def region_of(self, camera_id: str) -> str:
        """Return the region of a camera; empty if it has left the registry."""
        camera = self._registry.cameras.get(camera_id)
        return "" if camera is None else camera.region

    def _judge_unknown(self, keyframe: Keyframe, reason: UnknownReason, detail: str) -> Judgement | None:
        arrival = keyframe.camera_id, keyframe.visit_id, keyframe.arrival_wall_ns
        return self._judge(
            keyframe.camera_id,
            lambda state: judge_undecoded(*arrival, reason, detail, state, self._settings),
            self._working_at_arrival(keyframe),
            keyframe.stream,
        )

    def _working_at_arrival(self, keyframe: Keyframe) -> bool:
        camera = self._registry.cameras.get(keyframe.camera_id)
        return camera is None or self._is_working(camera, keyframe.arrival_wall_ns)

    def _judge(
        self, camera_id: str, rule: Rule, working: bool, stream: CameraStream = CameraStream.MAIN
    ) -> Judgement | None:
        camera = self._registry.cameras.get(camera_id)
        if camera is None:
            return None
        began_ns, began_cpu_ns = monotonic_ns(), thread_cpu_ns()
        before = self._states.get(camera_id)
        verdict, after = judge_on_stream(stream, rule, before, self._settings)
        has_sub = bool(camera.sub_url)
        if not has_sub and (after.sub or after.main_wanted):
            after = after.without_sub_stream()
        changed = self._registry.announce(camera_id, verdict.announced, verdict.since_wall_ns)
        packed_state = self._states.replace(camera_id, after)
        announcement_changed = after.announced == State.FAULT and _announcement(after) != _announcement(before)
        took_cpu_ns, took_ns = thread_cpu_ns() - began_cpu_ns, monotonic_ns() - began_ns
        times = took_ns, took_cpu_ns
        return Judgement(
            camera,
            before.announced or State.UNKNOWN,
            verdict,
            packed_state,
            changed,
            announcement_changed,
            working,
            *times,
            main_next=has_sub and wants_main(after, self._settings),
            main_soon=after.main_wanted > 0,
        )


def _announcement(state: JudgeState) -> tuple[object, ...]:
    return state.announced, state.announced_kinds, state.announced_cause
