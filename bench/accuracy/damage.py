"""What a damage is, and the fields and kernels that damages are made of. Seeded: the same seed gives the same picture.

Lengths are given in pixels of a 1080-line picture and hold in proportion at other sizes.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np
import numpy.typing as npt

from bench.accuracy.light import Linear, Rgb

Field = npt.NDArray[np.float32]

LINES: Final = 1080


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a camera. `strength` is in `unit`; `seed` decides all that is left to chance.

    A picture passes `lens` (linear light, before the sensor), is exposed by `gain`, and passes `signal` (8-bit
    levels, after the sensor, before the overlay). `visit` counts visits: what drifts does so from one to the next.
    """

    strength: float
    seed: int = 0

    kind: ClassVar[str]
    unit: ClassVar[str]

    def lens(self, scene: Linear, visit: int) -> Linear:
        """The light behind the lens."""
        return scene

    def gain(self, scene: Linear) -> float:
        """Exposure, as a factor on the light of the undamaged `scene`."""
        return 1.0

    @property
    def still(self) -> bool:
        """The camera repeats one picture, noise and all; only its clock goes on."""
        return False

    @property
    def detail(self) -> str:
        """Which of several looks it has: a material, a screen; or empty."""
        return ""

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        """What leaves the camera's electronics."""
        return levels

    def _random(self, visit: int | None = None) -> np.random.Generator:
        """Chance that stays from visit to visit, or, with `visit`, that of one visit."""
        return np.random.default_rng([self.seed, 0 if visit is None else visit + 1])


def scaled(length_px: float, picture: npt.NDArray[np.float32]) -> float:
    """Pixels of a 1080-line picture in pixels of this one."""
    return length_px * float(picture.shape[0]) / LINES


def field(shape: tuple[int, ...], cells: int, random: np.random.Generator) -> Field:
    """A smooth random field 0..1 (rows, columns) with about `cells` bumps along its height."""
    rows, columns = shape[:2]
    grid = random.random((cells + 2, max(3, round(cells * columns / rows) + 2)), np.float32)
    smooth = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)
    low, high = float(smooth.min()), float(smooth.max())
    out: Field = np.asarray((smooth - low) / max(high - low, 1e-6), np.float32)
    return out


def disc(radius_px: float) -> Field:
    """A defocused lens's point spread function: an even disc with a soft rim, sum 1 (Hopkins 1955, geometric limit)."""
    half = max(1, int(np.ceil(radius_px + 0.5)))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius_px + 0.5 - np.hypot(y, x), 0.0, 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def path(length_px: float, random: np.random.Generator) -> Field:
    """A camera's shake during one exposure: a slightly bent path of that length, even in time, sum 1."""
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
    """The scene through a point spread function; its borders are mirrored."""
    out = cv2.filter2D(scene, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(out, np.float32)


def blended(scene: Linear, other: Linear, share: Field | float) -> Linear:
    """`share` of `other` over the rest of `scene`."""
    weight = share[..., None] if isinstance(share, np.ndarray) else np.float32(share)
    out: Linear = scene + weight * (other - scene)
    return out
