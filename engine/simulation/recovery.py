"""Measures how long after a trouble its key points are all within their periods again. Pure."""

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.clock import ns, seconds
from engine.config.schema import SchedulerSettings
from engine.simulation.camera_model import CameraModel, Trouble
from engine.simulation.fleet import Fleet


@dataclass(slots=True)
class TroubleRecovery:
    """`after_s`: from the end of the trouble until none of its key points that can be reached and whose kitchen works
    is behind its period; None: not yet.
    """

    trouble: Trouble
    after_s: float | None = None


class Recovery:
    """Follows each trouble from its end until its key points have recovered."""

    def __init__(
        self, fleet: Fleet, camera_model: CameraModel, last_keyframe: "array[int]", settings: SchedulerSettings
    ) -> None:
        self._behind_ns = ns(settings.key_period_s * (1 + settings.jitter))
        self._key_point = np.array(fleet.key_point, dtype=bool)
        self._camera_model = camera_model
        self._last_keyframe = last_keyframe
        self.recoveries = [TroubleRecovery(trouble) for trouble in camera_model.troubles]

    def update(self, kitchen_works: npt.NDArray[np.bool_], now_ns: int) -> None:
        """Record the troubles that have recovered, to the precision of the calls. `kitchen_works`: by camera."""
        model = self._camera_model
        for recovery in self.recoveries:
            trouble = recovery.trouble
            if recovery.after_s is not None or now_ns < trouble.until_ns:
                continue
            cameras = trouble.cameras[self._key_point[trouble.cameras]]
            counts = (np.frombuffer(model.unreachable_reason, dtype=np.uint8)[cameras] == 0) & kitchen_works[cameras]
            # A camera that was unreachable again since no longer belongs to this trouble.
            counts &= np.frombuffer(model.reachable_since, dtype=np.int64)[cameras] <= trouble.until_ns
            last_keyframe = np.frombuffer(self._last_keyframe, dtype=np.int64)[cameras]
            is_behind = (last_keyframe < trouble.until_ns) & (now_ns - last_keyframe > self._behind_ns)
            if counts.any() and not np.any(is_behind & counts):
                recovery.after_s = seconds(now_ns - trouble.until_ns)
