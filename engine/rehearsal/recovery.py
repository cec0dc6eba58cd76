"""How long after a trouble its cameras were all seen again. Pure."""

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.clock import seconds
from engine.rehearsal.fleet import Fleet
from engine.rehearsal.nature import Nature, Trouble


@dataclass(slots=True)
class Recovered:
    """`after_s`: from the end of the trouble until each key point of it that can be reached and whose kitchen works was
    seen; None: not yet.
    """

    trouble: Trouble
    after_s: float | None = None


class Recovery:
    """Looks at troubles that are over and not yet forgotten."""

    def __init__(self, fleet: Fleet, nature: Nature, seen: "array[int]") -> None:
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
            seen = np.frombuffer(self._seen, dtype=np.int64)[cameras] >= trouble.until_ns
            if np.all(seen | ~reachable):
                one.after_s = seconds(now_ns - trouble.until_ns)
