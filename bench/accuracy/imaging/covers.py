"""Simulates covers in front of the lens: cloth, paint, a hand, tape, a leaf. They are too near to be in focus, so their
edges are soft."""

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np

from bench.accuracy.imaging.damage import Damage, Field, blended, field
from bench.accuracy.imaging.light import Linear

WHOLE: Final = 0.95
"""Covered share from which on the truth is `covered`; below it is `partly_covered`."""


@dataclass(frozen=True, slots=True)
class Material:
    """`colour`: linear reflectance. `edge`: width of its soft edge as a share of the height. `texture`: deviation of
    its light. `bumps`: number of bumps of its outline and shading along the height. `through`: share of light it lets
    pass."""

    colour: tuple[float, float, float]
    edge: float
    texture: float
    bumps: int
    through: float = 0.0


MATERIALS: Final = {
    "cloth": Material((0.30, 0.32, 0.38), 0.05, 0.25, 3),
    "paint": Material((0.05, 0.05, 0.06), 0.015, 0.10, 6),
    "hand": Material((0.42, 0.24, 0.17), 0.06, 0.35, 4),
    "tape": Material((0.55, 0.53, 0.48), 0.02, 0.06, 1),
    "leaf": Material((0.06, 0.22, 0.03), 0.035, 0.30, 3, through=0.06),
}


@dataclass(frozen=True, slots=True)
class Cover(Damage):
    """Covers `strength` (0..1) of the picture's area with `material` from one side, at the same place on every
    visit."""

    material: str = "cloth"

    kind: ClassVar[str] = "cover"
    unit: ClassVar[str] = "share of area"

    @property
    def truth(self) -> str:
        """The kind of fault that the cover is."""
        return "covered" if self.strength >= WHOLE else "partly_covered"

    @property
    def detail(self) -> str:
        return self.material

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random()
        material = MATERIALS[self.material]
        mask = self._mask(scene, material, random)
        brightness = max(0.05, float(scene.mean()))
        shade = 1.0 + material.texture * 2 * (field(scene.shape, material.bumps, random) - 0.5)
        x = np.linspace(random.uniform(-0.3, 0.0), random.uniform(0.0, 0.3), scene.shape[1], dtype=np.float32)
        tone = np.array(material.colour, np.float32) * np.float32(2.2 * brightness)
        surface = (shade * (1 + x))[..., None].astype(np.float32) * tone
        if material.through:
            glow = cv2.resize(scene, (16, 9), interpolation=cv2.INTER_AREA)
            surface += np.float32(material.through) * cv2.resize(glow, scene.shape[1::-1])
        return blended(scene, np.asarray(surface, np.float32), mask)

    def _mask(self, scene: Linear, material: Material, random: np.random.Generator) -> Field:
        """Return the mask, 1 where the scene is covered: a ramp from one side, bent by bumps, cut so that the area
        fits."""
        rows, columns = scene.shape[:2]
        if self.strength >= 1.0:
            return np.ones((rows, columns), np.float32)
        small = (rows // 4, columns // 4)
        y, x = np.mgrid[0 : small[0], 0 : small[1]] / small[0]
        angle = random.uniform(0, 2 * np.pi)
        height = x * np.cos(angle) + y * np.sin(angle) + 0.5 * field(small, material.bumps, random)
        edge = float(np.quantile(height, 1 - self.strength))
        soft = np.clip((height - edge) / material.edge + 0.5, 0, 1).astype(np.float32)
        return np.asarray(cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass(frozen=True, slots=True)
class HeldCover(Damage):
    """A cloth that somebody holds before the lens: as large at every visit, and each time at another place."""

    kind: ClassVar[str] = "held_cover"
    unit: ClassVar[str] = "share of area"

    def lens(self, scene: Linear, visit: int) -> Linear:
        return Cover(self.strength, int(self._random(visit).integers(1 << 31)), "cloth").lens(scene, visit)
