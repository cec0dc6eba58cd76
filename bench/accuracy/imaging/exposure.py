"""Simulates a camera whose exposure is not what it was: shifted for good, or led by a window behind the scene."""

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np

from bench.accuracy.imaging.damage import Damage, blended
from bench.accuracy.imaging.light import Linear

_WINDOW_LIGHT: Final = 3.0
"""Light of the window after exposure, in multiples of what saturates the sensor."""
_WINDOW_HEIGHT: Final = (0.3, 0.45)
_WINDOW_WIDTH: Final = (0.25, 0.45)
_WINDOW_TOP: Final = (0.03, 0.2)


@dataclass(frozen=True, slots=True)
class ExposureShift(Damage):
    """Another exposure than this camera's usual one, on every visit. `strength`: stops. `over`: more light, not less.

    Unlike Overexposed and Underexposed, which count from the right exposure of the scene, it counts from what the
    camera has shown so far.
    """

    over: bool = False

    kind: ClassVar[str] = "exposure"
    unit: ClassVar[str] = "stops"

    @property
    def truth(self) -> str:
        """The kind of fault that the shift is."""
        return "over_exposed" if self.over else "under_exposed"

    @property
    def detail(self) -> str:
        return "over" if self.over else "under"

    def gain(self, scene: Linear) -> float:
        return float(2.0 ** (self.strength if self.over else -self.strength))


@dataclass(frozen=True, slots=True)
class Backlit(Damage):
    """A window behind the scene, far brighter than the room, at the same place on every visit. `strength`: stops by
    which the camera's exposure falls for it."""

    kind: ClassVar[str] = "backlit"
    unit: ClassVar[str] = "stops"

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random()
        rows, columns = scene.shape[:2]
        height, width = int(rows * random.uniform(*_WINDOW_HEIGHT)), int(columns * random.uniform(*_WINDOW_WIDTH))
        top, left = int(rows * random.uniform(*_WINDOW_TOP)), int(random.uniform(0.05, 0.95) * (columns - width))
        mask = np.zeros((rows, columns), np.float32)
        mask[top : top + height, left : left + width] = 1.0
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rows / 400), np.float32)
        light = np.full_like(scene, _WINDOW_LIGHT * 2.0**self.strength)
        return blended(scene, light, mask)

    def gain(self, scene: Linear) -> float:
        return float(2.0**-self.strength)
