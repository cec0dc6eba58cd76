"""How long after a trouble its cameras were all seen again. Pure."""

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.clock import ns, seconds
from engine.config.schema import SchedulerSettings
from engine.simulation.camera_model import CameraModel, Trouble
from engine.simulation.fleet import Fleet


@dataclass(slots=True)
class Recovered:
    """`after_s`: from the end of the trouble until no key point of it that can be reached, and whose kitchen works, is
    behind its period any more; None: not yet.
    """

    trouble: Trouble
    after_s: float | None = None


class Recovery:
    """Looks at troubles that are over and not yet forgotten."""

    def __init__(self, fleet: Fleet, nature: CameraModel, seen: "array[int]", settings: SchedulerSettings) -> None:
        self._behind_ns = ns(settings.key_period_s * (1 + settings.jitter))
        self._key_point = np.array(fleet.key_point, dtype=bool)
        self._nature = nature
        self._seen = seen
        self.all = [Recovered(one) for one in nature.troubles]

    def look(self, working: npt.NDArray[np.bool_], now_ns: int) -> None:
        """`working`: by camera, whether its kitchen does. Precise to the distance of two looks."""
        for one in self.all:
            trouble = one.trouble
            if one.after_s is not None or now_ns < trouble.until_ns:
                continue
            cameras = trouble.cameras[self._key_point[trouble.cameras]]
            reachable = (np.frombuffer(self._nature.why, dtype=np.uint8)[cameras] == 0) & working[cameras]
            seen = np.frombuffer(self._seen, dtype=np.int64)[cameras]
            # One that was lost and found again since is no longer this trouble's.
            reachable &= np.frombuffer(self._nature.reachable_since, dtype=np.int64)[cameras] <= trouble.until_ns
            behind = (seen < trouble.until_ns) & (now_ns - seen > self._behind_ns)
            if reachable.any() and not np.any(behind & reachable):
                one.after_s = seconds(now_ns - trouble.until_ns)
