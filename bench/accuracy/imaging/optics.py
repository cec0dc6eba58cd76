"""Simulates damage in front of or in the lens: defocus, motion, grease, steam, drops, a turned camera, wrong
exposure."""

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np

from bench.accuracy.imaging.damage import Damage, blended, convolved, disc, field, path, scaled
from bench.accuracy.imaging.light import Linear

_GREASE_RADIUS_PX: Final = 14.0
_GREASE_VEIL: Final = 0.35
_GREASE_MIN: Final = 0.15
_STEAM_SCATTER_PX: Final = 5.0

MIDDLE_GREY: Final = 0.18
"""Mean light of a scene that an exposure meter assumes (ISO 2720)."""


@dataclass(frozen=True, slots=True)
class Defocus(Damage):
    """Out of focus. `strength`: radius of the disc."""

    kind: ClassVar[str] = "defocus"
    unit: ClassVar[str] = "px at 1080p"

    def lens(self, scene: Linear, visit: int) -> Linear:
        return convolved(scene, disc(scaled(self.strength, scene)))


@dataclass(frozen=True, slots=True)
class Motion(Damage):
    """Camera shake during the exposure. `strength`: length of the path. Each visit has its own path."""

    kind: ClassVar[str] = "motion"
    unit: ClassVar[str] = "px at 1080p"

    def lens(self, scene: Linear, visit: int) -> Linear:
        return convolved(scene, path(scaled(self.strength, scene), self._random(visit)))


@dataclass(frozen=True, slots=True)
class Grease(Damage):
    """A film of grease: blur that varies over the picture, and veiling glare; the same at every visit. `strength`:
    0..1.

    At 1 the disc has a radius of 2 to 14 px (1080p), and a third of the light is spread over the whole picture.
    """

    kind: ClassVar[str] = "grease"
    unit: ClassVar[str] = "of a full film"

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random()
        thickness = _GREASE_MIN + (1 - _GREASE_MIN) * field(scene.shape, 4, random)
        widest = scaled(_GREASE_RADIUS_PX * self.strength, scene)
        steps = [scene, *(convolved(scene, disc(widest * share)) for share in (1 / 3, 2 / 3, 1.0))]
        out = scene
        for index in range(3):
            out = blended(out, steps[index + 1], np.clip(3 * thickness - index, 0, 1))
        veil = _GREASE_VEIL * self.strength * thickness
        return blended(out, _glare(scene), veil)


@dataclass(frozen=True, slots=True)
class Steam(Damage):
    """Drifting steam in front of the lens: contrast falls and black rises, unevenly. `strength`: density 0..1."""

    kind: ClassVar[str] = "steam"
    unit: ClassVar[str] = "density"

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random(visit)
        density = self.strength * random.uniform(0.85, 1.15) * (0.7 + 0.6 * (field(scene.shape, 3, random) - 0.5))
        density = np.clip(density, 0, 0.97).astype(np.float32)
        airlight = np.full_like(scene, 0.35 + 0.5 * float(scene.mean()))
        scatter = cv2.GaussianBlur(scene, (0, 0), max(0.3, scaled(_STEAM_SCATTER_PX * self.strength, scene)))
        return blended(blended(scene, np.asarray(scatter, np.float32), density), airlight, density)


@dataclass(frozen=True, slots=True)
class Drops(Damage):
    """Water drops on the glass, each a small, blurred, upside-down picture of the room. `strength`: share of the
    area."""

    kind: ClassVar[str] = "drops"
    unit: ClassVar[str] = "share of area"

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random()
        rows, columns = scene.shape[:2]
        room = cv2.resize(scene[::-1, ::-1], (64, 36), interpolation=cv2.INTER_AREA)
        out = scene.copy()
        left = self.strength * rows * columns
        while left > 0:
            radius = rows * random.uniform(0.02, 0.07)
            left -= np.pi * radius**2
            y, x = random.uniform(0, rows), random.uniform(0, columns)
            top, bottom = max(0, int(y - radius - 4)), min(rows, int(y + radius + 5))
            start, end = max(0, int(x - radius - 4)), min(columns, int(x + radius + 5))
            if bottom - top < 4 or end - start < 4:
                continue
            inside = cv2.resize(room, (end - start, bottom - top), interpolation=cv2.INTER_AREA)
            v, u = np.mgrid[top:bottom, start:end]
            distance = np.hypot(v - y, u - x) / radius
            mask = np.clip((1 - distance) * 2, 0, 1).astype(np.float32)  # far too near to be in focus
            rim = (1.1 - 0.3 * np.clip(distance, 0, 1) ** 2).astype(np.float32)[..., None]
            patch = out[top:bottom, start:end]
            out[top:bottom, start:end] = blended(patch, np.asarray(inside, np.float32) * rim, mask)
        return out


@dataclass(frozen=True, slots=True)
class Turned(Damage):
    """A turned camera. `strength`: shift of the view as a share of the picture's width."""

    kind: ClassVar[str] = "moved"
    unit: ClassVar[str] = "share of width"

    def lens(self, scene: Linear, visit: int) -> Linear:
        random = self._random()
        rows, columns = scene.shape[:2]
        angle = random.uniform(0, 2 * np.pi)
        # A camera on a wall turns sideways more easily than up. The mirrored scene fills what comes into view.
        x, y = np.cos(angle), 0.5 * np.sin(angle)
        shift = self.strength * columns / np.hypot(x, y)
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), random.uniform(-1.5, 1.5), 1.0)
        matrix[:, 2] += (x * shift, y * shift)
        out = cv2.warpAffine(scene, matrix, (columns, rows), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        return np.maximum(np.asarray(out, np.float32), 0)


@dataclass(frozen=True, slots=True)
class Underexposed(Damage):
    """Too little light. `strength`: stops below the right exposure, at which the mean of the light is MIDDLE_GREY."""

    kind: ClassVar[str] = "too_dark"
    unit: ClassVar[str] = "stops"

    def gain(self, scene: Linear) -> float:
        return float(2.0**-self.strength) * MIDDLE_GREY / max(float(scene.mean()), 1e-3)


@dataclass(frozen=True, slots=True)
class Overexposed(Damage):
    """Too much light. `strength`: stops above the right exposure, at which the mean of the light is MIDDLE_GREY."""

    kind: ClassVar[str] = "too_bright"
    unit: ClassVar[str] = "stops"

    def gain(self, scene: Linear) -> float:
        return float(2.0**self.strength) * MIDDLE_GREY / max(float(scene.mean()), 1e-3)


def _glare(scene: Linear) -> Linear:
    """Return light spread over the whole picture, plus a little from lamps outside it."""
    rows, columns = scene.shape[:2]
    small = cv2.resize(scene, (max(8, columns // 16), max(8, rows // 16)), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), small.shape[0] * 0.25)
    out = cv2.resize(wide, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(out, np.float32) + np.float32(0.1 * float(scene.mean()))
