"""Collects measurements for a moment, so that the judge takes several right after one another. Pure.

Decoding evicts the processor's caches: a verdict costs two to four times as much as one that follows another verdict
directly. So measurements that arrive within BATCH_WAIT_NS are judged together, BATCH_MAX at most. A measurement does
not wait when no worker holds a keyframe, since no other can follow it.
"""

from typing import NamedTuple

from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement

BATCH_WAIT_NS = 20_000_000
BATCH_MAX = 8


class Measured(NamedTuple):
    """A keyframe with its measurement. `packed`: the measurement as the worker serialised it; the store keeps it."""

    keyframe: Keyframe
    measurement: Measurement
    packed: bytes


class MicroBatch:
    """Measurements, oldest first; at most BATCH_MAX."""

    def __init__(self) -> None:
        self._waiting: list[Measured] = []
        self._deadline_ns = 0

    @property
    def deadline_ns(self) -> int | None:
        """When the batch must be judged at the latest; None if it is empty."""
        return self._deadline_ns if self._waiting else None

    def add(self, measured: Measured, now_ns: int) -> None:
        """Add a measurement; the first one starts the wait."""
        if not self._waiting:
            self._deadline_ns = now_ns + BATCH_WAIT_NS
        self._waiting.append(measured)

    def is_due(self, now_ns: int, held_frames: int) -> bool:
        """Whether to judge now. `held_frames`: keyframes that workers hold."""
        if not self._waiting:
            return False
        return now_ns >= self._deadline_ns or len(self._waiting) >= BATCH_MAX or held_frames == 0

    def contains(self, camera_id: str) -> bool:
        """Whether a measurement of this camera waits."""
        return any(measured.keyframe.camera_id == camera_id for measured in self._waiting)

    def drain(self) -> list[Measured]:
        """Remove and return all measurements."""
        drained, self._waiting = self._waiting, []
        return drained
