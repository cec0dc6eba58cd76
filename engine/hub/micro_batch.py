"""Measurements that wait a moment for others, to be judged one right after the other. Pure.

Between two pictures the decoders take the caches of the processor, and a verdict costs two to four times what it costs
right after another one. What comes within GATHER_NS is judged together, GATHER_MAX at most; what has nothing behind it
does not wait.
"""

from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement

BATCH_WAIT_NS = 20_000_000
BATCH_MAX = 8


class MicroBatch:
    """Scored keyframes, oldest first; bounded by GATHER_MAX."""

    def __init__(self) -> None:
        self._scored: list[tuple[Keyframe, Measurement]] = []
        self._until_ns = 0

    @property
    def until_ns(self) -> int | None:
        """When they are due at the latest; None: there are none."""
        return self._until_ns if self._scored else None

    def add(self, keyframe: Keyframe, measurement: Measurement, now_ns: int) -> None:
        """One more was scored."""
        if not self._scored:
            self._until_ns = now_ns + BATCH_WAIT_NS
        self._scored.append((keyframe, measurement))

    def due(self, now_ns: int, held_frames: int) -> bool:
        """Whether to judge now. `held_frames`: in the hands of workers."""
        if not self._scored:
            return False
        return now_ns >= self._until_ns or len(self._scored) >= BATCH_MAX or held_frames == 0

    def holds(self, camera_id: str) -> bool:
        """Whether one of this camera waits."""
        return any(keyframe.camera_id == camera_id for keyframe, _ in self._scored)

    def take(self) -> list[tuple[Keyframe, Measurement]]:
        """All of them, to be judged."""
        taken, self._scored = self._scored, []
        return taken
