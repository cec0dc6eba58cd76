"""Defines damages, and the random fields and blur kernels they are built from. The same seed gives the same picture.

Lengths are given in pixels of a 1080-line picture and scale with the size of the picture.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np
import numpy.typing as npt

from bench.accuracy.imaging.light import Linear, Rgb

Field = npt.NDArray[np.float32]

LINES: Final = 1080


@dataclass(frozen=True, slots=True)
class Damage:
    """One fault of a camera. `strength` is in `unit`; `seed` determines every random choice.

    A picture passes `lens` (linear light, before the sensor), is exposed by `gain`, and passes `signal` (8-bit
    levels, after the sensor, before the overlay). `visit` is the number of the visit: what drifts changes with it.
    """

    strength: float
    seed: int = 0

    kind: ClassVar[str]
    unit: ClassVar[str]

    def lens(self, scene: Linear, visit: int) -> Linear:
        """Return the light behind the lens."""
        return scene

    def gain(self, scene: Linear) -> float:
        """Return the exposure as a factor on the light of the undamaged `scene`."""
        return 1.0

    @property
    def still(self) -> bool:
        """Whether the camera repeats one picture, including its noise; only its clock goes on."""
        return False

    @property
    def detail(self) -> str:
        """The variant of the damage, such as a material or a screen; empty if it has none."""
        return ""

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        """Return the picture that leaves the camera's electronics."""
        return levels

    def _random(self, visit: int | None = None) -> np.random.Generator:
        """Return a random generator that is the same at every visit, or, with `visit`, one for that visit."""
        return np.random.default_rng([self.seed, 0 if visit is None else visit + 1])


def scaled(length_px: float, picture: npt.NDArray[np.float32]) -> float:
    """Convert pixels of a 1080-line picture to pixels of this one."""
    return length_px * float(picture.shape[0]) / LINES


def field(shape: tuple[int, ...], cells: int, random: np.random.Generator) -> Field:
    """Return a smooth random field, 0..1, shape (rows, columns), with about `cells` bumps along its height."""
    rows, columns = shape[:2]
    grid = random.random((cells + 2, max(3, round(cells * columns / rows) + 2)), np.float32)
    smooth = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)
    low, high = float(smooth.min()), float(smooth.max())
    out: Field = np.asarray((smooth - low) / max(high - low, 1e-6), np.float32)
    return out


def disc(radius_px: float) -> Field:
    """Return the point spread function of a defocused lens: a uniform disc with a soft rim, sum 1 (Hopkins 1955,
    geometric limit)."""
    half = max(1, int(np.ceil(radius_px + 0.5)))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius_px + 0.5 - np.hypot(y, x), 0.0, 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def path(length_px: float, random: np.random.Generator) -> Field:
    """Return the point spread function of a shake during one exposure: a slightly bent path of that length, uniform in
    time, sum 1."""
    steps = max(2, int(np.ceil(8 * length_px)))
    angle = random.uniform(0, np.pi) + np.linspace(-0.5, 0.5, steps) * random.uniform(-0.6, 0.6)
    x, y = np.cumsum(np.cos(angle)), np.cumsum(np.sin(angle))
    scale = length_px / steps
    x, y = (x - x.mean()) * scale, (y - y.mean()) * scale
    half = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
            np.add.at(kernel, (top + down + half, left + right + half), weight)
    return np.asarray(kernel / kernel.sum(), np.float32)


def convolved(scene: Linear, kernel: Field) -> Linear:
    """Return the scene convolved with a point spread function; borders are mirrored."""
    out = cv2.filter2D(scene, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(out, np.float32)


def blended(scene: Linear, other: Linear, share: Field | float) -> Linear:
    """Return `share` of `other` blended over `scene`."""
    weight = share[..., None] if isinstance(share, np.ndarray) else np.float32(share)
    out: Linear = scene + weight * (other - scene)
    return out
